from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.jobfile import units
from finsched.jobfile.problems import Wrong

FACTORS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "PB": 10**15,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
    "PiB": 1024**5,
}
in_gb = units.size(unit_bytes=units.GB, example="500GB", most="1000PB")
in_gib = units.size(unit_bytes=units.GIB, example="256GiB", most="1000PB")
of_time = units.duration(least=timedelta(seconds=1), example="72h")


@given(
    st.decimals(min_value="0.001", max_value="800", places=3),
    st.sampled_from([unit for unit in FACTORS if unit != "B"]),
    st.sampled_from(["", " "]),
)
def test_sizes_are_exact_in_every_unit(number: Decimal, unit: str, gap: str) -> None:
    text = f"{number}{gap}{unit}"
    size_bytes = number * FACTORS[unit]
    assert in_gb(text) == float(size_bytes / 10**9)
    assert in_gib(text) == float(size_bytes / 2**30)


def test_gb_and_gib_are_not_the_same() -> None:
    assert in_gib("256GB") == pytest.approx(238.418579)
    assert in_gb("1GiB") == 1.073741824


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert of_time(f"{days}d{hours}h{minutes}m{seconds}s") == expected
    assert of_time(f"{days}d {hours} h {minutes}m {seconds}s") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("72h", timedelta(hours=72)),
        ("60s", timedelta(seconds=60)),
        ("30m", timedelta(minutes=30)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("1.5h", timedelta(minutes=90)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert of_time(text) == expected


@pytest.mark.parametrize(
    ("text", "usd"),
    [
        ("300", 300.0),
        ("14.50", 14.5),
        ("$300", 300.0),
        ("$1,234.50", 1234.5),
        ("300 USD", 300.0),
        ("USD 300", 300.0),
        ("0", 0.0),
    ],
)
def test_money(text: str, usd: float) -> None:
    assert units.money(text) == usd


def test_moments_are_in_utc() -> None:
    assert units.moment("2026-12-31T18:00:00+02:00") == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert units.moment("2026-12-31T18:00Z").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("read", "text", "what", "fix"),
    [
        (in_gib, "256", "a size needs a unit", "256GiB"),
        (in_gb, "500G", "G is not a unit of size", "did you mean"),
        (in_gb, "500Gb", "a small b means bits", "500GB"),
        (in_gb, "5 parsecs", "parsecs is not a unit of size", "the units are"),
        (in_gb, "0GB", "which is nothing", "500GB"),
        (in_gb, "-5GB", "which is not a size", "500GB"),
        (in_gb, "1e9GB", "which is not a size", "500GB"),
        (in_gb, "nan GB", "which is not a size", "500GB"),
        (in_gb, "infGB", "which is not a size", "500GB"),
        (in_gb, "999999999PB", "more than 1000PB is not possible", "check the unit"),
        (in_gb, "", "which is not a size", "500GB"),
        (in_gb, None, "has no value", "remove the key"),
        (in_gb, ["1GB"], "is a list", "one value"),
        (in_gb, {"a": "1GB"}, "is a mapping", "one value"),
        (of_time, "72", "a duration needs a unit", "72h"),
        (of_time, "5 mins", "mins is not a unit of time", "did you mean m?"),
        (of_time, "72 hours", "hours is not a unit of time", "did you mean h?"),
        (of_time, "10y", "y is not a unit of time", "s, m, h, d and w"),
        (of_time, "0s", "which is too short", "72h"),
        (of_time, "-1h", "which is not a duration", "72h"),
        (of_time, "9999999d", "longer than ten years", "check the unit"),
        (of_time, "1h" * 60, "which is not a duration", "72h"),
        (units.moment, "2026-12-31T18:00:00", "has no time zone", "2026-12-31T18:00:00Z"),
        (units.moment, "2026-12-31", "has no time zone", "2026-12-31T00:00:00Z"),
        (units.moment, "2026-13-31", "neither a duration nor a timestamp", "72h"),
        (units.moment, "0001-01-01T00:00:00+10:00", "out of range", "year"),
        (units.money, "300 EUR", "money is in USD", "convert it"),
        (units.money, "€300", "money is in USD", "convert it"),
        (units.money, "-5", "cannot be negative", "300"),
        (units.money, "$-5", "cannot be negative", "300"),
        (units.money, "nan", "not an amount of USD", "300"),
        (units.money, ".inf", "not an amount of USD", "300"),
        (units.money, "1e3", "not an amount of USD", "300"),
        (units.money, "1,00", "not an amount of USD", "300"),
        (units.money, "99999999999", "more than a billion", "check"),
        (units.whole_number(1, 8), "9", "is 9", "from 1 to 8"),
        (units.whole_number(1, 8), "1.5", "not a whole number", "1 or more"),
        (units.whole_number(1, 8), "٣", "not a whole number", "1 or more"),
        (units.positive_number(10), "0", "is 0", "above 0 and up to 10"),
        (units.positive_number(10), ".nan", "is not a number", "2 or 0.5"),
        (units.positive_number(10), "-1", "is -1", "above 0"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_to_write(
    read: object, text: object, what: str, fix: str
) -> None:
    with pytest.raises(Wrong) as caught:
        read(text)  # type: ignore[operator]
    assert what in caught.value.what
    assert fix in caught.value.fix


@given(st.text(alphabet="0123456789.,-+ eE$kKMGTPibBsmhdwUSDTZ:€\n\0٣", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (in_gb, of_time, units.moment, units.money):
        with contextlib.suppress(Wrong):
            assert read(text) is not None
