"""Secrets that were left for machines which never came: parameters of the Parameter Store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from finsched.provider import OwnedResource
from finsched.toolbox.error_table import NotFound
from finsched_aws.api import Api, Description
from finsched_aws.names import ATTEMPT, INSTALLATION, RUN, Located

KIND = "parameter"
_SERVICE = "ssm"


def owned_in(api: Api, installation: str, region: str) -> Iterator[OwnedResource]:
    """Yield the parameters of a region that carry an installation's tag."""
    wanted = [{"Key": f"tag:{INSTALLATION}", "Values": [installation]}]
    listed = api.listed(
        region, "describe_parameters", "Parameters", service=_SERVICE, ParameterFilters=wanted
    )
    for described in listed:
        if found := tags(api, region, described["Name"]):
            yield _resource(region, described, found)


def _resource(region: str, described: Description, found: Mapping[str, str]) -> OwnedResource:
    attempt = found.get(ATTEMPT, "")
    return OwnedResource(
        provider="aws",
        kind=KIND,
        id=str(Located(region, described["Name"])),
        run=found.get(RUN),
        created_at=described.get("LastModifiedDate"),
        installation=found[INSTALLATION],
        attempt=int(attempt) if attempt.isdecimal() else None,
    )


def tags(api: Api, region: str, name: str) -> Mapping[str, str]:
    """Return a parameter's tags; none where it is gone meanwhile."""
    with suppress(NotFound):
        told = api.call(
            region,
            "list_tags_for_resource",
            service=_SERVICE,
            ResourceType="Parameter",
            ResourceId=name,
        )
        return {tag["Key"]: tag["Value"] for tag in told["TagList"]}
    return {}


def delete(api: Api, region: str, name: str) -> None:
    """Delete a parameter; raises NotFound."""
    api.call(region, "delete_parameter", service=_SERVICE, Name=name)
