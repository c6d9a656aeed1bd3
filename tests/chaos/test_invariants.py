"""Every invariant is broken on purpose once, and the simulation has to notice."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from finsched.testing.chaos.simulation import simulate

from .breaks import BREAKS, Break


def noticed(broken: Break, seeds: Iterable[int]) -> list[str]:
    """Return what the first of these seeds that notices anything of the kind says."""
    for seed in seeds:
        with broken.made():
            violation = simulate(seed).violation
        if violation and violation.startswith(broken.noticed_by):
            return [violation]
    return []


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.what)
def test_the_simulation_notices_when(broken: Break) -> None:
    assert noticed(broken, (*broken.seeds, *range(1, 40))), f"nobody noticed: {broken.what}"


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.what)
def test_without_the_break_its_seeds_hold(broken: Break) -> None:
    assert [simulate(seed).violation for seed in broken.seeds] == [None] * len(broken.seeds)
