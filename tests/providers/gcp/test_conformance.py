from __future__ import annotations

import pytest

from finsched.provider import Provider
from finsched.testing.conformance import MakeRequest, ProviderConformance

pytestmark = pytest.mark.slow


class TestGcp(ProviderConformance):
    has_live_prices = False

    @pytest.fixture
    def provider(self, lab) -> Provider:
        return lab.provider()

    @pytest.fixture
    def make_request(self, make_request: MakeRequest) -> MakeRequest:
        return make_request
