"""Live prices: what is believed, kept and joined with the bundled ones."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.catalog import live, load_market
from finsched.catalog.history import price_history
from finsched.catalog.keeping import KEPT_FOR, record
from finsched.catalog.live import Taken, store_path
from finsched.catalog.live_history import live_price_history
from finsched.catalog.quarantine import Known, LastPrice, Peers, Quarantined, Sifted, sift
from finsched.errors import MachineProblem
from finsched.model.evidence import Evidence, Quality
from finsched.model.history import PriceSeries
from finsched.model.interruption import HazardPrior
from finsched.model.market import CapacityType, InstanceType, Market, Offer, Pool, Tier
from finsched.provider import PriceChange

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REGION = "us-west-2"
NAMES = ("g5.xlarge", "p4d.24xlarge")
SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def machine(name: str = "p4d.24xlarge", gpus: int = 1) -> InstanceType:
    return InstanceType(provider="aws", name=name, gpu="A10G", gpu_count=gpus)


def offer(usd: float, kind: CapacityType = SPOT, zone: str = "usw2-az1", name: str = "p4d.24xlarge",
          region: str = REGION) -> Offer:  # fmt: skip
    day = NOW.date()
    evidence = Evidence(
        what="price",
        source="asked",
        quality=Quality.LIVE,
        earliest=day,
        latest=day,
        note="asked 12:00 UTC",
    )
    return Offer(machine(name), region, zone, kind, Tier.STANDARD, usd, evidence)


def taken(*offers: Offer, at: datetime = NOW, aside: tuple[Quarantined, ...] = (),
          changes: tuple[PriceChange, ...] = (), priors: dict[tuple[str, str], HazardPrior] | None
          = None) -> Taken:  # fmt: skip
    return Taken(
        provider="aws",
        asked_at=at,
        regions=1,
        answered=1,
        sifted=Sifted(offers, aside),
        changes=changes,
        priors=priors,
    )


def market(cache_dir: Path, state_dir: Path) -> Market:
    return load_market(now=NOW, cache_dir=cache_dir, state_dir=state_dir)


def sold(found: Market, name: str = "p4d.24xlarge", kind: CapacityType = SPOT) -> list[Offer]:
    return [
        each
        for each in found.offers
        if (each.provider, each.region) == ("aws", REGION)
        and (each.instance_type.name, each.capacity_type) == (name, kind)
    ]


# --- joined with the bundled tables ------------------------------------------------------------


def test_without_a_store_the_bundled_prices_stand(cache_dir: Path, tmp_path: Path) -> None:
    bundled = load_market(now=NOW, cache_dir=cache_dir)
    assert market(cache_dir, tmp_path / "none").offers == bundled.offers
    assert not (tmp_path / "none").exists()


def test_a_live_price_replaces_all_bundled_ones_of_its_machine_there_and_no_others(
    cache_dir: Path, tmp_path: Path
) -> None:
    bundled = load_market(now=NOW, cache_dir=cache_dir)
    record(tmp_path, taken(offer(0.4), offer(0.5, zone="usw2-az2")))
    joined = market(cache_dir, tmp_path)
    assert {(o.zone, o.price_usd_per_hour) for o in sold(joined)} == {
        ("usw2-az1", 0.4),
        ("usw2-az2", 0.5),
    }
    assert {o.evidence.quality for o in sold(joined)} == {Quality.LIVE}
    assert {o.evidence.note for o in sold(joined)} == {"asked 12:00 UTC"}
    gone = set(sold(bundled))
    assert gone
    assert set(bundled.offers) - gone == set(joined.offers) - set(sold(joined))


def test_a_bundled_price_of_a_later_day_is_worth_more_than_an_old_refresh(
    cache_dir: Path, tmp_path: Path
) -> None:
    bundled = load_market(now=NOW, cache_dir=cache_dir)
    [latest] = {o.evidence.latest for o in sold(bundled)}
    assert latest
    noon = datetime(latest.year, latest.month, latest.day, 12, tzinfo=UTC)
    record(tmp_path, taken(offer(0.4), at=noon - timedelta(days=1)))
    assert set(sold(market(cache_dir, tmp_path))) == set(sold(bundled))
    record(tmp_path, taken(offer(0.4), at=noon))
    assert [o.price_usd_per_hour for o in sold(market(cache_dir, tmp_path))] == [0.4]


def test_a_known_machine_keeps_its_bundled_hardware_and_a_new_one_its_own(
    cache_dir: Path, tmp_path: Path
) -> None:
    record(tmp_path, taken(offer(0.4), offer(70.0, name="p9.48xlarge")))
    joined = market(cache_dir, tmp_path)
    [known], [new] = sold(joined), sold(joined, "p9.48xlarge")
    assert known.instance_type.vcpus == 96
    assert new.instance_type == machine("p9.48xlarge")


def test_a_gpu_that_nobody_knows_is_listed(cache_dir: Path, tmp_path: Path) -> None:
    kind = InstanceType(provider="aws", name="x1", gpu="Q1", gpu_count=1, gpu_memory_gib=512.0)
    record(tmp_path, taken(offer(9.0)._replace(instance_type=kind)))
    assert market(cache_dir, tmp_path).accelerators["Q1"].memory_gib == 512.0


def test_a_measured_trace_is_worth_more_than_a_live_band(cache_dir: Path, tmp_path: Path) -> None:
    bundled = load_market(now=NOW, cache_dir=cache_dir)
    day = NOW.date()
    evidence = Evidence(what="hazard", source="band", quality=Quality.ESTIMATED, earliest=day,
                        latest=day)  # fmt: skip
    band = HazardPrior(shape=1.0, exposure_hours=777.0, saturated=False, evidence=evidence)
    pools = {pool for pool in bundled.hazards if pool.provider == "aws"}
    record(tmp_path, taken(priors={(pool.region, pool.instance_type): band for pool in pools}))
    joined = market(cache_dir, tmp_path)
    measured = {
        pool for pool in pools if bundled.hazards[pool].evidence.quality is Quality.MEASURED
    }
    assert measured
    assert all(joined.hazards[pool] == bundled.hazards[pool] for pool in measured)
    assert all(joined.hazards[pool] == band for pool in pools - measured)


def test_an_answer_replaces_the_answer_before_in_its_region_alone(
    cache_dir: Path, tmp_path: Path
) -> None:
    east = offer(0.9, zone="use1-az1", region="us-east-1")
    record(tmp_path, taken(offer(0.4), offer(0.5, zone="usw2-az2"), east))
    record(tmp_path, taken(offer(0.6), at=NOW + timedelta(hours=1)))
    joined = market(cache_dir, tmp_path)
    assert [(o.zone, o.price_usd_per_hour) for o in sold(joined)] == [("usw2-az1", 0.6)]
    assert 0.9 in {o.price_usd_per_hour for o in joined.offers if o.zone == "use1-az1"}


def test_what_is_kept_aside_keeps_the_price_known_before(cache_dir: Path, tmp_path: Path) -> None:
    record(tmp_path, taken(offer(0.4)))
    absurd = Quarantined(offer(40.0), "absurd")
    record(tmp_path, taken(offer(0.5, zone="usw2-az2"), aside=(absurd,)))
    assert {o.price_usd_per_hour for o in sold(market(cache_dir, tmp_path))} == {0.4, 0.5}
    [kept] = live.set_aside(tmp_path)
    assert (kept.price_usd_per_hour, kept.reason) == (40.0, "absurd")
    record(tmp_path, taken(offer(0.41)))
    assert live.set_aside(tmp_path) == ()


def test_a_zone_whose_first_live_price_is_absurd_keeps_the_bundled_one(
    cache_dir: Path, tmp_path: Path
) -> None:
    [bundled] = [o for o in sold(load_market(now=NOW, cache_dir=cache_dir)) if o.zone == "usw2-az1"]
    absurd = Quarantined(offer(4000.0), "absurd")
    record(tmp_path, taken(offer(0.5, zone="usw2-az2"), aside=(absurd,)))
    prices = {o.zone: o.price_usd_per_hour for o in sold(market(cache_dir, tmp_path))}
    assert prices == {"usw2-az1": bundled.price_usd_per_hour, "usw2-az2": 0.5}


# --- the file ----------------------------------------------------------------------------------


def test_the_files_are_the_users_alone(cache_dir: Path, tmp_path: Path) -> None:
    record(tmp_path / "state", taken(offer(0.4)))
    market(cache_dir, tmp_path / "state")
    files = list((tmp_path / "state").iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize("which", ["prices.sqlite", "catalog-*.sqlite"])
def test_a_damaged_file_costs_the_live_prices_and_no_quote(
    cache_dir: Path, tmp_path: Path, which: str
) -> None:
    record(tmp_path, taken(offer(0.4)))
    market(cache_dir, tmp_path)
    [file] = tmp_path.glob(which)
    stat = file.stat()
    file.write_bytes(b"nonsense" * 1000)
    if which != "prices.sqlite":
        os.utime(file, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    assert sold(market(cache_dir, tmp_path))
    if which == "prices.sqlite":
        with pytest.raises(MachineProblem, match="cannot be read"):
            live.set_aside(tmp_path)


def test_a_refresh_that_fails_half_way_changes_nothing(cache_dir: Path, tmp_path: Path) -> None:
    record(tmp_path, taken(offer(0.4)))
    broken = taken(offer(0.9))
    object.__setattr__(broken, "problems", object())  # what json cannot write, at the very end
    with pytest.raises(TypeError):
        record(tmp_path, broken)
    [kept] = sold(market(cache_dir, tmp_path))
    assert kept.price_usd_per_hour == 0.4


def test_a_reader_sees_the_old_or_the_new_and_never_half(cache_dir: Path, tmp_path: Path) -> None:
    zones = [f"usw2-az{number}" for number in range(1, 5)]

    def all_at(usd: float) -> Taken:
        return taken(*(offer(usd, zone=zone, name=name) for zone in zones for name in NAMES))

    record(tmp_path, all_at(1.0))
    seen: list[set[float]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            joined = market(cache_dir, tmp_path)
            seen.append({o.price_usd_per_hour for name in NAMES for o in sold(joined, name)})

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2, 8):
        record(tmp_path, all_at(float(number)))
    done.set()
    reader.join()
    assert seen
    assert all(len(prices) == 1 for prices in seen), seen


def test_a_price_is_forgotten_ninety_days_after_it_was_last_seen(
    cache_dir: Path, tmp_path: Path
) -> None:
    long_ago = NOW - KEPT_FOR - timedelta(days=1)
    gone, seen = offer(0.4, zone="usw2-az1"), offer(0.5, zone="usw2-az2")
    record(tmp_path, taken(gone, seen, at=long_ago))
    record(tmp_path, taken(seen, at=NOW - timedelta(days=80)))
    assert {each.zone for each in live_price_history(tmp_path)} == {"usw2-az1", "usw2-az2"}
    record(tmp_path, taken(offer(0.6, zone="usw2-az2")))
    [series] = live_price_history(tmp_path)
    assert [span.usd_per_gpu_hour for span in series.spans] == [0.5, 0.6]
    assert {o.zone for o in sold(market(cache_dir, tmp_path))} == {"usw2-az2"}


# --- what is believed --------------------------------------------------------------------------


def nobody_knows(offer: Offer) -> float | None:
    return None


def known(
    last_price: LastPrice = nobody_knows,
    peers: Peers | None = None,
    *,
    accepted: bool = False,
) -> Known:
    return Known(last_price, lambda _: peers, lambda _: accepted)


@pytest.mark.parametrize(
    ("usd", "last", "reason"),
    [
        (0.0, None, "not above zero"),
        (-1.0, 1.0, "not above zero"),
        (float("nan"), None, "not above zero"),
        (float("inf"), None, "not above zero"),
        (0.1, 1.0, "0.1 times the last known price, 1 USD per hour"),
        (11.0, 1.0, "11 times the last known price, 1 USD per hour"),
        (0.11, 1.0, ""),
        (9.9, 1.0, ""),
    ],
)
def test_what_is_absurd_by_itself(usd: float, last: float | None, reason: str) -> None:
    sifted = sift([offer(usd, ON_DEMAND, zone="")], known(lambda _: last))
    assert [each.reason for each in sifted.quarantined] == ([reason] if reason else [])


def test_spot_is_held_against_on_demand_of_the_same_answer_or_else_the_last() -> None:
    on_demand, dear, fair = offer(1.0, ON_DEMAND, zone=""), offer(1.51), offer(1.5)
    given, cheap = offer(0.049), offer(0.05)
    sifted = sift([dear, fair, given, cheap, on_demand], known())
    assert [each.offer for each in sifted.quarantined] == [dear, given]

    def last(asked: Offer) -> float | None:
        return 1.0 if asked.capacity_type is ON_DEMAND and not asked.zone else None

    assert sift([dear, fair], known(last)).accepted == (fair,)
    assert sift([dear, fair], known()).accepted == (dear, fair)


@pytest.mark.parametrize(
    ("usd", "lowest", "believed"),
    [(1.9, 9.0, False), (2.0, 9.0, True), (1.9, 2.8, True), (100.0, 9.0, True), (101, 9.0, False)],
)
def test_a_machine_that_was_never_sold_is_held_against_what_others_ask(
    usd: float, lowest: float, believed: bool
) -> None:
    peers = Peers(middle=10.0, lowest=lowest)
    sifted = sift([offer(usd, ON_DEMAND, zone="")], known(peers=peers))
    assert bool(sifted.accepted) is believed
    assert sift([offer(usd, ON_DEMAND, zone="")], known(lambda _: usd, peers)).accepted


def test_an_on_demand_price_that_is_not_believed_judges_nobody() -> None:
    lie, spot = offer(0.01, ON_DEMAND, zone=""), offer(0.5)

    def last(asked: Offer) -> float | None:
        return 1.0 if asked.capacity_type is ON_DEMAND else None

    sifted = sift([lie, spot], known(last))
    assert sifted.accepted == (spot,)


def test_what_a_person_accepts_is_believed_unless_it_is_no_price() -> None:
    strange, nothing = offer(0.001, ON_DEMAND, zone=""), offer(0.0, ON_DEMAND, zone="b")
    sifted = sift([strange, nothing], known(lambda _: 1.0, accepted=True))
    assert sifted.accepted == (strange,)


@given(st.lists(st.floats(allow_nan=True), max_size=20), st.floats(0.01, 100))
def test_every_offer_is_believed_or_kept_aside(prices: list[float], last: float) -> None:
    offers = [offer(usd, zone=str(number)) for number, usd in enumerate(prices)]
    sifted = sift(offers, known(lambda _: last))
    assert {o.zone for o in sifted.accepted} | {q.offer.zone for q in sifted.quarantined} == {
        o.zone for o in offers
    }
    assert len(sifted.accepted) + len(sifted.quarantined) == len(offers)
    assert all(0 < o.price_usd_per_hour < 10.001 * last for o in sifted.accepted)


# --- history -----------------------------------------------------------------------------------


def series(state_dir: Path, cache_dir: Path) -> list[PriceSeries]:
    return [
        each for each in price_history(cache_dir, state_dir) if "finsched" in each.evidence.source
    ]


def rows(state_dir: Path) -> list[tuple[str, str, float]]:
    with closing(sqlite3.connect(store_path(state_dir))) as connection:
        return connection.execute(
            "SELECT first_at, last_at, price_usd_per_hour FROM history ORDER BY first_at"
        ).fetchall()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.4, 0.5, 0.6]), min_size=1, max_size=8))
def test_a_row_begins_only_when_the_price_changes(tmp_path_factory: pytest.TempPathFactory,
                                                  looks: list[float]) -> None:  # fmt: skip
    state_dir = tmp_path_factory.mktemp("state")
    for hours, usd in enumerate(looks):
        record(state_dir, taken(offer(usd), at=NOW + timedelta(hours=hours)))
    changes = [usd for at, usd in enumerate(looks) if at == 0 or looks[at - 1] != usd]
    assert [usd for _, _, usd in rows(state_dir)] == changes
    assert rows(state_dir)[-1][1] == (NOW + timedelta(hours=len(looks) - 1)).isoformat()


def change(days: float, usd: float) -> PriceChange:
    return PriceChange(machine(gpus=1), REGION, "usw2-az1", SPOT, NOW - timedelta(days=days), usd)


def daily_prices() -> Iterator[tuple[date, float]]:
    for days in range(9, -1, -1):
        yield (NOW - timedelta(days=days)).date(), 0.8 if days > 6 else 0.6 if days > 2 else 0.7


def test_the_providers_own_history_replaces_our_looks(cache_dir: Path, tmp_path: Path) -> None:
    record(tmp_path, taken(offer(0.65), at=NOW - timedelta(days=4)))
    told = (change(9, 0.8), change(6, 0.6), change(5, 0.6), change(2, 0.9), change(1.99, 0.7))
    record(tmp_path, taken(offer(0.7), changes=told))
    [found] = series(tmp_path, cache_dir)
    assert found.daily
    assert found.zone == "usw2-az1"
    assert found.daily_prices() == list(daily_prices())


def test_a_look_continues_what_the_provider_told(cache_dir: Path, tmp_path: Path) -> None:
    record(tmp_path, taken(offer(0.7), changes=(change(9, 0.8), change(2, 0.7))))
    record(tmp_path, taken(offer(0.7), at=NOW + timedelta(days=1)))
    record(tmp_path, taken(offer(0.9), at=NOW + timedelta(days=2)))
    [found] = series(tmp_path, cache_dir)
    assert [span.usd_per_gpu_hour for span in found.spans] == [0.8, 0.7, 0.9]
    assert not found.daily


def test_a_pool_is_quoted_by_its_zone(cache_dir: Path, tmp_path: Path) -> None:
    record(tmp_path, taken(offer(0.4)))
    [found] = sold(market(cache_dir, tmp_path))
    assert found.pool == Pool("aws", REGION, "usw2-az1", "p4d.24xlarge")
