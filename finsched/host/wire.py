"""How the process and its clients speak: one request and one answer, each JSON with its length.

The first bytes of both say which protocol they speak, so that neither misreads the other.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

from finsched.errors import MachineProblem

PROTOCOL = 1
LARGEST_BYTES = 4 * 2**20
SECONDS = 10.0
_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")  # of Linux: process, user, group

Document = dict[str, Any]


class WireProblem(MachineProblem):
    """What came over the socket is no message of ours."""


class CutOff(WireProblem):
    """The other side ended before its message did."""


def send(connection: socket.socket, document: Document) -> None:
    """Send one message."""
    content = json.dumps({"protocol": PROTOCOL, **document}).encode()
    connection.sendall(_LENGTH.pack(len(content)) + content)


def receive(connection: socket.socket) -> Document:
    """Return one message; raises `WireProblem` for anything else."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > LARGEST_BYTES:
        raise WireProblem(f"a message of {length} bytes is too long")
    try:
        document = json.loads(_exactly(connection, length))
    except ValueError as error:
        raise WireProblem("a message was not JSON") from error
    if not isinstance(document, dict):
        raise WireProblem("a message was no object")
    if document.get("protocol") != PROTOCOL:
        raise _another_version(document)
    return document


def require_own_user(connection: socket.socket) -> None:
    """Raise `WireProblem` where another user is at the other end.

    Where the system does not tell, the modes of the socket and of its folder keep others out.
    """
    if told := _credentials(connection):
        _, user, _ = told
        if user != os.getuid():
            raise WireProblem(f"the other side is user {user}, not you")


def other_side(connection: socket.socket) -> int | None:
    """Return the process at the other end; None where the system does not tell."""
    told = _credentials(connection)
    return told[0] if told else None


def _credentials(connection: socket.socket) -> tuple[int, ...] | None:
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(told)


def _another_version(document: Document) -> WireProblem:
    pid = document.get("pid", "PID")
    return WireProblem(
        f"the background process {pid} is of finsched {document.get('finsched', 'unknown')},"
        " which speaks another protocol",
        fix=f"end it with `kill {pid}`: the next command starts it anew, and its runs go on",
    )


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        piece = connection.recv(min(size - len(content), 65_536))
        if not piece:
            raise CutOff("the connection ended within a message")
        content += piece
    return bytes(content)
