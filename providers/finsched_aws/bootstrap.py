"""What AWS adds to the boot of a node: an instance profile, and how the secrets reach it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from finsched.errors import InvalidRequest, NotConfigured
from finsched.provider import LaunchRequest
from finsched.toolbox.error_table import NotFound
from finsched_aws.api import Api
from finsched_aws.errors import ROLE
from finsched_aws.names import tag_list, tags_of

if TYPE_CHECKING:
    from finsched.bootstrap.place import SecretParameter
    from finsched_aws.settings import AwsSettings

PARAMETERS = "/finsched"
_LARGEST_PARAMETER_BYTES = 4096  # of the standard tier, which costs nothing


class NodeBootstrap:
    """Makes the user data of a launch; whatever the machine needs is left for it before."""

    def __init__(self, api: Api, settings: AwsSettings) -> None:
        self._api = api
        self._instance_profile = settings.instance_profile
        self._access = settings.access

    def __call__(self, request: LaunchRequest) -> str:
        """Leave agent, document and secrets for the machine and return its user data.

        Raises NotConfigured, InvalidRequest, StoreProblem, and what SSM refuses.
        """
        from finsched.bootstrap.place import Place  # noqa: PLC0415 - not for a quote
        from finsched.bootstrap.prepare import prepare  # noqa: PLC0415 - heavy

        if not self._instance_profile:
            raise NotConfigured(
                "aws: no instance profile is set, so a machine could not reach the run's store",
                fix=f"name one as aws.instance_profile in the settings; {ROLE} has its policy",
            )
        gang = request.nodes > 1  # one script for all: the metadata service knows which is which
        place = Place(
            cloud="aws",
            node_rank=None if gang else 0,
            access=self._access,
            parameter=_parameter(request) if request.secrets else None,
        )
        script = prepare(request, place)
        if request.secrets:
            self._leave_secrets(request)
        return script

    def forget(self, request: LaunchRequest) -> None:
        """Delete the secrets of a launch, if it has any; gone already is fine."""
        if request.secrets:
            with suppress(NotFound):
                self._ssm(request, "delete_parameter", Name=parameter_name(request))

    def _leave_secrets(self, request: LaunchRequest) -> None:
        value = json.dumps(dict(request.secrets))
        if len(value.encode()) > _LARGEST_PARAMETER_BYTES:
            raise InvalidRequest(
                f"secrets: {', '.join(request.secrets)} have {len(value.encode())} bytes together,"
                f" and aws takes {_LARGEST_PARAMETER_BYTES} to a machine",
                fix="keep large secrets in a place that the job reads itself",
            )
        self.forget(request)  # AWS takes no tags for a value that replaces another
        self._ssm(
            request,
            "put_parameter",
            Name=parameter_name(request),
            Value=value,
            Type="SecureString",
            Tags=tag_list(tags_of(request)),
        )

    def _ssm(self, request: LaunchRequest, operation: str, **ask: Any) -> None:
        self._api.call(request.offer.region, operation, service="ssm", **ask)


def parameter_name(request: LaunchRequest) -> str:
    """Return the name of an attempt's secrets in the Parameter Store."""
    parts = (request.installation, request.token)
    plain = (re.sub(r"[^A-Za-z0-9_.-]", "-", part) for part in parts)
    return "/".join([PARAMETERS, *plain])


def _parameter(request: LaunchRequest) -> SecretParameter:
    from finsched.bootstrap.place import SecretParameter  # noqa: PLC0415

    return SecretParameter(
        region=request.offer.region,
        name=parameter_name(request),
        only_reader=request.nodes == 1,
    )
