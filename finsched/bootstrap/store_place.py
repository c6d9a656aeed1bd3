"""Where the run's store is, as a machine reaches it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from finsched.errors import NotConfigured
from finsched.node.stores import address as store_address
from finsched.node.stores.s3_region import bucket_region

_FIRST_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """A folder of a store at its address.

    `options` are those with which a node opens the store: nothing of them is secret.
    """

    scheme: str
    folder: str
    address: str
    base: str
    region: str
    options: Mapping[str, Any]

    def path(self, key: str) -> str:
        """Return the path of an object at the address."""
        return f"{self.base}/{quote(f'{self.folder}/{key}'.lstrip('/'), safe='/~')}"


def store_place(
    uri: str, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> StorePlace:
    """Find the store's address; raises NotConfigured where a machine could not reach it."""
    parts = urlsplit(uri)
    if parts.scheme not in _FINDERS or not parts.netloc:
        raise NotConfigured(
            f"the run's store is {uri}, which a machine of a cloud cannot reach",
            fix="set checkpoint.uri in the job, or store in the settings, to a folder in"
            " s3://bucket, gs://bucket or az://container",
        )
    address, base, own = _FINDERS[parts.scheme](parts.netloc, options, environment)
    if address.startswith("http://"):
        own = {**own, "allow_http": True}
    return StorePlace(
        scheme=parts.scheme,
        folder=unquote(parts.path).strip("/"),
        address=address,
        base=base,
        region=own.get("region", ""),
        options=own,
    )


_Found = tuple[str, str, dict[str, Any]]


def _s3(bucket: str, options: Mapping[str, Any], environment: Mapping[str, str]) -> _Found:
    endpoint = options.get("endpoint") or store_address.s3_endpoint(environment)
    region = options.get("region") or ("" if endpoint else bucket_region(bucket))
    region = (
        region
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or _FIRST_REGION
    )
    address, base = store_address.bucket_address(bucket, region, endpoint)
    own = {"region": region, **({"endpoint": endpoint} if endpoint else {})}
    return address, base, own


def _gs(bucket: str, options: Mapping[str, Any], environment: Mapping[str, str]) -> _Found:
    address = store_address.google_address(options, environment)
    own = {"base_url": address} if address != store_address.GOOGLE else {}
    return address, f"/{bucket}", own


def _az(container: str, options: Mapping[str, Any], environment: Mapping[str, str]) -> _Found:
    try:
        address, base = store_address.container_address(container, options, environment)
    except ValueError as error:
        raise NotConfigured(
            f"az://{container}: {error}",
            fix="set AZURE_STORAGE_ACCOUNT_NAME to the account that has the container",
        ) from error
    own = {
        name: value
        for name, value in {
            "account_name": options.get("account_name")
            or environment.get("AZURE_STORAGE_ACCOUNT_NAME"),
            "endpoint": options.get("endpoint") or environment.get("AZURE_STORAGE_ENDPOINT"),
        }.items()
        if value
    }
    return address, base, own


_FINDERS = {"s3": _s3, "gs": _gs, "az": _az}
