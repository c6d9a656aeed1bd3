from __future__ import annotations

from typing import Any

import pytest

from finsched.provider import Provider
from finsched.testing.conformance import MakeRequest, ProviderConformance

pytestmark = pytest.mark.slow


class TestLocal(ProviderConformance):
    @pytest.fixture
    def provider(self, cloud: Any) -> Provider:
        return cloud.provider

    @pytest.fixture
    def make_request(self, cloud: Any) -> MakeRequest:
        return lambda token: cloud.request("sleep 60", token=token)
