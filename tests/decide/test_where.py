"""Region patterns, residency, and the geography behind them."""

from __future__ import annotations

import pytest

from finsched.decide.offers.where import data_problem, region_problem, residency_problem
from finsched.model.job import CheckpointSpec, Dataset, Where
from finsched.model.market import Geography, Location
from finsched.testing.builders import GEOGRAPHY, job

EASTUS = Location("azure", "eastus")
VIRGINIA = Location("aws", "us-east-1")
GOVCLOUD = Location("aws", "us-gov-west-1")
NETHERLANDS = Location("gcp", "europe-west4")
EVERYWHERE = Location("oci", "*")
STOCKHOLM = Location("aws", "eu-north-1")
LONDON = Location("aws", "eu-west-2")
ZURICH = Location("aws", "eu-central-2")
UNKNOWN = Location("lambda", "us-south-2")


@pytest.mark.parametrize(
    ("patterns", "place", "is_in"),
    [
        pytest.param([], EVERYWHERE, True, id="no pattern lets an unknown region in"),
        pytest.param(["us-*"], VIRGINIA, True, id="us-* matches by spelling"),
        pytest.param(["us-*"], EASTUS, True, id="us-* matches eastus by its area"),
        pytest.param(["us"], EASTUS, True, id="us is an area"),
        pytest.param(["eu-*"], NETHERLANDS, True, id="eu-* matches europe-west4 by its area"),
        pytest.param(["nl"], NETHERLANDS, True, id="a country is an area too"),
        pytest.param(["eu-*"], VIRGINIA, False, id="eu-* leaves us-east-1 out"),
        pytest.param(["us-*"], GOVCLOUD, True, id="us-* alone lets GovCloud in"),
        pytest.param(["us-*", "!us-gov-*"], GOVCLOUD, False, id="an exclusion wins"),
        pytest.param(["!us-gov-*", "us-*"], GOVCLOUD, False, id="an exclusion wins when first"),
        pytest.param(["!us-gov-*"], NETHERLANDS, True, id="an exclusion alone lets others in"),
        pytest.param(["!us"], EASTUS, False, id="an area can be excluded"),
        pytest.param(["aws/us-*"], VIRGINIA, True, id="a pattern may name the cloud"),
        pytest.param(["aws/us-*"], EASTUS, False, id="another cloud does not match it"),
        pytest.param(["us-*"], EVERYWHERE, False, id="an unknown region fails a wanted one"),
        pytest.param(["us-*"], UNKNOWN, True, id="spelling is enough outside the table"),
        pytest.param(["europe"], NETHERLANDS, True, id="europe is the continent"),
        pytest.param(["eu-*"], LONDON, True, id="eu-* is geographic Europe"),
        pytest.param(["ca"], Location("gcp", "nowhere"), False, id="an unknown place is nowhere"),
        pytest.param(["US-EAST-1"], VIRGINIA, True, id="case does not matter"),
    ],
)
def test_region_patterns(patterns: list[str], place: Location, is_in: bool) -> None:
    problem = region_problem(patterns, place, GEOGRAPHY.get(place))
    assert (problem is None) is is_in, problem


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        pytest.param(NETHERLANDS, None, id="inside"),
        pytest.param(VIRGINIA, "must stay in eu, is in aws/us-east-1", id="outside"),
        pytest.param(
            EVERYWHERE, "must stay in eu, oci does not say in which region", id="anywhere"
        ),
        pytest.param(None, "must stay in eu, is in an unknown region", id="nowhere"),
    ],
)
def test_residency(place: Location | None, problem: str | None) -> None:
    assert residency_problem(["eu"], place, GEOGRAPHY) == problem


@pytest.mark.parametrize(
    ("area", "inside"),
    [
        pytest.param("eu", {NETHERLANDS, STOCKHOLM}, id="eu is the European Union"),
        pytest.param("europe", {NETHERLANDS, STOCKHOLM, LONDON, ZURICH}, id="the continent"),
        pytest.param("gb", {LONDON}, id="a country"),
        pytest.param("EU", {NETHERLANDS, STOCKHOLM}, id="case does not matter"),
        pytest.param("us", {VIRGINIA, GOVCLOUD, EASTUS}, id="the United States"),
    ],
)
def test_what_an_area_means_for_residency(area: str, inside: set[Location]) -> None:
    found = {place for place in GEOGRAPHY if residency_problem([area], place, GEOGRAPHY) is None}
    assert found == inside


def test_a_code_of_an_area_and_of_a_country_is_the_area() -> None:
    geography = {
        Location("gcp", "me-central2"): Geography(area="me", country="sa"),
        Location("aws", "sa-east-1"): Geography(area="sa", country="br"),
    }
    found = [each for each in geography if residency_problem(["sa"], each, geography) is None]
    assert found == [Location("aws", "sa-east-1")]


@pytest.mark.parametrize("what", ["inputs", "outputs", "checkpoint"])
def test_data_outside_the_residency_is_named(what: str) -> None:
    dataset = Dataset(uri="s3://lake", location=VIRGINIA, size_gb=1)
    saved = CheckpointSpec(uri="s3://lake", location=VIRGINIA)
    fields = {what: saved if what == "checkpoint" else (dataset,)}
    spec = job(where=Where(residency=("eu",)), **fields)
    problem = data_problem(spec, GEOGRAPHY)
    assert problem == (f"{what.removesuffix('s')} s3://lake must stay in eu, is in aws/us-east-1")


def test_a_checkpoint_without_uri_is_beside_the_job_and_breaks_no_residency() -> None:
    spec = job(where=Where(residency=("eu",)), checkpoint=CheckpointSpec(size_gb=5))
    assert data_problem(spec, GEOGRAPHY) is None
