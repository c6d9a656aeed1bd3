"""The address under which the other nodes of a gang reach this machine."""

from __future__ import annotations

import socket

_NOWHERE = ("192.0.2.1", 9)  # reserved for documentation: nothing is sent, only a route is chosen
_THIS_MACHINE = "127.0.0.1"


def own_address() -> str:
    """Return the address of the interface that leads out of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_NOWHERE)
        except OSError:
            return _THIS_MACHINE
        return str(probe.getsockname()[0])
