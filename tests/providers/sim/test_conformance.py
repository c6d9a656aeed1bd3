from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from finsched.errors import NotConfigured, SpecError
from finsched.model.market import CapacityType
from finsched.provider import LaunchRequest, Provider
from finsched.settings import Settings
from finsched.testing.conformance import MakeRequest, ProviderConformance
from finsched_sim import provider as entry_point
from finsched_sim import simulated
from finsched_sim.settings import SimSettings


@pytest.fixture
def sim(tmp_path: Path) -> Provider:
    return simulated(SimSettings(boot_seconds=0.05, work_seconds=600.0))


def request_for(provider: Provider, folder: Path) -> Callable[[str], LaunchRequest]:
    [offer] = [o for o in provider.prices.offers() if o.capacity_type is CapacityType.ON_DEMAND]

    def request(token: str) -> LaunchRequest:
        node_config = {
            "run": token,
            "attempt": 1,
            "store_uri": (folder / token).as_uri(),
            "run_command": "train",
            "lease_seconds": 600,
            "reserve_seconds": 2,
            "poll_seconds": 0.1,
        }
        return LaunchRequest(
            token=token,
            installation="finsched-test",
            run=token,
            attempt=1,
            offer=offer,
            nodes=1,
            node_config=node_config,
        )

    return request


class TestSim(ProviderConformance):
    @pytest.fixture
    def provider(self, sim: Provider) -> Provider:
        return sim

    @pytest.fixture
    def make_request(self, sim: Provider, tmp_path: Path) -> MakeRequest:
        return request_for(sim, tmp_path)


def settings(folder: Path, **clouds: dict[str, object]) -> Settings:
    return Settings(state_dir=folder, cache_dir=folder, store=folder.as_uri(), clouds=clouds)


def test_it_is_there_only_where_the_config_switches_it_on(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"not switched on"):
        entry_point(settings(tmp_path))
    assert entry_point(settings(tmp_path, sim={})).name == "sim"


def test_an_unknown_key_of_its_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="bot_seconds"):
        entry_point(settings(tmp_path, sim={"bot_seconds": 1}))
