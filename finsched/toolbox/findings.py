"""What the checks of all clouds say in the same way; each function makes one finding."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.errors import NoAnswer, ProviderProblem, Throttled
from finsched.provider import Finding, Verdict

MOST_SKEW = timedelta(seconds=60)
_CANNOT_TELL = (NoAnswer, Throttled)


def ok(name: str, detail: str) -> Finding:
    """Say that it is well."""
    return Finding(name=name, verdict=Verdict.OK, detail=detail)


def wrong(name: str, detail: str, fix: str) -> Finding:
    """Say what is in the way, and what to do about it."""
    return Finding(name=name, verdict=Verdict.PROBLEM, detail=detail, fix=fix)


def unknown(name: str, detail: str, fix: str = "") -> Finding:
    """Say why nobody can tell."""
    return Finding(name=name, verdict=Verdict.UNKNOWN, detail=detail, fix=fix)


def failed(name: str, why: ProviderProblem) -> Finding:
    """Say that the cloud refused; where it only did not answer, nobody can tell."""
    finding = unknown if isinstance(why, _CANNOT_TELL) else wrong
    return finding(name, why.message, why.fix or "")


def clock(told: str | None, now: datetime, cloud: str) -> Finding:
    """Judge this computer's clock by the date of a cloud's answer, which is whole seconds."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - a quote loads this module

    if told is None:
        return unknown("clock", f"{cloud} told no time")
    skew = now - parsedate_to_datetime(told)
    seconds = skew.total_seconds()
    if abs(skew) <= MOST_SKEW:
        return ok("clock", f"within {max(abs(seconds), 1.0):.0f} s of {cloud}")
    ahead = "ahead of" if seconds > 0 else "behind"
    text = f"{abs(seconds):.0f} s {ahead} {cloud}; leases and credentials depend on it"
    return wrong("clock", text, "set this computer's clock, for example with NTP")
