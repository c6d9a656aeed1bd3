"""Runs held by a background process: real processes, a real socket, the real command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import struct
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from finsched.errors import MachineProblem
from finsched.host.client import Client
from finsched.host.place import Place
from finsched.model.run import AttemptState, Outcome, Run
from finsched_local.compute import LocalCompute

from .conftest import Home, until_true

pytestmark = pytest.mark.slow


def finished(run: Run) -> bool:
    return run.outcome is not None


def working(run: Run) -> bool:
    return bool(run.live_attempt and run.live_attempt.progress)


def test_a_run_goes_on_without_its_terminal(home: Home) -> None:
    command = home.command("launch", home.job(STEPS="40"), "--detach", "--json")
    launched = subprocess.run(
        command,
        env={**os.environ, **home.environ},
        capture_output=True,
        check=True,
        start_new_session=True,  # its session ends with it, as a closed terminal's does
    )
    run_id = json.loads(launched.stdout)["run"]
    run = home.until(run_id, finished)
    assert run.outcome is Outcome.FINISHED
    assert "counted 40" in home.finsched("logs", run_id)


def test_twenty_launches_at_once_make_one_process(home: Home) -> None:
    job = home.job(STEPS="3")
    launches = [home.start("launch", job, "--detach", "--json") for _ in range(20)]
    answers = [each.communicate(timeout=90) for each in launches]
    assert [each.returncode for each in launches] == [0] * 20, answers
    runs = {json.loads(out)["run"] for out, _ in answers}
    for run_id in runs:
        assert home.until(run_id, finished, 120).outcome is Outcome.FINISHED
    log = (home.state_dir / "process" / "log").read_text()
    assert log.count("holds") == 1, log


def test_stop_and_resume_reach_a_held_run_from_any_terminal(home: Home) -> None:
    run_id = home.hand_over(home.job(STEPS="300"))
    home.until(run_id, working)
    home.finsched("stop", run_id)
    assert home.ledger_run(run_id).outcome is Outcome.STOPPED
    home.finsched("resume", run_id, "--detach")
    run = home.until(run_id, finished)
    assert run.outcome is Outcome.FINISHED
    restore = run.attempts[-1].restore
    assert restore
    assert restore.sequence is not None


def test_a_killed_process_goes_on_with_its_runs_when_it_is_asked_again(home: Home) -> None:
    run_id = home.hand_over(home.job(STEPS="300"))
    home.until(run_id, working)
    home.end_process(signal.SIGKILL)
    held = home.queue
    assert [each["run"] for each in held["runs"]] == [run_id]
    run = home.until(run_id, finished)
    assert run.outcome is Outcome.FINISHED
    assert len(run.attempts) == 1, "the machine that worked was kept"


SECRET = "tell-nobody-4711"


def with_secret(home: Home, **env: str) -> str:
    home.environ["TOKEN"] = SECRET
    job = home.job(more="secrets: [TOKEN]", run='test "$TOKEN" && python count.py', **env)
    return home.hand_over(job)


def test_secrets_reach_the_job_and_no_file(home: Home) -> None:
    run_id = with_secret(home, STEPS="20")
    home.until(run_id, working)
    command = b"".join(map(_content, _command_lines()))
    assert home.until(run_id, finished).outcome is Outcome.FINISHED
    leaks = [
        str(file)
        for file in home.folder.rglob("*")
        if file.is_file() and SECRET.encode() in _content(file)
    ]
    assert not leaks
    assert SECRET.encode() not in command


def test_a_run_whose_secrets_were_lost_says_so_and_waits_for_them(home: Home) -> None:
    home.settings("lease_seconds = 30")
    run_id = with_secret(home, STEPS="4000")
    run = home.until(run_id, working)
    home.end_process(signal.SIGKILL)
    home.finsched("queue")  # starts it anew, without the secrets
    until_true(lambda: home.ledger_run(run_id).live_attempt, "the machine is kept")
    machine = run.attempts[0].instance_ids[0]
    LocalCompute(home.state_dir / "local").terminate(machine)  # it is lost
    waiting = home.until(run_id, lambda run: run.choice and "TOKEN" in run.choice.why)
    assert [each.state for each in waiting.attempts] == [AttemptState.ENDED]
    assert "secrets" in home.queue["runs"][0]["held_by"]
    home.finsched("resume", run_id)
    run = home.until(run_id, lambda run: len(run.attempts) == 2 and working(run))
    home.finsched("stop", run_id)


def test_only_its_user_is_answered_and_nonsense_hurts_nobody(home: Home) -> None:
    run_id = home.hand_over(home.job(STEPS="40"))
    folder = home.state_dir / "process"
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    assert modes == {"lock": 0o600, "log": 0o600, "socket": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for nonsense in (b"", b"\0\0", struct.pack(">I", 2**31), struct.pack(">I", 2) + b"[]"):
        _say(home, nonsense)
    _say(home, struct.pack(">I", 30) + b'{"protocol": 99, "do": "list"}')
    assert home.until(run_id, finished).outcome is Outcome.FINISHED


def test_another_version_is_told_apart_and_how_to_replace_it(tmp_path: Path) -> None:
    listening = Place.of(tmp_path).listen()

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            content = json.dumps({"protocol": 99, "finsched": "9.9", "pid": 4711}).encode()
            connection.sendall(struct.pack(">I", len(content)) + content)

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(MachineProblem, match=r"4711 is of finsched 9\.9") as caught:
        Client(tmp_path).listing()
    assert "kill 4711" in str(caught.value.fix)
    thread.join()
    listening.close()


def test_a_state_directory_with_a_long_path_has_a_socket(tmp_path: Path) -> None:
    place = Place.of(tmp_path / ("long" * 30))
    with place.listen() as listening, place.connect(5) as connection:
        accepted, _ = listening.accept()
        accepted.close()
        assert connection.recv(1) == b""
    assert stat.S_IMODE(place.endpoint.stat().st_mode) == 0o600


def test_the_process_reads_a_config_file_that_its_caller_named_from_its_own_folder(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.settings("idle_seconds = 5")
    monkeypatch.chdir(home.folder)
    home.environ["FINSCHED_CONFIG"] = "config.toml"
    run_id = home.hand_over(home.job(STEPS="3"))
    assert home.until(run_id, finished).outcome is Outcome.FINISHED


def test_a_process_whose_socket_was_deleted_listens_again(home: Home) -> None:
    run_id = home.hand_over(home.job(STEPS="4000"))
    pid = home.pid
    (home.state_dir / "process" / "socket").unlink()
    assert home.queue["pid"] == pid
    home.finsched("stop", run_id)


def test_a_stop_says_a_word_while_the_process_that_carries_the_run_hangs(home: Home) -> None:
    run_id = home.hand_over(home.job(STEPS="4000"))
    home.until(run_id, working)
    pid = home.pid
    os.kill(pid, signal.SIGSTOP)
    stopping = home.start("stop", run_id)
    try:
        assert stopping.stderr
        assert "`finsched queue` tells" in stopping.stderr.readline()
    finally:
        os.kill(pid, signal.SIGCONT)
    stopping.communicate(timeout=60)
    assert home.ledger_run(run_id).outcome is Outcome.STOPPED


def test_it_ends_when_it_has_nothing_to_do(home: Home) -> None:
    home.settings("idle_seconds = 1")
    run_id = home.hand_over(home.job(STEPS="3"))
    home.until(run_id, finished)
    until_true(lambda: not home.pid, "the idle process is gone")
    assert not (home.state_dir / "process" / "socket").exists()
    assert home.queue["pid"] is None


def test_a_foreground_run_is_not_taken_from_its_terminal(home: Home) -> None:
    process = home.start("launch", home.job(STEPS="4000"))
    run = home.wait_for(working)
    home.finsched("resume", run.id, "--detach", code=1)
    assert "already supervised" in home.errors
    home.finsched("stop", run.id)
    process.communicate(timeout=30)


def _content(file: Path) -> bytes:
    """What a file holds; one that is gone meanwhile, as those of processes are, holds nothing."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return file.read_bytes()
    return b""


def _command_lines() -> list[Path]:
    return [each / "cmdline" for each in Path("/proc").iterdir() if each.name.isdecimal()]


def _say(home: Home, content: bytes) -> None:
    here = Path.cwd()
    os.chdir(home.state_dir / "process")  # a path that is short enough
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("socket")
            connection.sendall(content)
    finally:
        os.chdir(here)
