"""Random `kill -9`s of supervisor, machine, agent and job, in real runs with real files.

`make kills KILLS=200 SEED=7` is the whole of it. The seed draws who is killed and after how long;
how the processes race is not in its power.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from finsched.model.run import AttemptEnd, AttemptState, Run
from finsched.node.checkpoints.commit_log import CommitLog, Committed, Opened
from finsched.node.store import Store
from finsched_local.compute import LocalCompute
from finsched_local.folder import InstanceFolder
from tests.host.conftest import Home, until_true

from .conftest import assert_one_at_a_time
from .ordeal import InBackground, InTerminal, Ordeal, Victim

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FINSCHED_KILLS", "12"))
RUNS_AT_ONCE = 4
MOST_OF_A_RUN = 5
SHARE_IN_THE_BACKGROUND = 0.25
RESUMED = "attempt from a checkpoint"

STEPS = 56
# A chain of hashes and a large file that follows from it. The two belong together: a save that was
# cut in between must never be resumed from.
CHAIN = """
import hashlib, os, pathlib, sys, time
folder = pathlib.Path(os.environ["FINSCHED_CHECKPOINT_DIR"])
resume, steps = os.environ["FINSCHED_RESUME_FROM"], int(os.environ["STEPS"])
def say(word):
    with open(os.environ["WITNESS"], "a") as witness:
        witness.write(f"{word} {os.getpid()} {time.time()}\\n")
def weights():
    return hashlib.shake_256(state).digest(1 << 18)
def put(name, content):
    part = folder / (name + ".tmp")
    part.write_bytes(content)
    os.replace(part, folder / name)
def save():
    put("weights", weights())
    say("saving")
    time.sleep(0.1)
    put("state", step.to_bytes(4, "big") + state)
    say("saved")
step, state = 0, b""
say("begin")
if resume:
    kept = pathlib.Path(resume, "state").read_bytes()
    step, state = int.from_bytes(kept[:4], "big"), kept[4:]
    if pathlib.Path(resume, "weights").read_bytes() != weights():
        sys.exit("torn")
while step < steps:
    time.sleep(0.05)
    state = hashlib.sha256(state + step.to_bytes(4, "big")).digest()
    step += 1
    say("alive")
    pathlib.Path(os.environ["FINSCHED_PROGRESS"]).write_text(str(step / steps))
    if step % 14 == 0:
        save()
"""

JOB = """
name: chain
resources: {{cpus: 1}}
where: {{clouds: [local]}}
checkpoint: {{path: ckpt, size: 1MB, save_time: 1s, every: 5s}}
env: {{STEPS: "{steps}", WITNESS: "{witness}"}}
workdir: work
run: python chain.py
"""


@pytest.mark.timeout(120 + 10 * KILLS)
def test_whoever_is_killed_the_result_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    seed = int(os.environ.get("FINSCHED_TEST_SEED", random.randrange(10**6)))
    print(f"FINSCHED_TEST_SEED={seed} FINSCHED_KILLS={KILLS}")
    shares = [(KILLS + lane) // RUNS_AT_ONCE for lane in range(RUNS_AT_ONCE)]
    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        lanes = [
            pool.submit(met_in_lane, tmp_path / str(lane), f"{seed} {lane}", share)
            for lane, share in enumerate(shares)
        ]
    met = sum((lane.result() for lane in lanes), Counter[str]())
    print(", ".join(f"{what}: {count}" for what, count in sorted(met.items())))
    assert kills(met) == KILLS
    assert met[RESUMED] >= KILLS // 20, "they were killed before anything was kept"


def met_in_lane(folder: Path, seed: str, share: int) -> Counter[str]:
    """Run after run, until so many were killed; returns how often what was met."""
    met: Counter[str] = Counter()
    while left := share - kills(met):
        met["run"] += 1
        dice = random.Random(f"{seed} {met['run']}")
        with home_of_chain(folder / str(met["run"])) as home:
            in_background = dice.random() < SHARE_IN_THE_BACKGROUND
            supervisor = InBackground(home) if in_background else InTerminal(home)
            ordeal = Ordeal(home, supervisor, dice, min(MOST_OF_A_RUN, left))
            ordeal.endure()
            require_result(home)
            require_consistent(home, ordeal.killed)
            met.update(map(str, ordeal.killed))
            restores = [each.restore for each in home.run().attempts if each.restore]
            met[RESUMED] += sum(each.sequence is not None for each in restores)
    return met


def kills(met: Counter[str]) -> int:
    return sum(met[victim] for victim in Victim)


@contextmanager
def home_of_chain(folder: Path) -> Iterator[Home]:
    """A user with the job; at the end nothing may be left running."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "chain.py").write_text(CHAIN)
    (folder / "job.yaml").write_text(JOB.format(steps=STEPS, witness=folder / "witness"))
    (folder / "witness").touch()
    home = Home.at(folder)
    home.settings("local_price_usd_per_hour = 36.0")
    try:
        yield home
        until_true(lambda: not home.living(), f"nothing of {folder} is left running", 10)
    finally:
        for process in home.living():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def require_result(home: Home) -> None:
    """The newest commit is whole, and what an undisturbed run ends with."""
    store = Store(home.run().store_uri)
    commit = CommitLog(store).newest_commit()
    assert commit
    files = {file.name: store.get(file.key) for file in commit.files}
    assert {file.name: file.sha256 for file in commit.files} == digests(files)
    assert digests(files) == digests(undisturbed())


def undisturbed() -> dict[str, bytes]:
    state = b""
    for step in range(STEPS):
        state = hashlib.sha256(state + step.to_bytes(4, "big")).digest()
    weights = hashlib.shake_256(state).digest(1 << 18)
    return {"state": STEPS.to_bytes(4, "big") + state, "weights": weights}


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def require_consistent(home: Home, killed: list[Victim]) -> None:
    """Ledger, store, machines and report tell the same story."""
    assert_one_at_a_time(home.folder / "witness")
    with sqlite3.connect(home.state_dir / "ledger.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    run = home.run()
    assert all(attempt.state is AttemptState.ENDED for attempt in run.attempts)
    require_every_commit_was_used(run)
    require_machines_as_told(home, run)
    require_report(home, run)
    failed = [each for each in run.attempts if each.end is AttemptEnd.JOB_FAILED]
    assert len(failed) <= killed.count(Victim.JOB)


def require_every_commit_was_used(run: Run) -> None:
    """Each attempt began at the newest commit that there was."""
    newest, began_at = None, {}
    for entry in CommitLog(Store(run.store_uri)).entries():
        if isinstance(entry, Opened):
            began_at[entry.attempt] = newest
        elif isinstance(entry, Committed):
            newest = entry.number
    for attempt in run.attempts:
        if attempt.restore:
            assert attempt.restore.damaged == 0
            assert attempt.restore.sequence == began_at[attempt.number]
    assert run.last_checkpoint
    assert run.last_checkpoint.sequence == newest


def require_machines_as_told(home: Home, run: Run) -> None:
    """Every machine that was ever made is known, has ended, and ended when the ledger says."""
    folders = [InstanceFolder(path) for path in (home.state_dir / "local").glob("local-*")]
    made = {folder.id for folder in folders if folder.launched}
    assert made == {machine for attempt in run.attempts for machine in attempt.instance_ids}
    statuses = LocalCompute(home.state_dir / "local").poll(sorted(made))
    for attempt in run.attempts:
        for machine in attempt.instance_ids:
            assert statuses[machine].ended_at == attempt.ended_at


def require_report(home: Home, run: Run) -> None:
    report = home.document("report")
    assert report["outcome"] == "finished"
    assert [line["attempt"] for line in report["attempts"]] == [
        attempt.number for attempt in run.attempts
    ]
    for line, attempt in zip(report["attempts"], run.attempts, strict=True):
        assert line["end"] == attempt.end
        assert Decimal(line["usd"]) == Decimal(36) * line["billed_seconds"] / 3600
    parts = [Decimal(report[part]) for part in ("compute_usd", "transfer_usd", "storage_usd")]
    assert sum(Decimal(line["usd"]) for line in report["attempts"]) == parts[0]
    assert sum(parts) == Decimal(report["total_usd"])
