from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from finsched.accounting.account import account
from finsched.cli.render.account import account_document, print_account
from finsched.decide.live.spend import spent_usd
from finsched.model.event import AttemptEnded
from finsched.model.job import CheckpointSpec
from finsched.model.market import BillingRule, EgressTier
from finsched.model.run import AttemptEnd, Outcome
from finsched.testing.builders import job, offer, spot
from finsched.testing.runs import Story, placement

PAID = (
    EgressTier(start_gb=0.0, usd_per_gb=0.0),
    EgressTier(start_gb=1.0, usd_per_gb=0.09),
)
ENDS = st.sampled_from([AttemptEnd.INTERRUPTED, AttemptEnd.STOPPED, AttemptEnd.LEASE_EXPIRED])


def test_every_attempt_is_billed_at_the_price_frozen_when_it_was_chosen() -> None:
    story = Story().launched(spot(4.0)).after(hours=2).ended(AttemptEnd.INTERRUPTED)
    story.launched(spot(6.0)).after(hours=1).ended(AttemptEnd.FINISHED).finished()
    told = account(story.run, story.now)
    assert [line.usd for line in told.lines] == [Decimal("8.000000"), Decimal("6.000000")]
    assert told.total_usd == Decimal(14)


@given(
    st.lists(st.tuples(st.floats(0.01, 50), st.floats(0.0, 30), ENDS), min_size=1, max_size=6),
    st.floats(0, 5),
)
def test_the_parts_sum_to_the_total_and_lost_work_is_part_of_compute(
    attempts: list[tuple[float, float, AttemptEnd]], moved_usd: float
) -> None:
    story = Story(job=job(checkpoint=CheckpointSpec(size_gb=1)))
    for price, hours, end in attempts:
        story.launched(spot(price), copy_usd=moved_usd)
        story.after(hours=hours / 2).committed(0.1).after(hours=hours / 2).ended(end)
    told = account(story.run, story.now)
    assert told.total_usd == told.compute_usd + told.transfer_usd + told.storage_usd
    assert sum((line.usd for line in told.lines), Decimal(0)) == told.compute_usd
    assert 0 <= told.lost_usd <= told.compute_usd


def test_work_behind_a_commit_is_not_lost() -> None:
    story = Story().launched().after(hours=3).committed(0.3).after(hours=1)
    line = account(story.ended(AttemptEnd.INTERRUPTED).run, story.now).lines[0]
    assert line.lost_seconds == pytest.approx(3600)


def test_an_input_copied_to_a_region_is_paid_once_there() -> None:
    story = Story()
    for usd in (13.0, 0.0):
        story.launched(copy_usd=usd).after(hours=1).ended(AttemptEnd.INTERRUPTED)
    assert account(story.run, story.now).transfer_usd == Decimal(13)


def test_an_input_copied_to_the_machine_is_paid_at_every_start() -> None:
    story = Story()
    for _ in range(3):
        story.launched(restage_usd=40.0).after(hours=1).ended(AttemptEnd.INTERRUPTED)
    assert account(story.run, story.now).transfer_usd == Decimal(120)


def test_a_streamed_input_is_paid_as_far_as_it_was_read() -> None:
    story = Story().launched(stream_usd=80.0).after(hours=1).progressed(0.5)
    assert account(story.run, story.now).transfer_usd == Decimal(40)


def test_uploading_checkpoints_to_another_cloud_pays_its_egress() -> None:
    story = Story(job=job(checkpoint=CheckpointSpec(size_gb=10)))
    story.launched(upload_tiers=PAID).after(hours=1).committed(0.5).committed(0.7)
    assert account(story.run, story.now).transfer_usd == Decimal("1.71")  # the first GB is free


def test_moved_data_counts_against_the_budget() -> None:
    story = Story().launched(spot(4.0), copy_usd=13.0).after(hours=1)
    assert spent_usd(story.run, story.now) == Decimal(17)


def test_a_restore_from_afar_pays_its_egress() -> None:
    story = Story(job=job(checkpoint=CheckpointSpec(size_gb=10))).launched()
    story.after(hours=1).committed(0.5, size_bytes=20_000_000_000).ended(AttemptEnd.INTERRUPTED)
    story.launched(restore_tiers=PAID).after(hours=1).ended(AttemptEnd.FINISHED)
    assert account(story.run, story.now).transfer_usd == Decimal("1.71")


def test_outputs_are_paid_when_the_run_has_finished_and_not_before() -> None:
    story = Story().launched(output_transfer_usd=5.0).after(hours=1).ended(AttemptEnd.FINISHED)
    assert account(story.run, story.now).transfer_usd == 0
    assert account(story.finished().run, story.now).transfer_usd == 5


def test_on_demand_is_charged_for_the_useful_hours_at_its_own_speed() -> None:
    story = Story(best_on_demand=placement(offer(10.0), speedup=2.0))
    story.launched(spot(4.0), speedup=1.0).after(hours=4).committed(1.0).ended(AttemptEnd.FINISHED)
    told = account(story.finished().run, story.now)
    assert told.on_demand_usd == Decimal(20)  # 4 h of work take 2 h at twice the speed
    assert told.saved_usd == Decimal(4)


def test_a_dearer_run_is_never_called_a_saving() -> None:
    story = Story(best_on_demand=placement(offer(1.0)))
    story.launched(spot(4.0)).after(hours=1).ended(AttemptEnd.FINISHED)
    saved = account(story.finished().run, story.now).saved_usd
    assert saved is not None
    assert saved < 0


def test_a_run_that_got_no_machine_costs_nothing() -> None:
    story = Story().finished(Outcome.NO_PLACEMENT)
    assert account(story.run, story.now).total_usd == 0


def test_a_live_attempt_is_billed_up_to_now() -> None:
    story = Story().launched(spot(4.0), billing=BillingRule()).after(hours=1.5)
    assert account(story.run, story.now).compute_usd == Decimal(6)


def test_what_nobody_could_date_is_told_as_an_estimate() -> None:
    story = Story().launched(spot(4.0)).after(hours=1)
    story.tell(AttemptEnded(attempt=1, end=AttemptEnd.INTERRUPTED, estimated=True))
    story.launched(spot(6.0)).after(hours=1).ended(AttemptEnd.FINISHED).finished()
    told = account(story.run, story.now)
    assert [line.estimated for line in told.lines] == [True, False]
    page = StringIO()
    print_account(told, Console(file=page, width=80))
    printed = page.getvalue()
    assert "estimated" in printed.partition("compute")[0]
    assert "metered but for $4.00 of machines that vanished" in printed
    assert [line["estimated"] for line in account_document(told)["attempts"]] == [True, False]
