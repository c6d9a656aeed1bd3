"""How long AWS is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer is waited for, and when it is asked for again.

    `settle_seconds` lie between two looks for a machine: EC2 lists a fresh one late.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    tries: int = 4
    retry_seconds: float = 1.0
    settle_seconds: float = 2.0
