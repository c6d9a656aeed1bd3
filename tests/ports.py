"""Ports for the servers of jobs."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_BELOW_THOSE_OF_CLIENTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port that nobody listens on, and that no client is given while the server is away.

    One of those that clients get may even connect to itself, when it is tried again and again.
    """
    while True:
        port = random.choice(_BELOW_THOSE_OF_CLIENTS)
        with suppress(OSError), socket.create_server(("", port)):
            return port
