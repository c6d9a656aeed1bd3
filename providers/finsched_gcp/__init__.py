"""GCP: machines of Compute Engine, spot and on demand.

A quote asks this module whether GCP can be launched on from here, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from finsched.errors import NotConfigured
from finsched_gcp.credentials import are_configured, project_of

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings


def provider(settings: Settings) -> Provider:
    """Return GCP, without a network call; raises NotConfigured naming what is missing."""
    if not _is_installed():
        raise NotConfigured("gcp needs google-cloud-compute", fix="pip install 'finsched[gcp]'")
    if not are_configured(os.environ):
        raise NotConfigured(
            "gcp: no credentials are configured here",
            fix="run `gcloud auth application-default login`, or name a key file in"
            " GOOGLE_APPLICATION_CREDENTIALS",
        )
    table = settings.clouds.get("gcp", {})
    if not (table.get("project") or project_of(os.environ)):
        raise NotConfigured(
            "gcp: no project is named",
            fix="name one as gcp.project in the settings, or set GOOGLE_CLOUD_PROJECT",
        )
    from finsched_gcp.assembly import assemble  # noqa: PLC0415 - only where GCP can be used
    from finsched_gcp.settings import gcp_settings  # noqa: PLC0415

    return assemble(gcp_settings({"project": project_of(os.environ), **table}))


def _is_installed() -> bool:
    """Look for the library on the disk: asking Python for it would import its parents."""
    found = find_spec("google")
    folders = (found and found.submodule_search_locations) or ()
    return any((Path(folder) / "cloud" / "compute_v1").is_dir() for folder in folders)
