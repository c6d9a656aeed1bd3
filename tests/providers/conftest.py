"""The parts of a cloud's provider."""

from __future__ import annotations

import pytest

from finsched.provider import Compute, Inventory, Provider


@pytest.fixture
def compute(provider: Provider) -> Compute:
    assert provider.compute
    return provider.compute


@pytest.fixture
def inventory(provider: Provider) -> Inventory:
    assert provider.inventory
    return provider.inventory
