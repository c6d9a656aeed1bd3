"""The runs of the process, without a process: one that sleeps comes back by the time of day."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from finsched import quoting, settings
from finsched.host import members as module
from finsched.host.loop import Loop
from finsched.host.members import QUEUE, Members
from finsched.model.queue import QueueLimits
from finsched.node.clock import utc_now
from finsched.run.home import open_ledger
from finsched.run.starting import start

from .conftest import Home, until_true


def test_a_run_that_sleeps_comes_back_by_the_time_of_day(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A monotonic clock stands still while a laptop sleeps."""
    caplog.set_level(logging.INFO, "finsched.host")
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    chosen = settings.load()
    spec = quoting.read_job(home.job(more="start: {after: 8h}"), chosen)
    run_id = start(spec, chosen, open_ledger(chosen.state_dir))
    loop = Loop()
    members = Members(chosen, loop, QueueLimits)
    members.begin()
    members.take(run_id, {}, 0)
    until_true(lambda: "start.after asks" in str(members.listing()), "it sleeps")
    assert caplog.text.count("taken up") == 1
    tomorrow = utc_now() + timedelta(hours=24)
    monkeypatch.setattr(module, "utc_now", lambda: tomorrow)
    loop.wake(QUEUE)
    until_true(lambda: caplog.text.count("taken up") == 2, "it is looked at again")
    assert loop.close(timeout_seconds=10)
    members.let_go()
