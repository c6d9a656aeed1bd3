"""Firewall rules: nothing comes in from outside; a gang's own rule admits its members.

A rule has no labels, so whose it is stands in its description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from finsched.errors import InvalidRequest
from finsched.provider import LaunchRequest
from finsched.toolbox.error_table import AlreadyThere, NotFound
from finsched_gcp.api import Api
from finsched_gcp.names import INSTALLATION, RUN, gang_tag, network_tag
from finsched_gcp.networks import Network

_ALL = "all"
_SHUT, _GANG = 900, 800  # the lower number wins; rules that the default network brings have 65534
_COMPARED = ("direction", "priority", "source_ranges", "source_tags", "target_tags", "disabled")


def make_rules(api: Api, network: Network, request: LaunchRequest) -> tuple[str, ...]:
    """Make the rules that a launch needs, once, and return the network tags of its machines."""
    tag = network_tag(request.installation)
    _require(api, _closing(tag, network, request))
    if request.nodes == 1:
        return (tag,)
    own = gang_tag(request)
    _require(api, _admitting(own, network, request))
    return (tag, own)


def owner(rule: Any) -> Mapping[str, str]:
    """Return whose a rule is: its tags, none where it is none of finsched's."""
    with suppress(ValueError):
        told = json.loads(rule.description or "{}")
        if isinstance(told, dict):
            return {str(key): str(value) for key, value in told.items()}
    return {}


def _closing(tag: str, network: Network, request: LaunchRequest) -> dict[str, Any]:
    """Deny what the rules of the network would admit, such as SSH from everywhere."""
    return {
        "name": f"{tag}-{network.name}"[:63].rstrip("-"),
        "description": json.dumps({INSTALLATION: request.installation}),
        "network": network.link,
        "direction": "INGRESS",
        "priority": _SHUT,
        "denied": [{"I_p_protocol": _ALL}],
        "source_ranges": ["0.0.0.0/0"],
        "target_tags": [tag],
    }


def _admitting(tag: str, network: Network, request: LaunchRequest) -> dict[str, Any]:
    return {
        "name": tag,
        "description": json.dumps({INSTALLATION: request.installation, RUN: request.run}),
        "network": network.link,
        "direction": "INGRESS",
        "priority": _GANG,
        "allowed": [{"I_p_protocol": _ALL}],
        "source_tags": [tag],
        "target_tags": [tag],
    }


def _require(api: Api, wanted: dict[str, Any]) -> None:
    try:
        found = api.call("Firewalls", "get", firewall=wanted["name"])
    except NotFound:
        with suppress(AlreadyThere):  # another launch was quicker
            made = api.call("Firewalls", "insert_unary", firewall_resource=wanted)
            api.completed(made)
        return
    _check_is_unchanged(found, wanted)


def _check_is_unchanged(found: Any, wanted: Mapping[str, Any]) -> None:
    """Somebody may have changed it by hand: then nothing is put behind it."""
    changed = [
        key
        for key in _COMPARED
        if _plain(getattr(found, key))
        != _plain(wanted.get(key, False if key == "disabled" else []))
    ]
    closes = bool(wanted.get("denied"))
    if changed or bool(found.denied) is not closes or bool(found.allowed) is closes:
        raise InvalidRequest(
            f"gcp: the firewall rule {wanted['name']} was changed",
            fix="delete it: finsched makes a new one",
        )


def _plain(value: Any) -> Any:
    return list(value) if not isinstance(value, str | int | bool) else value
