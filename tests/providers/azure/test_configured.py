"""Whether Azure can be used here is told without a network call and without the SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import finsched_azure
from finsched import settings
from finsched.errors import NotConfigured, SpecError
from finsched_azure.credentials import are_configured, is_on_azure, subscription
from finsched_azure.settings import AzureSettings, azure_settings

from .cloud import IDENTITY, SUBSCRIPTION

needs_no_identity = pytest.mark.skipif(is_on_azure(), reason="this is a machine of Azure")


def signed_in(folder: Path, *listed: Any, text: str | None = None) -> dict[str, str]:
    """Return variables that point to what `az login` writes, with the mark that it begins with."""
    content = json.dumps({"subscriptions": list(listed)}) if text is None else text
    (folder / "azureProfile.json").write_text(content, encoding="utf-8-sig")
    return {"AZURE_CONFIG_DIR": str(folder)}


CHOSEN = {"id": SUBSCRIPTION, "isDefault": True}
OTHER = {"id": "another", "isDefault": False}


@needs_no_identity
@pytest.mark.parametrize(
    "environ",
    [{}, {"AZURE_CLIENT_ID": "x"}, {"AZURE_CLIENT_SECRET": ""}, {"AZURE_TENANT_ID": "x"}],
)
def test_nothing_is_configured(tmp_path: Path, environ: dict[str, str]) -> None:
    assert not are_configured({"AZURE_CONFIG_DIR": str(tmp_path), **environ})


@needs_no_identity
@pytest.mark.parametrize("text", ["", "not JSON", "[]", '{"subscriptions": []}', '{"x": 1}'])
def test_a_profile_that_says_nothing_configures_nothing(tmp_path: Path, text: str) -> None:
    assert not are_configured(signed_in(tmp_path, text=text))


@pytest.mark.parametrize(
    "variable",
    [
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "AZURE_FEDERATED_TOKEN_FILE",
        "IDENTITY_ENDPOINT",
        "MSI_ENDPOINT",
    ],
)
def test_variables_configure_it(tmp_path: Path, variable: str) -> None:
    assert are_configured({"AZURE_CONFIG_DIR": str(tmp_path), variable: "x"})


def test_signing_in_configures_it_and_chooses_a_subscription(tmp_path: Path) -> None:
    environ = signed_in(tmp_path, OTHER, CHOSEN)
    assert are_configured(environ)
    assert subscription(environ) == SUBSCRIPTION
    assert subscription({**environ, "AZURE_SUBSCRIPTION_ID": "named"}) == "named"
    assert subscription(signed_in(tmp_path, OTHER)) == ""


@needs_no_identity
def test_the_provider_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = settings.load({"FINSCHED_STATE_DIR": str(tmp_path)})
    with pytest.raises(NotConfigured, match="no credentials") as caught:
        finsched_azure.provider(chosen)
    assert "az login" in str(caught.value.fix)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "canary")
    with pytest.raises(NotConfigured, match="no subscription") as caught:
        finsched_azure.provider(chosen)
    assert "azure.subscription" in str(caught.value.fix)


WITH = """
import sys
import finsched_azure
from finsched import settings
provider = finsched_azure.provider(settings.load({"FINSCHED_STATE_DIR": "/nowhere"}))
parts = [provider.compute, provider.inventory, provider.capacity, provider.checks]
print(provider.name, all(parts), provider.notices, list(provider.prices.offers()))
print([name for name in ("azure.core", "azure.mgmt.compute", "tenacity") if name in sys.modules])
"""


def test_a_configured_provider_has_its_parts_and_has_not_loaded_the_sdk() -> None:
    command = [sys.executable, "-c", WITH]
    environ = {
        "AZURE_CLIENT_SECRET": "x",
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "HOME": "/nowhere",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.stdout.splitlines() == ["azure True None []", "[]"], done.stderr


# --- settings ------------------------------------------------------------------------------------


def test_an_empty_table_is_the_defaults() -> None:
    assert azure_settings({}) == AzureSettings()


def test_a_whole_table_is_read() -> None:
    subnet = f"/subscriptions/{SUBSCRIPTION}/x/subnets/nodes"
    read = azure_settings(
        {
            "subscription": SUBSCRIPTION,
            "regions": ["eastus"],
            "identity": IDENTITY + "/",
            "subnets": {"eastus": subnet},
            "image": "canonical:ubuntu-24_04-lts:server:latest",
            "endpoint": "https://management.usgovcloudapi.net/",
        }
    )
    assert read == AzureSettings(
        subscription=SUBSCRIPTION,
        regions=("eastus",),
        identity=IDENTITY,
        subnets={"eastus": subnet},
        image="canonical:ubuntu-24_04-lts:server:latest",
        endpoint="https://management.usgovcloudapi.net",
    )


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"region": ["eastus"]}, "has no region"),
        ({"identity": "finsched-node"}, "identity is not a resource id"),
        ({"subnets": {"eastus": "subnet-1"}}, "subnets is not a resource id"),
        ({"subnets": ["x"]}, "subnets is not a table"),
        ({"image": "ubuntu:latest"}, "image is not publisher:offer:sku:version"),
        ({"image": "a:b::d"}, "image is not publisher:offer:sku:version"),
        ({"endpoint": "management.azure.com"}, "endpoint is not an address"),
        ({"regions": "eastus"}, "regions is not a list"),
    ],
)
def test_what_is_wrong_names_its_key(table: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        azure_settings(table)
