"""Names, tags, sizes and disks: what needs no Azure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched_azure.image import Image
from finsched_azure.names import (
    Located,
    group_of,
    located,
    moment,
    node_name,
    pool_of,
    rank_of,
    tags_of,
)
from finsched_azure.skus import read_size

from .conftest import launch_request, offer

NAMES_OF_GROUPS = r"finsched-[a-z0-9-]{0,60}-[0-9a-f]{8}"


@given(token=st.text(min_size=1, max_size=200))
def test_the_name_of_a_group_is_one_that_azure_takes(token: str) -> None:
    import re

    name = group_of(launch_request(token))
    assert re.fullmatch(NAMES_OF_GROUPS, name)
    assert name == group_of(launch_request(token))
    assert name != group_of(launch_request(token, installation="another"))
    assert name != group_of(launch_request(token + "x"))


@given(rank=st.integers(0, 10_000))
def test_an_id_tells_where_a_machine_is(rank: int) -> None:
    which = Located("finsched-r1-1-0123abcd", node_name(rank))
    assert located(str(which)) == which
    assert rank_of(which.name) == rank


@pytest.mark.parametrize("text", ["", "x", "us-west-2/i-0abc", "finsched-a/", "/finsched-node-0"])
def test_an_id_of_others_is_nobodys(text: str) -> None:
    assert located(text) is None


def test_a_pool_comes_back_from_its_tag() -> None:
    request = launch_request(offer=offer(zone="eastus-2"))
    assert pool_of(tags_of(request)) == request.offer.pool


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T07:37:11.5194001Z",
        "2026-11-22T07:37:11.519400+00:00",
        "2026-11-22T07:37:11.5194001234+00:00",
    ],
)
def test_times_may_have_more_digits_than_python_knows(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 22, 7, 37, 11, 519400, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked_gb", "size_gib"), [(None, 64), (0, 64), (10, 64), (69, 65), (500, 466), (512, 477)]
)
def test_a_disk_has_room_for_what_was_asked_for(asked_gb: float | None, size_gib: int) -> None:
    image = Image(publisher="p", offer="o", sku="s", version="1", size_gib=64)
    assert image.disk_gib(asked_gb) == size_gib


def test_a_size_without_anything_is_read() -> None:
    size = read_size({"name": "Standard_X"})
    assert (size.zones, size.is_open, size.gpus, size.has_fast_network) == ((), True, 0, False)
