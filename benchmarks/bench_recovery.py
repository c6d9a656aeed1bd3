"""`python -m benchmarks.bench_recovery [ROUNDS]`: from a loss to the job computing again.

Real commands and real processes on `local`. First machines that give notice, in rehearsals; then
machines whose processes are all killed at once. What counts is the time beyond the provider's own
(it starts a process) and the job's own (it saves and loads).
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from finsched.errors import FinschedError
from finsched.ledger import Ledger
from finsched.model.run import Attempt, Run
from finsched.node.checkpoints.commit_log import CommitLog, Opened
from finsched.node.mail.mailbox import read_messages
from finsched.node.store import Store
from finsched.run.clock import AnchoredClock

ROUNDS = 16
BOUND_SECONDS = 1.0
LOSSES_A_RUN = 2  # a third broken machine in a row would end the run
STEPS_A_ROUND = 150
PATIENCE_SECONDS = 300.0
SAVES = "the job saves"
STARTS = "the provider starts a machine"
LOADS = "the job starts and loads"
NOT_OURS = {SAVES, STARTS, LOADS}
Parts = Mapping[str, float]
"""How many seconds each part of a recovery took, in their order."""

CLOUD_JOB = """
resources: {gpu: "A10G:1"}
where: {clouds: [aws]}
work: {hours: 20, reference: A10G}
checkpoint: {path: ckpt, size: 16MB, save_time: 20s, every: 60s}"""
LOCAL_JOB = """
resources: {cpus: 1}
where: {clouds: [local]}
checkpoint: {path: ckpt, size: 16MB, save_time: 1s, every: 2s}"""
JOB = """
name: recovery
workdir: work
run: python train.py
env: {env}{job}
"""
TRAIN = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["FINSCHED_CHECKPOINT_DIR"])
resume, steps = os.environ["FINSCHED_RESUME_FROM"], int(os.environ["STEPS"])
every = float(os.environ["FINSCHED_CHECKPOINT_EVERY"])
enough, stopping, step = pathlib.Path(os.environ["ENOUGH"]), False, 0
def note(what):
    with open(os.environ["MOMENTS"], "a") as moments:
        moments.write(f'{os.environ["FINSCHED_ATTEMPT"]} {what} {time.time()}\\n')
def on_signal(*_):
    global stopping
    note("asked")
    stopping = True
def save():
    part = folder / "state.tmp"
    part.write_bytes(step.to_bytes(4, "big") + os.urandom(16_000_000))
    part.rename(folder / "state")
note("begun")
signal.signal(signal.SIGTERM, on_signal)
if resume:
    step = int.from_bytes(pathlib.Path(resume, "state").read_bytes()[:4], "big")
saved_at, began_at = time.monotonic(), step
while step < steps and not enough.exists() and not stopping:
    time.sleep(0.02)
    step += 1
    if step == began_at + 1:
        note("computing")
    pathlib.Path(os.environ["FINSCHED_PROGRESS"]).write_text(str(step / steps))
    if time.monotonic() - saved_at >= every:
        save()
        saved_at = time.monotonic()
save()
note("saved")
"""


@dataclass(frozen=True)
class User:
    """A user with a state directory, a job and the real command line."""

    folder: Path

    def launch(self, job: str, *options: str, steps: int) -> subprocess.Popen[bytes]:
        """Launch a job."""
        work = self.folder / "work"
        work.mkdir(parents=True)
        (work / "train.py").write_text(TRAIN)
        env = {"STEPS": str(steps), "MOMENTS": str(self._moments), "ENOUGH": str(self.enough)}
        file = self.folder / "job.yaml"
        file.write_text(JOB.format(job=job, env=json.dumps(env)))
        command = [sys.executable, "-m", "finsched", "launch", str(file), *options, "--json"]
        environ = {**os.environ, "FINSCHED_STATE_DIR": str(self.folder / "state")}
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(command, env=environ, stdout=said, stderr=said)

    def require_finished(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of a launch; raise SystemExit where it is no good one."""
        if process.wait(PATIENCE_SECONDS):
            raise SystemExit((self.folder / "said").read_text()[-2000:])

    @property
    def enough(self) -> Path:
        """The job ends when this file is there."""
        return self.folder / "enough"

    @property
    def _moments(self) -> Path:
        return self.folder / "moments"

    @property
    def run(self) -> Run:
        """The only run."""
        ledger = Ledger(self.folder / "state" / "ledger.sqlite")
        return ledger.run(ledger.resolve(None))

    def moments(self, attempt: int) -> Mapping[str, float]:
        """Return when the job of an attempt did what."""
        lines = self._moments.read_text().splitlines() if self._moments.exists() else []
        words = [line.split() for line in lines]
        return {what: float(at) for number, what, at in words if int(number) == attempt}

    def wrote(self, attempt: Attempt, file: str) -> Mapping[str, Any]:
        """Return what the machine of an attempt has written about itself."""
        folder = self.folder / "state" / "local" / attempt.instance_ids[0]
        document: Mapping[str, Any] = json.loads((folder / file).read_text())
        return document

    def kill_machine(self, attempt: Attempt) -> float:
        """Kill all processes of an attempt's machine at once; return the moment."""
        mark, at = attempt.instance_ids[0].encode(), time.time()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and any(mark in words for words in _words(folder)):
                with suppress(ProcessLookupError):
                    os.kill(int(folder.name), signal.SIGKILL)
        return at


def _words(folder: Path) -> Iterator[bytes]:
    for file in ("cmdline", "environ"):
        with suppress(OSError):
            yield (folder / file).read_bytes()


def after_notices(folder: Path, rounds: int) -> list[Parts]:
    """Rehearse a job that is taken back so often, always but once with notice."""
    user = User(folder)
    options = ("--rehearse", "--speed", "30", "--interruptions", str(rounds + 1))
    process = user.launch(CLOUD_JOB, *options, steps=STEPS_A_ROUND * (rounds + 2))
    user.require_finished(process)
    pairs = pairwise(user.run.attempts)
    return [after_notice(user, *pair) for pair in pairs if "asked" in user.moments(pair[0].number)]


def after_notice(user: User, lost: Attempt, found: Attempt) -> Parts:
    """The parts of one recovery, from the moment at which the notice was given."""
    messages = {each.kind: each.document for each in read_messages(_store(user.run), lost.number)}
    hint = user.wrote(lost, "instance.json")["hints"]["interruption"]
    given = seconds(messages["notice"]["ends_at"]) - hint["notice_seconds"]
    job, said = user.moments(lost.number), seconds(messages["ended"]["at"])
    off = seconds(user.wrote(lost, "state.json")["ended_at"])
    return {
        "the notice is heard, the job signalled": job["asked"] - given,
        SAVES: job["saved"] - job["asked"],
        "upload, commit, last words": said - job["saved"],
        "the machine is off": off - said,
        **until_computing(user, found, since=off),
    }


def after_losses(folder: Path, rounds: int) -> list[Parts]:
    """Kill machines of jobs at work, some of each run."""
    found: list[Parts] = []
    while len(found) < rounds:
        user = User(folder / str(len(found)))
        process = user.launch(LOCAL_JOB, steps=10**6)
        found += [after_loss(user, number) for number in range(1, LOSSES_A_RUN + 1)]
        user.enough.touch()
        user.require_finished(process)
    return found


def after_loss(user: User, number: int) -> Parts:
    """The parts of one recovery, from the moment at which an attempt's machine was killed."""
    wait_for(lambda: "computing" in user.moments(number))
    wait_for(lambda: user.run.checkpoints and user.run.checkpoints[-1].attempt == number)
    killed = user.kill_machine(user.run.attempts[number - 1])
    wait_for(lambda: "computing" in user.moments(number + 1))
    wait_for(lambda: user.run.attempts[number].started_at)
    return until_computing(user, user.run.attempts[number], since=killed)


def until_computing(user: User, found: Attempt, *, since: float) -> Parts:
    """The parts from the end of a machine to the first step on the next one."""
    run, job = user.run, user.moments(found.number)
    clock = AnchoredClock(run.anchor) if run.anchor else None
    intended = clock.real(found.intended_at) if clock else found.intended_at
    began = seconds(user.wrote(found, "state.json")["billing_from"])
    store = _store(run)
    entries = [each for each in CommitLog(store).entries() if isinstance(each, Opened)]
    [opened] = [each.at.timestamp() for each in entries if each.attempt == found.number]
    [started] = [
        seconds(each.document["at"])
        for each in read_messages(store, found.number)
        if each.kind == "started"
    ]
    return {
        "the loss is seen, the next step decided": intended.timestamp() - since,
        STARTS: began - intended.timestamp(),
        "the agent starts, and fences the last": opened - began,
        "restore": started - opened,
        LOADS: job["computing"] - started,
    }


def _store(run: Run) -> Store:
    return Store(run.store_uri)


def seconds(moment: str) -> float:
    """Read a moment as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is there; what cannot be read yet is not."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(FinschedError, LookupError):
            if condition():
                return
        if time.monotonic() > give_up_at:
            raise SystemExit("it did not happen in time")
        time.sleep(0.02)


def print_parts(title: str, rounds: list[Parts]) -> None:
    """Print median and worst of each part, and of what is beyond the provider and the job."""
    print(f"{title}, {len(rounds)} rounds:{'':{44 - len(title)}}median    worst")
    for name in rounds[0]:
        print_line(name, [parts[name] for parts in rounds])
    print_line("all of it", [sum(parts.values()) for parts in rounds])
    ours = [sum(took for name, took in parts.items() if name not in NOT_OURS) for parts in rounds]
    print_line(f"beyond the provider and the job (<= {BOUND_SECONDS:g} s)", ours)


def print_line(name: str, took: list[float]) -> None:
    """Print one line."""
    print(f"  {name:<54}{statistics.median(took):6.2f} s {max(took):6.2f} s")


def main() -> None:
    """Print the figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        print_parts("after a notice", after_notices(Path(folder, "notices"), rounds))
        print_parts("after a loss without notice", after_losses(Path(folder, "losses"), rounds))


if __name__ == "__main__":
    main()
