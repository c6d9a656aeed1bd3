"""The queue of the background process: limits hold, in order, and what waits can be stopped."""

from __future__ import annotations

import json
import signal
import sqlite3
from importlib.resources import files

import jsonschema
import pytest

from finsched.api import hosting, running
from finsched.model.run import Outcome, Run

from .conftest import Home, until_true

pytestmark = pytest.mark.slow


def finished(run: Run) -> bool:
    return run.outcome is not None


def working(run: Run) -> bool:
    return bool(run.live_attempt and run.live_attempt.progress)


def states(home: Home) -> dict[str, str]:
    document = home.queue
    schema = files("finsched").joinpath("schemas/queue.json").read_text("utf-8")
    jsonschema.validate(document, json.loads(schema))
    return {each["run"]: each["state"] for each in document["runs"]}


def test_runs_wait_for_their_turn_and_higher_priorities_go_first(home: Home) -> None:
    home.settings("queue = {per_provider = {local = 1}}")
    first = home.hand_over(home.job(STEPS="4000"))
    home.until(first, working)
    low = home.hand_over(home.job(STEPS="3"))
    high = home.hand_over(home.job(STEPS="3"), "--priority", "5")
    until_true(lambda: states(home).get(high) == "waiting", "it is in the queue")
    assert states(home) == {first: "carried", low: "waiting", high: "waiting"}
    assert "waits for its turn" in home.finsched("status", low)
    assert "at most 1 at once on local" in home.finsched("queue")
    home.finsched("stop", first)
    ended = {run: home.until(run, finished, 90) for run in (first, low, high)}
    assert [ended[run].outcome for run in (low, high)] == [Outcome.FINISHED] * 2
    begun = {run: ended[run].attempts[0].intended_at for run in ended}
    gone = {run: ended[run].attempts[0].ended_at for run in ended}
    assert begun[first] < begun[high] < begun[low]
    assert gone[first] <= begun[high]
    assert gone[high] <= begun[low]


def test_a_run_that_waits_can_be_stopped_and_limits_raised(home: Home) -> None:
    home.settings("queue = {total = 1}")
    first = home.hand_over(home.job(STEPS="4000"))
    home.until(first, working)
    second, third = (home.hand_over(home.job(STEPS="3")) for _ in range(2))
    home.finsched("stop", second)
    stopped = home.ledger_run(second)
    assert stopped.outcome is Outcome.STOPPED
    assert not stopped.attempts
    home.settings("queue = {total = 2}")
    assert home.until(third, finished).outcome is Outcome.FINISHED
    home.finsched("stop", first)
    until_true(lambda: not states(home), "the queue is empty")


def test_a_limit_holds_for_those_too_that_waited_before_it_was_set(home: Home) -> None:
    home.settings("queue = {total = 0}")
    runs = [home.hand_over(home.job(STEPS="4000")) for _ in range(2)]
    until_true(lambda: _held_by(home) == {"at most 0 at once"}, "both wait")
    home.settings("queue = {per_provider = {local = 1}}")
    until_true(lambda: "carried" in states(home).values(), "one is called in")
    assert _held_by(home) == {None, "at most 1 at once on local"}
    for run_id in runs:
        home.finsched("stop", run_id)


def test_a_run_that_waits_by_its_own_choice_takes_nobodys_place(home: Home) -> None:
    home.settings("queue = {total = 1}")
    later = home.hand_over(home.job(STEPS="3", more="start: {after: 8h}"))
    home.until(later, lambda run: run.choice)
    now = home.hand_over(home.job(STEPS="3"))
    assert home.until(now, finished).outcome is Outcome.FINISHED
    until_true(lambda: states(home) == {later: "waiting"}, "it is not carried")
    (why,) = _held_by(home)
    assert why == home.ledger_run(later).choice.why
    home.finsched("stop", later)
    assert home.ledger_run(later).outcome is Outcome.STOPPED


def test_a_run_that_was_stopped_can_be_handed_over_in_the_next_moment(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    run_id = home.hand_over(home.job(STEPS="3", more="start: {after: 8h}"))
    home.until(run_id, lambda run: run.choice)
    for _ in range(5):
        running.stop(run_id)
        assert hosting.hand_over(run_id).outcome is None
    home.end_process(signal.SIGKILL)
    until_true(lambda: run_id in states(home), "the next process holds it too")
    home.finsched("stop", run_id)


def test_a_carried_run_that_cannot_be_read_says_so(home: Home) -> None:
    run_id = home.hand_over(home.job(STEPS="4000"))
    home.until(run_id, working)
    with sqlite3.connect(home.state_dir / "ledger.sqlite") as ledger:
        newer = "INSERT INTO events (run, at, kind, body) SELECT run, at, 'Later', '{}' FROM events"
        ledger.execute(f"{newer} WHERE run = ? LIMIT 1", (run_id,))
    ledger.close()
    until_true(lambda: "Later is no kind of event" in str(_held_by(home)), "the queue says it")
    assert states(home) == {run_id: "carried"}


def test_a_priority_without_a_queue_is_refused(home: Home) -> None:
    home.finsched("launch", home.job(STEPS="3"), "--priority", "5", code=2)
    assert "--detach" in home.errors


def _held_by(home: Home) -> set[str | None]:
    return {each["held_by"] for each in home.queue["runs"]}
