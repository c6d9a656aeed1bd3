"""Whether AWS can be used here is told without a network call and without the SDK."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import finsched_aws
from finsched import settings
from finsched.errors import NotConfigured
from finsched_aws.credentials import are_configured

HAS_NO_ROLE = not are_configured({"HOME": "/nowhere", "AWS_CONFIG_FILE": "/none"})
needs_no_role = pytest.mark.skipif(not HAS_NO_ROLE, reason="this machine is one of EC2")


def files(folder: Path, **contents: str) -> dict[str, str]:
    """Return variables that point to files of credentials; what is not given is not there."""
    variables = {"credentials": "AWS_SHARED_CREDENTIALS_FILE", "config": "AWS_CONFIG_FILE"}
    for name, content in contents.items():
        (folder / name).write_text(content)
    return {variable: str(folder / name) for name, variable in variables.items()}


@needs_no_role
@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"config": "[default]\nregion = us-west-2\n"},
        {"credentials": "", "config": ""},
        {"config": "[profile acme]\noutput = json\n"},
    ],
    ids=["no files", "a region only", "empty files", "a profile without credentials"],
)
def test_nothing_is_configured(tmp_path: Path, contents: dict[str, str]) -> None:
    assert not are_configured(files(tmp_path, **contents))


@pytest.mark.parametrize(
    "contents",
    [
        {"credentials": "[default]\naws_access_key_id = x\naws_secret_access_key = a%b\n"},
        {"config": "[profile acme]\nsso_session = acme\n"},
        {"config": "[profile acme]\nrole_arn = arn:aws:iam::1:role/x\n"},
        {"config": "[default]\ncredential_process = /bin/creds\n"},
        {"config": "[default]\nlogin_session = arn:aws:iam::1:user/x\n"},
        {"config": "not a config file"},
    ],
    ids=["keys", "single sign-on", "a role", "a process", "a login", "broken: boto3 will say"],
)
def test_files_configure_it(tmp_path: Path, contents: dict[str, str]) -> None:
    assert are_configured(files(tmp_path, **contents))


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ],
)
def test_variables_configure_it(tmp_path: Path, variable: str) -> None:
    assert are_configured(files(tmp_path) | {variable: "x"})


@needs_no_role
def test_the_provider_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, value in files(tmp_path).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with pytest.raises(NotConfigured, match="no credentials") as caught:
        finsched_aws.provider(settings.load({"FINSCHED_STATE_DIR": str(tmp_path)}))
    assert "aws configure" in str(caught.value.fix)


WITH = """
import sys
import finsched_aws
from finsched import settings
provider = finsched_aws.provider(settings.load({"FINSCHED_STATE_DIR": "/nowhere"}))
parts = [provider.compute, provider.notices, provider.inventory]
print(provider.name, all(parts), list(provider.prices.offers()), provider.prices.terms().notice)
print([name for name in ("boto3", "botocore", "tenacity") if name in sys.modules])
"""


def test_a_configured_provider_has_its_parts_and_has_not_loaded_the_sdk() -> None:
    command = [sys.executable, "-c", WITH]
    environ = {"AWS_ACCESS_KEY_ID": "x", "HOME": "/nowhere"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.stdout.splitlines() == ["aws True [] 0:02:00", "[]"], done.stderr
