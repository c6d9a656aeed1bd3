"""One run over three clouds: taken back by AWS, preempted by Google, evicted and ended by Azure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

from ..providers.aws.test_scenario import what_is_left
from ..providers.gcp.gce import zones
from ..providers.scenario import account_of
from .world import AWS_ZONES, World, world

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]

GOOGLE_EGRESS_USD_PER_GB = Decimal("0.12")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world") as found:
        yield found


def test_a_run_goes_from_cloud_to_cloud_and_leaves_nothing(three: World) -> None:
    quoted = three.user.document("quote", three.job_file)
    cheapest_of_each = {each["provider"]: each for each in reversed(quoted["quotes"])}
    assert cheapest_of_each.keys() == {"aws", "gcp", "azure"}
    assert quoted["quotes"][0]["provider"] == "aws"
    launch = three.user.start("launch", three.job_file, "--json")
    leave_aws(three)
    leave_google(three)
    leave_a_region_of_azure(three)
    account = account_of(launch)
    assert went_as_told(account)
    assert_adds_up(account)
    assert_egress_is_in_the_account(three, account)
    assert_same_weights(three)
    assert_nothing_is_left(three)


def working_machine(three: World, provider: str) -> str:
    """Wait until a cloud has an attempt that has kept a checkpoint, and return its machine."""

    def found() -> tuple[str, ...]:
        attempts = [each for each in three.user.run().attempts if each.provider == provider]
        working = [each for each in attempts if three.commits(each.number)]
        return working[-1].instance_ids if working else ()

    [instance_id] = until(found, seconds=150)
    return instance_id


def leave_aws(three: World) -> None:
    """AWS takes the machine back with a notice, and has none in the other zone."""
    three.user.wait_for(lambda run: run.attempts, seconds=30)
    full = {"instance_type": "g4dn.xlarge", "code": "InsufficientInstanceCapacity"}
    three.aws("deny", zone=AWS_ZONES[1], **full)
    three.fleets["aws"].take_back(working_machine(three, "aws"), notice_seconds=20)


def leave_google(three: World) -> None:
    """Google preempts the machine without a notice, and then has none of its kind left."""
    instance_id = working_machine(three, "gcp")
    three.google.sell_out(*zones())
    three.fleets["gcp"].take_back(instance_id)


def leave_a_region_of_azure(three: World) -> None:
    """Azure evicts the machine, and says so before."""
    three.fleets["azure"].take_back(working_machine(three, "azure"), notice_seconds=20)


def went_as_told(account: dict[str, Any]) -> bool:
    attempts = account["attempts"]
    refused = {each["provider"]: each["detail"] for each in attempts if not each["billed_seconds"]}
    assert "InsufficientInstanceCapacity" in refused["aws"]
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in refused["gcp"]
    worked = [each for each in attempts if each["billed_seconds"]]
    return [(each["provider"], each["end"]) for each in worked] == [
        ("aws", "interrupted"),
        ("gcp", "interrupted"),
        ("azure", "interrupted"),
        ("azure", "finished"),
    ]


def assert_adds_up(account: dict[str, Any]) -> None:
    """Every part is there, and the whole is their sum, to the cent and beyond."""
    compute = sum(Decimal(each["usd"]) for each in account["attempts"])
    parts = [Decimal(account[name]) for name in ("compute_usd", "transfer_usd", "storage_usd")]
    assert compute == parts[0]
    assert sum(parts) == Decimal(account["total_usd"])


def assert_egress_is_in_the_account(three: World, account: dict[str, Any]) -> None:
    """What was saved at Google left Google; AWS and Azure give the first 100 GB away."""
    run = three.user.run()
    at_google = {each.number for each in run.attempts if each.provider == "gcp"}
    saved = sum(point.size_bytes for point in run.checkpoints if point.attempt in at_google)
    assert saved > 240_000
    expected = Decimal(saved) / 10**9 * GOOGLE_EGRESS_USD_PER_GB
    assert abs(Decimal(account["transfer_usd"]) - expected) < Decimal("0.000002")


def assert_same_weights(three: World) -> None:
    printed = three.user.finsched("logs")
    assert len(re.findall("^from ", printed, re.MULTILINE)) == 4
    [weights] = re.findall("^weights ([0-9a-f]{64})$", printed, re.MULTILINE)
    assert weights == uninterrupted(three.folder / "alone", three.user.folder / "work" / "train.py")


def uninterrupted(folder: Path, script: Path) -> str:
    (folder / "ckpt").mkdir(parents=True)
    environ = {
        **os.environ,
        "PACE": "0",
        "FINSCHED_CHECKPOINT_DIR": str(folder / "ckpt"),
        "FINSCHED_RESUME_FROM": "",
        "FINSCHED_CHECKPOINT_EVERY": "1000",
        "FINSCHED_PROGRESS": str(folder / "progress"),
    }
    done = subprocess.run(
        [sys.executable, str(script)], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1]


def assert_nothing_is_left(three: World) -> None:
    three.user.finsched("sweep", "--run", three.user.run().id, "--apply", seconds=120)
    assert not any(what_is_left(three.aws).values())
    assert not three.google.instances()
    assert not three.google.gce.resources["disks"]
    assert not three.azure.machines()
    three.azure.wait_for_nothing()
