"""Whether GCP can be used here is told without a network call and without the SDK."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import finsched_gcp
from finsched import settings
from finsched.errors import NotConfigured, SpecError
from finsched_gcp.credentials import are_configured, project_of
from finsched_gcp.settings import IMAGE, gcp_settings

IS_ELSEWHERE = not are_configured({"CLOUDSDK_CONFIG": "/nowhere"})
elsewhere = pytest.mark.skipif(not IS_ELSEWHERE, reason="this machine is one of Google's")


@elsewhere
def test_a_file_or_a_variable_configures_it(tmp_path: Path) -> None:
    environ = {"CLOUDSDK_CONFIG": str(tmp_path)}
    assert not are_configured(environ)
    assert are_configured(environ | {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"})
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert are_configured(environ)


def test_the_project_is_read_as_googles_libraries_read_it() -> None:
    assert project_of({}) == ""
    assert project_of({"GCLOUD_PROJECT": "old"}) == "old"
    assert project_of({"GCLOUD_PROJECT": "old", "GOOGLE_CLOUD_PROJECT": "new"}) == "new"


@elsewhere
@pytest.mark.parametrize(
    ("variables", "message", "fix"),
    [
        ({}, "no credentials", "gcloud auth application-default login"),
        ({"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}, "no project", "gcp.project"),
    ],
)
def test_the_provider_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    message: str,
    fix: str,
) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NotConfigured, match=message) as caught:
        finsched_gcp.provider(settings.load({"FINSCHED_STATE_DIR": str(tmp_path)}))
    assert fix in str(caught.value.fix)


WITH = """
import os, sys
os.environ |= {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json", "GOOGLE_CLOUD_PROJECT": "acme"}
import finsched_gcp
from finsched import settings
provider = finsched_gcp.provider(settings.load({"FINSCHED_STATE_DIR": "/nowhere"}))
parts = [provider.compute, provider.inventory, provider.checks, provider.capacity]
print(provider.name, all(parts), list(provider.prices.offers()), provider.prices.terms().notice)
heavy = {"google", "requests", "grpc", "tenacity", "obstore"}
print([name for name in sys.modules if name.split(".")[0] in heavy])
"""


def test_a_configured_provider_has_its_parts_and_has_not_loaded_the_sdk() -> None:
    pytest.importorskip("google.cloud.compute_v1", reason="needs pip install 'finsched[gcp]'")
    command = [sys.executable, "-c", WITH]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "gcp True [] 0:00:30\n[]\n"


# --- the table [gcp] -----------------------------------------------------------------------------


def test_the_table_is_read() -> None:
    table = {
        "project": "acme",
        "regions": ["us-central1"],
        "subnets": {"us-central1": "with-nat"},
        "service_account": "node@acme",
        "access": {"s3": {"role_arn": "arn:aws:iam::1:role/x"}},
    }
    chosen = gcp_settings(table)
    assert chosen.regions == ("us-central1",)
    assert chosen.subnets == {"us-central1": "with-nat"}
    assert chosen.image == IMAGE
    assert chosen.access.s3
    assert chosen.access.s3.role_arn == "arn:aws:iam::1:role/x"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"region": "us-central1"}, "[gcp] has no region"),
        ({"project": 3}, "[gcp] project is not a text"),
        ({"subnets": {"us-central1": 1}}, "[gcp] subnets is not a text"),
        ({"access": {"ftp": {}}}, "[gcp] access has no ftp"),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        gcp_settings(table)
    assert message in raised.value.message
    assert raised.value.fix
