"""Marginal egress, and stay, stream or copy once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.pricing.paths import INTERNET, Roads, egress_usd, find_path, transfer_hours
from finsched.decide.pricing.transfer import data_plans
from finsched.decide.rank import decide
from finsched.model.job import CheckpointSpec, Dataset
from finsched.model.market import EgressTier, Location, Market
from finsched.model.quote import Movement, TransferPlan
from finsched.testing.builders import NOW, hazard_prior, job, market, offer, path, spot, terms

VIRGINIA = Location("aws", "us-east-1")
STOCKHOLM = Location("aws", "eu-north-1")
NETHERLANDS = Location("gcp", "europe-west4")
TIERS = (
    EgressTier(start_gb=0, usd_per_gb=0.0),
    EgressTier(start_gb=100, usd_per_gb=0.09),
    EgressTier(start_gb=10_240, usd_per_gb=0.085),
)


@pytest.mark.parametrize(
    ("size_gb", "usd"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(100, 0, id="the free tier"),
        pytest.param(101, 0.09, id="one gigabyte over it"),
        pytest.param(10_240, 10_140 * 0.09, id="the whole second tier"),
        pytest.param(20_240, 10_140 * 0.09 + 10_000 * 0.085, id="into the third"),
    ],
)
def test_egress_is_marginal(size_gb: float, usd: float) -> None:
    assert egress_usd(TIERS, size_gb) == pytest.approx(usd)


@given(first=st.floats(0, 50_000), second=st.floats(0, 50_000))
def test_moving_more_is_never_cheaper(first: float, second: float) -> None:
    assert egress_usd(TIERS, first + second) >= egress_usd(TIERS, first) - 1e-9


def test_a_gigabyte_at_eight_gigabits_takes_a_second() -> None:
    assert transfer_hours(1, 8) * 3600 == pytest.approx(1)


def lake(size_gb: float, reads: int, location: Location | None = VIRGINIA) -> Dataset:
    return Dataset(uri="s3://lake/tokens", location=location, size_gb=size_gb, reads=reads)


def planned(dataset: Dataset, snapshot: Market, *, hours: float = 1e6) -> TransferPlan:
    """The plan with the least dollars towards Stockholm, for a run that outlasts every read."""
    spec = job(inputs=(dataset,))
    known = snapshot.terms.get("aws")
    storage = None if known is None else known.storage
    roads = Roads(snapshot.paths)
    return data_plans(spec, roads, storage, STOCKHOLM, hours)[0].moves[0]


def test_200_tb_read_four_times_is_16000_streamed_and_4000_copied() -> None:
    plan = planned(lake(200_000, 4), market(paths=[path(VIRGINIA, STOCKHOLM, 0.02)]))
    assert plan.movement is Movement.COPY_ONCE
    assert plan.usd == pytest.approx(4_000)
    assert plan.alternative_usd == pytest.approx(16_000)
    assert plan.break_even_reads == 1


def test_the_break_even_counts_the_storage_of_the_copy() -> None:
    stored = market(
        paths=[path(VIRGINIA, STOCKHOLM, 0.02)],
        provider_terms=[terms(storage_usd_per_gb_month=0.023)],
    )
    month = 730.0  # 0.023 a GB-month beside 0.02 a read: three reads cost more than one and a month
    assert planned(lake(1000, 2), stored, hours=month).movement is Movement.STREAM
    copied = planned(lake(1000, 3), stored, hours=month)
    assert copied.movement is Movement.COPY_ONCE
    assert copied.break_even_reads == 3


def test_a_free_path_never_breaks_even_with_paid_storage() -> None:
    free = market(
        paths=[path(VIRGINIA, STOCKHOLM, 0.0)],
        provider_terms=[terms(storage_usd_per_gb_month=0.023)],
    )
    plan = planned(lake(1000, 5), free)
    assert (plan.movement, plan.usd, plan.break_even_reads) == (Movement.STREAM, 0.0, None)


@given(
    size_gb=st.floats(1, 1e5),
    reads=st.integers(1, 40),
    usd_per_gb=st.floats(0.001, 0.2),
    storage=st.floats(0, 0.1),
)
def test_copying_is_chosen_exactly_from_the_break_even_on(
    size_gb: float, reads: int, usd_per_gb: float, storage: float
) -> None:
    snapshot = market(
        paths=[path(VIRGINIA, STOCKHOLM, usd_per_gb)],
        provider_terms=[terms(storage_usd_per_gb_month=storage)],
    )
    plan = planned(lake(size_gb, reads), snapshot, hours=730.0)
    copied = size_gb * (usd_per_gb + storage)
    streamed = size_gb * usd_per_gb * reads
    if abs(copied - streamed) < 1e-6 * copied:
        return
    assert (plan.movement is Movement.COPY_ONCE) == (copied < streamed)
    assert plan.break_even_reads is not None
    assert (reads >= plan.break_even_reads) == (copied < streamed)


def test_data_in_the_region_stays() -> None:
    plan = planned(lake(1000, 5, STOCKHOLM), market())
    assert (plan.movement, plan.usd, plan.hours) == (Movement.STAY, 0.0, 0.0)


def test_another_cloud_is_reached_over_the_internet() -> None:
    to_internet = path(VIRGINIA, INTERNET, 0.09)
    assert find_path(market(paths=[to_internet]).paths, VIRGINIA, NETHERLANDS) is to_internet


def test_an_unknown_price_is_said_and_not_taken_as_free() -> None:
    quote = decide(job(inputs=(lake(500, 1),)), market(offer(region="eu-north-1")), now=NOW).best
    assert quote is not None
    assert quote.marks == (
        "transfer price of s3://lake/tokens from aws/us-east-1 unknown: not counted",
    )


def test_an_unknown_price_is_taken_as_the_dearest_of_its_provider() -> None:
    """A region without a listed price must not win for that."""
    paths = [path(Location("aws", "af-south-1"), INTERNET, (0, 0.0), (100, 0.154))]
    spec = job(inputs=(lake(200, 1),))
    quote = decide(spec, market(offer(region="eu-north-1"), paths=paths), now=NOW).best
    assert quote is not None
    assert quote.cost.transfer_usd == pytest.approx(15.4)
    assert quote.marks == ("egress of aws/us-east-1 unknown: taken as the dearest of aws",)


def test_an_unknown_place_is_priced_as_the_dearest_internet_of_its_cloud() -> None:
    paths = [path(VIRGINIA, INTERNET, 0.09), path(Location("aws", "af-south-1"), INTERNET, 0.154)]
    spec = job(inputs=(lake(100, 1, None),))
    quote = decide(spec, market(offer(), paths=paths), now=NOW).best
    assert quote is not None
    assert quote.cost.transfer_usd == pytest.approx(15.4)
    assert quote.marks == ("region of s3://lake/tokens unknown: priced as the internet",)


def test_the_gpu_waits_for_a_copy_and_for_an_output() -> None:
    """450 GB at 1 Gbit/s are an hour; it is paid at the machine's price, as start-up."""
    spec = job(
        hours=2,
        inputs=(lake(450, 100),),
        outputs=(Dataset(uri="s3://out", location=VIRGINIA, size_gb=450),),
    )
    both_ways = [
        path(VIRGINIA, STOCKHOLM, 0.02, gbit_per_second=1),
        path(STOCKHOLM, VIRGINIA, 0.02, gbit_per_second=1),
    ]
    snapshot = market(offer(10, region="eu-north-1"), paths=both_ways)
    quote = decide(spec, snapshot, now=NOW).best
    assert quote is not None
    assert quote.hours.staging == pytest.approx(2.0)
    assert quote.cost.startup_usd == pytest.approx(10 * (2.0 + 0.05))
    assert quote.cost.transfer_usd == pytest.approx(2 * 450 * 0.02)


def test_a_dear_machine_streams_where_a_cheap_one_copies() -> None:
    spec = job(hours=40, inputs=(lake(4500, 2),))
    paths = [path(VIRGINIA, STOCKHOLM, 0.02, gbit_per_second=1)]  # ten hours to copy, $90 a read
    cheap = decide(spec, market(offer(1, region="eu-north-1"), paths=paths), now=NOW).best
    dear = decide(spec, market(offer(90, region="eu-north-1"), paths=paths), now=NOW).best
    assert cheap is not None
    assert dear is not None
    assert cheap.transfers[0].movement is Movement.COPY_ONCE
    assert dear.transfers[0].movement is Movement.STREAM


def test_a_copy_on_the_machine_is_moved_again_after_every_interruption() -> None:
    """A cloud without object storage keeps the copy on the machine, which goes with it."""
    spec = job(hours=20, inputs=(lake(450, 100),), checkpoint=CheckpointSpec())
    machine = spot(1, region="eu-north-1")
    paths = [path(VIRGINIA, STOCKHOLM, 0.02, gbit_per_second=1)]
    hazards = {machine.pool: hazard_prior(0.1)}
    lost = decide(spec, market(machine, hazards=hazards, paths=paths), now=NOW).best
    storage = [terms(storage_usd_per_gb_month=0.02)]
    snapshot = market(machine, hazards=hazards, paths=paths, provider_terms=storage)
    kept = decide(spec, snapshot, now=NOW).best
    assert lost is not None
    assert kept is not None
    assert lost.cost.transfer_usd == pytest.approx(9 * (1 + lost.expected_interruptions))
    assert kept.cost.transfer_usd == pytest.approx(9)
    assert lost.hours.restart > kept.hours.restart + 0.9 * lost.expected_interruptions


def test_checkpoints_kept_elsewhere_pay_to_go_and_to_come_back() -> None:
    saved = CheckpointSpec(uri="s3://ckpt", location=VIRGINIA, size_gb=10)
    machine = spot(1, region="eu-north-1")
    paths = [path(STOCKHOLM, VIRGINIA, 0.03), path(VIRGINIA, STOCKHOLM, 0.02)]
    snapshot = market(
        machine,
        hazards={machine.pool: hazard_prior(0.05)},
        paths=paths,
        provider_terms=[terms(storage_usd_per_gb_month=0.073)],
    )
    quote = decide(job(checkpoint=saved), snapshot, now=NOW).best
    assert quote is not None
    assert quote.checkpoint_every_seconds is not None
    uploads = 40 * 3600 / quote.checkpoint_every_seconds
    moved = uploads * 10 * 0.03 + quote.expected_interruptions * 10 * 0.02
    assert quote.cost.transfer_usd == pytest.approx(moved)
    assert quote.cost.storage_usd == pytest.approx(2 * 10 * 0.0001 * quote.hours.expected)


def test_checkpoints_beside_the_job_pay_no_egress() -> None:
    saved = CheckpointSpec(uri="s3://ckpt", location=VIRGINIA, size_gb=10)
    quote = decide(job(checkpoint=saved), market(spot()), now=NOW).best
    assert quote is not None
    assert quote.cost.transfer_usd == 0
    assert quote.marks == ("storage price of checkpoints on aws unknown: not counted",)
