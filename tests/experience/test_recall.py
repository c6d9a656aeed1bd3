"""What a ledger on disk teaches: kept up event by event, made again when it is damaged."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.decide.offers.lessons import lessons
from finsched.experience.notebook import FILE_NAME
from finsched.experience.recall import Recollection, recall
from finsched.ledger import Ledger
from finsched.model.codec import encode
from finsched.model.event import AttemptEnded
from finsched.model.interruption import Observation
from finsched.model.market import Experience
from finsched.model.run import AttemptEnd, Refusal, Rehearsal
from finsched.settings import LEDGER_FILE
from finsched.testing.builders import NOW, TODAY, job, spot
from finsched.testing.runs import Story

JOB = job(hours=40)
ZONED = spot(4.0, zone="use1-az1")


def tell(
    state_dir: Path, story: Story, run: str = "r-1", *, after: int = 0, before: int | None = None
) -> None:
    """Write events of a story into the ledger, all at once: the disk is slow."""
    Ledger(state_dir / LEDGER_FILE).close()
    connection = sqlite3.connect(state_dir / LEDGER_FILE)
    rows = (
        (run, each.at.isoformat(), type(each.event).__name__, json.dumps(encode(each.event)))
        for each in story.records[after:before]
    )
    with connection:
        insert = "INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)"
        connection.executemany(insert, rows)
    connection.close()


def learnt(state_dir: Path, now: datetime = NOW) -> Recollection:
    return recall(state_dir, JOB, now)


def test_what_took_or_refused_a_machine_is_left_alone_by_other_runs_for_a_while(
    tmp_path: Path,
) -> None:
    tell(tmp_path, interrupted())
    tell(tmp_path, Story(job=JOB).refused(spot(zone="use1-az2"), Refusal.CAPACITY), run="r-2")
    tell(tmp_path, Story(job=JOB).refused(spot(zone="use1-az3"), Refusal.QUOTA), run="r-3")

    def hot(now: datetime) -> set[str]:
        return {each.pool.zone for each in learnt(tmp_path, now).experience.cooling}

    assert hot(NOW) == {"use1-az1", "use1-az2"}
    assert hot(NOW + timedelta(hours=5, minutes=59)) == {"use1-az1"}
    assert hot(NOW + timedelta(hours=6, minutes=1)) == set()


def interrupted(hours: float = 5.0, progress: float = 0.25) -> Story:
    story = Story(job=JOB).launched(ZONED).after(hours=hours).progressed(progress)
    return story.ended(AttemptEnd.INTERRUPTED)


def test_without_a_ledger_there_is_nothing_and_nothing_is_made(tmp_path: Path) -> None:
    assert learnt(tmp_path) == Recollection(Experience())
    assert list(tmp_path.iterdir()) == []


def test_an_ended_attempt_teaches_the_pool_the_start_and_the_pace(tmp_path: Path) -> None:
    tell(tmp_path, interrupted())
    experience, notes, _ = learnt(tmp_path)
    seen = Observation(interruptions=1, instance_hours=5.0, day=TODAY)
    assert experience.observations == {ZONED.pool: (seen,)}
    assert experience.starts["aws", "p4de.24xlarge"].count == 1
    pace = experience.paces["A100-80GB", 8]
    assert (pace.attempts, pace.work_hours, pace.hours) == (1, 10.0, 5.0)
    assert pace.first == pace.last == TODAY
    assert notes == ()


def test_attempts_of_a_pool_and_a_day_are_added_up(tmp_path: Path) -> None:
    tell(tmp_path, interrupted(5.0), "r-1")
    tell(tmp_path, interrupted(3.0), "r-2")
    tell(tmp_path, interrupted(30.0), "r-3")
    seen = learnt(tmp_path).experience.observations[ZONED.pool]
    assert [(each.interruptions, each.instance_hours) for each in seen] == [(2, 8.0), (1, 30.0)]
    assert seen[1].day == TODAY + timedelta(days=1)


def test_what_is_long_forgotten_is_not_even_read(tmp_path: Path) -> None:
    tell(tmp_path, interrupted())
    later = learnt(tmp_path, NOW + timedelta(days=200)).experience
    assert not later.observations
    assert later.paces


def test_other_work_and_other_setups_learn_nothing_from_this_one(tmp_path: Path) -> None:
    tell(tmp_path, interrupted())
    other = recall(tmp_path, job(hours=40, setup="pip install x"), NOW).experience
    assert not other.paces
    assert not other.starts
    assert other.observations


def test_a_rehearsal_teaches_nothing(tmp_path: Path) -> None:
    story = Story(job=JOB, rehearsal=Rehearsal(speed=60.0, seed=1)).launched(ZONED)
    tell(tmp_path, story.after(hours=5).progressed(0.5).ended(AttemptEnd.INTERRUPTED))
    experience = learnt(tmp_path).experience
    assert experience == Experience()


# --- reading only what is new --------------------------------------------------------------


def test_only_runs_with_a_new_end_are_read_again(tmp_path: Path) -> None:
    for number in range(20):
        tell(tmp_path, interrupted(), f"r-{number}")
    per_run = len(interrupted().records)
    assert learnt(tmp_path).events_read == 20 * per_run
    assert learnt(tmp_path).events_read == 0
    tell(tmp_path, interrupted(), "one-more")
    assert learnt(tmp_path).events_read == per_run
    assert learnt(tmp_path).events_read == 0


def test_a_run_without_a_new_end_is_not_read(tmp_path: Path) -> None:
    tell(tmp_path, interrupted())
    learnt(tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    tell(tmp_path, Story(job=JOB).launched(ZONED).after(hours=9).progressed(0.4), "live")
    assert learnt(tmp_path).events_read == 0
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_of_thousands_of_reports_only_the_last_is_read(tmp_path: Path) -> None:
    story = Story(job=JOB).launched(ZONED)
    for number in range(1, 300):
        story.after(seconds=30).progressed(number / 300)
    tell(tmp_path, story.ended(AttemptEnd.STOPPED))
    assert learnt(tmp_path).events_read == len(interrupted().records)


@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(1, 12), max_size=4))
def test_learning_in_steps_is_learning_at_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: set[int]
) -> None:
    story = interrupted().launched(ZONED).after(hours=2).progressed(0.4).committed(0.4)
    story.ended(AttemptEnd.INTERRUPTED).launched(ZONED).after(hours=1).ended(AttemptEnd.FINISHED)
    at_once, in_steps = (tmp_path_factory.mktemp("state") for _ in range(2))
    tell(at_once, story)
    steps = [0, *sorted(cuts), len(story.records)]
    for begin, end in pairwise(steps):
        tell(in_steps, story, after=begin, before=end)
        learnt(in_steps)
    assert learnt(in_steps).experience == learnt(at_once).experience


def test_an_end_that_is_told_twice_counts_once(tmp_path: Path) -> None:
    story = interrupted()
    tell(tmp_path, story)
    learnt(tmp_path)
    told = len(story.records)
    tell(tmp_path, story.tell(AttemptEnded(attempt=1, end=AttemptEnd.FENCED)), after=told)
    assert learnt(tmp_path).experience.paces["A100-80GB", 8].attempts == 1


def test_quotes_at_the_same_time_count_an_attempt_once(tmp_path: Path) -> None:
    for number in range(20):
        tell(tmp_path, interrupted(), f"r-{number}")
    quotes = [threading.Thread(target=learnt, args=[tmp_path]) for _ in range(4)]
    for each in quotes:
        each.start()
    for each in quotes:
        each.join()
    assert learnt(tmp_path).experience.paces["A100-80GB", 8].attempts == 20


def test_attempts_that_end_while_a_quote_reads_count_once(tmp_path: Path) -> None:
    def go_on() -> None:
        for number in range(60):
            tell(tmp_path, interrupted(), f"r-{number}")

    tell(tmp_path, interrupted(), "first")
    runs = threading.Thread(target=go_on)
    runs.start()
    while runs.is_alive():
        assert learnt(tmp_path).notes == ()
    runs.join()
    assert learnt(tmp_path).experience.paces["A100-80GB", 8].attempts == 61


# --- damage --------------------------------------------------------------------------------


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    tell(tmp_path, interrupted())
    learnt(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"this is a letter, no database" * 200, None])
def test_a_missing_or_damaged_file_is_made_again(tmp_path: Path, content: bytes | None) -> None:
    tell(tmp_path, interrupted())
    before = learnt(tmp_path)
    file = tmp_path / FILE_NAME
    file.unlink() if content is None else file.write_bytes(content)
    after = learnt(tmp_path)
    assert after.experience == before.experience
    assert after.notes == ()


@pytest.mark.parametrize("new_runs", [1, 5], ids=["shorter", "longer"])
def test_another_ledger_in_its_place_is_learnt_from_anew(tmp_path: Path, new_runs: int) -> None:
    tell(tmp_path, interrupted(), "old-1")
    tell(tmp_path, interrupted(), "old-2")
    learnt(tmp_path)
    for file in tmp_path.glob(f"{LEDGER_FILE}*"):
        file.unlink()
    for number in range(new_runs):
        tell(tmp_path, interrupted(7.0), f"new-{number}")
    (seen,) = learnt(tmp_path).experience.observations[ZONED.pool]
    assert seen.instance_hours == 7.0 * new_runs


def test_a_ledger_that_is_none_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_bytes(b"this is not a database, it is a letter" * 50)
    experience, notes, _ = learnt(tmp_path)
    assert not experience.observations
    (note,) = notes
    assert note.startswith("quoted without what our own runs teach")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(("AttemptEnded", "{not json"), id="no JSON"),
        pytest.param(("AttemptEnded", json.dumps({"attempt": 1, "end": "?"})), id="unknown end"),
        pytest.param(("AttemptEnded", json.dumps({"attempt": 1, "end": "stopped"})), id="no run"),
    ],
)
def test_a_run_that_cannot_be_read_is_counted_and_passed_over(
    tmp_path: Path, row: tuple[str, str]
) -> None:
    tell(tmp_path, interrupted())
    with sqlite3.connect(tmp_path / LEDGER_FILE) as connection:
        insert = "INSERT INTO events (run, at, kind, body) VALUES ('bad', ?, ?, ?)"
        connection.execute(insert, (NOW.isoformat(), *row))
    experience, notes, _ = learnt(tmp_path)
    assert experience.paces
    assert notes == ("1 run of the ledger could not be read and taught this quote nothing",)
    assert learnt(tmp_path).notes == notes


def test_a_folder_that_takes_no_file_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    tell(tmp_path, interrupted())
    (tmp_path / FILE_NAME).mkdir()
    (note,) = learnt(tmp_path).notes
    assert note.startswith("quoted without what our own runs teach")


def test_the_file_holds_what_the_runs_teach(tmp_path: Path) -> None:
    story = interrupted()
    tell(tmp_path, story)
    (lesson,) = lessons(story.run)
    assert lesson.sighting is not None
    (seen,) = learnt(tmp_path).experience.observations[lesson.sighting.pool]
    assert seen.instance_hours == lesson.sighting.instance_hours
