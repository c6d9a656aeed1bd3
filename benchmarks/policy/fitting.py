"""Beliefs about spells, counted on series of recorded availability."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.policy.cases import Recording
from finsched.decide.spot.spells import AGE_EDGES_S, AGES, STEP_S, UNSEEN_AGE_S, Beliefs

_BLIND_STEPS = 72 * 6  # a job of three days, that saw no spell begin before its own start
_STARTS_EVERY = 24
_RAREST, _COMMONEST = 0.02, 0.995  # a pool that is nearly never or always up has no spells to count

Counts = NDArray[np.float64]
Flags = NDArray[np.bool_]


class _Tally:
    """Steps by (down or up, age class): all of them, those that end a spell, those that age it."""

    def __init__(self) -> None:
        self.all, self.ends, self.grows = (np.zeros((2, AGES)) for _ in range(3))

    def count(self, windows: Flags, share: float) -> None:
        """Count windows that begin blind; `share` is their weight together, however many."""
        age_s, weight = np.full(len(windows), UNSEEN_AGE_S), share / windows.size
        for now, later in zip(windows.T[:-1], windows.T[1:], strict=True):
            where = (now.astype(int), _classes(age_s))
            flips = now != later
            age_s = np.where(flips, 0.0, age_s + STEP_S)
            np.add.at(self.all, where, weight)
            np.add.at(self.ends, where, weight * flips)
            np.add.at(self.grows, where, weight * (_classes(age_s) > where[1]))


def fit(
    recordings: Iterable[Recording], share_of: Callable[[Recording], float] = lambda _: 1.0
) -> Beliefs:
    """The chances by age class; every series has the same weight unless told."""
    tally = _Tally()
    for recording in recordings:
        flags = _in_steps(recording)
        if len(flags) >= _BLIND_STEPS and _RAREST < flags.mean() < _COMMONEST:
            windows = np.lib.stride_tricks.sliding_window_view(flags, _BLIND_STEPS)
            tally.count(windows[::_STARTS_EVERY], share_of(recording))
    seen = np.maximum(tally.all, 1e-12)
    ends, grows = tally.ends / seen, tally.grows / seen
    return Beliefs(
        up_ends=_rounded(ends[1]),
        up_grows=_rounded(grows[1]),
        down_ends=_rounded(ends[0]),
        down_grows=_rounded(grows[0]),
        up_share=_rounded(tally.all[1] / tally.all.sum()),
        down_ends_mean=_rounded([tally.ends[0].sum() / tally.all[0].sum()])[0],
    )


def _in_steps(recording: Recording) -> Flags:
    """The series as it would have been, looked at once a step."""
    flags = np.asarray(recording.available, bool)
    steps = int(len(flags) * recording.tick_s // STEP_S)
    in_steps: Flags = flags[(np.arange(steps) * STEP_S // recording.tick_s).astype(int)]
    return in_steps


def _classes(age_s: Counts) -> NDArray[np.intp]:
    return np.searchsorted(AGE_EDGES_S, age_s, side="right")


def _rounded(chances: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(chance), 4) for chance in chances)
