"""Hints and ages with real processes: a job is asked to save, told when, and not disturbed."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from finsched.errors import NoCapacity

from .test_jobs import counter, steps

pytestmark = pytest.mark.slow

FOLLOWS_THE_FILE = r"""python - <<'EOF'
import os, time
folder, file = os.environ["FINSCHED_CHECKPOINT_DIR"], os.environ["FINSCHED_CHECKPOINT_EVERY_FILE"]
began = saved = time.monotonic()
count = 0
while time.monotonic() - began < SECONDS:
    time.sleep(0.02)
    with open(file) as every:
        if time.monotonic() - saved < float(every.read()):
            continue
    count += 1
    print(f"{time.monotonic() - began:.2f}", flush=True)
    with open(folder + "/state.tmp", "w") as state:
        state.write(str(count))
    os.replace(folder + "/state.tmp", folder + "/state")
    saved = time.monotonic()
    time.sleep(0.6)
EOF
"""


def follower(seconds: float) -> str:
    return FOLLOWS_THE_FILE.replace("SECONDS", str(seconds))


def hinted(seconds: float, *, notice: float = 2.0, after: float = 0.8) -> dict[str, Any]:
    plan = {"at_progress": None, "after_seconds": after, "notice_seconds": notice}
    return {"interruption": {**plan, "rebalance_seconds": seconds}}


def at(message: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(message["at"])


def test_a_hint_asks_for_a_save_and_the_job_goes_on(cloud: Any) -> None:
    slow = {"path": "ckpt", "every_seconds": 600}
    hints = hinted(60, notice=0)
    _, ended = cloud.run(follower(3.0), hints=hints, checkpoint=slow)
    assert (ended["end"], ended["exit_code"]) == ("finished", 0)
    [rebalance] = cloud.messages("rebalance")
    assert rebalance["given_at"]
    saves = cloud.output(cloud.instances[0]).split()
    assert len(saves) == 1, "one save is asked for, not a stream of them"
    [committed] = cloud.messages("committed")
    assert at(committed) > at(rebalance)
    assert not cloud.messages("notice")


def test_the_hint_comes_so_long_before_the_notice(cloud: Any) -> None:
    status, ended = cloud.run(counter(2000), hints=hinted(1.0))
    assert (status.reason, ended["end"]) == ("interrupted", "interrupted")
    [rebalance], [notice] = cloud.messages("rebalance"), cloud.messages("notice")
    assert 0.8 < (at(notice) - at(rebalance)).total_seconds() < 2.0
    assert f"saved at {steps(cloud)}" in cloud.output(cloud.instances[0])


def test_the_hint_may_be_the_only_warning(cloud: Any) -> None:
    status, ended = cloud.run(counter(2000), hints=hinted(1.0, notice=0.0))
    assert (status.reason, ended) == ("interrupted", {})
    assert cloud.messages("rebalance")
    assert not cloud.messages("notice")


def test_a_job_without_a_checkpoint_hears_nothing_of_a_hint(cloud: Any, eventually: Any) -> None:
    instance = cloud.launch("sleep 30", hints=hinted(60), checkpoint=None)
    eventually(lambda: cloud.messages("rebalance"))
    assert cloud.status(instance).state == "running"


def test_the_cadence_follows_the_machines_age(cloud: Any) -> None:
    table = [
        {"age_seconds": 0, "every_seconds": 0.7},
        {"age_seconds": 4.0, "every_seconds": 2.0},
    ]
    show = "echo told $FINSCHED_CHECKPOINT_EVERY; "
    checkpoint = {"path": "ckpt", "every_seconds": table}
    _, ended = cloud.run(show + follower(8.0), checkpoint=checkpoint)
    assert ended["end"] == "finished"
    told, *rest = cloud.output(cloud.instances[0]).splitlines()
    assert told == "told 0.7"
    gaps = [after - before for before, after in pairwise(map(float, rest))]
    assert min(gaps) < 1.2, gaps
    assert gaps[-1] > 1.9, gaps
    commits = [at(message) for message in cloud.messages("committed")]
    apart = [(after - before).total_seconds() for before, after in pairwise(commits)]
    assert apart[0] < 1.5, apart
    assert max(apart) > 1.9, apart


def test_a_job_that_saves_too_often_for_its_machines_age_is_uploaded_less_often(cloud: Any) -> None:
    table = [
        {"age_seconds": 0, "every_seconds": 3.0},
        {"age_seconds": 3600, "every_seconds": 4.0},
    ]
    cloud.run(counter(200), checkpoint={"path": "ckpt", "every_seconds": table})
    assert steps(cloud) == 200
    assert 2 <= len(cloud.commits()) <= 5, "of ten saves"


def test_a_pool_can_have_nothing_to_give(cloud: Any) -> None:
    with pytest.raises(NoCapacity, match="the zone is full"):
        cloud.launch("true", hints={"no_capacity": "the zone is full"})
    assert list(cloud.compute.find("r1-1")) == []


def test_a_machine_that_runs_is_found_whatever_the_pool_has_now(cloud: Any) -> None:
    instance = cloud.launch("sleep 30")
    [again] = cloud.compute.launch(cloud.request("sleep 30", hints={"no_capacity": "full"}))
    assert again == instance
