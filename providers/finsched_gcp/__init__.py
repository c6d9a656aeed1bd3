"""GCP: machines, spot and on demand.

A quote asks this module whether GCP can be launched on from here, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from finsched.errors import NotConfigured

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings


def provider(settings: Settings) -> Provider:  # noqa: ARG001 - see below
    """Return GCP, without a network call; raises NotConfigured naming what is missing."""
    raise NotConfigured("gcp: launching is not ready", fix="quote it only")
