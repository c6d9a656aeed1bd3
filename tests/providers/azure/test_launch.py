"""What a launch makes: the whole of what Azure is asked for."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from finsched.errors import InvalidRequest, NoCapacity, NoQuota, NotConfigured
from finsched.model.market import CapacityType
from finsched.provider import Compute
from finsched_azure.assembly import assemble
from finsched_azure.names import group_of

from .cloud import IDENTITY, NIC, NSG, SUBSCRIPTION, VNET, Size
from .conftest import PATIENCE, Lab, launch_request, offer

pytestmark = pytest.mark.slow

USER = "finsched"
GROUP = group_of(launch_request())
OWN_SUBNET = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/acme/providers"
    "/Microsoft.Network/virtualNetworks/acme/subnets/behind-nat"
)
TAGS = {
    "finsched:installation": "finsched-test",
    "finsched:run": "r1",
    "finsched:attempt": "1",
    "finsched:token": "r1-1",
    "finsched:nodes": "1",
    "finsched:pool": "azure/eastus//Standard_NC24ads_A100_v4",
    "project": "chatbot",
}


def asked(lab: Lab, rank: int = 0) -> dict[str, Any]:
    [call] = [call for call in lab.machine_puts() if call.path.endswith(f"-{rank}")]
    return call.body


def test_a_spot_machine_is_asked_for_as_a_whole(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request(disk_gb=500))
    assert launched.id == f"{GROUP}/finsched-node-0"
    body = asked(lab)
    properties = body["properties"]
    key = properties["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"][0].pop("keyData")
    assert key.startswith("ssh-rsa ")
    interface = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
    assert body == {
        "location": "eastus",
        "zones": ["1"],
        "tags": TAGS,
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "properties": properties,
    }
    assert properties == {
        "hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"},
        "priority": "Spot",
        "evictionPolicy": "Delete",
        "billingProfile": {"maxPrice": -1},
        "storageProfile": {
            "imageReference": {
                "publisher": "microsoft-dsvm",
                "offer": "ubuntu-hpc",
                "sku": "2204",
                "version": "22.04.2026010101",
            },
            "osDisk": {
                "name": "finsched-disk-0",
                "createOption": "FromImage",
                "deleteOption": "Delete",
                "diskSizeGB": 466,
                "managedDisk": {"storageAccountType": "Premium_LRS"},
            },
        },
        "osProfile": {
            "computerName": "finsched-node-0",
            "adminUsername": USER,
            "customData": base64.b64encode(b"#!/bin/sh\necho r1-1 0\n").decode(),
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {"publicKeys": [{"path": f"/home/{USER}/.ssh/authorized_keys"}]},
            },
        },
        "networkProfile": {
            "networkInterfaces": [
                {
                    "id": f"{interface}/Microsoft.Network/networkInterfaces/finsched-nic-0",
                    "properties": {"primary": True, "deleteOption": "Delete"},
                }
            ]
        },
    }


def test_on_demand_is_a_regular_machine(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND)))
    properties = asked(lab)["properties"]
    assert properties["priority"] == "Regular"
    assert not {"evictionPolicy", "billingProfile"} & properties.keys()


def test_a_small_disk_is_never_smaller_than_the_image(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(disk_gb=10))
    assert asked(lab)["properties"]["storageProfile"]["osDisk"]["diskSizeGB"] == 64


def test_everything_carries_our_tags_from_its_first_moment(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request())
    puts = [call for call in lab.calls("PUT") if "/providers/" in call.path]
    assert len({call.path for call in puts}) == 5
    assert all(call.body["tags"] == TAGS for call in puts)
    first, *_ = lab.calls("PUT")
    assert (first.path, first.body["tags"]) == (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}",
        TAGS,
    )


def test_tags_of_a_user_cannot_replace_ours_and_lose_what_azure_forbids(
    lab: Lab, compute: Compute
) -> None:
    tags = {"finsched:run": "another", "team/unit": "a", "cost%": "b"}
    compute.launch(launch_request(tags=tags))
    assert asked(lab)["tags"] == {
        **{name: value for name, value in TAGS.items() if name != "project"},
        "team_unit": "a",
        "cost_": "b",
    }


def test_nothing_comes_in_and_there_is_a_way_out(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request())
    cloud = lab.arm.cloud
    [closed] = cloud.of_kind(NSG)
    [rule] = closed["properties"]["securityRules"]
    assert (rule["properties"]["direction"], rule["properties"]["access"]) == ("Inbound", "Deny")
    assert rule["properties"]["sourceAddressPrefix"] == "*"
    [nic] = cloud.of_kind(NIC)
    assert nic["properties"]["networkSecurityGroup"]["id"] == closed["id"]
    [address] = nic["properties"]["ipConfigurations"]
    assert address["properties"]["publicIPAddress"]["properties"] == {"deleteOption": "Delete"}


def test_in_a_subnet_of_the_settings_there_is_no_public_address(lab: Lab) -> None:
    lab.compute(subnets={"eastus": OWN_SUBNET}).launch(launch_request())
    cloud = lab.arm.cloud
    [nic] = cloud.of_kind(NIC)
    [address] = nic["properties"]["ipConfigurations"]
    assert address["properties"] == {"subnet": {"id": OWN_SUBNET}}
    assert cloud.of_kind(VNET) == []
    assert not [call for call in lab.calls("PUT") if "publicIPAddresses" in call.path]


def test_a_gang_is_in_one_zone_and_each_node_knows_its_rank(lab: Lab, compute: Compute) -> None:
    launched = compute.launch(launch_request(nodes=3))
    assert [each.id for each in launched] == [f"{GROUP}/finsched-node-{n}" for n in range(3)]
    assert {machine["zones"][0] for machine in lab.machines()} == {"1"}
    assert lab.bootstrap.prepared == [("r1-1", 0), ("r1-1", 1), ("r1-1", 2)]
    [closed] = lab.arm.cloud.of_kind(NSG)
    assert closed["properties"]["securityRules"] == []
    assert len(lab.arm.cloud.of_kind(NIC)) == 3


def test_an_offer_may_name_its_zone(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(offer=offer(zone="eastus-2")))
    assert asked(lab)["zones"] == ["2"]


def test_where_there_are_no_zones_none_is_named(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(offer=offer(instance_type="Standard_NC4as_T4_v3")))
    assert "zones" not in asked(lab)


def test_zones_that_are_closed_to_the_subscription_are_left_out(lab: Lab, compute: Compute) -> None:
    size = Size("Standard_NC24ads_A100_v4", "f", 24, 1, closed_zones=("1", "3"))
    lab.arm.cloud.sizes = (size,)
    compute.launch(launch_request())
    assert asked(lab)["zones"] == ["2"]


def test_a_size_that_is_closed_to_the_subscription_needs_its_support(
    lab: Lab, compute: Compute
) -> None:
    lab.arm.cloud.sizes = (Size("Standard_NC24ads_A100_v4", "f", 24, 1, closed=True),)
    with pytest.raises(NoQuota, match="not open to the subscription"):
        compute.launch(launch_request())
    assert lab.calls("PUT") == []


def test_a_size_that_is_not_sold_there_is_another_pool(lab: Lab, compute: Compute) -> None:
    with pytest.raises(NoCapacity, match="not sold there"):
        compute.launch(launch_request(offer=offer(instance_type="Standard_ND96isr_H100_v5")))


def test_a_region_that_the_settings_do_not_name_is_not_used(lab: Lab) -> None:
    with pytest.raises(NoQuota, match=r"azure\.regions"):
        lab.compute(regions=("westeurope",)).launch(launch_request())
    assert lab.arm.calls == []


def test_an_image_that_is_not_there_is_the_settings_fault(lab: Lab) -> None:
    with pytest.raises(InvalidRequest, match="PlatformImageNotFound") as caught:
        lab.compute(image="acme:own:gpu:1.0.0").launch(launch_request())
    assert "azure.image" in str(caught.value.fix)
    lab.wait_for_nothing()


def test_a_machine_that_ends_itself_takes_all_with_it(lab: Lab, compute: Compute) -> None:
    """The node's own call is the same deletion; finsched sees it and clears the group."""
    [launched] = compute.launch(launch_request())
    lab.evict(launched.id)
    kept = {"finsched-closed", "finsched-network", GROUP}
    assert lab.left() == kept


def test_without_an_identity_nothing_is_launched(lab: Lab) -> None:
    """With the real bootstrap: such a machine could not delete itself."""
    compute = assemble(lab.settings(identity=""), patience=PATIENCE).compute
    assert compute
    with pytest.raises(NotConfigured, match="no identity") as caught:
        compute.launch(launch_request())
    assert "azure.identity" in str(caught.value.fix)
    assert lab.calls("PUT") == []
