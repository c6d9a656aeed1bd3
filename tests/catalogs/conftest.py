"""One compiled catalog for all tests here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from finsched.catalog import load_market
from finsched.model.market import Location, Market

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOMES = (Location("aws", "us-east-1"), Location("gcp", "europe-west4"), Location("internet", ""))


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def market(cache_dir: Path) -> Market:
    return load_market(now=NOW, locations=HOMES, cache_dir=cache_dir)
