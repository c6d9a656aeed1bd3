"""How long a machine takes to the job's first second: the catalog's figure and our own starts."""

from __future__ import annotations

from typing import NamedTuple

from finsched.model.evidence import Evidence, Quality
from finsched.model.experience import Starts
from finsched.model.market import ProviderTerms

CATALOG_STARTS = 2
"""The catalog's figure weighs as much as two own starts: one slow start is not yet the rule."""


class Boot(NamedTuple):
    """Hours from the first billed second to the job's first one, and where that is from."""

    hours: float
    evidence: Evidence | None


def boot_of(terms: ProviderTerms, starts: Starts | None) -> Boot:
    """The mean of the catalog's figure and of own starts on the machine, if there are any."""
    listed_seconds = terms.boot.total_seconds()
    if starts is None:
        return Boot(listed_seconds / 3600, terms.boot_evidence)
    total_seconds = CATALOG_STARTS * listed_seconds + starts.seconds
    seconds = total_seconds / (CATALOG_STARTS + starts.count)
    return Boot(seconds / 3600, _evidence(starts, listed_seconds))


def _evidence(starts: Starts, listed_seconds: float) -> Evidence:
    mean_seconds = starts.seconds / starts.count
    return Evidence(
        what="boot time",
        source=f"{starts.count} own start{'' if starts.count == 1 else 's'}",
        quality=Quality.MEASURED,
        earliest=starts.first,
        latest=starts.last,
        note=f"mean {mean_seconds:.3g} s with the job's setup; the catalog's"
        f" {listed_seconds:.3g} s count as {CATALOG_STARTS} more",
    )
