"""The process stays reachable when its machine runs short of something for a moment."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path

SHORT_OF_DESCRIPTORS = """
import os, resource, sys, time
from pathlib import Path
from finsched.host.place import Place
from finsched.host.server import Server

server = Server(Place(Path(sys.argv[1])), {"ping": lambda _: {"pong": True}}, "1")
server.open()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
print(Place(Path(sys.argv[1])).endpoint, flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
sys.stdin.readline()
"""


def test_it_answers_again_once_there_are_descriptors(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 3
    command = [sys.executable, "-c", SHORT_OF_DESCRIPTORS, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        endpoint = process.stdout.readline().strip()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(endpoint)
            process.stdin.write("\n")
            process.stdin.flush()
            client.sendall(b"no words of ours\n")
            assert client.recv(1 << 16)
        process.stdin.close()
        assert process.wait(30) == 0
