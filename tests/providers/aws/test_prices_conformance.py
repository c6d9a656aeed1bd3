from __future__ import annotations

import pytest

from finsched.provider import Provider
from finsched.testing.prices_conformance import PricesConformance

from .prices_lab import Prices


class TestAwsPrices(PricesConformance):
    @pytest.fixture
    def provider(self, prices: Prices) -> Provider:
        prices.steer(
            machines=["g5.xlarge", "p4d.24xlarge"],
            past={"30": 0.5, "60": 2.0},
            quotas={"L-3819A6DF": 8.0},
            scores={"use1-az1": 4},
        )
        return prices.provider()
