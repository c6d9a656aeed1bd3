"""How long Google Cloud is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer is waited for, and when it is asked for again.

    An operation, such as the making of a machine, is looked at every `look_seconds` at first, later
    less often, for `operation_seconds` at most.
    """

    read_seconds: float = 20.0
    tries: int = 4
    retry_seconds: float = 1.0
    look_seconds: float = 0.5
    longest_look_seconds: float = 3.0
    operation_seconds: float = 600.0
    settle_seconds: float = 2.0
