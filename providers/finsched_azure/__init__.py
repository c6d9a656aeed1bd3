"""Azure: machines, spot and on demand.

A quote asks this module whether Azure can be launched on from here, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from finsched.errors import NotConfigured

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings


def provider(settings: Settings) -> Provider:  # noqa: ARG001 - see below
    """Return Azure, without a network call; raises NotConfigured naming what is missing."""
    raise NotConfigured("azure: launching is not ready", fix="quote it only")
