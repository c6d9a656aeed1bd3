"""What providers share that only tell prices, to whoever has a key of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from finsched import settings as all_settings
from finsched.errors import NotConfigured
from finsched.provider import Provider
from finsched.settings import Settings
from finsched.testing.conformance import ProviderConformance
from finsched.testing.prices_conformance import PricesConformance

KEY = "canary-key"


def recorded(test_file: str, name: str) -> Any:
    """Return an answer of theirs that lies beside a test."""
    return json.loads((Path(test_file).with_name("answers") / name).read_text("utf-8"))


class KeyedProviderConformance(ProviderConformance, PricesConformance):
    """Both contracts, and how one is set up; `made` is the fixture of the provider with its key."""

    has_live_prices = False
    key_variable: ClassVar[str]
    entry_point: ClassVar[Callable[[Settings], Provider]]

    @pytest.fixture
    def provider(self, made: Provider) -> Provider:
        return made

    def test_without_a_key_it_is_not_configured(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        here = all_settings.load({"FINSCHED_STATE_DIR": str(tmp_path)})
        monkeypatch.delenv(self.key_variable, raising=False)
        with pytest.raises(NotConfigured, match=self.key_variable):
            self.entry_point(here)
        monkeypatch.setenv(self.key_variable, KEY)
        assert self.entry_point(here).compute is None
