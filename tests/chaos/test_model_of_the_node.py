"""The simulated node against the real agent: the same documents, under the same keys."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.model.market import CapacityType
from finsched.node.mail.orders import OrderBook
from finsched.node.store import Store
from finsched.provider import LaunchRequest
from finsched_sim.settings import SimSettings
from finsched_sim.showcase import plan
from finsched_sim.timeline import Timeline
from finsched_sim.workload import Workload
from finsched_sim.world import World

pytestmark = pytest.mark.slow

TRAIN = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["FINSCHED_CHECKPOINT_DIR"])
progress = pathlib.Path(os.environ["FINSCHED_PROGRESS"])
def save(*_):
    (folder / "state.json").write_text("{}" + " " * 60)
    if _:
        sys.exit(0)
signal.signal(signal.SIGTERM, save)
seconds = float(sys.argv[1])
progress.write_text("0.5")
time.sleep(0.6)
save()
time.sleep(seconds)
progress.write_text("1.0")
"""
Order = Callable[[Store], None]
Documents = Mapping[str, Any]


def finish(_store: Store) -> None:
    """Nobody orders anything: the job comes to its end."""


def stop(store: Store) -> None:
    OrderBook(store, 1).stop("stopped")


def node_config(uri: str, seconds: float, *, lease_seconds: float = 60.0) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "run": "r",
        "attempt": 1,
        "store_uri": uri,
        "setup": "true",
        "run_command": f"{sys.executable} train.py {seconds}",
        "checkpoint": {"path": "ckpt", "every_seconds": 1.0},
        "lease_seconds": lease_seconds,
        "stop_at": [{"at": (now + timedelta(hours=1)).isoformat(), "reason": "deadline"}],
        "reserve_seconds": 2.0,
        "poll_seconds": 0.1,
    }


def real(folder: Path, order: Order, seconds: float, **fields: float) -> Documents:
    """Run the real agent and return what it left in its store."""
    uri = (folder / "store").as_uri()
    machine = folder / "machine"
    (machine / "job").mkdir(parents=True)
    config = node_config(uri, seconds, **fields)
    config["run_command"] = f"{sys.executable} {folder / 'train.py'} {seconds}"
    (folder / "train.py").write_text(TRAIN)
    (machine / "node.json").write_text(json.dumps(config))
    agent = subprocess.Popen(
        [sys.executable, "-m", "finsched.node", str(machine / "node.json")],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert agent.stdin
    agent.stdin.write(b"{}")
    agent.stdin.close()
    store = Store(uri)
    wait_for_commit(store)
    order(store)
    agent.wait(timeout=60)
    return documents(store)


def wait_for_commit(store: Store) -> None:
    until = time.monotonic() + 30
    while len(store.list("log")) < 2:
        assert time.monotonic() < until, "the agent does not commit"
        time.sleep(0.05)


def simulated(order: Order, seconds: float, **fields: float) -> Documents:
    """Run the model for the same story and return what it left in its store."""
    timeline = Timeline(datetime.now(UTC))
    work = Workload(
        work_s=seconds, fetch_s=0.1, setup_s=0.1, save_s=0.1, upload_s=0.1, report_every_s=0.5
    )
    world = World([plan(SimSettings())], lambda _: work, seed=1, timeline=timeline)
    cloud = world.clouds["sim"]
    [offer] = [o for o in cloud.offers() if o.capacity_type is CapacityType.ON_DEMAND]
    cloud.launch(
        LaunchRequest(
            token="t",
            installation="i",
            run="r",
            attempt=1,
            offer=offer,
            nodes=1,
            node_config=node_config("mem://r", seconds, **fields),
        )
    )
    store = world.store("mem://r")
    while len(store.list("log")) < 2:
        timeline.let_pass(0.1)
    order(store)
    timeline.let_pass(120.0)
    return documents(store)


def documents(store: Store) -> Documents:
    """What a reader sees: the kinds of letters in order, their keys, the log, names of objects."""
    letters = [json.loads(store.get(each.key)) for each in store.list("mailbox")]
    told = [each for each in letters if each["kind"] not in {"progress", "alive"}]
    log = [json.loads(store.get(each.key)) for each in store.list("log")]
    names = [each.key for folder in ("mailbox", "log", "parts") for each in store.list(folder)]
    return {
        "letters": list(dict.fromkeys(each["kind"] for each in told)),
        "keys of letters": {each["kind"]: sorted(each) for each in told},
        "end": {key: told[-1][key] for key in ("kind", "end", "detail")},
        "log": {each["kind"]: sorted(each) for each in log},
        "files": sorted(log[-1]["files"][0]),
        "names": sorted({_pattern(name) for name in names}),
    }


def _pattern(name: str) -> str:
    return re.sub(r"\d{8}", "<n>", re.sub(r"[0-9a-f]{64}", "<sha256>", name))


@pytest.mark.parametrize(
    ("order", "seconds", "fields"),
    [
        pytest.param(finish, 1.5, {}, id="a job that finishes"),
        pytest.param(stop, 60.0, {}, id="an order to stop"),
        pytest.param(finish, 60.0, {"lease_seconds": 5.0}, id="a lease that nobody renews"),
    ],
)
def test_the_model_writes_what_the_agent_writes(
    tmp_path: Path, order: Order, seconds: float, fields: dict[str, float]
) -> None:
    agent = real(tmp_path, order, seconds, **fields)
    model = simulated(order, seconds, **fields)
    assert model == agent
