"""What AWS adds to the boot of a node: where its store is, and how the secrets reach it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from finsched.bootstrap.delivery import deliver_agent, deliver_config, latest_end
from finsched.bootstrap.user_data import Fetched, Plan, SecretParameter, user_data
from finsched.errors import InvalidRequest, NotConfigured
from finsched.node.s3 import bucket_address
from finsched.node.s3_region import bucket_region
from finsched.node.store import Store
from finsched.provider import LaunchRequest
from finsched_aws.api import Api
from finsched_aws.errors import ROLE, NotFound
from finsched_aws.names import tag_list, tags_of

if TYPE_CHECKING:
    from finsched_aws.settings import AwsSettings

PARAMETERS = "/finsched"
_LARGEST_PARAMETER_BYTES = 4096  # of the standard tier, which costs nothing
_FIRST_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the run's store is, as a machine reaches it."""

    folder: str
    address: str
    base: str
    options: Mapping[str, Any]

    def path(self, key: str) -> str:
        """Return the path of an object at the address."""
        return f"{self.base}/{quote(f'{self.folder}/{key}'.lstrip('/'), safe='/~')}"


class NodeBootstrap:
    """Makes the user data of a launch; whatever the machine needs is left for it before."""

    def __init__(self, api: Api, settings: AwsSettings) -> None:
        self._api = api
        self._instance_profile = settings.instance_profile

    def __call__(self, request: LaunchRequest) -> str:
        """Leave agent, document and secrets for the machine and return its user data.

        Raises NotConfigured, InvalidRequest, StoreProblem, and what SSM refuses.
        """
        if not self._instance_profile:
            raise NotConfigured(
                "aws: no instance profile is set, so a machine could not reach the run's store",
                fix=f"name one as aws.instance_profile in the settings; {ROLE} has its policy",
            )
        uri = str(request.node_config["store_uri"])
        place = _place(uri, request.node_config.get("store_options") or {})
        config = {**request.node_config, "store_options": place.options}
        store = Store(uri, dict(place.options))
        artefact, document = deliver_agent(store), deliver_config(store, config)
        return user_data(
            Plan(
                address=place.address,
                region=place.options["region"],
                artefact=Fetched(path=place.path(artefact.key), sha256=artefact.sha256),
                config=Fetched(path=place.path(document.key), sha256=document.sha256),
                log_path=place.path(f"node/{request.attempt:06d}.log"),
                secrets=self._leave_secrets(request) if request.secrets else None,
                end_at=latest_end(config),
            )
        )

    def forget(self, request: LaunchRequest) -> None:
        """Delete the secrets of a launch, if it has any; gone already is fine."""
        if request.secrets:
            with suppress(NotFound):
                self._ssm(request, "delete_parameter", Name=parameter_name(request))

    def _leave_secrets(self, request: LaunchRequest) -> SecretParameter:
        value = json.dumps(dict(request.secrets))
        if len(value.encode()) > _LARGEST_PARAMETER_BYTES:
            raise InvalidRequest(
                f"secrets: {', '.join(request.secrets)} have {len(value.encode())} bytes together,"
                f" and aws takes {_LARGEST_PARAMETER_BYTES} to a machine",
                fix="keep large secrets in a place that the job reads itself",
            )
        name = parameter_name(request)
        self.forget(request)  # AWS takes no tags for a value that replaces another
        self._ssm(
            request,
            "put_parameter",
            Name=name,
            Value=value,
            Type="SecureString",
            Tags=tag_list(tags_of(request)),
        )
        only_reader = request.nodes == 1
        return SecretParameter(region=request.offer.region, name=name, only_reader=only_reader)

    def _ssm(self, request: LaunchRequest, operation: str, **ask: Any) -> None:
        self._api.call(request.offer.region, operation, service="ssm", **ask)


def parameter_name(request: LaunchRequest) -> str:
    """Return the name of an attempt's secrets in the Parameter Store."""
    parts = (request.installation, request.token)
    plain = (re.sub(r"[^A-Za-z0-9_.-]", "-", part) for part in parts)
    return "/".join([PARAMETERS, *plain])


def _place(uri: str, options: Mapping[str, Any]) -> _Place:
    parts = urlsplit(uri)
    if parts.scheme != "s3":
        raise NotConfigured(
            f"aws: the run's store is {uri}, which a machine of AWS cannot reach",
            fix="set checkpoint.uri in the job, or store in the settings, to s3://bucket/folder",
        )
    endpoint = options.get("endpoint") or _environment("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    region = options.get("region") or ("" if endpoint else bucket_region(parts.netloc))
    region = region or _environment("AWS_REGION", "AWS_DEFAULT_REGION") or _FIRST_REGION
    address, base = bucket_address(parts.netloc, region, endpoint)
    chosen = {**options, "region": region}
    if endpoint:
        chosen |= {"endpoint": endpoint, "allow_http": endpoint.startswith("http://")}
    return _Place(parts.path.strip("/"), address, base, chosen)


def _environment(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")
