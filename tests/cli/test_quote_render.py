"""How a decision is shown: tables, sentences and rounding, on decisions made by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from finsched.cli.render import quote_export, words
from finsched.cli.render.explanation import explanation_sections
from finsched.cli.render.quote_document import decision_document
from finsched.cli.render.quote_refusal import nothing_feasible, too_dear
from finsched.cli.render.quote_summary import (
    considered,
    over_threshold,
    rejection_counts,
    sections,
    title,
)
from finsched.cli.render.quote_table import print_sections, print_table, print_title
from finsched.cli.render.rounding import round_parts
from finsched.cli.render.shortlist import ShortlistLine, every_place, shortlist
from finsched.decide.spot.policies import POLICIES, named
from finsched.errors import SpecError
from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import Hazard
from finsched.model.job import Budget, CheckpointSpec, GpuRequest, JobSpec, Requirements, Work
from finsched.model.market import CapacityType, InstanceType, Location, Offer, Tier
from finsched.model.quote import (
    Basis,
    Cost,
    Decision,
    Hours,
    Movement,
    Quote,
    Rejection,
    RejectionCode,
    TransferPlan,
)
from finsched.relaxing import DROP_DEADLINE, Relaxation

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
PRICE = Evidence(
    what="price",
    source="a price list",
    quality=Quality.LISTED,
    earliest=date(2026, 2, 1),
    latest=date(2026, 5, 20),
)
JOB = JobSpec(
    name="lora",
    run="python train.py",
    requirements=Requirements(gpus=(GpuRequest(count=8, name="A100"),)),
    work=Work(hours=40),
    checkpoint=CheckpointSpec(),
)
COPY = TransferPlan(
    uri="s3://lake/tokens",
    source=Location("aws", "us-east-1"),
    destination=Location("aws", "us-west-2"),
    movement=Movement.COPY_ONCE,
    size_gb=500,
    usd=10.0,
    alternative_usd=30.0,
    hours=0.25,
    break_even_reads=2,
    evidence=(PRICE,),
)


def offer(
    provider: str,
    region: str,
    *,
    zone: str = "",
    name: str = "p4d.24xlarge",
    capacity: CapacityType = SPOT,
    price: float = 10.0,
    gpu_count: int = 8,
) -> Offer:
    machine = InstanceType(provider=provider, name=name, gpu="A100", gpu_count=gpu_count)
    return Offer(machine, region, zone, capacity, Tier.STANDARD, price, PRICE)


def quote(of: Offer, compute_usd: float, **changes: Any) -> Quote:
    is_spot = of.capacity_type is SPOT
    values: dict[str, Any] = {
        "offer": of,
        "nodes": 1,
        "basis": Basis.RUN,
        "cost": Cost(compute_usd=compute_usd, rework_usd=12.5 * is_spot, transfer_usd=10.0),
        "hours": Hours(work=40.0, rework=1.25 * is_spot, restart=0.5),
        "hazard": Hazard(
            per_hour=0.02 * is_spot, low_per_hour=0.01, high_per_hour=0.04, evidence=PRICE
        ),
        "expected_interruptions": 0.8 * is_spot,
        "deadline_probability": 1.0,
        "checkpoint_every_seconds": 1500.0 if is_spot else None,
        "speedup": 1.0,
        "transfers": (COPY,) if is_spot else (),
        "evidence": (PRICE,),
    }
    return Quote(**{**values, **changes})


def decision(*quotes: Quote, rejections: tuple[Rejection, ...] = (), **changes: Any) -> Decision:
    on_demand = [each for each in quotes if each.offer.capacity_type is ON_DEMAND]
    values: dict[str, Any] = {
        "job": JOB.name,
        "basis": Basis.RUN,
        "as_of": NOW,
        "quotes": quotes,
        "rejections": rejections,
        "best_on_demand": on_demand[0] if on_demand else None,
        "best_of_one_cloud": None,
    }
    return Decision(**{**values, **changes})


BEST = quote(offer("aws", "us-west-2", zone="usw2-az1"), 400.0)
SAME_MACHINE = quote(offer("aws", "us-west-2", zone="usw2-az2", price=11.0), 440.0)
FIXED = quote(
    offer("gcp", "us-central1", name="a2-highgpu-8g", capacity=ON_DEMAND, price=20.0), 800.0
)
OUT = Rejection(
    offer=offer("azure", "eastus", gpu_count=4),
    code=RejectionCode.GPU_COUNT,
    reason="A100:8 does not match a 4-GPU machine",
)
THREE = decision(BEST, SAME_MACHINE, FIXED, rejections=(OUT,))

GOLDEN = """\
lora: 40 h of work on 8x A100
3 offers at 2 providers can run it, of 4 at 3

 # where            machine       capacity    $/h  age hours total $
*1 aws us-west-2 +1 p4d.24xlarge  spot 0.8  10.00 10mo  41.8  422.50
*2 gcp us-central1  a2-highgpu-8g on-demand 20.00 10mo  40.5  810.00
* cheapest of its provider; +n dearer places (--all); spot 0.8: interruptions

best        $422.50 for the finished run: aws us-west-2 az1, p4d.24xlarge spot
cost        compute $400.00 + rework $12.50 + transfer $10.00
time        41.75 h = work 40.00 + rework 1.25 + restarts 0.50
saving      $387.50 (48%) less than the best on-demand: gcp us-central1,
            a2-highgpu-8g on-demand, $810.00
checkpoint  every 25 min, the cheapest cadence here
data        s3://lake/tokens (500 GB) from aws us-east-1 to aws us-west-2,
            copied there once: $10.00, 15 min; read over the network it would
            cost $30.00; a copy is no dearer if the job reads it 2 times or more

price       a price list, listed 2026-02-01..2026-05-20, 6 to 10 months old
hazard      0.02 interruptions an hour (80%: 0.01 to 0.04); a price list, listed
            2026-02-01..2026-05-20, 6 to 10 months old

not used    1 another number of GPUs
"""


def page(shown: Decision, *, width: int = 80, colour: bool = False) -> str:
    stream = io.StringIO()
    system = "truecolor" if colour else None
    out = Console(
        file=stream, width=width, highlight=False, force_terminal=colour, color_system=system
    )
    print_title(out, title(JOB, shown), considered(shown))
    print_table(out, shortlist(shown.quotes), shown.basis, NOW.date())
    print_sections(out, sections(JOB, shown), best=shown.best)
    return stream.getvalue()


def test_a_page_for_people_at_80_columns() -> None:
    assert page(THREE) == GOLDEN


def test_a_terminal_gets_a_cost_bar_and_a_pipe_does_not() -> None:
    assert "\u2588" in page(THREE, colour=True)
    assert page(THREE).isascii()


LONGEST_PLACES = [
    ("gcp", "northamerica-northeast1", "northamerica-northeast1-b"),
    ("azure", "germanywestcentral", ""),
    ("lambda", "asia-northeast-1", ""),
    ("aws", "ap-southeast-2", "apse2-az3"),
]


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("usd", [1.0, 1e6])
@pytest.mark.parametrize("seen", [shortlist, every_place])
def test_a_narrow_table_cuts_no_place_and_no_amount(
    basis: Basis, usd: float, seen: Callable[[Sequence[Quote]], list[ShortlistLine]]
) -> None:
    machines = ["a-very-long-machine-name-of-a-provider", "Standard_ND96amsr_A100_v4"]
    quotes = [
        quote(offer(provider, region, zone=zone, name=name, price=usd / 100), usd, basis=basis)
        for name in machines
        for provider, region, zone in LONGEST_PLACES
    ]
    stream = io.StringIO()
    print_table(Console(file=stream, width=80), seen(quotes), basis, NOW.date())
    rows = stream.getvalue().splitlines()
    assert max(map(len, rows)) <= 80
    for each in seen(quotes):
        whole = words.region(each.quote.offer) if each.folded else words.place(each.quote.offer)
        assert any(f" {whole} " in row and f"{each.quote.total_usd:,.2f}" in row for row in rows)


def test_a_narrow_table_says_where_what_it_leaves_out_is() -> None:
    quotes = [
        quote(offer("gcp", region, name="a-very-long-machine-name"), 1e6)
        for region in ("northamerica-northeast1", "northamerica-northeast2")
    ]
    stream = io.StringIO()
    print_table(Console(file=stream, width=74), shortlist(quotes), Basis.RUN, NOW.date())
    assert "dearer places: --all" in stream.getvalue()
    assert "+1" not in stream.getvalue()


def test_the_shortlist_folds_places_and_marks_each_providers_cheapest() -> None:
    lines = shortlist(THREE.quotes)
    assert [line.quote for line in lines] == [BEST, FIXED]
    assert [line.other_places for line in lines] == [1, 0]
    unfolded = every_place(THREE.quotes)
    assert [line.best_of_provider for line in unfolded] == [True, False, True]


def test_a_dearer_best_is_never_called_a_saving() -> None:
    dear = decision(BEST, best_on_demand=quote(offer("gcp", "x", capacity=ON_DEMAND), 100.0))
    saving = next(f.text for s in sections(JOB, dear) for f in s if f.label == "saving")
    assert saving.startswith("$312.50 (284%) MORE than the best on-demand")


def test_an_on_demand_best_saves_nothing() -> None:
    assert "none: the best is on-demand itself" in page(decision(FIXED))


@pytest.mark.parametrize(
    ("earliest", "latest", "quality", "said"),
    [
        (date(2026, 11, 22), date(2026, 11, 22), "live", "live 2026-11-22, 0 days old"),
        (date(2026, 11, 1), date(2026, 11, 21), "listed", "..2026-11-21, 1 day to 21 days old"),
        (date(2026, 7, 20), date(2026, 7, 20), "listed", "listed 2026-07-20, 4 months old"),
        (None, date(2026, 5, 21), "listed", "listed by 2026-05-21, 6 months old or more"),
        (None, None, "listed", "a list, listed, undated"),
        (None, None, "estimated", "a list, estimated"),
    ],
)
def test_every_source_says_its_age(
    earliest: date | None, latest: date | None, quality: str, said: str
) -> None:
    evidence = Evidence(
        what="price", source="a list", quality=Quality(quality), earliest=earliest, latest=latest
    )
    assert words.source_and_age(evidence, NOW.date()).endswith(said)


def test_every_rejection_code_has_words() -> None:
    assert set(words.REJECTIONS) == set(RejectionCode)


@given(
    st.lists(st.floats(0, 1e7), min_size=1, max_size=6),
    st.sampled_from([2, 4]),
)
def test_rounded_parts_sum_to_the_rounded_total(values: list[float], digits: int) -> None:
    parts = {str(index): value for index, value in enumerate(values)}
    rounded, total = round_parts(parts, digits)
    assert round(sum(rounded.values()), digits) == total
    assert total == pytest.approx(sum(values), abs=0.51 * 10**-digits)
    for name, value in parts.items():
        assert rounded[name] == pytest.approx(value, abs=1.01 * 10**-digits)


def test_a_round_part_stays_round() -> None:
    rounded, total = round_parts({"work": 40.0, "rework": 0.877, "restart": 0.1763}, 2)
    assert rounded == {"work": 40.0, "rework": 0.88, "restart": 0.17}
    assert total == 41.05


def test_csv_has_one_row_a_quote_and_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    quote_export.print_csv(THREE)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["zone"] for row in rows] == ["usw2-az1", "usw2-az2", ""]
    assert rows[0]["total_usd"] == "422.5"
    assert rows[0]["price_as_of"] == "2026-02-01"
    assert all(None not in row and None not in row.values() for row in rows)


def test_markdown_is_a_table_that_nothing_breaks_out_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sly = quote(offer("aws", "us-west-2", name="p4|d_<b>"), 400.0)
    shown = decision(sly)
    quote_export.print_markdown(
        title(JOB, shown), shortlist(shown.quotes), shown, sections(JOB, shown)
    )
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert "p4\\|d\\_\\<b>" in rows[2]


def test_json_marks_what_could_be_started_from_here() -> None:
    document = decision_document(decision(BEST, FIXED, launchable=frozenset({"gcp"})))
    assert [each["launchable"] for each in document["quotes"]] == [False, True]


def test_people_see_who_is_only_quoted_where_somebody_can_be_launched_on() -> None:
    shown = decision(BEST, FIXED, launchable=frozenset({"gcp"}))
    assert fact("quoted only", JOB, shown).startswith("aws: no launch there from here")
    for launchable in (frozenset[str](), frozenset({"aws", "gcp"})):
        told = sections(JOB, decision(BEST, FIXED, launchable=launchable))
        assert "quoted only" not in {each.label for section in told for each in section}


def test_the_explanation_compares_machines_and_names_every_source() -> None:
    found = {fact.label: fact.text for part in explanation_sections(JOB, THREE) for fact in part}
    assert "$387.50 below the next" in found["why"]
    assert found["not #2"].startswith("gcp us-central1, a2-highgpu-8g on-demand, $810.00: ")
    assert "M = 1/hazard = 50 h" in found["inputs"]
    assert "t = 1500 s" in found["inputs"]
    assert found["price"].startswith("a price list")


def test_a_source_with_a_long_subject_keeps_all_its_words() -> None:
    speed = Evidence(
        what="speed of H100 against A100-80GB", source="datasheets", quality=Quality.DERIVED
    )
    stream = io.StringIO()
    out = Console(file=stream, width=80, highlight=False)
    known = quote(BEST.offer, 400.0, evidence=(speed,))
    print_sections(out, explanation_sections(JOB, decision(known)), best=known)
    said = "speed       of H100 against A100-80GB: datasheets, derived, undated\n"
    assert said in stream.getvalue()


def rejected(kept: Quote, code: RejectionCode) -> Rejection:
    return Rejection(offer=kept.offer, code=code, reason="too dear", quote=kept)


def test_too_dear_names_the_nearest_quote_and_the_flags_that_let_it_in() -> None:
    budget = Budget(max_cost_usd=300.0, max_hourly_usd=9.0)
    job = JobSpec(name="lora", run="x", requirements=JOB.requirements, budget=budget)
    out = (rejected(FIXED, RejectionCode.MAX_COST), rejected(BEST, RejectionCode.MAX_HOURLY))
    quotes = over_threshold(decision(rejections=out))
    assert quotes == [BEST, FIXED]
    error = too_dear(job, quotes)
    assert error.exit_code == 4
    assert "$422.50 in all, $122.50 over max_cost" in error.message
    assert "$10.00 an hour, $1.00 over max_hourly" in error.message
    assert error.fix == "--max-cost 422.50 --max-hourly 10.00 would let it in"


def test_too_dear_to_scavenge_says_which_price_would_let_it_in() -> None:
    job = replace(JOB, scavenge_below_usd_per_hour=10.0)
    out = (rejected(BEST, RejectionCode.SCAVENGE_BELOW),)
    error = too_dear(job, over_threshold(decision(rejections=out)))
    assert error.exit_code == 4
    assert "$10.00/h is not under scavenge_below $10.00" in error.message
    assert error.fix == "scavenge_below: 10.01 would let it in"
    job = replace(job, budget=Budget(max_hourly_usd=9.0))
    error = too_dear(job, over_threshold(decision(rejections=out)))
    assert error.fix == "--max-hourly 10.00 and scavenge_below: 10.01 would let it in"


@given(st.floats(0.001, 1e5))
def test_the_price_that_would_let_an_offer_in_does(price: float) -> None:
    job = replace(JOB, scavenge_below_usd_per_hour=price / 2)
    near = quote(offer("aws", "us-east-1", price=price), 400.0)
    fix = str(too_dear(job, [near]).fix)
    below = float(fix.removeprefix("scavenge_below: ").removesuffix(" would let it in"))
    assert price < below <= price + 0.0101


def test_on_demand_that_is_too_dear_to_scavenge_is_still_compared() -> None:
    out = (rejected(FIXED, RejectionCode.SCAVENGE_BELOW),)
    [saving] = [
        fact.text
        for section in sections(JOB, decision(BEST, rejections=out))
        for fact in section
        if fact.label == "saving"
    ]
    assert saving.endswith(", not under scavenge_below")


def test_nothing_feasible_groups_reasons_and_names_what_helps() -> None:
    nothing = decision(rejections=(OUT, OUT))
    error = nothing_feasible(JOB, nothing, [])
    assert error.exit_code == 3
    assert error.message == "none of 2 offers can run lora: 2 another number of GPUs"
    assert error.fix == "ask for 4 GPUs a machine"
    wider = Relaxation(change="drop where.regions", offers=1, cheapest_usd=5.0, fastest_hours=17.0)
    fix = nothing_feasible(JOB, nothing, [wider]).fix
    assert fix == "drop where.regions (1 offer, from $5.00)"


def test_a_deadline_that_is_too_short_says_what_the_fastest_needs() -> None:
    nothing = decision(rejections=(OUT,))
    later = Relaxation(change=DROP_DEADLINE, offers=2, cheapest_usd=5.0, fastest_hours=17.0)
    error = nothing_feasible(JOB, nothing, [later])
    assert error.fix == f"{DROP_DEADLINE} (the fastest offer needs 17.0 h; 2 offers, from $5.00)"
    assert "in the past" not in error.message
    late = replace(JOB, deadline=NOW - timedelta(days=2))
    said = nothing_feasible(late, nothing, [later]).message
    assert "the deadline, 2026-11-20 00:00 UTC, is in the past; 1 another number" in said


def fact(label: str, job: JobSpec, shown: Decision) -> str:
    return next((f.text for part in sections(job, shown) for f in part if f.label == label), "")


def test_on_demand_over_a_threshold_is_named_where_no_saving_is_known() -> None:
    job = replace(JOB, budget=Budget(max_cost_usd=500.0))
    over = rejected(FIXED, RejectionCode.MAX_COST)
    shown = decision(BEST, rejections=(over, OUT))
    assert fact("saving", job, shown) == "the cheapest on-demand is $810.00, over max_cost"
    assert considered(shown) == (
        "2 offers at 2 providers can run it (1 over a threshold), of 3 at 3"
    )
    assert fact("saving", job, decision(BEST)) == "not known: no on-demand offer can run this job"


def test_how_many_can_run_it() -> None:
    over = rejected(FIXED, RejectionCode.MAX_COST)
    assert considered(decision(rejections=(OUT,))) == "no offer can run it, of 1 at 1"
    all_over = considered(decision(rejections=(over, OUT)))
    assert all_over == "1 offer at 1 provider can run it, all over a threshold, of 2 at 2"


def test_sellers_that_do_not_say_where_they_are_are_counted() -> None:
    nowhere = offer("oci", "*")
    out = Rejection(offer=nowhere, code=RejectionCode.REGION, reason="")
    counts = rejection_counts(decision(rejections=(out, out)))
    assert counts == "2 another region; 1 provider does not say where the machines are"


@pytest.mark.parametrize(
    ("price", "earliest", "said"),
    [
        pytest.param(10.0, date(2026, 2, 1), "", id="dated and near the next"),
        pytest.param(10.0, None, "its price has no date of its own", id="undated"),
        pytest.param(4.9, date(2026, 2, 1), "under half of the next", id="suspiciously cheap"),
    ],
)
def test_a_doubtful_price_of_the_winner_is_a_caution(
    price: float, earliest: date | None, said: str
) -> None:
    dated = replace(PRICE, earliest=earliest)
    cheap = offer("aws", "us-west-2", price=price)._replace(evidence=dated)
    shown = decision(quote(cheap, 1.0), quote(offer("gcp", "us-central1", price=10.0), 400.0))
    caution = fact("caution", JOB, shown)
    assert said in caution if said else not caution


def test_a_price_is_compared_with_another_provider_before_another_region() -> None:
    cheap = quote(offer("azure", "eastus", price=3.6), 100.0)
    twin = quote(offer("azure", "westus", price=3.7), 110.0)
    other = quote(offer("aws", "us-east-1", price=8.0), 200.0)
    assert "aws us-east-1, $1.00 per GPU-hour" in fact("caution", JOB, decision(cheap, twin, other))
    assert not fact("caution", JOB, decision(cheap, twin))


def test_a_price_says_its_age_in_few_letters() -> None:
    def age(earliest: date | None, latest: date | None) -> str:
        return words.short_age(replace(PRICE, earliest=earliest, latest=latest), NOW.date())

    assert age(date(2026, 11, 10), date(2026, 11, 20)) == "12d"
    assert age(None, date(2026, 5, 22)) == ">6mo"
    assert age(None, None) == "?"


def test_a_chance_is_never_certain() -> None:
    assert [words.chance(each) for each in (1.0, 0.5, 0.001, 0.0)] == [">99%", "50%", "<1%", "0%"]


def test_a_memory_is_said_with_one_decimal() -> None:
    request = GpuRequest(count=2, memory_gib=80e9 / 2**30)
    assert words.gpu_request(request) == "2x any GPU of 74.5 GiB"


def test_what_costs_nothing_has_no_cost_line() -> None:
    free = quote(offer("local", "local"), 0.0, cost=Cost())
    assert fact("cost", JOB, decision(BEST))
    assert not fact("cost", JOB, decision(free))


def test_an_explanation_without_the_thresholds_where_all_are_over_them() -> None:
    over = (rejected(FIXED, RejectionCode.MAX_COST), rejected(BEST, RejectionCode.MAX_COST))
    why, second = explanation_sections(JOB, decision(rejections=over))[0]
    assert why.text.startswith("without the thresholds: aws us-west-2 az1, p4d.24xlarge spot")
    assert "gcp us-central1" in second.text
    assert explanation_sections(JOB, decision(rejections=(OUT,))) == []


def test_a_policy_that_nobody_has_is_answered_with_what_there_is() -> None:
    with pytest.raises(SpecError, match="no policy 'cheapest'") as caught:
        named("cheapest")
    assert caught.value.fix
    assert all(f"{name} (" in caught.value.fix for name in POLICIES)
