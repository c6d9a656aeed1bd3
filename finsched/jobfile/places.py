"""Whether the places that a job names are known, and whether its data can stay where it must."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from finsched.decide.offers.where import AREAS, CONTINENT, matches, resides_in
from finsched.jobfile import schema
from finsched.jobfile.problems import Wrong, closest, shown
from finsched.jobfile.values import location_of
from finsched.model.market import Geography, Location

Places = Mapping[Location, Geography]
Path = tuple[str | int, ...]

COUNTRIES = {  # what people write instead of a code; the United Kingdom's code is not uk
    "australia": "au",
    "austria": "at",
    "belgium": "be",
    "brazil": "br",
    "britain": "gb",
    "denmark": "dk",
    "england": "gb",
    "finland": "fi",
    "france": "fr",
    "germany": "de",
    "india": "in",
    "ireland": "ie",
    "italy": "it",
    "japan": "jp",
    "netherlands": "nl",
    "norway": "no",
    "poland": "pl",
    "singapore": "sg",
    "south-korea": "kr",
    "spain": "es",
    "sweden": "se",
    "switzerland": "ch",
    "uk": "gb",
    "united-kingdom": "gb",
    "united-states": "us",
    "usa": "us",
}


def wrong_places(job: schema.Job, places: Places) -> Iterator[tuple[Path, Wrong]]:
    """Yield what is misspelt; and, when nothing is, what breaks `where.residency`.

    Nothing is misspelt at a provider without a known place: only its plugin knows its regions.
    """
    misspelt = [*_areas(job, places), *_patterns(job, places), *_data_regions(job, places)]
    yield from misspelt or _homeless(job, places)


def _areas(job: schema.Job, places: Places) -> Iterator[tuple[Path, Wrong]]:
    countries = {place.country for place in places.values() if place.country}
    for index, area in enumerate(job.where.residency):
        if area not in AREAS and area not in countries and area != CONTINENT:
            close = closest(area, COUNTRIES)
            known = f"known are {', '.join(sorted(AREAS))}, {CONTINENT} and codes of countries"
            guess = f"; did you mean {COUNTRIES[close]}?" if close else " such as de"
            yield (
                ("where", "residency", index),
                Wrong(f"{shown(area)} is not an area", known + guess),
            )


def _patterns(job: schema.Job, places: Places) -> Iterator[tuple[Path, Wrong]]:
    placed = {place.provider for place in places}
    if not placed.issuperset(job.where.clouds):
        return
    for index, written in enumerate(job.where.regions):
        pattern = written.removeprefix("!")
        if any(matches(pattern, place, known) for place, known in places.items()):
            continue
        regions = {place.region for place in places}
        stems = {region.rstrip("0123456789") + "*" for region in regions}
        close = closest(pattern, [*AREAS, CONTINENT, *regions, *stems])
        hint = f"did you mean {close}?" if close else "write it like us-* or europe-west4"
        yield ("where", "regions", index), Wrong(f"{shown(written)} matches no known region", hint)


def _data_regions(job: schema.Job, places: Places) -> Iterator[tuple[Path, Wrong]]:
    for path, _, location in _data(job):
        regions = [
            place.region for place in places if location and place.provider == location.provider
        ]
        if location is None or not regions or location.region in regions:
            continue
        close = closest(location.region, regions)
        hint = f"known are {', '.join(regions)}"
        if close is not None:
            hint = f"did you mean {location.provider}/{close}?"
        what = f"{shown(str(location))} is not a known region of {location.provider}"
        yield (*path, "region"), Wrong(what, hint)


def _homeless(job: schema.Job, places: Places) -> Iterator[tuple[Path, Wrong]]:
    """Data that is not, or cannot be shown to be, where the job must stay."""
    areas = job.where.residency
    if not areas:
        return
    inside = [place for place, known in places.items() if any(resides_in(a, known) for a in areas)]
    wanted = ", ".join(areas)
    for path, uri, location in _data(job):
        if location is None:
            what = f"has no region, so it cannot be shown to stay in {wanted}"
            yield path, Wrong(what, f"add region: {_example(uri, inside)}")
        elif location not in inside:
            what = f"is {location}, outside of where.residency ({wanted})"
            yield (*path, "region"), Wrong(what, "keep the data inside, or change where.residency")


def _data(job: schema.Job) -> Iterator[tuple[Path, str, Location | None]]:
    """Every place of data that a job names: its path, its URI and its region."""
    for index, item in enumerate(job.data.inputs):
        yield ("data", "inputs", index), item.uri, item.region
    for index, output in enumerate(job.data.outputs):
        yield ("data", "outputs", index), output.uri, output.region
    if job.checkpoint is not None and job.checkpoint.uri is not None:
        yield ("checkpoint",), job.checkpoint.uri, job.checkpoint.region


def _example(uri: str, inside: list[Location]) -> str:
    implied = location_of(uri)
    provider = implied.provider if implied else "aws"
    return str(next((place for place in inside if place.provider == provider), inside[0]))
