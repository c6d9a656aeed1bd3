"""A real launch tells a real web server what happens, and a server that hangs changes nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from finsched.testing.web import Reply, served

from .conftest import Machine

pytest.importorskip("apprise", reason="the extra `notify` is not installed")
pytestmark = pytest.mark.slow

FINE = Reply(document={})


def test_a_launch_tells_of_its_budget_and_its_end(machine: Machine) -> None:
    with served(lambda _: FINE) as site:
        urls = machine.folder / "urls"
        urls.touch(0o600)
        urls.write_text(f"{site.address.replace('http', 'json')}/s3cr3t\n")
        machine.settings(f'local_price_usd_per_hour = 60\nnotify = {{urls_file = "{urls}"}}\n')
        job = machine.job(more="budget: {max_cost: 0.15}", STEPS="4000")
        machine.finsched("launch", job, code=7)
        told = [call.json["title"] for call in site.calls]
    assert told[0] == "count: 50 % of the budget"
    assert told[-2:] == ["count: all of the budget", "count: budget"]
    assert len(set(told)) == len(told)
    events = machine.finsched("events", "--json")
    assert '"event": "budget_used"' in events
    assert "s3cr3t" not in events + machine.errors


def test_a_server_that_hangs_delays_the_end_by_seconds_and_is_named(machine: Machine) -> None:
    with served(lambda _: replace(FINE, wait_seconds=60)) as site:
        machine.environ["FINSCHED_NOTIFY_URLS"] = site.address.replace("http", "json") + "/s3cr3t"
        job = machine.job(STEPS="5")
        machine.finsched("launch", job)
        ended_at = machine.run().ended_at
    assert ended_at
    assert time.time() - ended_at.timestamp() < 15
    assert "not sent to address 1 (json): it did not answer in time" in machine.errors
    assert "s3cr3t" not in machine.errors
    assert '"cause": "notifier"' in machine.finsched("events", "--json")
