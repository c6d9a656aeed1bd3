"""Make-before-break with real processes: a standby waits beside a working attempt, then goes."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from finsched.node.checkpoints.commit_log import CommitLog, Opened

from .test_jobs import alive, counter, daemon_of, machine_and_agent, steps, taken_back

pytestmark = pytest.mark.slow

DAEMON_IN_SETUP = r"""(trap '' TERM HUP INT; cd /; exec sleep 100) &
echo $! > daemon.pid"""


def opened(cloud: Any) -> list[int]:
    return [e.attempt for e in CommitLog(cloud.store).entries() if isinstance(e, Opened)]


def stand_by(cloud: Any, eventually: Any, command: str = "", **options: Any) -> Any:
    options = {"attempt": 2, "standby": True, **options}
    instance = cloud.launch(command or counter(60), **options)
    eventually(lambda: cloud.messages("ready", attempt=options["attempt"]))
    return instance


def test_a_standby_waits_without_fencing_and_goes_from_the_newest_commit(
    cloud: Any, eventually: Any
) -> None:
    working = cloud.launch(counter(2000))
    eventually(cloud.commits)
    standby = stand_by(cloud, eventually, setup="echo prepared")
    [ready] = cloud.messages("ready", attempt=2)
    assert ready["sequence"] >= 2
    assert ready["size_bytes"] == ready["downloaded_bytes"] > 0
    assert min(ready["boot_seconds"], ready["fetch_seconds"], ready["setup_seconds"]) > 0
    count = len(cloud.commits())
    eventually(lambda: len(cloud.commits()) > count + 1)  # newer than what was staged
    assert opened(cloud) == [1]
    assert cloud.status(working).state == "running"
    cloud.orders(1).stop("make before break")
    cloud.wait_until_ended(working)
    newest, saved = cloud.commits()[-1], steps(cloud)
    cloud.orders(2).go()
    eventually(lambda: cloud.messages("started", attempt=2))
    restored = cloud.messages("started", attempt=2)[0]["restore"]
    assert restored["sequence"] == newest.number > ready["sequence"]
    cloud.wait_until_ended(standby)
    assert opened(cloud) == [1, 2]
    assert cloud.output(standby).startswith(f"prepared\nstarting at {saved}\n")
    assert cloud.messages("ended", attempt=2)[0]["end"] == "finished"


def test_going_fences_a_machine_that_was_only_thought_dead(cloud: Any, eventually: Any) -> None:
    zombie = cloud.launch(counter(2000))
    eventually(cloud.commits)
    standby = stand_by(cloud, eventually, "sleep 60")
    cloud.orders(2).go()
    cloud.wait_until_ended(zombie)
    assert cloud.messages("ended", attempt=1)[0]["end"] == "fenced"
    assert cloud.status(standby).state == "running"


def test_a_standby_stays_fresh_while_it_waits(cloud: Any, eventually: Any) -> None:
    cloud.launch(counter(2000))
    eventually(cloud.commits)
    standby = stand_by(cloud, eventually, poll_seconds=0.02)
    [ready] = cloud.messages("ready", attempt=2)
    folder = cloud.folder_of(standby) / "scratch/prefetched"

    def fetched() -> list[int]:
        return [int(entry.name) for entry in folder.iterdir() if (entry / "state.json").exists()]

    eventually(lambda: max(fetched(), default=0) > ready["sequence"] + 1)
    json.loads((folder / f"{max(fetched()):08d}" / "state.json").read_text())


def test_go_before_it_is_ready_starts_the_job_as_soon_as_it_is(cloud: Any) -> None:
    cloud.orders().go()
    status, ended = cloud.run(counter(20), standby=True, setup="sleep 0.3")
    assert (status.reason, ended["end"]) == ("ended_itself", "finished")
    assert cloud.messages("ready")[0]["sequence"] is None
    assert cloud.messages("started")[0]["restore"]["sequence"] is None


def test_the_job_finds_only_its_own_copy_of_the_checkpoint(cloud: Any, eventually: Any) -> None:
    cloud.run("echo state > $FINSCHED_CHECKPOINT_DIR/a")
    show = "ls ../prefetched; stat -c %h $FINSCHED_RESUME_FROM/a; cat $FINSCHED_RESUME_FROM/a"
    standby = stand_by(cloud, eventually, show)
    cloud.orders(2).go()
    cloud.wait_until_ended(standby)
    assert "No such file" in cloud.output(standby)
    assert cloud.output(standby).endswith("1\nstate\n")


@pytest.mark.parametrize("how", ["stop", "lease", "notice"])
def test_a_standby_ends_cleanly_while_it_waits(cloud: Any, eventually: Any, how: str) -> None:
    options: dict[str, Any] = {"setup": DAEMON_IN_SETUP}
    if how == "lease":
        options["lease_seconds"] = 5
    if how == "notice":
        options["hints"] = taken_back(at_progress=None, notice=5, after=0.2)
    standby = stand_by(cloud, eventually, "touch never", **options)
    daemon = daemon_of(cloud, standby, eventually)
    if how == "stop":
        cloud.orders(2).stop("no longer needed")
    status = cloud.wait_until_ended(standby)
    [ended] = cloud.messages("ended", attempt=2)
    ends = {"stop": "stopped", "lease": "lease_expired", "notice": "interrupted"}
    assert ended["end"] == ends[how]
    assert status.reason == ("interrupted" if how == "notice" else "ended_itself")
    assert not alive(daemon)
    assert opened(cloud) == []
    assert not cloud.messages("started", attempt=2)


def test_a_killed_standby_leaves_nothing(cloud: Any, eventually: Any) -> None:
    standby = stand_by(cloud, eventually, "touch never", setup=DAEMON_IN_SETUP)
    daemon = daemon_of(cloud, standby, eventually)
    for pid in machine_and_agent(cloud, standby):
        os.kill(pid, signal.SIGKILL)
    assert cloud.wait_until_ended(standby).reason == "failed"
    cloud.require_nothing_left(standby)
    assert not alive(daemon)
    assert opened(cloud) == []


def test_a_failing_setup_ends_a_standby_before_it_is_ready(cloud: Any) -> None:
    _, ended = cloud.run("echo never", standby=True, setup="exit 4")
    assert (ended["end"], ended["exit_code"]) == ("job_failed", 4)
    assert not cloud.messages("ready")


def test_a_standby_that_was_overtaken_itself_is_fenced(cloud: Any, eventually: Any) -> None:
    standby = stand_by(cloud, eventually, "touch never")
    cloud.run("true", attempt=3)
    cloud.orders(2).go()
    cloud.wait_until_ended(standby)
    assert cloud.messages("ended", attempt=2)[0]["end"] == "fenced"
