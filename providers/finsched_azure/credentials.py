"""Whether Azure credentials are configured here, told from files and variables alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SECRETS_OF_A_CLIENT = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
_VARIABLES = ("AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT")
_CHASSIS = Path("/sys/devices/virtual/dmi/id/chassis_asset_tag")
_AZURES_CHASSIS = "7783-7084-3265-9085-8269-3286-77"


def are_configured(environ: Mapping[str, str]) -> bool:
    """Say whether the SDK would find credentials; whether they are valid only Azure can say."""
    has_client = any(environ.get(name) for name in _SECRETS_OF_A_CLIENT)
    if has_client or any(environ.get(name) for name in _VARIABLES):
        return True
    return bool(_profile(environ)) or is_on_azure()


def subscription(environ: Mapping[str, str]) -> str:
    """Return the subscription that the environment names or `az` has chosen, or nothing."""
    chosen = [each for each in _profile(environ) if each.get("isDefault")]
    named = environ.get("AZURE_SUBSCRIPTION_ID", "")
    return named or next((str(each.get("id", "")) for each in chosen), "")


def is_on_azure() -> bool:
    """Say whether this is a machine of Azure, which may have an identity; only it could tell."""
    try:
        return _AZURES_CHASSIS in _CHASSIS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _profile(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the subscriptions that `az login` has written down."""
    folder = Path(environ.get("AZURE_CONFIG_DIR") or "~/.azure").expanduser()
    file = folder / "azureProfile.json"
    if not file.is_file():
        return []
    import json  # noqa: PLC0415 - a quote asks here

    try:
        listed = json.loads(file.read_text(encoding="utf-8-sig")).get("subscriptions", [])
    except (AttributeError, OSError, ValueError):
        return []
    return [each for each in listed if isinstance(each, dict)]
