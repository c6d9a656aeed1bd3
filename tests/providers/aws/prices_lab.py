"""What the tests of live prices do with the replay of AWS's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from finsched.model.market import InstanceType
from finsched.provider import PriceAnswer, Provider
from finsched_aws.assembly import assemble
from finsched_aws.pace import Patience
from finsched_aws.settings import AwsSettings

from . import replay

PATIENCE = Patience(connect_seconds=5, read_seconds=10, tries=3)


@dataclass
class Prices:
    """The replay, steered, and the provider that asks it."""

    url: str

    @property
    def advisor_url(self) -> str:
        return f"{self.url}/spot-advisor-data.json"

    def steer(self, **state: Any) -> None:
        replay.STATE.__init__(**state)  # type: ignore[misc]
        replay.CALLS.clear()

    def provider(self) -> Provider:
        return assemble(AwsSettings(spot_advisor_url=self.advisor_url), patience=PATIENCE)

    def ask(
        self,
        regions: Iterable[str],
        known: Mapping[str, InstanceType],
        past: timedelta | None = None,
    ) -> list[PriceAnswer]:
        live = self.provider().live_prices
        assert live
        return list(live.ask(tuple(regions), known, past=past))
