"""What holds for every test: it reaches nothing but this machine, and what is long starts first."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.object_stores import azurite, azurite_server, s3, s3_server, s3_url

__all__ = [
    "azurite",
    "azurite_server",
    "s3",
    "s3_server",
    "s3_url",
]  # a server each, not one for every importer

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_REACHES_OUT = {socket.AF_INET, socket.AF_INET6}


@pytest.fixture(scope="session", autouse=True)
def only_this_machine() -> Iterator[None]:
    """No test reaches another machine, whatever it does."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in _REACHES_OUT and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True)
def no_session_of_another_test() -> Iterator[None]:
    """The AWS SDK keeps the credentials that it has found first, for the whole process."""
    yield
    if sdk := sys.modules.get("boto3"):
        sdk.DEFAULT_SESSION = None


def pytest_configure() -> None:
    """What the tests start can be interrupted, also where a shell runs them in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start what is long first; the others keep their order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
