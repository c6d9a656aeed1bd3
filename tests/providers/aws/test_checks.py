"""`finsched check aws` against an emulated account, and what its answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.model.job import CheckpointSpec, GpuRequest, JobSpec, Where, Work
from finsched.provider import Finding, Verdict
from finsched.run.checking import Check
from finsched.settings import Settings
from finsched.testing.builders import job
from finsched_aws.checks import expiry

from .conftest import REGIONS, Lab, launch_request

slow = pytest.mark.slow
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def found(lab: Lab, spec: JobSpec | None = None, **settings: Any) -> dict[str, Finding]:
    checks = lab.provider(**settings).checks
    assert checks
    return {finding.name: finding for finding in checks.run(spec)}


def make_profile(lab: Lab, name: str, *, role: bool = True) -> None:
    iam = lab.client("iam", "us-east-1")
    iam.create_instance_profile(InstanceProfileName=name)
    if role:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({}))
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def launch_one(lab: Lab, token: str = "r2-1") -> str:
    compute = lab.provider().compute
    assert compute
    [machine] = compute.launch(launch_request(token))
    return machine.id


@slow
def test_an_end_is_tried_on_a_machine_of_ours_which_lives_on(lab: Lab) -> None:
    assert found(lab)["end machines"].verdict is Verdict.UNKNOWN
    theirs = launch_one(lab, "r1-1").partition("/")[2]
    lab.client().delete_tags(Resources=[theirs], Tags=[{"Key": "finsched:installation"}])
    assert found(lab)["end machines"].verdict is Verdict.UNKNOWN
    assert not lab.calls("TerminateInstances")
    own = launch_one(lab)
    assert own.partition("/")[2] in found(lab)["end machines"].detail
    assert {call["parameters"]["DryRun"] for call in lab.calls("TerminateInstances")} == {"true"}
    states = [each["State"]["Name"] for each in lab.instances()]
    assert set(states) <= {"pending", "running"}
    lab("fault", operation="TerminateInstances", code="UnauthorizedOperation", times=9)
    assert found(lab)["end machines"].verdict is Verdict.PROBLEM


@slow
def test_an_account_that_is_set_up_has_no_problem(lab: Lab) -> None:
    make_profile(lab, "finsched-node")
    lab.client("s3", "us-east-1").create_bucket(Bucket="ckpt")
    spec = job(checkpoint=CheckpointSpec(uri="s3://ckpt/llama"))
    launch_one(lab)
    findings = found(lab, spec, instance_profile="finsched-node")
    assert {name: each.detail for name, each in findings.items() if each.verdict != "ok"} == {}
    assert findings.keys() == {
        "identity",
        "clock",
        "credentials",
        "regions",
        "end machines",
        "instance profile",
        "bucket",
        *(f"{what} in {region}" for what in ("image", "launch") for region in REGIONS),
    }
    assert "123456789012" in findings["identity"].detail
    assert "us-east-1" in findings["bucket"].detail


@slow
def test_nothing_is_made(lab: Lab) -> None:
    found(lab)
    changes = {
        call["operation"]: call["parameters"].get("DryRun")
        for call in lab.calls()
        if not call["operation"].startswith(("Describe", "Get", "Head"))
        and call["user_agent"].endswith("finsched")
    }
    assert changes == {"RunInstances": "true", "CreateSecurityGroup": "true"}
    assert lab.instances() == []
    assert len(lab.client().describe_security_groups()["SecurityGroups"]) == 1


@slow
@pytest.mark.parametrize(
    ("operation", "code", "name", "verdict"),
    [
        ("GetCallerIdentity", "InvalidClientTokenId", "identity", Verdict.PROBLEM),
        ("RunInstances", "UnauthorizedOperation", "launch in us-west-2", Verdict.PROBLEM),
        ("CreateSecurityGroup", "UnauthorizedOperation", "launch in us-west-2", Verdict.PROBLEM),
        ("DescribeRegions", "UnauthorizedOperation", "regions", Verdict.PROBLEM),
        ("GetParameter", "ParameterNotFound", "image in us-west-2", Verdict.PROBLEM),
        ("GetParameter", "ThrottlingException", "image in us-west-2", Verdict.UNKNOWN),
        ("GetInstanceProfile", "AccessDenied", "instance profile", Verdict.UNKNOWN),
    ],
)
def test_a_refusal_is_told_with_its_fix(
    lab: Lab, operation: str, code: str, name: str, verdict: Verdict
) -> None:
    make_profile(lab, "finsched-node")
    lab("fault", operation=operation, code=code, times=99)
    finding = found(lab, regions=("us-west-2",), instance_profile="finsched-node")[name]
    assert finding.verdict is verdict
    assert code in finding.detail
    assert finding.fix


@slow
def test_what_the_settings_name_must_be_there(lab: Lab) -> None:
    make_profile(lab, "empty", role=False)
    unknown = found(lab, regions=("us-west-2",), instance_profile="absent", ami="ami-0123456789")
    assert unknown["instance profile"].verdict is Verdict.PROBLEM
    assert unknown["image in us-west-2"].verdict is Verdict.PROBLEM
    assert "launch in us-west-2" not in unknown
    roleless = found(lab, regions=("us-west-2",), instance_profile="empty")
    assert "no role" in roleless["instance profile"].detail
    assert found(lab, regions=("us-west-2",))["instance profile"].verdict is Verdict.PROBLEM
    missing = job(checkpoint=CheckpointSpec(uri="s3://nobody-made-this/x"))
    assert found(lab, missing, regions=("us-west-2",))["bucket"].verdict is Verdict.PROBLEM


@slow
def test_a_region_without_the_sample_machine_is_unknown(lab: Lab) -> None:
    lab("fault", operation="DescribeInstanceTypes", code="InvalidInstanceType", times=9)
    findings = found(lab, regions=("us-west-2",))
    assert findings["image in us-west-2"].verdict is Verdict.UNKNOWN
    assert "launch in us-west-2" not in findings


@slow
def test_a_region_that_is_not_enabled_is_named(lab: Lab) -> None:
    regions = found(lab, regions=("us-west-2", "xx-nowhere-1"))["regions"]
    assert regions.verdict is Verdict.PROBLEM
    assert "xx-nowhere-1" in regions.detail


@slow
def test_a_profile_that_is_not_there_is_one_finding(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    findings = found(lab, regions=())
    assert findings.keys() == {"identity"}
    assert "AWS_PROFILE" in findings["identity"].fix


@slow
def test_a_job_is_told_where_it_would_go_and_its_quota_is_asked(lab: Lab, tmp_path: Path) -> None:
    chosen = Settings(
        state_dir=tmp_path,
        cache_dir=tmp_path / "cache",
        store=(tmp_path / "store").as_uri(),
        clouds={"aws": {"regions": list(REGIONS)}},
    )
    spec = job(
        hours=1.0,
        gpus=(GpuRequest(count=8, name="A100-80GB"),),
        where=Where(clouds=("aws",)),
        checkpoint=CheckpointSpec(size_gb=1),
    )
    checked = Check(settings=chosen, providers=("aws",), job=spec).run()
    findings = {each.finding.name: each.finding for each in checked if each.about == "job"}
    assert findings["placement"].verdict is Verdict.OK
    assert "p4de.24xlarge" in findings["placement"].detail
    asked = [name for name in findings if name.startswith("quota for p4de.24xlarge")]
    assert len(asked) == len(set(asked)) == 3
    assert lab.calls("GetServiceQuota")


# --- what the answers mean -----------------------------------------------------------------------


FORTY_HOURS = job(work=Work(hours=40))


@pytest.mark.parametrize(
    ("hours", "spec", "verdict"),
    [
        (12, None, Verdict.OK),
        (-1, None, Verdict.PROBLEM),
        (39, FORTY_HOURS, Verdict.PROBLEM),
        (41, FORTY_HOURS, Verdict.OK),
        (41, job(work=Work(hours=40), deadline=timedelta(hours=72)), Verdict.PROBLEM),
        (41, job(work=Work(hours=40), deadline=NOW + timedelta(hours=50)), Verdict.PROBLEM),
        (51, job(work=Work(hours=40), deadline=NOW + timedelta(hours=50)), Verdict.OK),
        (1, job(hours=None), Verdict.OK),
    ],
)
def test_credentials_must_last_as_long_as_the_job_may(
    hours: float, spec: JobSpec | None, verdict: Verdict
) -> None:
    until = NOW + timedelta(hours=hours)
    assert expiry(until, temporary=True, job=spec, now=NOW).verdict is verdict


def test_credentials_that_do_not_say_when_they_end() -> None:
    assert expiry(None, temporary=False, job=None, now=NOW).verdict is Verdict.OK
    assert expiry(None, temporary=True, job=None, now=NOW).verdict is Verdict.UNKNOWN
