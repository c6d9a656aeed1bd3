"""Buys GPU time for training jobs: the Python API in five verbs.

    import finsched
    decision = finsched.quote("job.yaml")

A verb is looked up when it is first used, so that `import finsched` loads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finsched.api.looking import status as status
    from finsched.api.pricing import quote as quote
    from finsched.api.running import launch as launch
    from finsched.api.running import report as report
    from finsched.api.running import stop as stop

_HOMES = {
    "quote": "finsched.api.pricing",
    "launch": "finsched.api.running",
    "status": "finsched.api.looking",
    "stop": "finsched.api.running",
    "report": "finsched.api.running",
}

__all__ = ["launch", "quote", "report", "status", "stop"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'finsched' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
