"""Names, labels, machine types and disks: nothing that needs a cloud."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.errors import InvalidRequest
from finsched.model.market import CapacityType, Pool
from finsched_gcp.image import Image
from finsched_gcp.instance import Place, resource, scheduling
from finsched_gcp.labels import MOST_LABELS, decode, encode, from_labels, to_labels
from finsched_gcp.machines import Machine, machine_of
from finsched_gcp.names import (
    Located,
    by_place,
    gang_tag,
    instance_name,
    located,
    network_tag,
    pool_of,
    rank_of,
    region_of,
    request_id,
    tags_of,
)
from finsched_gcp.networks import Network

from .conftest import launch_request, offer

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
GIB = 1 << 30
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
VALUE = re.compile(r"[a-z0-9_-]{0,63}")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
plain = st.text("abc_-019", max_size=60)
keys = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
    | st.text("ab_-9", min_size=1, max_size=13)
    | st.from_regex(r"[a-z][a-z0-9-]{0,50}", fullmatch=True)
)


# --- labels --------------------------------------------------------------------------------------


@given(texts | plain)
def test_a_label_is_read_as_it_was_written(text: str) -> None:
    assert decode(encode(text)) == text


@given(st.dictionaries(keys, texts | plain, max_size=3))
def test_tags_survive_as_labels_that_google_takes(tags: dict[str, str]) -> None:
    labels = to_labels(tags)
    assert all(KEY.fullmatch(key) and VALUE.fullmatch(value) for key, value in labels.items())
    assert from_labels(labels) == tags


@given(st.tuples(texts | plain, texts | plain))
def test_different_tags_are_different_labels(values: tuple[str, str]) -> None:
    first, second = (to_labels({"k": value}) for value in values)
    assert (first == second) is (values[0] == values[1])


def test_plain_tags_stay_readable() -> None:
    tags = {"project": "customer-chatbot", "cost_center": "a_b-1", "empty": ""}
    assert to_labels(tags) == tags


def test_a_long_value_goes_on_in_the_next_label() -> None:
    labels = to_labels({"note": "x" * 130})
    assert {key: len(value) for key, value in labels.items()} == {
        "note": 63,
        "note__p1": 63,
        "note__p2": 4,
    }


def test_tags_that_do_not_fit_are_said() -> None:
    with pytest.raises(InvalidRequest, match="too long for a label"):
        to_labels({"k" * 60: "v"})
    with pytest.raises(InvalidRequest, match=f"gcp takes {MOST_LABELS}"):
        to_labels({f"k{number}": "v" for number in range(65)})


def test_labels_of_others_come_as_they_are() -> None:
    assert from_labels({"goog-managed": "yes"}) == {"goog-managed": "yes"}


# --- names ---------------------------------------------------------------------------------------


def test_ids_carry_their_zone_and_others_are_nobodys() -> None:
    ours = Located("us-central1-a", "vm")
    assert located([str(ours), "token", "/vm", "us-central1-a/", ""]) == [ours]
    assert by_place(["a/x", "b/y", "a/z"]) == {"a": ["x", "z"], "b": ["y"]}
    assert region_of("us-central1-a") == "us-central1"


@given(token=texts, rank=st.integers(0, 999))
def test_a_name_is_one_tokens_and_one_ranks(token: str, rank: int) -> None:
    name = instance_name(token, rank)
    assert NAME.fullmatch(name)
    assert rank_of(name) == rank
    assert name == instance_name(token, rank)
    assert name != instance_name(f"{token}x", rank)


def test_a_request_id_is_one_nodes_in_one_zone() -> None:
    requests = [
        launch_request("r1-1"),
        launch_request("r1-2"),
        launch_request("r1-1", installation="finsched-other"),
    ]
    ids = {request_id(each, zone, rank) for each in requests for zone in "ab" for rank in range(3)}
    assert len(ids) == 18
    assert request_id(requests[0], "a", 0) == request_id(launch_request("r1-1"), "a", 0)


def test_network_tags_are_names() -> None:
    tags = {network_tag("finsched-test"), gang_tag(launch_request()), network_tag("x")}
    assert len(tags) == 3
    assert all(NAME.fullmatch(tag) for tag in tags)


@pytest.mark.parametrize("zone", ["us-central1-a", ""])
def test_a_pool_survives_its_label(zone: str) -> None:
    request = launch_request(offer=offer(zone=zone, instance_type="n1-standard-8+1xT4"))
    labels = to_labels(tags_of(request))
    assert pool_of(from_labels(labels)) == Pool("gcp", "us-central1", zone, "n1-standard-8+1xT4")


def test_a_users_tags_cannot_replace_ours() -> None:
    mine = {"finsched-installation": "stolen", "project": "chatbot"}
    tags = tags_of(launch_request(tags=mine))
    assert tags["finsched-installation"] == "finsched-test"
    assert tags["project"] == "chatbot"


# --- machines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("g2-standard-8", Machine(type="g2-standard-8")),
        ("a2-ultragpu-8g", Machine(type="a2-ultragpu-8g")),
        (
            "n1-standard-8+1xV100",
            Machine(type="n1-standard-8", accelerator="nvidia-tesla-v100", count=1),
        ),
        (
            "n1-standard-32+4xT4",
            Machine(type="n1-standard-32", accelerator="nvidia-tesla-t4", count=4),
        ),
    ],
)
def test_gpus_are_attached_or_built_in(name: str, machine: Machine) -> None:
    assert machine_of(name) == machine


@pytest.mark.parametrize("name", ["tpu-v5litepod-8", "n1-standard-8+1xUnheardOf", "no such"])
def test_what_cannot_be_launched_is_said(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be launched"):
        machine_of(name)


@pytest.mark.parametrize(
    ("name", "disk"),
    [
        ("g2-standard-8", "pd-balanced"),
        ("a3-highgpu-8g", "pd-balanced"),
        ("a3-ultragpu-8g", "hyperdisk-balanced"),
        ("a4-highgpu-8g", "hyperdisk-balanced"),
    ],
)
def test_newer_machines_take_another_kind_of_disk(name: str, disk: str) -> None:
    assert machine_of(name).disk_type == disk


@given(
    disk_gb=st.none() | st.floats(min_value=0.001, max_value=16_000),
    image_gib=st.integers(1, 500),
)
def test_the_disk_is_large_enough(disk_gb: float | None, image_gib: int) -> None:
    size = Image(link="x", size_gib=image_gib).disk_gib(disk_gb)
    assert size >= image_gib
    assert size * GIB >= (disk_gb or 0) * 1e9
    assert size == image_gib or (size - 1) * GIB < (disk_gb or 0) * 1e9


# --- the machine that is asked for ---------------------------------------------------------------


def asked(subnet: str = "", **changes: Any) -> dict[str, Any]:
    request = launch_request(**changes)
    place = Place(
        zone="us-central1-a",
        machine=machine_of(request.offer.instance_type.name),
        image=Image(link="image", size_gib=50),
        network=Network(link="projects/p/global/networks/default", subnet=subnet),
        network_tags=("closed",),
        service_account="node@p",
    )
    return resource(request, place, rank=0, user_data="#!", now=NOW)


def test_a_machine_of_the_default_network_has_an_address_for_its_way_out() -> None:
    [interface] = asked()["network_interfaces"]
    assert [each["type_"] for each in interface["access_configs"]] == ["ONE_TO_ONE_NAT"]


def test_a_machine_of_a_subnet_has_no_address() -> None:
    assert asked(subnet="mine")["network_interfaces"] == [{"subnetwork": "mine"}]


def test_attached_gpus_are_asked_for_and_built_in_ones_are_not() -> None:
    attached = asked(offer=offer(instance_type="n1-standard-8+1xT4"))
    assert attached["machine_type"].endswith("/n1-standard-8")
    [gpus] = attached["guest_accelerators"]
    assert gpus["accelerator_type"] == "zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4"
    assert "guest_accelerators" not in asked()


def stop_at(*hours: float) -> dict[str, Any]:
    moments = [(NOW + timedelta(hours=each)).isoformat() for each in hours]
    return {"stop_at": [{"at": each, "reason": "budget"} for each in moments]}


def test_the_cloud_itself_ends_a_machine_at_its_earliest_end() -> None:
    request = launch_request(node_config={**stop_at(5, 2), "reserve_seconds": 60.0})
    told = scheduling(request, NOW, with_notice=False)
    assert told["termination_time"] == "2026-06-15T14:03:00Z"
    assert told["instance_termination_action"] == "DELETE"


@pytest.mark.parametrize(("hours", "end"), [(-1, "2026-06-15T12:05"), (9999, "2026-10-13T12:00")])
def test_an_end_is_kept_within_what_google_takes(hours: float, end: str) -> None:
    told = scheduling(launch_request(node_config=stop_at(hours)), NOW, with_notice=False)
    assert told["termination_time"].startswith(end)


def test_spot_is_deleted_when_it_is_taken_back_and_warned_before() -> None:
    told = scheduling(launch_request(), NOW, with_notice=True)
    assert told["provisioning_model"] == "SPOT"
    assert told["instance_termination_action"] == "DELETE"
    assert told["automatic_restart"] is False
    assert told["preemption_notice_duration"] == {"seconds": 120}
    assert "termination_time" not in told


def test_on_demand_without_an_end_has_no_action() -> None:
    request = launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND))
    assert scheduling(request, NOW, with_notice=True) == {
        "provisioning_model": "STANDARD",
        "on_host_maintenance": "TERMINATE",
        "automatic_restart": False,
    }
