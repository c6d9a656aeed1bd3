"""`finsched checkpoints`: what a run has kept, and pins that hold whatever its machine does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched.ledger import Ledger
from finsched.model.event import AttemptEnded, Committed, Ended, Intended, Submitted
from finsched.model.run import AttemptEnd, Checkpoint, Outcome
from finsched.node.checkpoints import commit_log as node_commits
from finsched.node.checkpoints.commit_log import CommitLog
from finsched.node.checkpoints.pins import Pins
from finsched.node.store import Store
from finsched.testing.builders import job
from finsched.testing.runs import placement

from ..node.test_pins import Attempt, keys, parts_in  # noqa: TID252 - a machine's retention
from .conftest import Machine

RUN = "train-1"
AT = datetime.now(UTC) - timedelta(days=40)


class Saved:
    """A run of one user whose machine saves when it is told to."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.store = Store(f"file://{machine.folder}/stores/{RUN}")
        self.ledger = Ledger(machine.state_dir / "ledger.sqlite")
        self.attempt = Attempt(self.store, machine.folder, 1)
        self.commits: list[Any] = []
        self.ledger.append(RUN, Submitted(job=job(name="train"), store_uri=self.store.uri), AT)
        intended = Intended(attempt=1, token=f"{RUN}-1", provider="local", placement=placement())
        self.ledger.append(RUN, intended, AT)

    def save(self, content: str) -> None:
        commit = self.attempt.save(weights=content)
        self.commits.append(commit)
        checkpoint = Checkpoint(
            sequence=commit.number,
            attempt=1,
            at=AT,
            size_bytes=16_000_000_000,
            sent_bytes=0,
            progress=len(self.commits) / 10,
            upload_seconds=12.34,
        )
        self.ledger.append(RUN, Committed(attempt=1, checkpoint=checkpoint), AT)

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        document = self.machine.document("checkpoints", *arguments)
        schema = json.loads(self.machine.finsched("schema", "checkpoints"))
        jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())
        assert document["run"] == RUN
        listed: list[dict[str, Any]] = document["checkpoints"]
        return listed


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    saved = Saved(Machine.at(tmp_path))
    for number in range(1, 4):
        saved.save(f"{number}")
    return saved


def test_a_pin_is_heeded_until_it_is_taken_back(saved: Saved) -> None:
    states = [(each["number"], each["kept"], each["pinned"]) for each in saved.listed()]
    assert states == [(1, False, False), (2, True, False), (3, True, False)]
    pinned = saved.listed("--pin", "2")
    assert [each["pinned"] for each in pinned] == [False, True, False]
    for number in range(4, 7):
        saved.save(f"{number}")
    assert parts_in(saved.store) == keys(saved.commits[1], *saved.commits[-2:])
    assert [each["kept"] for each in saved.listed()] == [False, True, False, False, True, True]
    saved.listed("--unpin", "2")
    saved.save("7")
    assert parts_in(saved.store) == keys(*saved.commits[-2:])


def test_the_table_fits_and_says_what_became_of_each(saved: Saved) -> None:
    table = saved.machine.finsched("checkpoints", RUN, "--pin", "3")
    assert max(map(len, table.splitlines())) <= 80
    [first, _, last] = [line for line in table.splitlines() if "GB" in line]
    assert first.split()[-1] == "deleted"
    assert last.split()[-1] == "pinned"
    assert "12.3 s" in last


@pytest.mark.parametrize("number", ["1", "4"])
def test_what_is_not_there_cannot_be_pinned(saved: Saved, number: str) -> None:
    saved.machine.finsched("checkpoints", "--pin", number, code=2)
    assert "fix: `finsched checkpoints` lists" in saved.machine.errors
    assert Pins(saved.store).numbers() == set()


def test_a_damaged_checkpoint_cannot_be_pinned(saved: Saved) -> None:
    for key in keys(saved.commits[-1]):
        saved.store.delete(key)
    saved.machine.finsched("checkpoints", "--pin", "3", code=2)
    assert Pins(saved.store).numbers() == set()


def test_a_store_that_is_gone_is_not_made_again_by_a_look(tmp_path: Path) -> None:
    saved = Saved(Machine.at(tmp_path))
    saved.save("1")
    (tmp_path / "stores").rename(tmp_path / "elsewhere")
    assert [each["kept"] for each in saved.listed()] == [False]
    saved.machine.finsched("checkpoints", "--pin", "1", code=2)
    assert not (tmp_path / "stores").exists()


def test_a_store_with_a_pin_goes_only_by_the_name_of_its_run(saved: Saved) -> None:
    saved.ledger.append(RUN, AttemptEnded(attempt=1, end=AttemptEnd.FINISHED), AT)
    saved.ledger.append(RUN, Ended(outcome=Outcome.FINISHED), AT)
    saved.listed("--pin", "3")
    sweep = ["sweep", "local", "--stores", "--older-than", "30d", "--apply"]
    [found] = saved.machine.document(*sweep)["stores"]
    assert (found["fate"], found["deleted"]) == ("kept", False)
    assert "a checkpoint is pinned" in found["why"]
    [found] = saved.machine.document(*sweep, "--run", RUN)["stores"]
    assert found["deleted"]


@pytest.mark.slow
def test_so_many_are_kept_as_the_job_file_says(machine: Machine) -> None:
    """One job that saves often, and keeps a single checkpoint."""
    path = machine.job(STEPS="80")
    path.write_text(path.read_text().replace("every: 10s", "every: 1s, keep: 1"))
    machine.finsched("launch", path)
    states = [each["kept"] for each in machine.document("checkpoints")["checkpoints"]]
    assert len(states) > 1
    assert states == [False] * (len(states) - 1) + [True]
    newest = CommitLog(Store(machine.run().store_uri)).entries()[-1]
    assert isinstance(newest, node_commits.Committed)
    assert parts_in(Store(machine.run().store_uri)) == keys(newest)
