"""Metrics as Prometheus' own parser reads them, from a pure function and over real HTTP."""

from __future__ import annotations

import http.client
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from finsched.errors import SpecError
from finsched.ledger import Ledger
from finsched.model.event import Intended, Resumed, Warned
from finsched.model.job import Budget
from finsched.model.run import AttemptEnd, Outcome, Rehearsal
from finsched.observe.held import REMEMBERED, HeldRuns
from finsched.observe.metrics_server import MetricsServer, address
from finsched.observe.open_metrics import CONTENT_TYPE, STATES, exposition
from finsched.testing.builders import NOW, job
from finsched.testing.runs import Story, placement

Samples = dict[str, dict[str, Any]]


def parsed(text: str) -> Samples:
    """Every sample as the official parser reads it: name to labels to value."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = ",".join(v for k, v in sorted(sample.labels.items()) if k != "run")
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def story(**fields: Any) -> Story:
    budget = Budget(max_cost_usd=40.0)
    return Story(job=job(budget=budget, **fields)).launched().after(hours=2).progressed(0.25)


def test_a_running_run_in_figures() -> None:
    told = story().committed(0.2).after(hours=3)
    samples = parsed(exposition([(told.run, told.now)]))
    assert samples["finsched_runs"] == {"": 1}
    assert samples["finsched_run_spent_usd"] == {"": 20.0}
    assert samples["finsched_run_budget_ratio"] == {"": 0.5}
    assert samples["finsched_run_progress_ratio"] == {"": 0.25}
    assert samples["finsched_run_since_commit_seconds"] == {"": 3 * 3600}
    assert samples["finsched_run_price_usd_per_hour"] == {"": 4.0}
    assert samples["finsched_run_interruptions_total"] == {"": 0}
    assert samples["finsched_run_state"] == {state: state == "running" for state in STATES}
    assert samples["finsched_run_info"] == {"job,,adaptive": 1}


def test_what_is_not_known_is_absent() -> None:
    run = Story().run
    samples = parsed(exposition([(run, NOW)]))
    assert samples["finsched_run_state"]["between_attempts"] == 1
    for name in ("budget_ratio", "progress_ratio", "since_commit_seconds"):
        assert f"finsched_run_{name}" not in samples
    assert parsed(exposition([])) == {"finsched_runs": {"": 0}}


def test_states_and_ends() -> None:
    intended = Intended(attempt=1, token="t", provider="sim", placement=placement())
    assert parsed(exposition([(Story().tell(intended).run, NOW)]))["finsched_run_state"]["starting"]
    told = story().ended(AttemptEnd.INTERRUPTED).finished(Outcome.STOPPED)
    samples = parsed(exposition([(told.run, told.now)]))
    assert samples["finsched_run_state"]["ended"] == 1
    assert samples["finsched_run_interruptions_total"] == {"": 1}
    assert samples["finsched_run_info"] == {"job,stopped,adaptive": 1}
    assert samples["finsched_runs"] == {"": 0}


@given(
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    limit=st.floats(0, 1e300),
    hours=st.floats(0, 1e5),
)
def test_every_name_and_every_figure_is_read_back(name: str, limit: float, hours: float) -> None:
    told = Story(job=job(name=name, budget=Budget(max_cost_usd=limit))).launched()
    moment = told.now + timedelta(hours=hours)
    text = exposition([(told.run, moment)])
    [info] = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "finsched_run_info"
    ]
    assert info.labels["job"] == name
    values = [value for family in parsed(text).values() for value in family.values()]
    assert all(math.isfinite(value) for value in values)


# --- which runs --------------------------------------------------------------------------------


def write(ledger: Ledger, told: Story, run: str) -> None:
    for record in told.records:
        ledger.append(run, record.event, record.at)


def test_runs_come_and_go_with_the_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    write(ledger, Story().finished(), "old")
    write(ledger, Story(rehearsal=Rehearsal(speed=2.0, seed=1)), "rehearsal")
    write(ledger, story(), "live")
    held = HeldRuns(ledger)
    now = NOW + timedelta(hours=2)
    assert [run.id for run in held.look(now)] == ["live"]
    write(ledger, Story().launched(), "new")
    assert {run.id for run in held.look(now)} == {"live", "new"}
    ledger.append("old", Resumed(), now)
    ledger.append("live", story().finished().records[-1].event, now)
    assert {run.id for run in held.look(now)} == {"live", "new", "old"}
    assert {run.id for run in held.look(now + REMEMBERED)} == {"new", "old"}
    assert {run.id for run in HeldRuns(ledger).look(now)} == {"live", "new", "old"}


def test_what_is_held_is_what_the_ledger_folds_to(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    held = HeldRuns(ledger)
    for record in story().committed(0.2).ended(AttemptEnd.INTERRUPTED).launched().records:
        ledger.append("r-1", record.event, record.at)
        assert held.look(NOW) == [ledger.run("r-1")]
    assert held.look(NOW) == [ledger.run("r-1")]


def test_a_run_that_makes_no_sense_hides_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append("broken", Warned(attempt=1, text="no beginning"), NOW)
    write(ledger, story(), "live")
    held = HeldRuns(ledger)
    assert [run.id for run in held.look(NOW)] == ["live"]
    ledger.append("broken", Warned(attempt=1, text="still none"), NOW)
    assert [run.id for run in held.look(NOW)] == ["live"]


# --- over HTTP ---------------------------------------------------------------------------------


@contextmanager
def serving(host: str = "127.0.0.1", text: str = "# EOF\n") -> Iterator[MetricsServer]:
    with MetricsServer(host, 0, lambda: text) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(server: MetricsServer, method: str, path: str) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def test_only_metrics_are_served() -> None:
    with serving() as server:
        assert asked(server, "GET", "/metrics?x=1") == (200, CONTENT_TYPE, b"# EOF\n")
        assert asked(server, "HEAD", "/metrics") == (200, CONTENT_TYPE, b"")
        assert asked(server, "GET", "/../../etc/passwd")[0] == 404
        assert asked(server, "POST", "/metrics")[0] == 501


def test_a_client_that_says_nothing_holds_up_no_other() -> None:
    with serving() as server, socket.create_connection(server.server_address[:2]):
        assert asked(server, "GET", "/metrics")[0] == 200


@pytest.mark.parametrize("text", ["9464", ":9464", "a:b", "h:99999", "h:", "h:-1", "h:१"])
def test_an_address_needs_a_host_and_a_port(text: str) -> None:
    with pytest.raises(SpecError, match="--serve"):
        address(text)
    assert address("[::1]:9464") == ("::1", 9464)
    assert address("127.0.0.1:0") == ("127.0.0.1", 0)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "FINSCHED_STATE_DIR": str(folder), "HOME": str(folder)}
    command = [sys.executable, "-m", "finsched", "metrics", *arguments]
    piped = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdout=piped, stderr=piped, text=True)


def test_the_command_prints_once(tmp_path: Path) -> None:
    write(Ledger(tmp_path / "ledger.sqlite"), story(), "r-1")
    out, err = start(tmp_path).communicate(timeout=60)
    assert err == ""
    assert parsed(out)["finsched_runs"] == {"": 1}


def test_the_command_serves_what_the_ledger_says_now(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    process = start(tmp_path, "--serve", "127.0.0.1:0")
    assert process.stderr
    said = process.stderr.readline()
    [url] = re.findall(r"http://127.0.0.1:\d+/metrics", said)

    def runs() -> float:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return float(parsed(answer.read().decode())["finsched_runs"][""])

    assert runs() == 0
    write(ledger, story(), "r-1")
    assert runs() == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert "Traceback" not in process.stderr.read()
    for stream in (process.stdout, process.stderr):
        stream.close() if stream else None


def test_a_port_that_is_taken_is_explained(tmp_path: Path) -> None:
    with serving() as server:
        host, port = server.server_address[:2]
        process = start(tmp_path, "--serve", f"{host!s}:{port}")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err


def test_a_hundred_thousand_old_runs_are_passed_over_quickly(tmp_path: Path) -> None:
    """A twentieth of them here; it is linear in runs and sees none of their other events."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    write(ledger, Story().finished(), "r-0")
    rows = [tuple(row)[2:] for row in ledger.rows(run="r-0", after=0)]
    import sqlite3

    with sqlite3.connect(ledger.path) as raw:
        raw.executemany(
            "INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)",
            [(f"r-{number}", *row) for number in range(1, 5000) for row in rows],
        )
    write(ledger, story(), "live")
    began = time.process_time()
    assert [run.id for run in HeldRuns(ledger).look(NOW + timedelta(days=1))] == ["live"]
    assert time.process_time() - began < 0.5
