"""Several nodes of one attempt: real processes that meet over TCP and save together."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.node.checkpoints.commit_log import Committed
from finsched.provider import Instance, InstanceState
from tests.ports import free_port

from .conftest import Cloud, content, pids

pytestmark = pytest.mark.slow

NODES = 3
# Counts in lock step, as training does: the first node tells each step, and whether to save and
# to stop; nobody goes on before all have answered. Each node saves a shard of its own.
TRAIN = """
import json, os, pathlib, signal, socket, sys, time
rank, nodes = int(os.environ["NODE_RANK"]), int(os.environ["NNODES"])
address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
folder = pathlib.Path(os.environ["FINSCHED_CHECKPOINT_DIR"])
resume, steps = os.environ["FINSCHED_RESUME_FROM"], int(os.environ["STEPS"])
slow = float(os.environ.get("SLOW_SAVE", "0")) if rank else 0.0
late = float(os.environ.get("LATE_SAVE", "0")) if rank else 0.0
savers = range(nodes) if os.environ.get("SHARDS", "1") == "1" else [0]
stopping = False
def on_signal(*_):
    global stopping
    stopping = True
signal.signal(signal.SIGTERM, on_signal)
def line_to(peer):
    return peer.makefile("r"), peer.makefile("w")  # one for both forgets what it has read ahead
def meet():
    if rank == 0:
        server = socket.create_server(("", address[1]))
        return [line_to(server.accept()[0]) for _ in range(nodes - 1)]
    for _ in range(1000):
        try:
            return [line_to(socket.create_connection(address))]
        except OSError:
            time.sleep(0.02)
    sys.exit("nobody there")
def say(peers, text):
    for _, outward in peers:
        print(text, file=outward, flush=True)
def hear(peers):
    lines = [inward.readline() for inward, _ in peers]
    if not all(lines):
        sys.exit("a peer is gone")
    return lines
def save(step):
    if rank not in savers:
        return
    time.sleep(late)
    part = folder / f"shard-{rank}.tmp"
    with part.open("w") as file:
        file.write(json.dumps({"step": step, "rank": rank}))
        file.flush()
        for _ in range(int(slow / 0.05)):
            time.sleep(0.05); file.write(" "); file.flush()
    os.replace(part, folder / f"shard-{rank}.json")
step = 0
if resume:
    shards = pathlib.Path(resume).glob("shard-*.json")
    found = [json.loads(shard.read_text())["step"] for shard in shards]
    print("resumes", sorted(found), flush=True)
    if len(set(found)) != 1 or len(found) != len(savers):
        sys.exit("torn")
    step = found[0]
peers = meet()
while step < steps:
    time.sleep(float(os.environ.get("PACE", "0.02")))
    if rank == 0:
        stop_now = stopping  # asked once: a signal may come in between
        save_now = stop_now or (step + 1) % int(os.environ.get("EVERY", "20")) == 0
        order = [int(save_now), int(stop_now)]
        say(peers, f"{order[0]} {order[1]}")
        hear(peers)
    else:
        order = [int(word) for word in hear(peers)[0].split()]
        say(peers, "done")
    step += 1
    if rank == 0:
        pathlib.Path(os.environ["FINSCHED_PROGRESS"]).write_text(str(step / steps))
    if order[0]:
        save(step)
        say(peers, "saved"); hear(peers)
    if order[1]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Python forgets its handlers as it leaves
        sys.exit(0)
    if rank == int(os.environ.get("FAILS", "-1")) and step == 30:
        sys.exit(3)
save(step)
print("counted", step, flush=True)
"""


class Gang:
    """A gang on this machine, and what it left behind."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.script = folder / "train.py"
        self.script.write_text(TRAIN)

    def launch(self, *, attempt: int = 1, nodes: int = NODES, **env: str) -> list[Instance]:
        variables = {"STEPS": "120", "MASTER_PORT": str(free_port()), **env}
        request = self.cloud.request(
            f"exec {sys.executable} {self.script}",
            attempt=attempt,
            env=variables,
            nodes=nodes,
        )
        instances = list(self.cloud.compute.launch(replace(request, nodes=nodes)))
        self.cloud.instances.extend(instances)
        return instances

    def launch_shell(self, command: str, **config: Any) -> list[Instance]:
        """Launch two nodes that run a line of shell."""
        request = self.cloud.request(command, nodes=2, **config)
        instances = list(self.cloud.compute.launch(replace(request, nodes=2)))
        self.cloud.instances.extend(instances)
        return instances

    def ended(self, instances: list[Instance], attempt: int = 1) -> dict[str, Any]:
        """Wait for the end of all machines and return the gang's last word."""
        for instance in instances:
            self.cloud.wait_until_ended(instance, seconds=60)
        [word] = self.cloud.messages("ended", attempt=attempt)
        return word

    def shards(self, commit: Committed) -> dict[str, int]:
        return {
            file.name: json.loads(self.cloud.store.get(file.key))["step"] for file in commit.files
        }

    def agent_of(self, instance: Instance) -> int:
        folder = str(self.cloud.folder_of(instance)).encode()
        [pid] = [
            pid
            for pid in pids()
            if b"finsched.node\0" in content(pid, "cmdline") and folder in content(pid, "cmdline")
        ]
        return pid


@pytest.fixture
def gang(cloud: Cloud, tmp_path: Path) -> Gang:
    return Gang(cloud, tmp_path)


def test_nodes_meet_save_together_and_end_together(gang: Gang) -> None:
    instances = gang.launch()
    assert len({instance.id for instance in instances}) == NODES
    ended = gang.ended(instances)
    assert (ended["end"], ended["exit_code"]) == ("finished", 0)
    commits = gang.cloud.commits()
    assert len(commits) >= 2
    for commit in commits[-2:]:  # of older ones the parts are deleted
        steps = gang.shards(commit)
        assert sorted(steps) == [f"shard-{rank}.json" for rank in range(NODES)]
        assert len(set(steps.values())) == 1, steps
    assert set(gang.shards(commits[-1]).values()) == {120}
    outputs = [gang.cloud.output(instance) for instance in instances]
    assert all("counted 120" in output for output in outputs)
    assert [len(gang.cloud.messages("started")), len(gang.cloud.messages("ended"))] == [1, 1]


def test_a_notice_for_one_node_saves_all_and_the_next_attempt_goes_on(gang: Gang) -> None:
    instances = gang.launch(STEPS="2000")
    wait_for(gang.cloud.commits)
    os.kill(gang.agent_of(instances[2]), signal.SIGTERM)  # its operating system shuts down
    ended = gang.ended(instances)
    assert ended["end"] == "interrupted"
    assert "node 2 is taken back" in ended["detail"]
    [notice] = gang.cloud.messages("notice")
    assert notice["node"] == 2
    [step] = set(gang.shards(gang.cloud.commits()[-1]).values())
    again = gang.launch(attempt=2, STEPS=str(step + 40))
    assert gang.ended(again, attempt=2)["end"] == "finished"
    for instance in again:
        assert f"resumes {[step] * NODES}" in gang.cloud.output(instance)


def test_a_command_that_fails_on_one_node_ends_all(gang: Gang) -> None:
    instances = gang.launch(STEPS="100000", FAILS="1")
    ended = gang.ended(instances)
    assert ended["end"] == "job_failed"
    reasons = {gang.cloud.status(instance).state for instance in instances}
    assert reasons == {InstanceState.TERMINATED}


def test_where_only_the_first_node_saves_all_nodes_get_its_files(gang: Gang) -> None:
    instances = gang.launch(STEPS="300", SHARDS="0")
    assert gang.ended(instances)["end"] == "finished"
    assert set(gang.shards(gang.cloud.commits()[-1])) == {"shard-0.json"}
    again = gang.launch(attempt=2, STEPS="310", SHARDS="0")
    assert gang.ended(again, attempt=2)["end"] == "finished"
    assert all("resumes [300]" in gang.cloud.output(instance) for instance in again)


@pytest.mark.parametrize("delay", [{"SLOW_SAVE": "1.5"}, {"LATE_SAVE": "0.7"}])
def test_a_node_that_saves_later_is_waited_for(gang: Gang, delay: dict[str, str]) -> None:
    instances = gang.launch(STEPS="90", EVERY="15", PACE="0.06", **delay)
    assert gang.ended(instances)["end"] == "finished"
    for commit in gang.cloud.commits()[-2:]:
        assert len(set(gang.shards(commit).values())) == 1, gang.shards(commit)


def test_a_gang_without_one_of_its_machines_is_ended_from_outside(gang: Gang) -> None:
    instances = gang.launch(STEPS="100000")
    wait_for(lambda: gang.cloud.messages("progress"))
    gang.cloud.compute.terminate(instances[1].id)
    ended = gang.ended(instances)
    assert ended["end"] == "node_failed"
    assert "node 1 does not answer" in ended["detail"]


def test_what_another_node_leaves_last_is_committed_too(gang: Gang) -> None:
    instances = gang.launch_shell(
        "cd $FINSCHED_CHECKPOINT_DIR; if [ $NODE_RANK = 0 ]; then echo 1 > model; sleep 1;"
        " else sleep 3; echo 2 > result; fi"
    )
    assert gang.ended(instances)["end"] == "finished"
    last = gang.cloud.commits()[-1]
    assert {(file.rank, file.name) for file in last.files} == {(0, "model"), (1, "result")}


def test_a_node_that_is_done_early_stays_until_the_leader_is(gang: Gang) -> None:
    command = "if [ $NODE_RANK = 0 ]; then sleep 5; fi"
    first, second = gang.launch_shell(command, checkpoint=None, lease_seconds=3)
    keep_alive = gang.cloud.orders()
    keep_alive.extend_lease(datetime.now(UTC) + timedelta(seconds=60))
    assert gang.ended([first, second])["end"] == "finished"
    ends = [gang.cloud.status(instance).ended_at for instance in (first, second)]
    assert ends[0]
    assert ends[1]
    assert ends[1] > ends[0] - timedelta(seconds=1)


def test_two_nodes_never_share_what_they_have_sent(gang: Gang) -> None:
    instances = gang.launch_shell("seq 1000 > $FINSCHED_CHECKPOINT_DIR/weights; sleep 2")
    assert gang.ended(instances)["end"] == "finished"
    files = gang.cloud.commits()[-1].files
    assert len({file.sha256 for file in files}) == 1
    assert len({file.key for file in files}) == 2


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.05)
