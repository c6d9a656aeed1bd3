"""What this machine says of itself, and its metadata endpoint."""

from __future__ import annotations

import http.client
import json
import os
import pickle
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finsched.model.evidence import Quality
from finsched_local.metadata import MetadataServer
from finsched_local.prices import LocalGpus, LocalPrices, parse_gpus
from finsched_local.rehearsal import PlannedInterruption

from .conftest import Cloud, content, pids, wait_for

ACTION = "/latest/meta-data/spot/instance-action"


def test_the_offer_is_this_machine_at_the_declared_price() -> None:
    prices = LocalPrices(1.25)
    [offer] = prices.offers()
    assert offer.price_usd_per_hour == 1.25
    assert offer.evidence.quality is Quality.DECLARED
    assert offer.instance_type.vcpus == len(os.sched_getaffinity(0))
    meminfo = Path("/proc/meminfo").read_text().split()
    total_gib = int(meminfo[meminfo.index("MemTotal:") + 1]) / 1024**2
    assert offer.instance_type.memory_gib == pytest.approx(total_gib, rel=0.01)
    names = [accelerator.name for accelerator in prices.accelerators()]
    assert names == ([offer.instance_type.gpu] if offer.instance_type.gpu else [])


@pytest.mark.parametrize(
    ("table", "gpus"),
    [
        ("", None),
        ("No devices were found\n", None),
        (
            "NVIDIA H100 80GB HBM3, 81559\n" * 2,
            LocalGpus(name="H100-80GB-HBM3", count=2, memory_gib=79.6),
        ),
        (
            "Tesla T4, 15360\nNVIDIA A10G, 23028\nNVIDIA A10G, 23028\n",
            LocalGpus(name="A10G", count=2, memory_gib=22.5),
        ),
    ],
)
def test_gpus_are_read_from_nvidia_smi(table: str, gpus: LocalGpus | None) -> None:
    assert parse_gpus(table) == gpus


def ask(server: MetadataServer, method: str, path: str, token: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    try:
        connection.request(method, path, headers={"X-aws-ec2-metadata-token": token})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_metadata_endpoint_wants_a_token_and_gives_the_notice() -> None:
    server = MetadataServer("local-1")
    assert ask(server, "GET", ACTION)[0] == 401
    status, token = ask(server, "PUT", "/latest/api/token")
    assert status == 200
    assert ask(server, "GET", "/latest/meta-data/instance-id", token) == (200, "local-1")
    assert ask(server, "GET", ACTION, token)[0] == 404
    server.give_notice(datetime(2026, 3, 1, 10, tzinfo=UTC))
    status, body = ask(server, "GET", ACTION, token)
    assert status == 200
    assert json.loads(body) == {"action": "terminate", "time": "2026-03-01T10:00:00+00:00"}
    assert ask(server, "GET", ACTION, "wrong")[0] == 401
    server.close()


def plan(**hints: object) -> PlannedInterruption:
    interruption = {"after_seconds": 0, "notice_seconds": 1, **hints}
    planned = PlannedInterruption.from_hints({"interruption": interruption})
    assert planned is not None
    return planned


def commit(scratch: Path) -> None:
    (scratch / "committed").touch()


def test_without_hints_nothing_is_planned() -> None:
    assert PlannedInterruption.from_hints({}) is None


def test_a_job_that_reports_is_interrupted_by_progress_and_not_by_time(tmp_path: Path) -> None:
    planned = plan(at_progress=0.5)
    assert not planned.due(tmp_path), "the job has not started"
    commit(tmp_path)
    (tmp_path / "progress").write_text("0.2")
    (tmp_path / "started").touch()
    assert not planned.due(tmp_path)
    (tmp_path / "progress").write_text("")
    assert not planned.due(tmp_path), "a report that is being rewritten is still a report"
    (tmp_path / "progress").write_text("0.5")
    assert planned.due(tmp_path)


def test_a_job_that_saves_and_never_reports_is_interrupted_by_time(tmp_path: Path) -> None:
    planned = plan(at_progress=0.5)
    (tmp_path / "started").touch()
    assert not planned.due(tmp_path), "it may still load its libraries"
    commit(tmp_path)
    assert planned.due(tmp_path)


def test_without_a_point_of_progress_time_counts_from_the_start(tmp_path: Path) -> None:
    planned = plan()
    assert not planned.due(tmp_path), "the job has not started"
    (tmp_path / "started").touch()
    assert planned.due(tmp_path)


LAUNCHER = """
import pickle, sys
from finsched_local.compute import LocalCompute
folder, request = pickle.load(sys.stdin.buffer)
LocalCompute(folder).launch(request)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after_seconds", [0.0, 0.05, 0.1])
def test_a_machine_whose_launcher_was_killed_while_it_started_is_found(
    cloud: Cloud, after_seconds: float
) -> None:
    request, folder = cloud.request("sleep 60"), cloud.folder / "state/local"
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE)
    assert launcher.stdin
    with launcher.stdin as pipe:
        pickle.dump((folder, request), pipe)
    wait_for(lambda: starting(folder), 30)
    time.sleep(after_seconds)
    launcher.kill()
    launcher.wait()
    cloud.instances.extend(cloud.compute.find(request.token))
    assert cloud.instances or not starting(folder), "it was not found, and comes later"


def starting(folder: Path) -> bool:
    """Say whether a machine below a folder has a process."""
    command = b"finsched_local.machine\0" + bytes(folder)
    return any(command in content(pid, "cmdline") for pid in pids())
