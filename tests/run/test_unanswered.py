"""A cloud that stops answering while a launch is open: what people are told, and how they leave."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finsched.errors import ExitCode, NoAnswer
from finsched.ledger import Ledger
from finsched.model.event import Intended, Launched, StopRequested, Submitted
from finsched.model.run import AttemptEnd, Outcome
from finsched.provider import (
    EndReason,
    Instance,
    InstanceState,
    InstanceStatus,
    LaunchRequest,
    Provider,
)
from finsched.run.home import supervision
from finsched.run.patience import Patience
from finsched.run.session import Session
from finsched.settings import Settings
from finsched.testing.builders import job, market, offer
from finsched.testing.runs import placement

from .conftest import Machine

RUN = "r1"
PATIENCE_SECONDS = 0.5
IN_A_HURRY = [signal.SIGTERM, signal.SIGINT]


@dataclass
class Cloud:
    """A cloud with at most one machine, which answers or keeps everybody waiting."""

    answers: threading.Event = field(default_factory=threading.Event)
    made: bool = False
    ended: bool = False
    signals: list[signal.Signals] = field(default_factory=list)

    @property
    def provider(self) -> Provider:
        interval = timedelta(seconds=0.05)
        return Provider(name="aws", prices=None, compute=self, poll_interval=interval)  # type: ignore[arg-type]  # it sells nothing

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        self._answer()
        return self.find(request.token)

    def find(self, token: str) -> Sequence[Instance]:
        self._answer()
        began = datetime.now(UTC)
        return [Instance(id="i-1", pool=offer().pool, created_at=began)] if self.made else []

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        self._answer()
        if self.ended:
            state, reason = InstanceState.TERMINATED, EndReason.TERMINATED_BY_US
            return {each: InstanceStatus(id=each, state=state, reason=reason) for each in ids}
        return {each: InstanceStatus(id=each, state=InstanceState.RUNNING) for each in ids}

    def terminate(self, instance_id: str) -> None:
        self._answer()
        self.ended = True

    def _answer(self) -> None:
        while self.signals:
            os.kill(os.getpid(), self.signals.pop())
        self.answers.wait()


@dataclass
class Desk:
    """A person with a run whose launch is open, as after a crash in the create call."""

    folder: Path
    cloud: Cloud = field(default_factory=Cloud)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        now = datetime.now(UTC)
        store_uri = (self.folder / "store").as_uri()
        self.ledger.append(RUN, Submitted(job=job(), store_uri=store_uri), now)

    def intends(self) -> None:
        intent = Intended(attempt=1, token="t1", provider="aws", placement=placement(offer(0.6)))
        self.ledger.append(RUN, intent, datetime.now(UTC))

    def is_confirmed(self) -> None:
        now = datetime.now(UTC)
        self.ledger.append(RUN, Launched(attempt=1, instance_ids=("i-1",), billing_from=now), now)

    @property
    def session(self) -> Session:
        def patience() -> Patience:
            return Patience(after_a_stop_seconds=PATIENCE_SECONDS, least_seconds=0.1)

        return Session(
            settings=Settings(state_dir=self.folder, cache_dir=self.folder, store="unused"),
            ledger=self.ledger,
            secrets={},
            door=lambda _: self.cloud.provider,
            market=lambda _run, _now: replace(market(offer(0.6)), launchable=frozenset({"aws"})),
            patience=patience,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.cloud.answers.set()  # lets the calls end that nobody waits for
    desk.ledger.close()


def test_a_stop_leaves_a_launch_that_no_cloud_confirms(desk: Desk) -> None:
    desk.intends()
    with pytest.raises(NoAnswer, match="aws has not said whether attempt 1 has a machine") as left:
        desk.session.stop(RUN)
    assert left.value.exit_code is ExitCode.PROVIDER
    assert f"finsched sweep --run {RUN} --apply" in str(left.value.fix)
    run = desk.ledger.run(RUN)
    assert run.stop_requested
    assert run.outcome is None
    assert run.attempts[0].unconfirmed, "the intent stays, so that its machine is found later"


@pytest.mark.parametrize("made", [True, False])
def test_the_next_stop_finds_what_the_launch_made_and_ends_it(desk: Desk, made: bool) -> None:
    desk.intends()
    with pytest.raises(NoAnswer):
        desk.session.stop(RUN)
    desk.cloud.made = made
    desk.cloud.answers.set()
    desk.cloud.signals = IN_A_HURRY.copy()
    run = desk.session.stop(RUN)
    assert run.outcome is Outcome.STOPPED
    assert desk.cloud.ended is made
    assert run.attempts[0].end is (AttemptEnd.STOPPED if made else AttemptEnd.NOT_LAUNCHED)


def test_who_waits_for_another_supervisor_is_not_held_up_either(desk: Desk) -> None:
    desk.intends()
    with supervision(desk.folder, RUN), pytest.raises(NoAnswer, match="attempt 1"):
        desk.session.stop(RUN)


def test_two_signals_end_a_launcher_whose_create_call_is_not_answered(desk: Desk) -> None:
    desk.cloud.signals = IN_A_HURRY.copy()
    with pytest.raises(NoAnswer):
        desk.session.supervise(RUN)
    run = desk.ledger.run(RUN)
    assert run.stop_requested
    assert run.live_attempt
    assert run.live_attempt.unconfirmed


def test_a_machine_that_nobody_can_ask_about_is_named(desk: Desk) -> None:
    desk.intends()
    desk.is_confirmed()
    desk.cloud.signals = IN_A_HURRY.copy()
    with pytest.raises(NoAnswer, match="aws has not said whether i-1 has ended"):
        desk.session.stop(RUN)
    desk.cloud.answers.set()
    desk.cloud.signals = IN_A_HURRY.copy()
    assert desk.session.stop(RUN).outcome is Outcome.STOPPED
    assert desk.cloud.ended


def test_money_of_a_launch_that_is_not_confirmed_is_told_as_possible(machine: Machine) -> None:
    machine.state_dir.mkdir()
    desk = Desk(machine.state_dir)
    desk.intends()
    told = machine.finsched("status")
    assert "launch not confirmed: aws has not said whether attempt 1 has a machine" in told
    assert "up to $" in told
    assert "up to $" in machine.finsched("runs")
    document = machine.document("status")
    assert document["state"] == "launch not confirmed"
    assert document["possible_usd"] == document["spent_usd"] > "0"
    assert "go on with `finsched resume r1`" in told
    desk.ledger.append(RUN, StopRequested(reason="a test"), datetime.now(UTC))
    assert "r1: stopping" in machine.finsched("status")
    assert "end it with `finsched stop r1`" in machine.finsched("status")
    desk.is_confirmed()
    assert machine.document("status")["possible_usd"] == "0.000000"
    assert "up to" not in machine.finsched("status")
