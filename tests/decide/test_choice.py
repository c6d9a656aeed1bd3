"""What a run with a deadline does next: spot, on-demand or waiting, and always in time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from finsched.decide.next_step import next_step
from finsched.decide.prospects import Prospects, Reaction, prospects
from finsched.decide.spend import spent_usd
from finsched.decide.spot.policies import POLICIES, named
from finsched.decide.step import HandOver, Launch, Move, Pause, Stay, Step, Wait
from finsched.model.event import Intended, Launched, Promoted, Ready
from finsched.model.job import CheckpointSpec, JobSpec, StartWindow
from finsched.model.market import CapacityType
from finsched.model.run import AttemptEnd
from finsched.testing.builders import hazard_prior, job, market, offer, spot, terms
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
