"""Google's libraries, imported on use: they take a second or more, and no quote needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def module(name: str) -> Any:
    """Import a module of theirs; the libraries are only partly typed."""
    return import_module(name)
