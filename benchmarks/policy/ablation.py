"""What each idea of the adaptive policy gives: the mean excess without it.

Run: `python -m benchmarks.policy.ablation --traces DIR --windows FILE --stored ref`. The last row
gives something that cannot be had: chances fitted on the very pools that are then used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.policy.cases import Case, Recording, read_cases
from benchmarks.policy.fitting import fit
from benchmarks.policy.replays import STORED_AS, cost_of, costs_of, stored
from benchmarks.policy.scores import FORESIGHT, Scores
from finsched.decide.spot.adaptive import Adaptive, _View
from finsched.decide.spot.spells import AGES, MEASURED, STEP_S, Beliefs

_OWN_SHARE = 5.0  # of the weight of all other series together


class Roaming(Adaptive):
    """Only the plan over all regions, which pays egress for every start."""

    def _make_views(self) -> Iterator[_View]:
        yield next(super()._make_views())


def ageless(beliefs: Beliefs) -> Beliefs:
    """One chance for every up spell and one for every down spell, whatever its age."""
    ends = beliefs.losses_per_hour_up * STEP_S / 3600
    comes = beliefs.down_ends_mean
    return replace(
        beliefs,
        up_ends=(ends,) * AGES,
        up_grows=tuple(min(grow, 1 - ends) for grow in beliefs.up_grows),
        down_ends=(comes,) * AGES,
        down_grows=tuple(min(grow, 1 - comes) for grow in beliefs.down_grows),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the mean excess with and without each idea."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--windows", type=Path, required=True)
    parser.add_argument("--stored", required=True, help="the key of a window's stored costs")
    asked = parser.parse_args(arguments)
    cases, recordings = read_cases(asked.traces, asked.windows, asked.stored)
    print_scores(cases, rows(cases, recordings))


def rows(cases: Sequence[Case], recordings: Sequence[Recording]) -> dict[str, dict[str, float]]:
    """Costs by what was changed; beliefs from all series."""
    return {
        "adaptive": costs_of(cases, Adaptive),
        "one chance for all ages": costs_of(cases, partial(Adaptive, beliefs=ageless(MEASURED))),
        "no plans by region": costs_of(cases, Roaming),
        "knows the pools": costs_knowing(cases, recordings),
    }


def costs_knowing(cases: Sequence[Case], recordings: Sequence[Recording]) -> dict[str, float]:
    """Costs with beliefs that come mostly from the very series of the job."""
    known: dict[tuple[str, ...], Beliefs] = {}
    costs = {}
    for case in sorted(cases, key=lambda case: (case.traces, case.window.setting)):
        if case.traces not in known:
            known[case.traces] = beliefs_about(case.traces, recordings)
        costs[case.window.id] = cost_of(case, partial(Adaptive, beliefs=known[case.traces]))
    return costs


def beliefs_about(names: Sequence[str], recordings: Sequence[Recording]) -> Beliefs:
    """What the series of these pools say, with a little of all others where they say nothing."""
    own = _OWN_SHARE * len(recordings) / len(names)
    return fit(recordings, lambda recording: own if recording.name in names else 1.0)


def print_scores(cases: Sequence[Case], costs: dict[str, dict[str, float]]) -> None:
    """The mean excess of every row, with its interval."""
    scores = Scores(cases, costs | {FORESIGHT: stored(cases, STORED_AS[FORESIGHT])})
    for name in scores.policies:
        excess = scores.excess(name)
        low, high = excess.interval
        print(f"{name:<26}{excess.value:>8.4f} ({low:.4f} - {high:.4f})")


if __name__ == "__main__":
    main()
