"""The last bugs that the simulation found, each put back under the seed that finds it."""

from __future__ import annotations

import pytest

from finsched.testing.chaos.simulation import simulate

from .breaks import BREAKS

_BY_NAME = {broken.what: broken for broken in BREAKS}
FOUND = [
    ("a store that is away for a moment makes the wait for a silent node begin anew", 12000807),
    ("a machine that nobody sees counts as ended when it is given up", 6000181),
    ("a machine that could not be switched off is tried again at the next poll", 6001768),
]
"""What was wrong, and a seed that is clean since; a seed is another run once more is drawn."""


@pytest.mark.parametrize(("what", "seed"), FOUND)
def test_a_bug_that_comes_back_is_found_by_its_seed(what: str, seed: int) -> None:
    bug = _BY_NAME[what]
    assert bug.was_a_bug
    assert simulate(seed).violation is None
    with bug.made():
        violation = simulate(seed).violation
    assert violation is not None
    assert violation.startswith(bug.noticed_by)
