"""Reads the JSON that others left in a store; what is no such document is a ValueError."""

from __future__ import annotations

import json
from typing import Any


def read_document(content: bytes) -> dict[str, Any]:
    """Return the JSON object that an object of a store holds; raises ValueError."""
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - nor is it our mistake
    return document


def text(value: object) -> str:
    """Return a text that can be written down; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.20} is no text")  # noqa: TRY004 - of a document, not of ours
    value.encode()  # half a surrogate pair is none
    return value


def count(value: object) -> int:
    """Return a whole number that is not negative; raises ValueError."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.20} is no count")
    return value


def share(value: object) -> float | None:
    """Return a share from 0 to 1, or None; raises ValueError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{value!r:.20} is no share")
    return float(value)


def seconds(value: object) -> float:
    """Return a length of time; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        raise ValueError(f"{value!r:.20} is no length of time")
    return float(value)
