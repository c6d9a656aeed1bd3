"""The event log: every event is a line of the published form, in order, and none is lost."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched.errors import LedgerProblem
from finsched.ledger import Ledger
from finsched.model.event import (
    BudgetUsed,
    ClockAnchored,
    Committed,
    Decided,
    Event,
    Noticed,
    Promoted,
    Queued,
    Ready,
    Resumed,
    StopRequested,
    StoreDiscarded,
    Transferred,
    Warned,
)
from finsched.model.run import AttemptEnd, Choice, ClockAnchor, Direction, Outcome, Transfer
from finsched.observe.event_document import event_document, event_name
from finsched.observe.event_log import EventLog
from finsched.testing.builders import NOW, job
from finsched.testing.runs import Story

SCHEMAS = Path(__file__).parents[2] / "finsched" / "schemas"


def schema() -> Any:
    return json.loads((SCHEMAS / "events.json").read_text())


def story() -> Story:
    """A run in which everything happens."""
    told = Story(job=job(env={"API_KEY": "hunter2"}, secrets=("HF_TOKEN",), run="train --k s3cr3t"))
    told.tell(Queued(priority=3))
    told.tell(ClockAnchored(anchor=ClockAnchor(real=NOW, simulated=NOW, speed=100.0)))
    told.tell(Decided(choice=Choice(step="wait", why="dear", slack_seconds=float("inf"))))
    told.launched().after(hours=1).progressed(0.2).committed(0.2).tell(Ready(attempt=1))
    way = Transfer(direction=Direction.UPLOAD, done_bytes=1, total_bytes=2, seconds=0.5)
    told.tell(Transferred(attempt=1, transfer=way)).tell(BudgetUsed(percent=50))
    told.tell(Promoted(attempt=1)).tell(Noticed(attempt=1)).tell(Warned(attempt=1, text="late"))
    told.ended(AttemptEnd.INTERRUPTED).tell(StopRequested(reason="a person"))
    told.finished(Outcome.STOPPED).tell(Resumed(max_cost_usd=12.5)).finished(Outcome.BUDGET)
    return told.tell(StoreDiscarded(why="old", size_bytes=7))


def written(path: Path, told: Story, run: str = "r-1") -> Ledger:
    ledger = Ledger(path / "ledger.sqlite")
    for record in told.records:
        ledger.append(run, record.event, record.at)
    return ledger


def read(ledger: Ledger, run: str | None = None, **options: Any) -> list[dict[str, Any]]:
    problems: list[LedgerProblem] = options.pop("problems", [])
    log = EventLog(
        ledger, run=run, since=options.pop("since", None), unreadable=problems.append, **options
    )
    return [event_document(*told) for told in log.news()]


def test_every_kind_of_event_is_published() -> None:
    kinds = {event_name(kind) for kind in Event.__args__}
    assert kinds == set(schema()["properties"]["event"]["enum"])
    assert kinds == {each["if"]["properties"]["event"]["const"] for each in schema()["allOf"]}
    reference = (SCHEMAS.parents[1] / "docs" / "reference" / "json.md").read_text()
    assert not [kind for kind in kinds if f"`{kind}`" not in reference]


def test_every_event_is_as_published(tmp_path: Path) -> None:
    lines = read(written(tmp_path, story()))
    jsonschema.Draft202012Validator.check_schema(schema())
    for line in lines:
        json.dumps(line, allow_nan=False)
        jsonschema.validate(line, schema(), format_checker=jsonschema.FormatChecker())
    assert len({line["event"] for line in lines}) >= 19
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))


def test_nothing_of_commands_and_variables_is_told(tmp_path: Path) -> None:
    told = json.dumps(read(written(tmp_path, story())))
    assert "hunter2" not in told
    assert "s3cr3t" not in told


def test_what_is_read_twice_is_told_once_and_what_comes_later_is_told(tmp_path: Path) -> None:
    ledger = written(tmp_path, Story().launched())
    log = EventLog(ledger, run="r-1", since=None, unreadable=pytest.fail)
    assert len(list(log.news())) == 4
    assert not list(log.news())
    ledger.append("r-1", Warned(attempt=1, text="later"), NOW)
    [(run, record)] = log.news()
    assert isinstance(record.event, Warned)
    assert run.attempts


def test_runs_are_told_apart_and_an_ended_one_may_go_on(tmp_path: Path) -> None:
    ledger = written(tmp_path, story(), "r-1")
    written(tmp_path, Story().launched(), "r-2")
    log = EventLog(ledger, run=None, since=None, unreadable=pytest.fail)
    assert {run.id for run, _ in log.news()} == {"r-1", "r-2"}
    ledger.append("r-1", Resumed(), NOW)
    [(run, _)] = log.news()
    assert (run.id, run.outcome) == ("r-1", None)


def test_a_moment_cuts_off_what_was_before(tmp_path: Path) -> None:
    ledger = written(tmp_path, story())
    later = [line for line in read(ledger) if line["at"] > NOW.isoformat()]
    assert 0 < len(later) < len(story().records)
    assert read(ledger, since=NOW + timedelta(seconds=1)) == later
    assert not read(ledger, since=NOW + timedelta(days=9))


@pytest.mark.parametrize(
    ("kind", "body"),
    [("Teleported", "{}"), ("Warned", "{"), ("Warned", '{"attempt": "one", "text": ""}')],
)
def test_a_run_that_makes_no_sense_is_named_once_and_hides_no_other(
    tmp_path: Path, kind: str, body: str
) -> None:
    ledger = written(tmp_path, Story().launched(), "r-1")
    row = ("r-1", NOW.isoformat(), kind, body)
    with sqlite3.connect(ledger.path) as raw:
        raw.execute("INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)", row)
    ledger.append("r-1", Warned(attempt=1, text="after it"), NOW)
    written(tmp_path, Story().launched(), "r-2")
    ledger.append("r-3", Warned(attempt=1, text="no beginning"), NOW)
    problems: list[LedgerProblem] = []
    told = read(ledger, problems=problems)
    assert [line["run"] for line in told] == ["r-1"] * 4 + ["r-2"] * 4
    assert ["run r-1" in problems[0].message, "run r-3" in problems[1].message] == [True, True]
    assert len(problems) == 2


def test_a_run_begins_once(tmp_path: Path) -> None:
    ledger = written(tmp_path, Story().finished())
    ledger.append("r-1", Story().records[0].event, NOW)
    problems: list[LedgerProblem] = []
    assert len(read(ledger, problems=problems)) == 2
    assert "run r-1" in problems[0].message


def test_more_rows_than_a_page_are_read(tmp_path: Path) -> None:
    ledger = written(tmp_path, Story().launched())
    body = json.dumps({"attempt": 1, "text": "x", "message": 0})
    rows = [("r-1", NOW.isoformat(), "Warned", body)] * 2500
    with sqlite3.connect(ledger.path) as raw:
        raw.executemany("INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)", rows)
    assert len(read(ledger)) == 2504


def test_a_gap_in_the_numbers_of_checkpoints_is_kept(tmp_path: Path) -> None:
    told = Story().launched().committed(0.1)
    point = replace(told.run.checkpoints[0], sequence=9)
    told.tell(Committed(attempt=1, checkpoint=point))
    assert read(written(tmp_path, told))[-1]["checkpoint"] == 9
