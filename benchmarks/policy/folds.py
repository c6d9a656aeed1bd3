"""Beliefs for a job from series that have nothing in common with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.policy.cases import Case, Recording
from benchmarks.policy.fitting import fit
from finsched.decide.spot.spells import Beliefs

Fold = tuple[frozenset[str], frozenset[str]]
HELD_OUT = ("period", "zone", "both")


class HeldOut:
    """Beliefs by what a job must not have seen: its periods, its zones, or either."""

    def __init__(self, recordings: Sequence[Recording], by: str) -> None:
        self._by = by
        self._recordings = {recording.name: recording for recording in recordings}
        self._fitted: dict[Fold, Beliefs] = {}

    def fold(self, case: Case) -> Fold:
        """The periods and the zones that are left out for a job."""
        own = [self._recordings[name] for name in case.traces]
        periods = frozenset(each.period for each in own if self._by != "zone")
        return periods, frozenset(each.zone for each in own if self._by != "period")

    def beliefs(self, case: Case) -> Beliefs:
        """What the other series say."""
        fold = self.fold(case)
        if fold not in self._fitted:
            self._fitted[fold] = fit(self._others(fold))
        return self._fitted[fold]

    def _others(self, fold: Fold) -> list[Recording]:
        periods, zones = fold
        return [
            recording
            for recording in self._recordings.values()
            if recording.period not in periods and recording.zone not in zones
        ]


def in_order_of(fold: Callable[[Case], Fold], cases: Sequence[Case]) -> list[Case]:
    """The jobs of one fold and setting after each other, so that plans are made once."""

    def key(case: Case) -> tuple[list[str], list[str], str, str, int, float]:
        periods, zones = fold(case)
        window = case.window
        return (
            sorted(periods),
            sorted(zones),
            window.setting,
            window.mode,
            len(window.regions),
            window.tick_s,
        )

    return sorted(cases, key=key)
