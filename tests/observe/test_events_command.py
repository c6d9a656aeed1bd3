"""`finsched events` as a process: lines for people, JSON lines, following, options."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from finsched.ledger import Ledger
from finsched.model.event import ClockAnchored, Warned
from finsched.model.run import ClockAnchor, Outcome, Rehearsal
from finsched.testing.builders import NOW
from finsched.testing.runs import Story

from .test_event_log import schema, story, written


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "FINSCHED_STATE_DIR": str(folder), "HOME": str(folder)}
    command = [sys.executable, "-m", "finsched", "events", *arguments]
    piped = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdout=piped, stderr=piped, text=True)


def events(folder: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out, err)
    assert "Traceback" not in err
    return out, err


def test_every_event_is_one_plain_line_of_80_columns(tmp_path: Path) -> None:
    told = story().tell(Warned(attempt=1, text="first\nsecond \x1b[31m" + "long " * 40))
    written(tmp_path, told)
    lines = events(tmp_path)[0].splitlines()
    assert len(lines) == len(told.records)
    assert max(map(len, lines)) == 80
    assert all(re.match(r"2026-06-15 12:00:(00|36)  \S", line) for line in lines)
    assert "\x1b" not in "".join(lines)
    assert "first second" in lines[-1]


def test_a_rehearsal_is_told_in_real_time_and_its_clock_once(tmp_path: Path) -> None:
    told = Story(rehearsal=Rehearsal(speed=1200, seed=1, interruptions=0))
    anchor = ClockAnchor(real=told.now, simulated=told.now, speed=1200)
    told.tell(ClockAnchored(anchor=anchor)).tell(ClockAnchored(anchor=anchor))
    written(tmp_path, told.launched().after(hours=20).progressed(0.5))
    lines = events(tmp_path)[0].splitlines()
    assert len([line for line in lines if "  clock  " in line]) == 1
    assert lines[-1].startswith(f"{told.now - timedelta(hours=20) + timedelta(minutes=1):%F %T}")


def test_json_lines_are_as_published_and_without_a_name_the_newest_run_is_meant(
    tmp_path: Path,
) -> None:
    written(tmp_path, Story(), "r-1")
    written(tmp_path, story(), "r-2")
    lines = [json.loads(line) for line in events(tmp_path, "--json")[0].splitlines()]
    assert {line["run"] for line in lines} == {"r-2"}
    for line in lines:
        jsonschema.validate(line, schema())


def test_all_runs_are_named(tmp_path: Path) -> None:
    written(tmp_path, Story(), "r-1")
    written(tmp_path, story(), "a-run-with-quite-a-long-name-7f")
    lines = events(tmp_path, "--all")[0].splitlines()
    assert "  r-1  " in lines[0]
    assert "  a-run-with-quite-a-…  " in lines[1]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "soon"], "12h, or a moment, such as 2026-11-22T08:00"),
        (["r-1", "--all"], "--all is every run"),
        (["nobody"], "no run of this ledger"),
    ],
)
def test_a_wrong_option_is_explained(tmp_path: Path, arguments: list[str], said: str) -> None:
    written(tmp_path, Story())
    assert said in events(tmp_path, *arguments, code=2)[1]


@pytest.mark.parametrize(
    ("since", "count"), [("2026-06-15T12:30", 3), ("2026-06-15T14:30:00+02:00", 3), ("1h", 0)]
)
def test_since_is_a_moment_or_a_duration(tmp_path: Path, since: str, count: int) -> None:
    written(tmp_path, Story().launched().after(hours=1).progressed(0.5).committed(0.5).finished())
    assert len(events(tmp_path, "--since", since)[0].splitlines()) == count


def test_following_tells_at_once_and_ends_with_the_run(tmp_path: Path) -> None:
    told = Story().launched()
    ledger: Ledger = written(tmp_path, told)
    process = start(tmp_path, "-f", "--json")
    assert process.stdout
    assert [json.loads(process.stdout.readline())["event"] for _ in range(4)][-1] == "started"
    for record in told.after(hours=1).progressed(0.5).finished(Outcome.FINISHED).records[4:]:
        time.sleep(0.2)
        assert process.poll() is None
        ledger.append("r-1", record.event, record.at)
    out, err = process.communicate(timeout=60)
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["progressed", "ended"]
    assert (process.returncode, err) == (0, "")


def test_a_reader_that_leaves_is_no_trouble(tmp_path: Path) -> None:
    ledger = written(tmp_path, Story().launched())
    process = start(tmp_path, "-f")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    ledger.append("r-1", Warned(attempt=1, text="nobody reads this"), NOW)
    assert process.stderr
    assert "Traceback" not in process.stderr.read()
    process.wait(20)
    process.stderr.close()


def test_a_damaged_row_is_a_problem_of_that_run(tmp_path: Path) -> None:
    ledger = written(tmp_path, Story())
    ledger.append("r-2", Warned(attempt=1, text=""), NOW)
    assert "run r-2" in events(tmp_path, "r-2", code=1)[1]
    out, err = events(tmp_path, "--all")
    assert len(out.splitlines()) == 1
    assert "run r-2" in err
