"""Objects on any backend through obstore, which is there where finsched is installed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from finsched.node.objects import Missing, StoredObject, StoreError

PARTS_AT_ONCE = 4
"""How many parts of an upload, of 5 MiB each, may be on their way: so much is held in memory."""

_CLIENT_OPTIONS = {"allow_http", "allow_invalid_certificates", "proxy_url"}
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_KEYS_OF_AZURE = ("ACCOUNT_KEY", "ACCESS_KEY", "SAS_KEY", "SAS_TOKEN", "TOKEN", "CLIENT_ID")
_OPTIONS_OF_AZURE = {"account_key", "sas_key", "token", "client_id", "skip_signature"}
_METADATA = ("/latest/api/token", "/latest/meta-data", "/computeMetadata/", "/metadata/identity/")
"""Paths of a cloud machine's metadata service, which is the last place to look for credentials."""
_KEYS_OF_OBSTORE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class RemoteObjects:
    """Objects under one URI: `file://`, `s3://`, `gs://` or `az://`."""

    def __init__(self, uri: str, options: Mapping[str, Any]) -> None:
        self._uri = uri
        with self._in_words("open"):
            self._objects = _open(uri, dict(options))

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        try:
            with self._in_words("write to"):
                obstore.put(self._objects, key, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        with self._in_words("read"):
            return bytes(obstore.get(self._objects, key).bytes())

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`."""
        with self._in_words("list"):
            batches = obstore.list(self._objects, folder, offset=after or None)
            found = [
                StoredObject(meta["path"], meta["size"]) for batch in batches for meta in batch
            ]
        return [stored for stored in found if stored.key > after]  # not every server knows offsets

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size, in parts where it is large."""
        with self._in_words("write to"):
            obstore.put(self._objects, key, iter(blocks), max_concurrency=PARTS_AT_ONCE)

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in blocks; raises Missing."""
        with self._in_words("read"):
            for block in obstore.get(self._objects, key).stream():
                yield bytes(block)

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        with self._in_words("delete from"):
            try:
                obstore.delete(self._objects, key)
            except FileNotFoundError:
                return

    @contextmanager
    def _in_words(self, action: str) -> Iterator[None]:
        try:
            yield
        except AlreadyExistsError:
            raise
        except FileNotFoundError as error:
            if action == "read":
                raise Missing(f"{self._uri}: {_first_line(error)}") from error
            raise StoreError(f"cannot {action} {self._uri}: {_cause(error)}") from error
        except (BaseError, OSError, ValueError) as error:
            raise StoreError(f"cannot {action} {self._uri}: {_cause(error)}") from error


def _open(uri: str, options: dict[str, Any]) -> ObjectStore:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return LocalStore(Path(unquote(parts.path)), mkdir=True)
    client = {name: options.pop(name) for name in _CLIENT_OPTIONS & options.keys()}
    if _endpoint(parts.scheme).startswith("http://"):
        client["allow_http"] = True  # whoever names such an endpoint means it
    settings: dict[str, Any] = {
        "config": options,
        "client_options": {"connect_timeout": timedelta(seconds=5), **client},
        # Short: the agent has its own back-off and must hear of trouble early.
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
    }
    objects: ObjectStore = from_url(uri, **settings)  # first, so that a wrong option costs no call
    more = _of_aws(parts.netloc, options) if parts.scheme == "s3" else {}
    if parts.scheme == "az":
        more = _of_azure(options)
    return from_url(uri, **{**settings, **more}) if more else objects


def _of_aws(bucket: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what obstore does not find out: the bucket's region, and keys of profiles and SSO."""
    more: dict[str, Any] = {}
    at_aws = not _endpoint("s3") and "endpoint" not in options
    if at_aws and "region" not in options and (region := _region(bucket)):
        more["config"] = {**options, "region": region}
    if not any(os.environ.get(name) for name in _KEYS_OF_OBSTORE) and find_spec("boto3"):
        from boto3.session import Session  # noqa: PLC0415 - heavy
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - wants boto3

        if (session := Session()).get_credentials():
            more["credential_provider"] = Boto3CredentialProvider(session)
    return more


def _region(bucket: str) -> str:
    from finsched.node.stores.s3_region import bucket_region  # noqa: PLC0415 - a folder needs no HTTP

    return bucket_region(bucket)


def _of_azure(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what obstore does not find out: who is signed in with Azure's own tools."""
    named = any(os.environ.get(f"AZURE_STORAGE_{name}") for name in _KEYS_OF_AZURE)
    if named or _OPTIONS_OF_AZURE & options.keys() or not _is_installed("azure.identity"):
        return {}
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - heavy
    from obstore.auth.azure import AzureCredentialProvider  # noqa: PLC0415 - wants azure.identity

    return {"credential_provider": AzureCredentialProvider(DefaultAzureCredential())}


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that would hold it
        return False


def _endpoint(scheme: str) -> str:
    """Return where the environment says that a kind of store is, as its cloud's tools read it."""
    names = _ENDPOINTS.get(scheme, ())
    return next((value for name in names if (value := os.environ.get(name))), "")


def _cause(error: Exception) -> str:
    text = str(error)
    if "StorageFull" in text or "os error 28" in text:
        return "no space left on the device"
    if "os error 13" in text or "os error 30" in text or "PermissionDenied" in type(error).__name__:
        return "no permission"
    if any(path in text for path in _METADATA):
        return "no credentials for it are configured here"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
