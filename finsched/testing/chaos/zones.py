"""The local time zone of the supervisor's machine: everything is UTC, so none may matter."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
_VARIABLE = "TZ"


def move_to(zone: str) -> None:
    """Let this process's local time be that of a zone."""
    os.environ[_VARIABLE] = zone
    time.tzset()


@contextmanager
def local_zone(zone: str) -> Iterator[None]:
    """Let local time be that of a zone for a while."""
    before = os.environ.get(_VARIABLE)
    move_to(zone)
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE)
        if before is not None:
            os.environ[_VARIABLE] = before
        time.tzset()
