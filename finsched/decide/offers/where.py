"""Region patterns and residency: where a job and its data may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from finsched.model.job import JobSpec
from finsched.model.market import ANY_REGION, Geography, Location

AREAS = {  # the codes of the geography table; the United States, Canada and China are areas
    "af": "Africa",
    "ap": "Asia and the Pacific",
    "ca": "Canada",
    "cn": "China",
    "eu": "Europe",
    "me": "the Middle East",
    "sa": "South and Central America",
    "us": "the United States",
}
CONTINENT = "europe"  # under `residency`, where `eu` is the European Union


def matches(pattern: str, location: Location, geography: Geography | None) -> bool:
    """Whether a pattern such as `us-*`, `eu` or `aws/us-*` names this region.

    A pattern matches by spelling, or by the area or country of the geography table: `eu` is all of
    geographic Europe here.
    """
    cloud, _, region = pattern.lower().rpartition("/")
    if cloud and not fnmatchcase(location.provider, cloud):
        return False
    if fnmatchcase(location.region, region):
        return True
    return in_area(region.removesuffix("*").removesuffix("-"), geography)


def in_area(area: str, geography: Geography | None) -> bool:
    """Whether a region lies in an area such as `us` or `europe`, or in a country such as `de`.

    A code that is both (`sa`: South America, Saudi Arabia) is the area.
    """
    if geography is None:
        return False
    if area == CONTINENT:
        return geography.area == "eu"
    code = geography.area if area in AREAS else geography.country
    return bool(area) and area == code


def resides_in(area: str, geography: Geography) -> bool:
    """Whether a region satisfies a residency: `eu` means the member states of the Union."""
    return geography.in_eu if area == "eu" else in_area(area, geography)


def region_problem(
    patterns: Sequence[str], location: Location, geography: Geography | None
) -> str | None:
    """Why `where.regions` leaves this region out, or None; an exclusion wins."""
    for pattern in patterns:
        if pattern.startswith("!") and matches(pattern[1:], location, geography):
            return f"{location} is excluded by {pattern}"
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    if not wanted or any(matches(pattern, location, geography) for pattern in wanted):
        return None
    if location.region == ANY_REGION:
        return f"{location.provider} does not say in which region; needs {', '.join(wanted)}"
    return f"{location} is not in {', '.join(wanted)}"


def residency_problem(
    areas: Sequence[str], location: Location | None, geography: Mapping[Location, Geography]
) -> str | None:
    """Why this place breaks `where.residency`, or None; an unknown place always does."""
    if not areas:
        return None
    if location is not None and location.region == ANY_REGION:
        return f"must stay in {', '.join(areas)}, {location.provider} does not say in which region"
    known = None if location is None else geography.get(location)
    if known is None:
        place = "an unknown region" if location is None else f"{location} (unknown area)"
        return f"must stay in {', '.join(areas)}, is in {place}"
    if any(resides_in(area.lower(), known) for area in areas):
        return None
    return f"must stay in {', '.join(areas)}, is in {location}"


def data_problem(job: JobSpec, geography: Mapping[Location, Geography]) -> str | None:
    """Which input, output or checkpoint breaks the job's residency, or None."""
    for what, location in _data_places(job):
        problem = residency_problem(job.where.residency, location, geography)
        if problem is not None:
            return f"{what} {problem}"
    return None


def _data_places(job: JobSpec) -> Iterator[tuple[str, Location | None]]:
    for dataset in job.inputs:
        yield f"input {dataset.uri}", dataset.location
    for dataset in job.outputs:
        yield f"output {dataset.uri}", dataset.location
    if job.checkpoint is not None and job.checkpoint.uri is not None:
        yield f"checkpoint {job.checkpoint.uri}", job.checkpoint.location
