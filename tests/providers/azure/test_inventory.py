"""What is ours is found by its tag, in an order in which it can be deleted; nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from finsched.errors import InvalidRequest, NoAnswer
from finsched.provider import Inventory, OwnedResource
from finsched_azure.names import group_of
from tests.waiting import until

from .cloud import VM
from .conftest import INSTALLATION, Lab, launch_request

pytestmark = pytest.mark.slow

ORDER = [
    "instance",
    "disk",
    "network-interface",
    "address",
    "network",
    "security-group",
    "resource-group",
]


def leave_behind(lab: Lab, token: str = "r1-1", **changes: Any) -> str:
    """Leave a whole attempt at Azure whose machine took nothing with it; return its group."""
    request = launch_request(token, **changes)
    lab.compute().launch(request)
    return group_of(request)


def owned(inventory: Inventory, installation: str = INSTALLATION) -> list[OwnedResource]:
    return list(inventory.owned(installation))


def test_all_of_an_attempt_is_found_in_order(lab: Lab, inventory: Inventory) -> None:
    group = leave_behind(lab)
    found = owned(inventory)
    assert [each.kind for each in found] == ORDER
    assert {each.run for each in found} == {"r1"}
    assert {each.attempt for each in found} == {1}
    assert {each.installation for each in found} == {INSTALLATION}
    assert found[0].id == f"{group}/finsched-node-0"
    assert found[-1].id == group
    assert all(each.created_at for each in found[:-1])
    assert not any(each.shared for each in found)


def test_an_address_costs_what_its_list_price_says(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    known = {each.kind: each.usd_per_month for each in owned(inventory)}
    assert known["address"] == pytest.approx(3.65)
    assert known["disk"] is None


def test_everything_can_be_deleted_in_the_order_in_which_it_is_listed(
    lab: Lab, inventory: Inventory
) -> None:
    leave_behind(lab, nodes=2)
    for each in owned(inventory):
        inventory.delete(each)
        if each.kind != "resource-group":
            wait_until_gone(lab, each.id)
    lab.wait_for_nothing()


def wait_until_gone(lab: Lab, which: str) -> None:
    until(lambda: f"/{which}".lower().replace("/", "") not in "".join(_paths(lab)), why=which)


def _paths(lab: Lab) -> list[str]:
    lab.left()
    return [path.split("/")[4] + path.split("/")[-1] for path in lab.arm.cloud.resources]


def test_what_is_gone_may_be_deleted_again(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    found = owned(inventory)
    inventory.delete(found[-1])
    lab.wait_for_nothing()
    for each in found:
        inventory.delete(each)


def test_what_is_in_use_says_so(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    [network] = [each for each in owned(inventory) if each.kind == "network"]
    with pytest.raises(Exception, match="InUseSubnetCannotBeDeleted"):
        inventory.delete(network)


def test_nothing_of_another_installation_is_shown_or_deleted(
    lab: Lab, inventory: Inventory
) -> None:
    leave_behind(lab, installation="somebody-else")
    assert owned(inventory) == []
    for each in owned(inventory, "somebody-else"):
        stolen = OwnedResource(
            provider="azure",
            kind=each.kind,
            id=each.id,
            run=each.run,
            created_at=None,
            installation=INSTALLATION,
        )
        with pytest.raises(InvalidRequest, match="somebody-else"):
            inventory.delete(stolen)
    assert len(lab.arm.cloud.of_kind(VM)) == 1


def test_a_tag_that_somebody_removed_protects_from_deletion(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    [machine, *_] = owned(inventory)
    lab.machines()[0]["tags"] = {}
    with pytest.raises(InvalidRequest):
        inventory.delete(machine)


def test_what_carries_no_tag_of_ours_in_a_group_of_ours_is_not_shown(
    lab: Lab, inventory: Inventory
) -> None:
    leave_behind(lab)
    lab.arm.cloud.of_kind(VM)[0]["tags"] = {"finsched:installation": "somebody-else"}
    assert "instance" not in {each.kind for each in owned(inventory)}


def test_azure_that_does_not_answer_is_no_empty_account(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    lab.arm.fault("GET", "/resources$", times=99, status=503, code="ServiceUnavailable")
    with pytest.raises(NoAnswer):
        owned(inventory)


def test_long_lists_are_read_to_their_end(lab: Lab, inventory: Inventory) -> None:
    lab.arm.account.page_size = 2
    leave_behind(lab, nodes=2)
    leave_behind(lab, "r2-1", run="r2")
    found = owned(inventory)
    kinds = [each.kind for each in found]
    assert kinds == sorted(kinds, key=ORDER.index)
    assert (kinds.count("instance"), kinds.count("resource-group")) == (3, 2)
