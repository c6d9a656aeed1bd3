"""How long Azure is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer is waited for, and when it is asked for again.

    `operation_seconds` lie between two looks at an operation that goes on, `create_seconds` are
    the longest that a machine's creation is watched. `settle_seconds` lie between two looks for a
    machine, and within `grace_seconds` of its launch one that was never listed is not gone.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    tries: int = 4
    retry_seconds: float = 1.0
    operation_seconds: float = 1.0
    create_seconds: float = 900.0
    delete_seconds: float = 120.0
    settle_seconds: float = 5.0
    grace_seconds: float = 60.0
