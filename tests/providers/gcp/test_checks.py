"""`finsched check gcp` against an emulated project, and what its answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finsched.model.job import CheckpointSpec, GpuRequest, JobSpec, Where
from finsched.provider import Finding, Verdict
from finsched.run.checking import Check
from finsched.settings import Settings
from finsched.testing.builders import job
from finsched_gcp.permissions import ACT_AS, LOOK_AND_MAKE

from .conftest import Lab
from .gce import NODE_ACCOUNT, PROJECT

slow = pytest.mark.slow
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def found(lab: Lab, spec: JobSpec | None = None, **settings: Any) -> dict[str, Finding]:
    checks = lab.provider(**settings).checks
    assert checks
    return {finding.name: finding for finding in checks.run(spec)}


@slow
def test_a_project_that_is_set_up_has_no_problem(lab: Lab) -> None:
    lab.cloud.buckets = {"ckpt": "US-CENTRAL1"}
    spec = job(checkpoint=CheckpointSpec(uri="gs://ckpt/llama"))
    findings = found(lab, spec, regions=("us-central1",))
    assert {name: each.detail for name, each in findings.items() if each.verdict != "ok"} == {}
    assert findings.keys() == {
        "project",
        "clock",
        "permissions",
        "regions",
        "image",
        "network in us-central1",
        "service account",
        "bucket",
    }
    assert PROJECT in findings["project"].detail
    assert "us-central1" in findings["bucket"].detail
    assert NODE_ACCOUNT in findings["service account"].detail


@slow
def test_nothing_is_made(lab: Lab) -> None:
    found(lab)
    changes = ("insert", "delete")
    assert not [call for call in lab.cloud.calls if call.name.endswith(changes)]


@slow
@pytest.mark.parametrize(
    ("call", "status", "reason", "name", "verdict"),
    [
        ("projects.get", 401, "authError", "project", Verdict.PROBLEM),
        ("projects.get", 403, "accessNotConfigured", "project", Verdict.PROBLEM),
        ("projects.get", 404, "notFound", "project", Verdict.PROBLEM),
        ("projects.get", 503, "backendError", "project", Verdict.UNKNOWN),
        ("projects.testIamPermissions", 403, "forbidden", "permissions", Verdict.UNKNOWN),
        ("regions.list", 403, "forbidden", "regions", Verdict.PROBLEM),
        ("images.getFromFamily", 404, "notFound", "image", Verdict.PROBLEM),
        ("images.getFromFamily", 429, "rateLimitExceeded", "image", Verdict.UNKNOWN),
        ("networks.get", 403, "forbidden", "network in us-central1", Verdict.PROBLEM),
        ("serviceAccounts.get", 403, "forbidden", "service account", Verdict.UNKNOWN),
    ],
)
def test_a_refusal_is_told_with_its_fix(
    lab: Lab, call: str, status: int, reason: str, name: str, verdict: Verdict
) -> None:
    lab.cloud.fault(call, status=status, reason=reason, times=9)
    findings = found(lab)
    assert findings[name].verdict is verdict
    assert findings[name].fix
    assert name != "project" or findings.keys() == {"project"}


@slow
def test_what_the_settings_name_must_be_there(lab: Lab) -> None:
    findings = found(
        lab,
        service_account="absent@acme.example",
        image="projects/x/global/images/family/none",
        regions=("us-central1", "xx-nowhere1"),
        subnets={"us-central1": "none"},
    )
    for name in ("service account", "image", "regions", "network in us-central1"):
        assert findings[name].verdict is Verdict.PROBLEM, name
    assert "xx-nowhere1" in findings["regions"].detail
    lab.cloud.denied = {ACT_AS}
    assert "serviceAccountUser" in found(lab)["service account"].fix
    lab.cloud.accounts[NODE_ACCOUNT]["disabled"] = True
    assert "disabled" in found(lab)["service account"].detail
    assert found(lab, service_account="")["service account"].verdict is Verdict.PROBLEM
    missing = job(checkpoint=CheckpointSpec(uri="gs://nobody-made-this/x"))
    assert found(lab, missing)["bucket"].verdict is Verdict.PROBLEM


@slow
def test_a_project_without_a_default_network_is_told_what_to_do(lab: Lab) -> None:
    lab.gce.networks.clear()
    finding = found(lab)["network in us-central1"]
    assert finding.verdict is Verdict.PROBLEM
    assert "gcp.subnets" in finding.fix


@slow
def test_a_permission_that_is_missing_is_named(lab: Lab) -> None:
    lab.cloud.denied = {"compute.instances.create"}
    finding = found(lab)["permissions"]
    assert finding.verdict is Verdict.PROBLEM
    assert finding.detail == "not granted: compute.instances.create"
    asked = lab.cloud.named("projects.testIamPermissions")[0].body["permissions"]
    assert asked == list(LOOK_AND_MAKE)


@slow
def test_a_clock_that_is_off_is_a_problem(lab: Lab) -> None:
    lab.cloud.skew_seconds = 300
    assert found(lab)["clock"].verdict is Verdict.PROBLEM


@slow
def test_a_job_is_told_where_it_would_go_and_its_quota_is_asked(lab: Lab, tmp_path: Path) -> None:
    table = {"project": PROJECT, "endpoint": lab.url, "service_account": NODE_ACCOUNT}
    chosen = Settings(
        state_dir=tmp_path,
        cache_dir=tmp_path / "cache",
        store=(tmp_path / "store").as_uri(),
        clouds={"gcp": table},
    )
    lab.gce.regional = {"PREEMPTIBLE_NVIDIA_A100_80GB_GPUS": 8, "NVIDIA_A100_80GB_GPUS": 0}
    spec = job(
        hours=1.0,
        gpus=(GpuRequest(count=8, name="A100-80GB"),),
        where=Where(clouds=("gcp",), regions=("us-central1",)),
        checkpoint=CheckpointSpec(size_gb=1),
    )
    checked = Check(settings=chosen, providers=("gcp",), job=spec).run()
    findings = {each.finding.name: each.finding for each in checked if each.about == "job"}
    assert findings["placement"].verdict is Verdict.OK
    asked = [each for name, each in findings.items() if name.startswith("quota for a2-ultragpu-8g")]
    assert asked
    assert "8 GPUs in all, 8 needed" in asked[0].detail
