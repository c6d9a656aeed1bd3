"""`finsched check azure` against an emulated subscription, and what its answers mean."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from finsched.bootstrap.access import AccessRules, AwsRole
from finsched.errors import NotConfigured
from finsched.model.job import CheckpointSpec, JobSpec
from finsched.provider import Finding, Verdict
from finsched.testing.builders import job
from finsched_azure import permissions
from finsched_azure.api import Api
from finsched_azure.checks import AzureChecks, holder

from .cloud import IDENTITY, LOW_PRIORITY, SUBSCRIPTION, Size
from .conftest import PATIENCE, Lab

slow = pytest.mark.slow
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
CLAIMS = {"upn": "ann@acme.example", "oid": "0000"}


class Credential:
    """A credential of the SDK's own kind."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip("=")
        return AccessToken(f"head.{body}.canary-signature", int(time.time()) + 3600)


def found(lab: Lab, spec: JobSpec | None = None, **settings: Any) -> dict[str, Finding]:
    checks = lab.provider(**settings).checks
    assert checks
    return {finding.name: finding for finding in checks.run(spec)}


@slow
def test_a_subscription_that_is_set_up_has_no_problem(lab: Lab) -> None:
    spec = job(checkpoint=CheckpointSpec(uri="az://ckpt/llama"))
    findings = found(lab, spec, regions=("eastus",))
    told = {name: each.detail for name, each in findings.items() if each.verdict != "ok"}
    assert told.keys() <= {"credentials", "store"}, told
    assert findings.keys() == {
        "credentials",
        "subscription",
        "clock",
        "Microsoft.Compute",
        "Microsoft.Network",
        "permissions",
        "identity",
        "image in eastus",
        "machines in eastus",
        "quota in eastus",
        "store",
    }
    assert SUBSCRIPTION in findings["subscription"].detail
    assert "22.04.2026010101" in findings["image in eastus"].detail
    assert "sizes with GPUs are open" in findings["machines in eastus"].detail
    assert "400 vCPUs on spot" in findings["quota in eastus"].detail


@slow
def test_nothing_is_made(lab: Lab) -> None:
    found(lab)
    assert {call.method for call in lab.arm.calls} == {"GET"}


@slow
def test_without_tls_no_token_is_sent(lab: Lab) -> None:
    finding = found(lab)["credentials"]
    assert finding.verdict is Verdict.UNKNOWN
    assert "no TLS" in finding.detail
    with pytest.raises(NotConfigured, match="no TLS"):
        Api(lab.settings(), PATIENCE, credential=Credential()).token()


def test_whose_token_it_is_is_told_without_the_token() -> None:
    from finsched_azure.settings import AzureSettings

    settings = AzureSettings(subscription=SUBSCRIPTION)
    api = Api(settings, PATIENCE, credential=Credential())
    finding = AzureChecks(api, settings)._credentials()
    assert (finding.verdict, finding.detail) == (Verdict.OK, "ann@acme.example")


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "a.e30.c", "a.bnVsbA.c"])
def test_a_token_of_another_form_is_no_problem(token: str) -> None:
    assert holder(token)


@slow
@pytest.mark.parametrize(
    ("path", "code", "name", "verdict"),
    [
        (f"/{SUBSCRIPTION}$", "SubscriptionNotFound", "subscription", Verdict.PROBLEM),
        (f"/{SUBSCRIPTION}$", "TooManyRequests", "subscription", Verdict.UNKNOWN),
        ("/permissions$", "AuthorizationFailed", "permissions", Verdict.PROBLEM),
        ("/userAssignedIdentities/", "AuthorizationFailed", "identity", Verdict.UNKNOWN),
        ("/userAssignedIdentities/", "ResourceNotFound", "identity", Verdict.PROBLEM),
        ("/versions$", "ServiceUnavailable", "image in eastus", Verdict.UNKNOWN),
        ("/skus$", "AuthorizationFailed", "machines in eastus", Verdict.PROBLEM),
        ("/usages$", "AuthorizationFailed", "quota in eastus", Verdict.PROBLEM),
    ],
)
def test_a_refusal_is_told_with_its_fix(
    lab: Lab, path: str, code: str, name: str, verdict: Verdict
) -> None:
    lab.arm.fault("GET", path, times=99, status=400, code=code)
    finding = found(lab, regions=("eastus",))[name]
    assert finding.verdict is verdict
    assert finding.fix


@slow
def test_what_is_not_ready_is_said(lab: Lab) -> None:
    lab.arm.account.providers["Microsoft.Compute"] = "NotRegistered"
    lab.arm.account.state = "Warned"
    lab.arm.account.skew_seconds = -600
    lab.arm.cloud.limits = {LOW_PRIORITY: 0, "cores": 0}
    lab.arm.cloud.sizes = (Size("Standard_NC24ads_A100_v4", "f", 24, 1, closed=True),)
    findings = found(lab, identity="", regions=("eastus",))
    problems = {name for name, each in findings.items() if each.verdict is Verdict.PROBLEM}
    assert problems == {
        "subscription",
        "clock",
        "Microsoft.Compute",
        "identity",
        "machines in eastus",
        "quota in eastus",
    }
    assert "az provider register" in findings["Microsoft.Compute"].fix
    assert "ahead of Azure" in findings["clock"].detail
    assert "Standard_NC24ads_A100_v4" in findings["machines in eastus"].detail


@slow
def test_what_may_not_be_done_is_named(lab: Lab) -> None:
    lab.arm.account.actions = [
        action for action in permissions.ACTIONS if "publicIPAddresses" not in action
    ]
    detail = found(lab)["permissions"].detail
    assert "Microsoft.Network/publicIPAddresses/write" in detail


@pytest.mark.parametrize(
    ("granted", "lacks"),
    [
        ([{"actions": ["*"], "notActions": []}], 0),
        ([{"actions": ["*"], "notActions": ["Microsoft.Compute/disks/*"]}], 3),
        ([{"actions": ["*/READ"]}, {"actions": ["microsoft.compute/*"]}], None),
        ([], len(permissions.ACTIONS)),
    ],
)
def test_permissions_are_patterns(granted: list[dict[str, Any]], lacks: int | None) -> None:
    lacking = list(permissions.missing(granted))
    if lacks is None:
        assert "Microsoft.Compute/virtualMachines/write" not in lacking
        assert "Microsoft.Network/virtualNetworks/write" in lacking
    else:
        assert len(lacking) == lacks


@slow
def test_an_identity_of_another_subscription_cannot_be_looked_at(lab: Lab) -> None:
    other = IDENTITY.replace(SUBSCRIPTION, "99999999-1111-2222-3333-444444444444")
    assert found(lab, identity=other)["identity"].verdict is Verdict.UNKNOWN


@slow
@pytest.mark.parametrize(
    ("uri", "access", "verdict"),
    [
        ("s3://ckpt/llama", AccessRules(), Verdict.PROBLEM),
        ("s3://ckpt/llama", AccessRules(s3=AwsRole(role_arn="arn:x")), Verdict.OK),
        ("file:///ckpt", AccessRules(), Verdict.PROBLEM),
    ],
)
def test_a_store_that_a_machine_cannot_reach_is_a_problem(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, uri: str, access: AccessRules, verdict: Verdict
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    spec = job(checkpoint=CheckpointSpec(uri=uri))
    finding = found(lab, spec, access=access)["store"]
    assert finding.verdict is verdict, finding
