"""What a run with a deadline does next: spot, on-demand or waiting, and always in time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from finsched.decide.live.prospects import Prospects, Reaction, prospects
from finsched.decide.live.spend import spent_usd
from finsched.decide.live.step import (
    DropStandby,
    End,
    HandOver,
    Launch,
    Move,
    Pause,
    Stay,
    Step,
    Wait,
)
from finsched.decide.next_step import next_step
from finsched.decide.spot.policies import POLICIES, named
from finsched.model.event import AttemptEnded, Intended, Launched, Promoted, Ready, Resumed
from finsched.model.job import (
    Budget,
    CapacityPreference,
    CheckpointSpec,
    GpuRequest,
    JobSpec,
    Requirements,
    StartWindow,
    Work,
)
from finsched.model.market import CapacityType, Offer
from finsched.model.run import AttemptEnd, Outcome
from finsched.testing.builders import hazard_prior, job, machine, market, offer, spot, terms
from finsched.testing.runs import Story, placement

LOOK = timedelta(minutes=5)
SPOTS = tuple(spot(3.0 + 0.1 * k, zone=f"use1-az{k}") for k in range(3))
CALM = offer(10.0)
MARKET = market(
    *SPOTS,
    CALM,
    hazards={each.pool: hazard_prior(0.3) for each in SPOTS},
    provider_terms=[terms(boot=timedelta(minutes=3))],
)
SAVED = CheckpointSpec(size_gb=1, save_time=timedelta(seconds=60), every=timedelta(minutes=30))


def timed(hours: float, deadline_hours: float, **fields: object) -> JobSpec:
    deadline = timedelta(hours=deadline_hours)
    return job(hours=hours, deadline=deadline, checkpoint=SAVED, **fields)


def ahead(story: Story, policy: str = "adaptive") -> Prospects:
    reaction = Reaction(look=LOOK)
    return prospects(story.run, MARKET, story.now, make_policy=named(policy), reaction=reaction)


def step(story: Story, policy: str = "adaptive") -> Step:
    run = story.run
    spent = spent_usd(run, story.now)
    return next_step(run, now=story.now, spent_usd=spent, ahead=ahead(story, policy))


def test_with_time_to_spare_the_run_starts_on_spot_and_says_what_else_it_weighed() -> None:
    taken = step(Story(job=timed(10, 30)))
    assert isinstance(taken, Launch)
    assert taken.quote.offer.capacity_type is CapacityType.SPOT
    costs = {option.name: option.expected_usd for option in taken.choice.options}
    chosen = costs[taken.choice.target]
    assert chosen is not None
    assert all(cost is None or chosen <= cost + 1e-6 for cost in costs.values())
    assert f"on-demand {CALM.pool}" in costs
    assert taken.choice.slack_seconds == pytest.approx(20 * 3600, rel=0.05)


def test_without_time_to_spare_it_starts_on_demand() -> None:
    taken = step(Story(job=timed(10, 10.6)))
    assert isinstance(taken, Launch)
    assert taken.quote.offer == CALM


@pytest.mark.parametrize(
    ("deadline_hours", "reason"),
    [
        (10.6, "only on demand is sure to keep the deadline"),
        (11.0, "one more interruption would miss the deadline"),
    ],
)
def test_a_start_at_more_than_spot_costs_an_hour_says_why(
    deadline_hours: float, reason: str
) -> None:
    taken = step(Story(job=timed(10, deadline_hours)))
    assert isinstance(taken, Launch)
    costs = {option.name: option.expected_usd or 0.0 for option in taken.choice.options}
    on_demand = costs.pop(f"on-demand {CALM.pool}")
    on_spot = min(usd for name, usd in costs.items() if name.startswith("spot"))
    said = f"${on_demand:,.2f} expected to the end, ${on_spot:,.2f} on spot"
    assert taken.choice.why == f"dearer than spot at $3.00/h, because {reason}; {said}"


def test_work_at_risk_counts_as_undone_and_the_run_moves_before_it_is_too_late() -> None:
    story = Story(job=timed(10, 12)).launched(SPOTS[0]).after(hours=0.5).committed(0.05)
    assert isinstance(step(story), Stay)
    story.after(hours=1.8).progressed(0.23)
    taken = step(story)
    assert isinstance(taken, Move)
    assert taken.quote.offer == CALM
    assert "miss the deadline" in taken.choice.why


def test_a_commit_ends_the_danger() -> None:
    story = Story(job=timed(10, 12)).launched(SPOTS[0]).after(hours=1.7).progressed(0.17)
    assert isinstance(step(story), Move)
    assert isinstance(step(story.committed(0.17)), Stay)


def test_with_every_pool_cooling_down_it_waits_and_looks_again_soon() -> None:
    story = Story(job=timed(10, 30))
    for each in SPOTS:
        story.launched(each).after(minutes=5).ended(AttemptEnd.INTERRUPTED)
    taken = step(story)
    assert isinstance(taken, Wait)
    assert story.now < taken.until <= story.now + timedelta(minutes=10)


def test_the_reported_pace_counts_more_than_the_stated_hours() -> None:
    slow = Story(job=timed(10, 14)).launched(CALM).after(hours=2).progressed(0.1).committed(0.1)
    slow.ended(AttemptEnd.NODE_FAILED)
    taken = step(slow)
    assert isinstance(taken, Launch)
    assert taken.quote.offer == CALM, "18 hours of work are left, and only 12 of time"


def test_a_price_above_the_threshold_pauses_the_run() -> None:
    greedy = timed(10, 30, scavenge_below_usd_per_hour=2.0)
    story = Story(job=greedy).launched(SPOTS[0]).after(hours=1)
    assert isinstance(step(story), Pause)
    waiting = step(story.ended(AttemptEnd.MOVED))
    assert isinstance(waiting, Wait)
    assert "scavenge_below" in waiting.choice.why


def test_nothing_starts_before_its_window_or_after_it() -> None:
    window = StartWindow(after=timedelta(hours=2), before=timedelta(hours=4))
    story = Story(job=timed(10, 30, start=window))
    early = step(story)
    assert isinstance(early, Wait)
    assert early.until == story.now + timedelta(hours=2)
    assert isinstance(step(story.after(hours=2)), Launch)
    assert not isinstance(step(story.after(hours=2)), Launch)


def standby(story: Story) -> Story:
    number = len(story.run.attempts) + 1
    chosen = placement(CALM)
    story.tell(Intended(attempt=number, token="t", provider="sim", placement=chosen, standby=True))
    return story.tell(
        Launched(attempt=number, instance_ids=(f"i{number}",), billing_from=story.now)
    )


def test_a_standby_takes_over_once_it_is_ready() -> None:
    story = standby(Story(job=timed(10, 30)).launched(SPOTS[0]).after(hours=1))
    assert isinstance(step(story), Stay)
    story.tell(Ready(attempt=2))
    assert isinstance(step(story), HandOver)
    live = story.run.live_attempt
    assert live is not None
    assert live.number == 1
    promoted = story.tell(Promoted(attempt=2)).run
    assert promoted.standby is None


def test_a_job_that_finishes_beside_its_standby_is_over() -> None:
    story = Story(job=timed(10, 30)).launched(SPOTS[0])
    run = standby(story).run
    done = replace(run.attempts[0], end=AttemptEnd.FINISHED)
    run = replace(run, attempts=(done, run.attempts[1]))
    taken = next_step(run, now=story.now, spent_usd=spent_usd(run, story.now))
    assert not isinstance(taken, Stay | Launch | HandOver)


class World:
    """Machines that boot, save, and are taken back at the worst moment: just before a save."""

    def __init__(self, spec: JobSpec, seed: int, policy: str) -> None:
        self.story = Story(job=spec)
        self.chance = random.Random(seed)
        self.policy = policy
        self.hours = spec.work.hours if spec.work else 0.0
        self.absent = self.chance.choice([0.0, 0.3, 0.8])
        self.patience = self.chance.choice([1, 2, 5, 11, 40])
        self.reached = self.age = 0.0

    def finished_in_time(self) -> bool:
        deadline = self.story.run.deadline_at
        assert deadline is not None
        while self.reached < 1 and self.story.now < deadline:
            self.act(step(self.story, self.policy))
            self.pass_time()
        return self.reached >= 1

    def act(self, taken: Step) -> None:
        match taken:
            case Launch(quote=quote):
                self.launch(quote.offer)
            case Move():
                self.story.committed(self.reached).ended(AttemptEnd.MOVED)

    def launch(self, chosen: object) -> None:
        self.story.launched(chosen, checkpoint_every_seconds=1800.0)  # type: ignore[arg-type]
        is_spot = chosen in SPOTS
        if is_spot and self.chance.random() < self.absent:
            self.story.ended(AttemptEnd.NOT_LAUNCHED)
        last = self.story.run.last_checkpoint
        self.reached, self.age = (last.progress or 0.0) if last else 0.0, 0.0

    def pass_time(self) -> None:
        self.story.after(minutes=5)
        live = self.story.run.live_attempt
        if live is None:
            return
        self.age += 5 / 60
        if self.age > 0.1:
            self.reached = min(self.reached + 5 / 60 / self.hours, 1.0)
            self.story.progressed(self.reached)
        self.save_or_lose(is_spot=live.placement.offer.capacity_type is CapacityType.SPOT)

    def save_or_lose(self, *, is_spot: bool) -> None:
        looks = round(self.age * 12)
        if is_spot and looks % self.patience == 0:
            self.story.ended(AttemptEnd.INTERRUPTED)
        elif looks % 6 == 0:
            self.story.committed(self.reached)


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("slack_hours", [1.0, 2.5, 6.0])
def test_the_deadline_is_met_whenever_machines_are_taken(policy: str, slack_hours: float) -> None:
    for seed in range(20):
        spec = timed(5, 5 + slack_hours)
        assert World(spec, seed, policy).finished_in_time(), f"seed {seed}"


def on(*offers: Offer, story: Story) -> Step:
    """The next step where only these are sold."""
    run = story.run
    found = prospects(run, market(*offers), story.now, make_policy=named("adaptive"))
    return next_step(run, now=story.now, spent_usd=spent_usd(run, story.now), ahead=found)


def test_a_machine_that_is_too_slow_is_not_taken_because_it_is_cheap() -> None:
    slow = offer(1.0, instance_type=machine(name="slow", gpu="K80"))
    asked = timed(10, 12, capacity=CapacityPreference.ON_DEMAND)
    asked = replace(
        asked,
        requirements=Requirements(
            gpus=(GpuRequest(count=8, name="A100-80GB"), GpuRequest(count=8, name="K80"))
        ),
        work=Work(hours=10, reference="A100-80GB", speedup={"K80": 0.5}),
    )
    taken = on(slow, CALM, story=Story(job=asked))
    assert isinstance(taken, Launch)
    assert taken.quote.offer == CALM
    late = Story(job=asked).after(hours=9)
    taken = on(slow, CALM, story=late)
    assert isinstance(taken, Launch)
    assert taken.quote.offer == slow, "late on both: the dear one is money for nothing"


def test_work_that_is_done_but_not_ended_needs_a_start_in_time() -> None:
    story = Story(job=timed(10, 12)).launched(SPOTS[0]).after(hours=11.4).committed(1.0)
    story.ended(AttemptEnd.INTERRUPTED)
    taken = step(story)
    assert isinstance(taken, Launch)
    assert taken.quote.offer == CALM


def test_no_pool_is_forgotten_when_all_refuse() -> None:
    story = Story(job=timed(10, 30, capacity=CapacityPreference.ON_DEMAND))
    offers = [offer(10.0 + k, zone=f"use1-az{k}") for k in range(7)]
    asked = []
    for _ in range(35):
        taken = on(*offers, story=story)
        if isinstance(taken, Wait):
            story.now = taken.until
            taken = on(*offers, story=story)
        assert isinstance(taken, Launch)
        asked.append(taken.quote.offer.zone)
        story.launched(taken.quote.offer).ended(AttemptEnd.NOT_LAUNCHED).after(seconds=10)
    assert sorted(asked[:7]) == sorted(each.zone for each in offers)
    assert min(asked.count(each.zone) for each in offers) >= 3


def test_a_faster_report_than_stated_is_no_reason_to_wait() -> None:
    story = Story(job=timed(10, 12)).launched(CALM).after(hours=1).progressed(0.5).committed(0.5)
    rest = ahead(story).quotes[0].hours.work
    assert rest == pytest.approx(5.0, rel=0.01)


def test_spot_that_is_sold_no_more_is_left_when_it_has_to_be() -> None:
    story = Story(job=timed(10, 12)).launched(SPOTS[0]).after(hours=0.5).progressed(0.05)
    assert isinstance(on(CALM, story=story), Stay)
    taken = on(CALM, story=story.after(hours=2.0).progressed(0.25))
    assert isinstance(taken, Move)


def test_interruptions_that_are_used_up_keep_a_run_on_demand() -> None:
    asked = timed(10, 60, budget=Budget(max_interruptions=1))
    story = Story(job=asked).launched(SPOTS[0]).after(hours=1).ended(AttemptEnd.INTERRUPTED)
    for hours in (0.5, 2, 8):
        calm = story.launched(CALM).after(hours=hours)
        assert isinstance(step(calm), Stay)
        story.ended(AttemptEnd.NODE_FAILED)


def test_a_move_that_the_budget_cannot_pay_is_not_made() -> None:
    tight = timed(10, 12, budget=Budget(max_cost_usd=60.0))
    story = Story(job=tight).launched(SPOTS[0]).after(hours=2.3).progressed(0.23)
    assert isinstance(step(story), Stay), "on demand it would end at $100"
    rich = timed(10, 12, budget=Budget(max_cost_usd=600.0))
    assert isinstance(
        step(Story(job=rich).launched(SPOTS[0]).after(hours=2.3).progressed(0.23)), Move
    )


def test_two_machines_at_once_keep_to_the_hourly_limit() -> None:
    asked = timed(10, 12, budget=Budget(max_hourly_usd=11.0))
    story = Story(job=asked).launched(SPOTS[0]).after(hours=2.3).progressed(0.23)
    taken = step(story)
    assert isinstance(taken, Pause)
    assert "deadline" in taken.choice.why


def test_standbys_that_come_to_nothing_are_not_tried_all_the_time() -> None:
    story = Story(job=timed(10, 12)).launched(SPOTS[0]).after(hours=2.3).progressed(0.23)
    tries = 0
    for _ in range(120):
        taken = step(story)
        if isinstance(taken, Move):
            tries += 1
            standby(story).tell(
                AttemptEnded(attempt=len(story.run.attempts), end=AttemptEnd.NODE_FAILED)
            )
        story.after(seconds=30)
    assert 3 <= tries <= 10


def test_a_standby_that_is_never_ready_is_given_up() -> None:
    story = standby(Story(job=timed(10, 60)).launched(SPOTS[0]).after(hours=1))
    assert isinstance(step(story.after(minutes=20)), Stay)
    assert isinstance(step(story.after(hours=2)), DropStandby)


def test_a_setup_that_fails_on_a_standby_does_not_end_the_run() -> None:
    story = standby(Story(job=timed(10, 60)).launched(SPOTS[0]).after(hours=1))
    story.tell(AttemptEnded(attempt=2, end=AttemptEnd.JOB_FAILED, detail="setup"))
    assert not isinstance(step(story), End)


def test_a_job_without_checkpoints_starts_on_spot_only_with_time_for_all_of_it_twice() -> None:
    bare = replace(timed(2, 3.5), checkpoint=None)
    taken = on(*SPOTS, CALM, story=Story(job=bare))
    assert isinstance(taken, Launch)
    assert taken.quote.offer == CALM


def test_commits_rarer_than_planned_count_as_they_come() -> None:
    story = Story(job=timed(5, 7.5)).launched(SPOTS[0]).after(hours=1.5).committed(0.3)
    story.ended(AttemptEnd.MOVED).launched(CALM).after(hours=0.2).committed(0.33)
    assert isinstance(step(story), Stay), "an interval of 1.5 h does not fit twice"


def test_a_resume_beside_a_refused_standby_remembers_that_the_job_has_ended() -> None:
    story = standby(Story(job=timed(10, 60)).launched(CALM).after(hours=1))
    story.tell(AttemptEnded(attempt=2, end=AttemptEnd.NOT_LAUNCHED)).tell(Resumed())
    story.tell(AttemptEnded(attempt=1, end=AttemptEnd.FINISHED))
    taken = step(story)
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.FINISHED


def test_a_resumed_run_tries_again_after_machines_that_broke() -> None:
    story = Story(job=timed(10, 60))
    for _ in range(3):
        story.launched(CALM).ended(AttemptEnd.NODE_FAILED)
    assert isinstance(step(story), End)
    assert isinstance(step(story.finished(Outcome.BROKEN).tell(Resumed())), Launch)
