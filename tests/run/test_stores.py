"""Stores of ended runs: what goes, what stays beside them, and a deletion that was killed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched.decide.leftovers.store_fate import Wish
from finsched.ledger import Ledger
from finsched.model.event import AttemptEnded, Ended, Intended, Submitted
from finsched.model.run import AttemptEnd, ClockAnchor, Outcome
from finsched.node.store import Store
from finsched.run.home import supervision
from finsched.run.stores import StoreSurvey
from finsched.testing.builders import NOW, job, spot
from finsched.testing.runs import Story, placement
from tests.object_stores import S3Lab

from .conftest import Machine

pytestmark = pytest.mark.slow

PARTS = 7


class Kept:
    """Runs of one user that ended, with stores below one place."""

    def __init__(self, machine: Machine, base: str) -> None:
        self.machine = machine
        self.base = base
        self.ledger = Ledger(machine.state_dir / "ledger.sqlite")

    def run(self, name: str, outcome: Outcome | None, *, days_ago: float = 40) -> Store:
        """Tell the ledger of a run, and fill its store."""
        at = datetime.now(UTC) - timedelta(days=days_ago)
        uri = f"{self.base}/{name}"
        self.ledger.append(name, Submitted(job=job(name=name), store_uri=uri), at)
        chosen = placement(spot(), storage_usd_per_gb_month=0.023)
        token = f"{name}-1"
        self.ledger.append(
            name, Intended(attempt=1, token=token, provider="local", placement=chosen), at
        )
        self.ledger.append(name, AttemptEnded(attempt=1, end=AttemptEnd.FINISHED), at)
        if outcome:
            self.ledger.append(name, Ended(outcome=outcome), at)
        return filled(uri)

    def sweep(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        document = self.machine.document("sweep", "local", "--stores", *arguments, code=code)
        schema = json.loads(self.machine.finsched("schema", "sweep"))
        jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())
        return {each["run"]: each for each in document["stores"]}


def filled(uri: str) -> Store:
    store = Store(uri)
    store.create("submitted", b"x")
    for number in range(PARTS):
        store.create(f"parts/1/{number}", b"x" * 1000)
    return store


def keys(store: Store) -> int:
    return len(store.list(""))


@pytest.fixture(params=["folder", "s3"])
def kept(
    request: pytest.FixtureRequest, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    if request.param == "folder":
        yield Kept(machine, (machine.folder / "my stores").as_uri())
    else:
        s3: S3Lab = request.getfixturevalue("s3")
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        yield Kept(machine, f"s3://{s3.bucket}/runs")


def test_a_dry_run_tells_size_and_price_and_changes_nothing(kept: Kept) -> None:
    store = kept.run("old-1", Outcome.FINISHED)
    told = kept.sweep("--older-than", "30d")["old-1"]
    assert (told["fate"], told["deleted"], told["size_bytes"]) == ("orphan", False, 7001)
    priced = not kept.base.startswith("file:")
    assert told["usd_per_month"] == (pytest.approx(7001e-9 * 0.023) if priced else None)
    assert keys(store) == PARTS + 1


def test_the_end_of_a_rehearsal_is_told_in_real_time(tmp_path: Path) -> None:
    run = Story().launched().after(hours=90).finished().run
    anchor = ClockAnchor(real=NOW, simulated=NOW, speed=3600)
    run = replace(run, store_uri=tmp_path.as_uri(), anchor=anchor)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    survey = StoreSurvey(ledger=ledger, state_dir=tmp_path, wish=Wish())
    assert survey.look(run).ended_at == NOW + timedelta(seconds=90)
    ledger.close()


def test_what_is_old_and_finished_goes_and_what_can_be_resumed_stays(kept: Kept) -> None:
    old = kept.run("old-1", Outcome.FINISHED)
    young = kept.run("young-1", Outcome.FINISHED, days_ago=3)
    stopped = kept.run("stopped-1", Outcome.STOPPED)
    alive = kept.run("alive-1", None)
    done = kept.sweep("--older-than", "30d", "--apply")
    assert {run: each["deleted"] for run, each in done.items()} == {
        "old-1": True,
        "young-1": False,
        "stopped-1": False,
    }
    assert [keys(store) for store in (young, stopped, alive)] == [PARTS + 1] * 3
    assert "resumed" in done["stopped-1"]["why"]
    assert "old-1" not in kept.sweep()
    assert keys(old) == 0


def test_a_named_run_goes_its_ledger_stays_and_it_cannot_go_on(kept: Kept) -> None:
    kept.run("stopped-1", Outcome.STOPPED)
    alive = kept.run("alive-1", None)
    done = kept.sweep("--run", "stopped", "--run", "alive", "--apply")
    assert {run: each["deleted"] for run, each in done.items()} == {
        "stopped-1": True,
        "alive-1": False,
    }
    assert keys(alive) == PARTS + 1
    machine = kept.machine
    machine.finsched("resume", "stopped-1", code=2)
    assert "deleted" in machine.errors
    machine.finsched("logs", "stopped-1", code=2)
    assert "finsched report" in machine.errors
    machine.finsched("report", "stopped-1")
    assert "deleted" in machine.finsched("status", "stopped-1")
    assert "you named its run" in machine.finsched("status", "stopped-1", "--why")


def test_a_neighbour_whose_name_begins_alike_stays(kept: Kept) -> None:
    kept.run("old-1", Outcome.FINISHED)
    neighbours = [filled(f"{kept.base}/{name}") for name in ("old-12", "old-", "other")]
    above = Store(kept.base)
    above.create("old-1.txt", b"mine")
    assert kept.sweep("--run", "old-1", "--apply")["old-1"]["deleted"]
    assert [keys(store) for store in neighbours] == [PARTS + 1] * 3
    assert above.get("old-1.txt") == b"mine"
    assert not [each for each in above.list("") if each.key.startswith("old-1/")]


def test_a_run_that_a_process_carries_stays(kept: Kept) -> None:
    store = kept.run("old-1", Outcome.FINISHED)
    with supervision(kept.machine.state_dir, "old-1"):
        [told] = kept.sweep("--run", "old-1", "--older-than", "1d", "--apply").values()
    assert (told["fate"], told["deleted"]) == ("kept", False)
    assert keys(store) == PARTS + 1


def test_without_a_wish_nothing_goes(kept: Kept) -> None:
    store = kept.run("old-1", Outcome.FINISHED)
    assert kept.sweep("--apply")["old-1"]["fate"] == "kept"
    assert "--older-than" in kept.machine.finsched("sweep", "local", "--stores")
    kept.machine.finsched("sweep", "--older-than", "30d", code=2)
    kept.machine.finsched("sweep", "--stores", "--older-than", "soon", code=2)
    assert keys(store) == PARTS + 1


def test_a_deletion_that_was_killed_is_finished_by_the_next(
    machine: Machine, s3: S3Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    kept = Kept(machine, f"s3://{s3.bucket}/runs")
    store = kept.run("stopped-1", Outcome.STOPPED)
    s3("fault", query="delete", after=3, times=99, pause_seconds=20)
    process = machine.start("sweep", "local", "--stores", "--run", "stopped-1", "--apply")
    machine.wait_for(lambda _: len(s3.calls(query="delete")) > 3)
    process.kill()
    process.communicate()
    s3("reset")
    until = time.monotonic() + 30
    while keys(store) == PARTS + 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert 0 < keys(store) < PARTS + 1
    machine.finsched("resume", "stopped-1", code=2)
    [told] = kept.sweep("--apply").values()
    assert (told["deleted"], told["why"]) == (True, "its deletion had begun")
    assert keys(store) == 0


def test_a_store_that_does_not_answer_is_said_and_the_others_go(
    machine: Machine, tmp_path: Path
) -> None:
    kept = Kept(machine, tmp_path.as_uri())
    kept.run("old-1", Outcome.FINISHED)
    gone = Submitted(job=job(name="far"), store_uri="s3://bucket.invalid/far-1")
    at = datetime.now(UTC) - timedelta(days=50)
    kept.ledger.append("far-1", gone, at)
    kept.ledger.append("far-1", Ended(outcome=Outcome.FINISHED), at)
    machine.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    machine.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    done = kept.sweep("--older-than", "30d", "--apply", code=5)
    assert done["old-1"]["deleted"]
    assert done["far-1"]["problem"]
