"""Credentials that are lent: for one folder, for an hour, renewed in time, read by the machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from finsched.bootstrap.access import AccessRules, read_access
from finsched.bootstrap.lender import StoreLender
from finsched.bootstrap.lending import lend, mailbox_key
from finsched.bootstrap.minting import mint_google_token, mint_keys, mint_signature
from finsched.bootstrap.prepare import prepare
from finsched.bootstrap.store_place import store_place
from finsched.errors import StoreProblem
from finsched.node.clock import from_iso, to_iso, utc_now
from finsched.node.store import Store, StoreError
from finsched.node.stores.az import AzObjects
from finsched.node.web.renewed import Token
from finsched.testing.metadata import GoogleMetadata
from tests.object_stores import S3Lab

from ..node.cloud_labs import (  # noqa: TID252 - the one set
    ACCOUNT,
    LAUNCHER_TOKEN,
    NODE_TOKEN,
    AzuriteLab,
    FakeLab,
    gs_lab,
)
from .test_clouds import SAVES, Clouds, clouds

__all__ = ["clouds"]
pytestmark = pytest.mark.slow

ROLE = "arn:aws:iam::123456789012:role/lender"
LETTER = mailbox_key("r1", 1)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    """A bucket that this computer and the machines of Google reach."""
    with closing((lab := gs_lab()).server):
        monkeypatch.setenv("GOOGLE_BASE_URL", lab.server.address)
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", LAUNCHER_TOKEN)
        yield lab


@pytest.fixture
def rules(mailbox: FakeLab) -> AccessRules:
    return AccessRules(mailbox="gs://acme/mail", lender_role=ROLE)


def lent(mailbox: FakeLab) -> dict[str, Any]:
    return json.loads(mailbox.server.objects["acme", f"mail/{LETTER}"].content)


@pytest.fixture
def s3_at_home(s3: S3Lab, monkeypatch: pytest.MonkeyPatch) -> S3Lab:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    return s3


def test_a_machine_works_with_credentials_that_are_lent_to_it(
    clouds: Clouds, rules: AccessRules, mailbox: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", clouds.s3.url)
    script = prepare(clouds.request("s3", SAVES), clouds.place("gcp", access=rules))
    access_key = lent(mailbox)["access_key"]
    for secret in ("access_key", "secret_key", "session_token"):
        assert lent(mailbox)[secret] not in script
    clouds.boot("gcp", script).wait_until_off()
    assert clouds.ended("s3")["end"] == "finished", clouds.machines[0].log
    assert access_key in {call["signed_by"] for call in clouds.s3.calls()}
    for stored in clouds.store("s3").list("node"):
        assert lent(mailbox)["secret_key"].encode() not in clouds.store("s3").get(stored.key)


def test_they_are_renewed_once_half_of_their_time_is_over(
    s3_at_home: S3Lab, rules: AccessRules, mailbox: FakeLab
) -> None:
    uri = f"s3://{s3_at_home.bucket}/runs/r1"

    def renew() -> str:
        assert lend(rules, "gcp", uri, {}, LETTER)
        return str(lent(mailbox)["access_key"])

    first = renew()
    assert renew() == first
    old = {**lent(mailbox), "valid_until": to_iso(utc_now() + timedelta(minutes=29))}
    mailbox.server.put("acme", f"mail/{LETTER}", json.dumps(old).encode())
    assert renew() != first
    assert from_iso(lent(mailbox)["valid_until"]) - utc_now() > timedelta(minutes=59)


def test_nothing_is_lent_to_who_needs_nothing(rules: AccessRules, mailbox: FakeLab) -> None:
    assert not lend(rules, "aws", "s3://acme/runs/r1", {}, LETTER)
    assert not lend(rules, "aws", "file:///runs/r1", {}, LETTER)
    assert not lend(AccessRules(), "gcp", "s3://acme/runs/r1", {}, LETTER)
    assert not mailbox.calls()


def test_a_mailbox_that_cannot_be_written_is_told(
    s3_at_home: S3Lab, rules: AccessRules, mailbox: FakeLab
) -> None:
    mailbox.fault(method="PUT", times=9, status=403, code="AccessDenied")
    with pytest.raises(StoreProblem, match="no credentials could be lent"):
        lend(rules, "gcp", f"s3://{s3_at_home.bucket}/runs/r1", {}, LETTER)


def test_keys_of_aws_are_for_one_folder(s3_at_home: S3Lab) -> None:
    """moto takes the policy and does not enforce it: what is asked for is compared."""
    place = store_place(f"s3://{s3_at_home.bucket}/runs/r1", {})
    keys = mint_keys(place, s3_at_home.bucket)
    assert keys["session_token"]
    asked = next(call for call in s3_at_home.calls("POST") if call["service"] == "sts")
    assert asked["path"] == "/"


def test_a_signature_of_azure_opens_one_container(
    azurite: AzuriteLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azurite checks the signature with the user's delegation key, as Azure does."""
    options = {"account_name": ACCOUNT, "endpoint": f"{azurite.address}/{ACCOUNT}"}
    uri = f"az://{azurite.container}/runs"
    given = mint_signature(
        store_place(uri, options), azurite.container, ACCOUNT, Token(azurite.token)
    )
    with closing(GoogleMetadata("finsched-1")) as metadata, closing((box := gs_lab()).server):
        metadata.lend(NODE_TOKEN)
        monkeypatch.setenv("FINSCHED_METADATA_URL", metadata.url)
        access = {
            "cloud": "gcp",
            "by": "lent",
            "identity": "",
            "mailbox": {
                "scheme": "gs",
                "address": box.server.address,
                "region": "",
                "path": "/acme/letter",
            },
        }
        own = {**os.environ, "FINSCHED_ACCESS": json.dumps(access)}
        box.server.put("acme", "letter", json.dumps(given).encode())
        store = Store(uri, options, opener=lambda uri, options: AzObjects(uri, options, own))
        assert store.create("log/1", b"x")
        assert not store.create("log/1", b"y")
        store.upload("parts/1", (bytes(1 << 20) for _ in range(20)))
        assert [each.key for each in store.list("log")] == ["log/1"]
        store.delete("log/1")
        forged = {**given, "token": given["token"].replace("sp=rcwdl", "sp=rwdlc")}
        box.server.put("acme", "letter", json.dumps(forged).encode())
        other = Store(uri, options, opener=lambda uri, options: AzObjects(uri, options, own))
        with pytest.raises(StoreError, match="no permission 403"):
            other.get("parts/1")


def test_a_token_of_google_is_narrowed_to_the_folder(clouds: Clouds) -> None:
    place = store_place("gs://acme/runs/r1", {})
    clouds.services.expected = "a wide token"
    given = mint_google_token(place, "acme", Token("a wide token"), clouds.services.url)
    assert given["token"] == NODE_TOKEN
    [rule] = clouds.services.boundaries[0]["accessBoundary"]["accessBoundaryRules"]
    assert rule["availableResource"].endswith("/buckets/acme")
    assert "objects/runs/r1" in rule["availabilityCondition"]["expression"]
    with pytest.raises(StoreError, match="Google lends no token: 400"):
        mint_google_token(place, "acme", Token("another"), clouds.services.url)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("gs://acme", "is not a table"),
        ({"ftp": {}}, "has no ftp"),
        ({"s3": {"role": "x"}}, "s3 has no role"),
        ({"s3": {}}, "s3 lacks role_arn"),
        ({"az": {"tenant_id": 1}}, "az is not a table of texts"),
        ({"mailbox": 1}, "mailbox are not texts"),
    ],
)
def test_wrong_settings_are_told_in_words(table: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        read_access(table)


def test_right_settings_are_read() -> None:
    rules = read_access({"s3": {"role_arn": ROLE}, "mailbox": "gs://acme/mail"})
    assert rules.s3 is not None
    assert (rules.s3.role_arn, rules.mailbox) == (ROLE, "gs://acme/mail")


def test_a_lender_looks_once_in_a_while(
    s3_at_home: S3Lab, rules: AccessRules, mailbox: FakeLab
) -> None:
    lender = StoreLender("gcp", rules)
    for _ in range(3):
        lender.renew("r1", 1, f"s3://{s3_at_home.bucket}/runs/r1")
    assert lent(mailbox)["access_key"]
    assert len(mailbox.calls("GET")) == 1
    StoreLender("gcp", AccessRules()).renew("r1", 2, "s3://nobody/asked")
