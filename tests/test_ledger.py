import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from finsched.errors import LedgerProblem, SpecError
from finsched.ledger import Ledger
from finsched.model.event import Submitted, Warned, fold
from finsched.model.run import AttemptEnd
from finsched.testing.builders import NOW, job
from finsched.testing.runs import Story


def told(ledger: Ledger, story: Story) -> None:
    for record in story.records:
        ledger.append("r-1", record.event, record.at)


def test_a_run_read_back_is_the_run_that_was_told(tmp_path: Path) -> None:
    story = Story().launched().after(hours=1).progressed(0.3).committed(0.3).after(hours=1)
    story.ended(AttemptEnd.INTERRUPTED).launched().after(hours=4).ended(AttemptEnd.FINISHED)
    story.finished()
    told(Ledger(tmp_path / "ledger.sqlite"), story)
    assert Ledger(tmp_path / "ledger.sqlite").run("r-1") == story.run


def test_every_prefix_of_the_events_is_a_run(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    told(ledger, Story().launched().after(hours=1).committed(0.3).ended(AttemptEnd.INTERRUPTED))
    records = ledger.records("r-1")
    for length in range(1, len(records) + 1):
        assert fold(records[:length]).id == "r-1"


@pytest.mark.parametrize("statement", ["UPDATE events SET at = ''", "DELETE FROM events"])
def test_what_is_written_stays(tmp_path: Path, statement: str) -> None:
    told(Ledger(tmp_path / "ledger.sqlite"), Story())
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sqlite3.connect(tmp_path / "ledger.sqlite").execute(statement)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.sqlite")
    assert stat.S_IMODE((tmp_path / "ledger.sqlite").stat().st_mode) == 0o600


def test_an_unusable_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is not a database, it is a letter" * 50)
    with pytest.raises(LedgerProblem, match="cannot be used"):
        Ledger(tmp_path / "ledger.sqlite")


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    def write(name: str) -> None:
        ledger = Ledger(tmp_path / "ledger.sqlite")
        for _ in range(20):
            ledger.append(name, Submitted(job=job(), store_uri=""), NOW)

    Ledger(tmp_path / "ledger.sqlite")
    writers = [threading.Thread(target=write, args=(f"run-{n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert [len(ledger.records(f"run-{n}")) for n in range(4)] == [20] * 4


def test_a_run_is_found_by_the_start_of_its_name(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for name in ("digits-aa1", "digits-ab2", "llama-c3"):
        ledger.append(name, Submitted(job=job(), store_uri=""), NOW)
    assert ledger.resolve("llama") == "llama-c3"
    assert ledger.resolve(None) == "llama-c3"
    with pytest.raises(SpecError, match="could be"):
        ledger.resolve("digits")
    with pytest.raises(SpecError, match="no run"):
        ledger.resolve("bert")


def test_an_empty_ledger_says_how_the_first_run_is_made(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no runs yet"):
        Ledger(tmp_path / "ledger.sqlite").resolve(None)


def written_by_others(path: Path, kind: str, body: str, at: str = NOW.isoformat()) -> None:
    with sqlite3.connect(path) as connection:
        row = ("r-1", at, kind, body)
        connection.execute("INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)", row)
    connection.close()


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("Teleported", "{}", "Teleported is no kind of event"),
        ("Warned", "{bad", "Expecting property name"),
        ("Warned", "[]", "expected an object"),
        ("Warned", '{"colour": 1}', "Warned lacks"),
        ("StopRequested", '{"reason": 1}', "reason"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, kind: str, body: str, why: str) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    told(ledger, Story())
    row = len(ledger.records("r-1")) + 1
    written_by_others(ledger.path, kind, body)
    with pytest.raises(LedgerProblem, match=f"row {row}, of run r-1, cannot be read") as caught:
        ledger.run("r-1")
    assert why in caught.value.message
    assert caught.value.fix


def test_a_row_without_a_moment_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    written_by_others(ledger.path, "StopRequested", '{"reason": "x"}', at="yesterday")
    with pytest.raises(LedgerProblem, match="row 1, of run r-1"):
        ledger.run("r-1")


def test_events_without_a_beginning_are_a_problem_of_that_run(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append("r-1", Warned(attempt=7, text="of no attempt"), NOW)
    with pytest.raises(LedgerProblem, match="run r-1: its events up to row 1 make no run"):
        ledger.run("r-1")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_is_deleted_in_use_takes_no_more_events(
    tmp_path: Path, replaced: bool
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    told(ledger, Story())
    for file in tmp_path.iterdir():
        file.rename(tmp_path / f"old-{file.name}")
    if replaced:
        Ledger(ledger.path)
    with pytest.raises(LedgerProblem, match="deleted or replaced"):
        told(ledger, Story())
    with pytest.raises(LedgerProblem, match="deleted or replaced"):
        ledger.records("r-1")


def test_what_is_written_as_one_is_kept_as_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")

    def both() -> None:
        with ledger.transaction():
            ledger.append("r-1", Submitted(job=job(), store_uri=""), NOW)
            with ledger.transaction():
                raise SpecError("it was not meant")

    with pytest.raises(SpecError, match="not meant"):
        both()
    assert ledger.records("r-1") == []
    ledger.append("r-1", Submitted(job=job(), store_uri=""), NOW)
    assert len(Ledger(ledger.path).records("r-1")) == 1


def test_a_ledger_that_another_program_locks_is_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finsched.ledger._BUSY_SECONDS", 0.1)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerProblem, match="locked") as caught:
        ledger.append("r-1", Submitted(job=job(), store_uri=""), NOW)
    assert "another program" in caught.value.fix
    other.close()
    ledger.append("r-1", Submitted(job=job(), store_uri=""), NOW)
