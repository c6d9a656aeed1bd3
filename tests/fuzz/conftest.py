"""Says with every failure how to repeat it."""

from __future__ import annotations

import pytest

from .fuzzing import REPEAT


@pytest.fixture(autouse=True)
def how_to_repeat() -> None:
    print(REPEAT)
