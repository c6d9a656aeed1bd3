"""Durations that are given as text, such as those of options."""

from __future__ import annotations

from datetime import timedelta

from finsched.errors import SpecError
from finsched.jobfile.problems import Wrong
from finsched.jobfile.units import duration


def read_duration(name: str, text: str, *, least: timedelta, example: str) -> timedelta:
    """Return a duration such as "12h"; `SpecError` names the option that holds another text."""
    try:
        return duration(least=least, example=example)(text)
    except Wrong as wrong:
        raise SpecError(f"{name} {wrong.what}", fix=wrong.fix) from wrong
