"""Vast.ai: a market of many hosts; the lowest verified ask is quoted, and not launched yet.

A quote asks this module whether Vast.ai is set up here, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from finsched.errors import NotConfigured

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings

KEY_VARIABLE = "VAST_API_KEY"


def provider(settings: Settings) -> Provider:
    """Return Vast.ai, without a network call; raises NotConfigured naming what is missing."""
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        fix = "make a key in Vast.ai's console; it is used to ask for prices"
        raise NotConfigured(f"vast: {KEY_VARIABLE} is not set", fix=fix)
    from finsched_vast.prices import assemble  # noqa: PLC0415 - only with a key

    return assemble(settings.clouds.get("vast", {}), key)
