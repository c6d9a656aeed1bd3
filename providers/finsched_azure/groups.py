"""Resource groups: one an attempt, so that what belongs to it goes with one call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from finsched.errors import InvalidRequest
from finsched.toolbox.error_table import NotFound
from finsched_azure.api import Api, Description
from finsched_azure.names import INSTALLATION, OURS, tags_in

_VERSION = "2021-04-01"
_GROUPS = "/resourcegroups"


def put(api: Api, name: str, region: str, tags: Mapping[str, str]) -> None:
    """Make a group, or set its tags."""
    api.ask("PUT", f"{_GROUPS}/{name}", _VERSION, {"location": region, "tags": dict(tags)})


def get(api: Api, name: str) -> Description | None:
    """Return a group; None where Azure knows none or is deleting it."""
    with suppress(NotFound):
        found = api.ask("GET", f"{_GROUPS}/{name}", _VERSION).body
        return None if _is_going(found) else found
    return None


def tagged(api: Api, tag: str, value: str) -> list[Description]:
    """Return the groups that carry a tag."""
    wanted = f"tagName eq '{tag}' and tagValue eq '{value}'"
    found = api.ask_list(_GROUPS, _VERSION, **{"$filter": wanted})
    return [group for group in found if not _is_going(group)]


def contents(api: Api, name: str) -> list[Description]:
    """Return what a group holds; nothing where it is gone."""
    with suppress(NotFound):
        path = f"{_GROUPS}/{name}/resources"
        return api.ask_list(path, _VERSION, **{"$expand": "createdTime"})
    return []


def delete(api: Api, name: str, installation: str) -> None:
    """Begin to delete a group with all that it holds; gone already is fine.

    Raises InvalidRequest where somebody has put something of theirs into it.
    """
    others = [each["name"] for each in contents(api, name) if not _is_ours(each, installation)]
    if others:
        raise InvalidRequest(
            f"azure: the resource group {name} holds {', '.join(sorted(others))}, which finsched"
            " has not made",
            fix="move it elsewhere; then sweep again",
        )
    with suppress(NotFound):
        query = {"forceDeletionTypes": "Microsoft.Compute/virtualMachines"}
        api.ask("DELETE", f"{_GROUPS}/{name}", _VERSION, **query)


def _is_ours(resource: Description, installation: str) -> bool:
    """A disk that Azure makes with its machine may carry no tag, but has the name that we gave."""
    owner = tags_in(resource).get(INSTALLATION)
    return owner == installation or (owner is None and resource["name"].startswith(OURS))


def _is_going(group: Description) -> bool:
    return bool(group.get("properties", {}).get("provisioningState") == "Deleting")
