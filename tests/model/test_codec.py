from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.model.codec import DocumentError, decode, encode
from finsched.model.job import (
    Budget,
    CheckpointSpec,
    GpuRequest,
    JobSpec,
    Requirements,
    StartWindow,
    Where,
    Work,
)
from finsched.model.market import Location, Market, Offer, Pool
from finsched.model.quote import Decision, Quote, Rejection


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    text: str
    whole: int
    number: float
    flag: bool
    moment: datetime
    day: date
    span: timedelta
    usd: Decimal
    colour: Colour
    level: Level
    point: Point
    maybe: Point | None
    either: timedelta | datetime | date | str | int | float | None
    names: tuple[str, ...]
    pair: tuple[int, Point]
    by_name: Mapping[str, Point]
    by_point: Mapping[Point, tuple[str, ...]]
    colours: frozenset[Colour]
    default: int = 7


FIXED_OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=FIXED_OFFSETS,
)
MONEY = st.decimals(allow_nan=False)
POINTS = st.builds(Point, st.integers(), st.floats())
ANY_SCALAR = (
    st.timedeltas() | MOMENTS | st.dates() | st.text() | st.integers() | st.floats() | st.none()
)
EVERYTHING = st.builds(
    Everything,
    moment=MOMENTS,
    usd=MONEY,
    number=st.floats(),
    maybe=st.none() | POINTS,
    either=ANY_SCALAR,
    point=POINTS,
    pair=st.tuples(st.integers(), POINTS),
    by_name=st.dictionaries(st.text(), POINTS),
    by_point=st.dictionaries(
        st.builds(Point, st.integers(), st.floats(allow_nan=False)),
        st.lists(st.text()).map(tuple),
    ),
)


def round_trip(as_type: Any, value: Any) -> Any:
    """Through text, as strict JSON: what a ledger does."""
    return decode(as_type, json.loads(json.dumps(encode(value, as_type), allow_nan=False)))


def same(first: Any, second: Any) -> bool:
    """Equal, where NaN equals itself and moments compare as instants."""
    if isinstance(first, float) and math.isnan(first):
        return isinstance(second, float) and math.isnan(second)
    if isinstance(first, Everything):
        return all(same(getattr(first, n), getattr(second, n)) for n in Everything.__slots__)
    if isinstance(first, tuple):
        pairs = zip(first, second, strict=True)
        return type(first) is type(second) and all(same(a, b) for a, b in pairs)
    if isinstance(first, Mapping):
        return same(tuple(first.items()), tuple(second.items()))
    return type(first) is type(second) and first == second


@given(EVERYTHING)
def test_every_supported_type_survives_a_round_trip(value: Everything) -> None:
    assert same(value, round_trip(Everything, value))


@settings(max_examples=30)
@given(st.from_type(Offer))
def test_offers_survive_a_round_trip(offer: Offer) -> None:
    assert repr(round_trip(Offer, offer)) == repr(offer)


UTC_MOMENTS = MOMENTS.map(lambda moment: moment.astimezone(UTC).replace(fold=0))


def filled(cls: Any, **chosen: Any) -> st.SearchStrategy[Any]:
    """Instances with every field drawn, defaults included."""
    drawn: dict[str, Any] = {field.name: ... for field in fields(cls)}
    return st.builds(cls, **(drawn | chosen))


WHEN = st.none() | st.timedeltas() | UTC_MOMENTS
JOBS = filled(
    JobSpec,
    requirements=filled(Requirements, gpus=st.lists(filled(GpuRequest)).map(tuple)),
    where=filled(Where),
    work=st.none() | filled(Work, speedup=st.dictionaries(st.text(), st.floats())),
    checkpoint=st.none() | filled(CheckpointSpec),
    budget=filled(Budget),
    deadline=WHEN,
    start=st.none() | filled(StartWindow, after=WHEN, before=WHEN),
    tags=st.dictionaries(st.text(), st.text()),
    env=st.dictionaries(st.text(), st.text()),
)


@settings(max_examples=30)
@given(JOBS)
def test_job_specs_survive_a_round_trip(job: JobSpec) -> None:
    assert repr(round_trip(JobSpec, job)) == repr(job)


@settings(max_examples=20)
@given(st.from_type(Rejection) | st.from_type(Quote))
def test_quotes_and_rejections_survive_a_round_trip(value: Rejection | Quote) -> None:
    again = round_trip(Rejection | Quote, value)
    assert repr(again) == repr(value)


def test_a_whole_market_and_decision_have_a_json_form() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    empty = Market(
        as_of=now,
        offers=(),
        accelerators={},
        hazards={},
        paths={},
        terms={},
        geography={Location("aws", "us-east-1"): _geography()},
        launchable=frozenset({"local", "aws"}),
    )
    assert round_trip(Market, empty) == empty
    decision = Decision(
        job="a",
        basis="run",  # type: ignore[arg-type]
        as_of=now,
        quotes=(),
        rejections=(),
        best_on_demand=None,
        best_of_one_cloud=None,
    )
    with pytest.raises(DocumentError, match=r"^basis: expected Basis, got str"):
        encode(decision)


def _geography() -> Any:
    from finsched.model.market import Geography

    return Geography(area="us", country="US")


def test_the_form_is_readable() -> None:
    assert encode(timedelta(hours=72)) == "PT259200S"
    assert encode(timedelta(microseconds=-1)) == "-PT0.000001S"
    assert encode(Location("aws", "us-east-1")) == {"provider": "aws", "region": "us-east-1"}
    assert encode(timedelta(1), timedelta | datetime | None) == {"timedelta": "PT86400S"}
    assert encode(float("inf")) == "inf"
    assert encode({Point(1, 2.0): 3}, Mapping[Point, int]) == [[{"x": 1, "y": 2.0}, 3]]


def test_a_moment_is_stored_in_utc() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert encode(noon) == "2026-06-01T10:00:00+00:00"


def test_absent_fields_take_their_default() -> None:
    job = decode(JobSpec, {"name": "a", "run": "true", "requirements": {}})
    assert job == JobSpec(name="a", run="true", requirements=Requirements())


def test_a_job_written_down_before_it_could_name_its_start_is_still_read() -> None:
    job = JobSpec(name="a", run="true", requirements=Requirements(), deadline=timedelta(hours=72))
    document = encode(job)
    del document["start"], document["scavenge_below_usd_per_hour"]
    assert decode(JobSpec, document) == job


@pytest.mark.parametrize(
    ("as_type", "document", "message"),
    [
        (JobSpec, {"name": "a", "run": "b"}, "JobSpec lacks requirements"),
        (JobSpec, {"name": 1, "run": "b", "requirements": {}}, "name: expected str, got int"),
        (
            JobSpec,
            {
                "name": "a",
                "run": "b",
                "requirements": {"gpus": [{"count": 1}, {"cout": 2, "count": 1}]},
            },
            r"requirements.gpus\[1\]: GpuRequest has no field 'cout'",
        ),
        (Pool, {"provider": "aws"}, "Pool lacks instance_type, region, zone"),
        (Requirements, {"nodes": True}, "nodes: expected int, got bool"),
        (Requirements, {"nodes": 1.0}, "nodes: expected int, got float"),
        (Requirements, {"memory_gib": "1"}, "memory_gib: expected float, got str"),
        (Requirements, {"memory_gib": 10**400}, "too large for a float"),
        (Requirements, [], "expected an object for Requirements, got list"),
        (timedelta, "72h", "expected a duration such as PT90S, got '72h'"),
        (timedelta, "PT" + "9" * 5000 + "S", "too long"),
        (datetime, "2026-01-01T00:00:00", "has no time zone"),
        (datetime, "0001-01-01T00:00:00+14:00", "out of range"),
        (date, "2026-13-01", "cannot read"),
        (Decimal, "one", "cannot read"),
        (Colour, "blue", "'blue' is not a Colour"),
        (Level, True, "True is not a Level"),
        (timedelta | datetime, {"date": "2026-01-01"}, "'date' is none of timedelta, datetime"),
        (timedelta | datetime, "PT1S", "expected an object with one key"),
        (tuple[int, int], [1], "expected 2 items, got 1"),
        (Mapping[Point, int], [[1]], "pairs"),
    ],
)
def test_a_wrong_document_is_named_by_its_path(as_type: Any, document: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        decode(as_type, document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON | st.dictionaries(st.sampled_from(JobSpec.__slots__), JSON))
def test_any_document_decodes_or_is_refused(document: Any) -> None:
    try:
        job = decode(JobSpec, document)
    except DocumentError:
        return
    assert repr(round_trip(JobSpec, job)) == repr(job)


@pytest.mark.parametrize(
    ("value", "as_type"),
    [
        (None, str),
        (1, str),
        (1, bool),
        (True, int),
        (datetime(2026, 1, 1, tzinfo=UTC), date),
        (datetime(2026, 1, 1), datetime),  # noqa: DTZ001
        ([1], tuple[int, ...]),
        (b"x", int | str),
        (Point(1), Pool),
        (None, Requirements),
    ],
)
def test_a_value_that_contradicts_its_type_is_refused(value: Any, as_type: Any) -> None:
    with pytest.raises(DocumentError):
        encode(value, as_type)


@pytest.mark.parametrize("hint", [bytes, object, list[int]])
def test_a_type_without_a_json_form_is_a_programming_error(hint: Any) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        decode(hint, "x")
