"""A user's machine in a folder: a job that counts, a state directory, the real command line."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from finsched.ledger import Ledger
from finsched.model.run import Run

COUNT = """
import json, os, pathlib, signal, sys, time
steps, pace = int(os.environ.get("STEPS", "40")), float(os.environ.get("PACE", "0.05"))
folder = pathlib.Path(os.environ["FINSCHED_CHECKPOINT_DIR"])
resume = os.environ["FINSCHED_RESUME_FROM"]
every = float(os.environ["FINSCHED_CHECKPOINT_EVERY"])
step = json.loads((pathlib.Path(resume) / "state.json").read_text())["step"] if resume else 0
print(f"from {step}", flush=True)
witness = os.environ.get("WITNESS")
go_ahead = pathlib.Path(os.environ.get("GO_AHEAD", "/nowhere"))  # once it is there, without a pause
if witness:
    with open(witness, "a") as file:
        file.write(f"begin {os.getpid()} {time.time()}\\n")
def save():
    part = folder / "state.json.tmp"
    part.write_text(json.dumps({"step": step}))
    os.replace(part, folder / "state.json")
def on_signal(*_):
    save()
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("DEAF") else on_signal)
saved = time.monotonic()
while step < steps:
    time.sleep(0 if go_ahead.exists() else pace)
    step += 1
    if witness:
        with open(witness, "a") as file:
            file.write(f"alive {os.getpid()} {time.time()}\\n")
    pathlib.Path(os.environ["FINSCHED_PROGRESS"]).write_text(str(step / steps))
    if time.monotonic() - saved >= every:
        save()
        saved = time.monotonic()
save()
print(f"counted {step}", flush=True)
"""

JOB = """
name: count
resources: {{cpus: 1}}
where: {{clouds: [local]}}
checkpoint: {{path: ckpt, size: 1MB, save_time: 1s, every: 10s}}
workdir: work
run: {run}
{more}
"""


class Process(NamedTuple):
    """A living process as /proc shows it; words end with a null byte."""

    pid: int
    command: bytes
    environ: bytes


@dataclass
class Machine:
    """One user on one machine: files, settings and the real command line."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Return a machine whose settings and state are in a folder."""
        environ = {
            "FINSCHED_STATE_DIR": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        return cls(folder=folder, environ=environ)

    def job(self, *, run: str = "python count.py", more: str = "", **env: str) -> Path:
        """Write a job file that runs the counter, or another command."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        (work / "count.py").write_text(COUNT)
        if env:
            more = f"env: {json.dumps(env)}\n{more}"
        path = self.folder / "job.yaml"
        path.write_text(JOB.format(run=run, more=more))
        return path

    def settings(self, text: str) -> None:
        """Write the config file."""
        (self.folder / "config.toml").write_text(text)
        self.environ["FINSCHED_CONFIG"] = str(self.folder / "config.toml")

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the argv of a finsched command."""
        return [sys.executable, "-m", "finsched", *map(str, arguments)]

    @property
    def whole_environment(self) -> dict[str, str]:
        """Return the environment of a command."""
        return {**os.environ, **self.environ}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a finsched command."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.whole_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finsched(self, *arguments: str | Path, code: int = 0, seconds: float = 90) -> str:
        """Run a finsched command to its end and return its stdout; the exit code is asserted."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=seconds)
        assert process.returncode == code, f"exit {process.returncode}, not {code}\n{out}\n{err}"
        assert "Traceback" not in err, err
        self.errors = err
        return out

    def document(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run a command with --json and return what it printed."""
        return json.loads(self.finsched(*arguments, "--json", code=code))

    @property
    def state_dir(self) -> Path:
        return Path(self.environ["FINSCHED_STATE_DIR"])

    def run(self) -> Run:
        """Return the newest run of the ledger."""
        ledger = Ledger(self.state_dir / "ledger.sqlite")
        return ledger.run(ledger.resolve(None))

    def wait_for(self, what: Callable[[Run], object], seconds: float = 90) -> Run:
        """Wait until the newest run satisfies a condition."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (self.state_dir / "ledger.sqlite").exists():
                ledger = Ledger(self.state_dir / "ledger.sqlite")
                if ledger.run_ids() and what(run := ledger.run(ledger.run_ids()[0])):
                    return run
            time.sleep(0.05)
        raise AssertionError(f"the run never came to {what}")

    def living(self) -> list[Process]:
        """Return the processes that this machine's instances left running."""
        here = str(self.state_dir).encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal() or int(folder.name) == os.getpid():
                continue
            command, environ = _read(folder / "cmdline"), _read(folder / "environ")
            if here in command or (here in environ and b"FINSCHED_INSTANCE" in environ):
                found.append(Process(int(folder.name), command, environ))
        return found

    def processes(self) -> list[str]:
        """Return the command lines of `living`."""
        return [process.command.replace(b"\0", b" ").decode() for process in self.living()]


def _read(path: Path) -> bytes:
    """Read a file of /proc; of another's, or one that hides its environment, nothing."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def assert_one_at_a_time(witness: Path) -> None:
    """Each process's first word comes after every other's last."""
    spans: dict[str, list[float]] = {}
    for line in witness.read_text().splitlines():
        _, pid, moment = line.split()
        spans.setdefault(pid, []).append(float(moment))
    ordered = sorted((min(span), max(span)) for span in spans.values())
    for (_, last), (first, _) in itertools.pairwise(ordered):
        assert last <= first


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of its own; at the end nothing of it may be left running."""
    machine = Machine.at(tmp_path)
    yield machine
    until = time.monotonic() + 5
    while machine.processes() and time.monotonic() < until:
        time.sleep(0.1)
    left = machine.processes()
    for process in left:
        print("left running:", process)
    assert not left


@pytest.fixture
def interrupt() -> Callable[[subprocess.Popen[str]], None]:
    """Press Ctrl-C in a command."""
    return lambda process: process.send_signal(signal.SIGINT)
