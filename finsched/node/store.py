"""The run's store: a folder of objects on any backend, reached by URI.

Where finsched is installed obstore does the work. A rented machine has nothing but its own Python:
there the stores of the clouds are reached with the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from finsched.node.checkpoints.room import NoRoom, require_room
from finsched.node.clock import pause
from finsched.node.objects import Missing, Objects, StoredObject, StoreError

__all__ = [
    "Missing",
    "Objects",
    "Store",
    "StoreError",
    "StoredObject",
    "pause_after",
    "with_retries",
]

_Result = TypeVar("_Result")
Opener = Callable[[str, Mapping[str, Any]], Objects]
_CLIENTS = {"s3": ("s3", "S3Objects"), "gs": ("gs", "GsObjects"), "az": ("az", "AzObjects")}
_LONGEST_PAUSE_SECONDS = 30.0
_HURRIED_PAUSE_SECONDS = 0.5


class Store:
    """Objects under one URI: `file://`, `s3://`, `gs://` or `az://`."""

    def __init__(
        self, uri: str, options: Mapping[str, Any] | None = None, *, opener: Opener | None = None
    ) -> None:
        self.uri = uri
        self._objects = (opener or _open)(uri, options or {})

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        return self._objects.create(key, content)

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        return self._objects.get(key)

    def list(self, folder: str, *, after: str = "") -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`, in order."""
        return sorted(self._objects.list(folder, after=after), key=lambda stored: stored.key)

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size, in parts where it is large."""
        self._objects.upload(key, blocks)

    def require_room(self, size_bytes: int) -> None:
        """Raise StoreError where so much does not fit; only a folder on a disk is ever full."""
        parts = urlsplit(self.uri)
        if parts.scheme != "file":
            return
        try:
            require_room(Path(unquote(parts.path)), size_bytes, what="a file")
        except NoRoom as error:
            raise StoreError(f"no space left on the device: {error}") from error

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in blocks; raises Missing."""
        yield from self._objects.download(key)

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        self._objects.delete(key)


def with_retries(action: Callable[[], _Result], *, tries: int = 4) -> _Result:
    """Return the action's result, trying again with growing pauses; Missing is final."""
    for attempt in range(1, tries):
        try:
            return action()
        except Missing:
            raise
        except StoreError:
            pause(0.25 * 2**attempt)
    return action()


def pause_after(failures: int, *, hurried: bool) -> float:
    """Return the seconds to wait before something is sent again; short ones where time is short."""
    return min(
        0.5 * 2.0 ** min(failures, 10),
        _HURRIED_PAUSE_SECONDS if hurried else _LONGEST_PAUSE_SECONDS,
    )


def _open(uri: str, options: Mapping[str, Any]) -> Objects:
    if find_spec("obstore"):
        from finsched.node.stores.remote import RemoteObjects  # noqa: PLC0415 - not on a bare machine

        return RemoteObjects(uri, options)
    scheme = urlsplit(uri).scheme
    if scheme not in _CLIENTS:
        raise StoreError(f"cannot open {uri}: a machine without obstore reaches s3, gs and az only")
    module, name = _CLIENTS[scheme]
    opener: Opener = getattr(import_module(f"finsched.node.stores.{module}"), name)
    return opener(uri, options)
