"""What is ours is found wherever it is; nothing else is ever deleted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from finsched.errors import InvalidRequest, NoAnswer, NotAuthorized, ProviderError
from finsched.provider import Compute, Inventory, OwnedResource
from finsched_gcp.labels import to_labels

from .conftest import Lab, launch_request, offer

pytestmark = pytest.mark.slow

INSTALLATION = "finsched-test"


def kinds(owned: list[OwnedResource]) -> list[str]:
    return [resource.kind for resource in owned]


def leave_behind(lab: Lab, *, installation: str = INSTALLATION, run: str = "r9") -> None:
    """One of each kind that a machine, a crash or a person could leave."""
    whose = {"finsched-installation": installation, "finsched-run": run}
    labels = to_labels(whose)
    disk = "zones/europe-west4-a/diskTypes/pd-balanced"
    lab.gce.add("disks", "europe-west4-a", f"d-{run}", labels=labels, sizeGb="30", type=disk)
    lab.gce.add("addresses", "us-central1", f"a-{run}", labels=labels)
    lab.gce.add("firewalls", "global", f"f-{run}", description=json.dumps(whose))


def test_a_machine_and_all_that_comes_with_it(compute: Compute, inventory: Inventory) -> None:
    [machine] = compute.launch(launch_request(disk_gb=100))
    owned = list(inventory.owned(INSTALLATION))
    assert kinds(owned) == ["instance", "disk", "firewall"]
    assert owned[0] == OwnedResource(
        provider="gcp",
        kind="instance",
        id=machine.id,
        run="r1",
        created_at=machine.created_at,
        installation=INSTALLATION,
        attempt=1,
    )
    assert (owned[1].billed_as, owned[1].billed_units) == ("pd-balanced", 94)
    assert [each.shared for each in owned] == [False, False, True]


def test_the_rule_of_a_gang_is_its_runs(compute: Compute, inventory: Inventory) -> None:
    compute.launch(launch_request(nodes=2))
    rules = [each for each in inventory.owned(INSTALLATION) if each.kind == "firewall"]
    assert sorted((each.run, each.shared) for each in rules if each.run) == [("r1", False)]
    assert len(rules) == 2


def test_a_machine_that_stopped_is_still_found(
    lab: Lab, compute: Compute, inventory: Inventory
) -> None:
    [machine] = compute.launch(launch_request())
    lab.gce.switch_off(machine.id)
    assert machine.id in {each.id for each in inventory.owned(INSTALLATION)}


def test_a_long_name_of_an_installation_is_told_from_one_that_begins_so(
    lab: Lab, compute: Compute, inventory: Inventory
) -> None:
    first, second = "x" * 63, "x" * 64
    for number, name in enumerate((first, second)):
        compute.launch(launch_request(f"r{number}-1", installation=name))
    assert len(list(inventory.owned(first))) == len(list(inventory.owned(second))) == 3


def test_every_place_is_looked_at_and_others_are_left_out(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    leave_behind(lab, installation="finsched-others", run="r8")
    lab.gce.add("firewalls", "global", "a-persons", description="mine")
    lab.gce.add("firewalls", "global", "another", description='["json"]')
    lab.gce.add("disks", "us-central1-a", "a-persons", sizeGb="10", type="x")
    ids = [each.id for each in inventory.owned(INSTALLATION)]
    assert ids == ["europe-west4-a/d-r9", "us-central1/a-r9", "global/f-r9"]


def test_a_zone_that_could_not_be_asked_is_said_at_the_end(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    lab.cloud.unreachable = {"us-central1-b"}
    seen: list[str] = []
    with pytest.raises(NoAnswer, match="us-central1-b"):
        seen.extend(each.kind for each in inventory.owned(INSTALLATION))
    assert seen == ["disk", "address", "firewall"]


def test_machines_are_found_where_addresses_may_not_be_listed(
    lab: Lab, compute: Compute, inventory: Inventory
) -> None:
    compute.launch(launch_request())
    lab.cloud.fault("addresses.aggregatedList", status=403, reason="forbidden", times=9)
    seen: list[str] = []
    with pytest.raises(NotAuthorized):
        seen.extend(each.kind for each in inventory.owned(INSTALLATION))
    assert seen == ["instance", "disk", "firewall"]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_everything_that_is_found_can_be_deleted_in_that_order(
    lab: Lab, compute: Compute, inventory: Inventory, times: int
) -> None:
    compute.launch(launch_request(nodes=2))
    elsewhere = offer(region="europe-west4", zone="europe-west4-a")
    compute.launch(launch_request("r2-1", run="r2", offer=elsewhere))
    leave_behind(lab)
    owned = list(inventory.owned(INSTALLATION))
    for resource in [each for each in owned if each.kind == "instance"]:
        inventory.delete(resource)
    lab.wait_for_machines(0)
    for resource in owned * times:
        inventory.delete(resource)
    assert list(inventory.owned(INSTALLATION)) == []


def test_a_disk_in_use_is_kept_with_its_machine(
    lab: Lab, compute: Compute, inventory: Inventory
) -> None:
    compute.launch(launch_request())
    [disk] = [each for each in inventory.owned(INSTALLATION) if each.kind == "disk"]
    with pytest.raises(ProviderError, match="already being used"):
        inventory.delete(disk)


def test_what_belongs_to_others_by_now_is_not_deleted(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab, installation="finsched-others")
    owned = list(inventory.owned("finsched-others"))
    assert kinds(owned) == ["disk", "address", "firewall"]
    for resource in owned:
        with pytest.raises(InvalidRequest, match="belongs to the installation 'finsched-others'"):
            inventory.delete(replace(resource, installation=INSTALLATION))
    assert list(inventory.owned("finsched-others")) == owned


def test_what_is_gone_and_what_is_nobodys_is_fine(inventory: Inventory) -> None:
    gone = OwnedResource(
        provider="gcp",
        kind="disk",
        id="us-central1-a/gone",
        run="r1",
        created_at=None,
        installation=INSTALLATION,
    )
    inventory.delete(gone)
    inventory.delete(replace(gone, id="nobodys"))
