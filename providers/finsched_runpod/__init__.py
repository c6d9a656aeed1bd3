"""RunPod: GPUs by the hour, in data centres and at private people's; quoted, not launched yet.

A quote asks this module whether RunPod is set up here, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from finsched.errors import NotConfigured

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings

KEY_VARIABLE = "RUNPOD_API_KEY"


def provider(settings: Settings) -> Provider:
    """Return RunPod, without a network call; raises NotConfigured naming what is missing."""
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        fix = "make a key in RunPod's console that may read; it is used to ask for prices"
        raise NotConfigured(f"runpod: {KEY_VARIABLE} is not set", fix=fix)
    from finsched_runpod.prices import assemble  # noqa: PLC0415 - only with a key

    return assemble(settings.clouds.get("runpod", {}), key)
