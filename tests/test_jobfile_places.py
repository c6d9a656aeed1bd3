"""Places that a job file names: what is misspelt, and data that cannot stay where it must."""

from __future__ import annotations

import pytest

from finsched import catalog, jobfile
from finsched.jobfile.places import COUNTRIES
from finsched.model.job import JobSpec
from finsched.model.market import Geography, Location

GPUS = {"h100": "H100"}
CLOUDS = ("aws", "gcp", "lambda", "local")
PLACES = {
    Location("aws", "eu-west-1"): Geography(area="eu", country="ie", in_eu=True),
    Location("aws", "eu-west-2"): Geography(area="eu", country="gb"),
    Location("aws", "us-east-1"): Geography(area="us", country="us"),
    Location("gcp", "europe-west3"): Geography(area="eu", country="de", in_eu=True),
}


def parse(extra: str) -> JobSpec:
    return jobfile.parse(
        f"resources: {{gpu: H100}}\nrun: make\n{extra}",
        source="job.yaml",
        known_gpus=GPUS,
        known_clouds=CLOUDS,
        known_places=PLACES,
    )


@pytest.mark.parametrize(
    ("extra", "sentence", "fix"),
    [
        (
            "where: {residency: [germany]}",
            "where.residency[0] 'germany' is not an area",
            "did you mean de?",
        ),
        ("where: {residency: uk}", "where.residency 'uk' is not an area", "did you mean gb?"),
        (
            "where: {residency: [xyz]}",
            "where.residency[0] 'xyz' is not an area",
            "af, ap, ca, cn, eu, me, sa, us, europe and codes of countries such as de",
        ),
        (
            "where: {regions: [eu-wst-*]}",
            "where.regions[0] 'eu-wst-*' matches no known region",
            "did you mean eu-west-*?",
        ),
        ("where: {regions: ['!mars']}", "'!mars' matches no known region", "us-* or europe-west4"),
        (
            "data: {inputs: [{uri: s3://a/b, region: aws/eu-wst-1, size: 1GB}]}",
            "data.inputs[0].region 'aws/eu-wst-1' is not a known region of aws",
            "did you mean aws/eu-west-1?",
        ),
        (
            "checkpoint: {uri: s3://a/b, region: aws/atlantis}",
            "checkpoint.region 'aws/atlantis' is not a known region of aws",
            "known are eu-west-1, eu-west-2, us-east-1",
        ),
        (
            "where: {residency: [eu]}\ndata: {outputs: [{uri: gs://a/b, size: 1GB}]}",
            "data.outputs[0] has no region, so it cannot be shown to stay in eu",
            "add region: gcp/europe-west3",
        ),
        (
            "where: {residency: [eu]}\ncheckpoint: {uri: s3://a/b}",
            "checkpoint has no region, so it cannot be shown to stay in eu",
            "add region: aws/eu-west-1",
        ),
        (
            "where: {residency: eu}\ncheckpoint: {uri: s3://a/b, region: aws/eu-west-2}",
            "checkpoint.region is aws/eu-west-2, outside of where.residency (eu)",
            "keep the data inside, or change where.residency",
        ),
    ],
)
def test_a_place_that_cannot_be_used_is_named_with_its_line(
    extra: str, sentence: str, fix: str
) -> None:
    with pytest.raises(jobfile.JobFileError) as caught:
        parse(extra)
    (problem,) = caught.value.problems
    assert problem.sentence.endswith(sentence)
    assert problem.fix.endswith(fix)
    assert problem.line == 3 + extra.splitlines().index(_line_of(extra, problem.field))


@pytest.mark.parametrize(
    "extra",
    [
        "where: {residency: [europe]}",
        "where: {residency: [ie]}",
        "where: {residency: [EU]}\ncheckpoint: {size: 1GB}",
        "where: {regions: ['*']}",
        "where: {regions: [eu, '!us-*']}",
        "where: {clouds: [lambda], regions: [utopia-1]}",
        "data: {inputs: [{uri: s3://a/b, region: lambda/anywhere, size: 1GB}]}",
        "data: {inputs: [{uri: s3://a/b, size: 1GB}]}",
    ],
)
def test_a_place_that_is_known_or_that_nobody_can_check_passes(extra: str) -> None:
    assert parse(extra).run == "make"


def test_the_bundled_places_know_the_european_union() -> None:
    places = catalog.places()
    for region in ("eu-west-1", "eu-central-1", "eu-north-1"):
        assert places[Location("aws", region)].in_eu
    for outside in (("aws", "eu-west-2"), ("aws", "eu-central-2"), ("azure", "norwayeast")):
        assert not places[Location(*outside)].in_eu
        assert places[Location(*outside)].area == "eu"
    assert {place.area for place in places.values() if place.in_eu} == {"eu"}


def test_every_suggested_country_is_a_known_one() -> None:
    assert set(COUNTRIES.values()) <= {place.country for place in catalog.places().values()}


def _line_of(extra: str, field: str) -> str:
    section = field.partition(".")[0]
    return next(line for line in extra.splitlines() if line.startswith(f"{section}:"))
