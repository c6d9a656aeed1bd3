"""Whether credentials of Google Cloud are configured here, told from files and variables alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_FOLDER_VARIABLE = "CLOUDSDK_CONFIG"
_PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
_FILE = "application_default_credentials.json"
_PRODUCT = Path("/sys/class/dmi/id/product_name")


def are_configured(environ: Mapping[str, str]) -> bool:
    """Say whether Google's libraries would find credentials; if they are valid Google can say."""
    if environ.get(_FILE_VARIABLE):
        return True
    folder = environ.get(_FOLDER_VARIABLE) or "~/.config/gcloud"
    return (Path(folder).expanduser() / _FILE).is_file() or _on_compute_engine()


def project_of(environ: Mapping[str, str]) -> str:
    """Return the project that the environment names, as Google's libraries read it."""
    return next((environ[name] for name in _PROJECT_VARIABLES if environ.get(name)), "")


def _on_compute_engine() -> bool:
    """A machine of Compute Engine may have a service account; only the network could tell."""
    try:
        return _PRODUCT.read_text(encoding="ascii", errors="replace").startswith("Google")
    except OSError:
        return False
