"""`python benchmarks/bench_node_s3.py [MIB]`: both S3 clients against a server that does no work.

Prints MiB per second and the client's own processor time for one object up and down, each client
with four transfers at a time. The server takes a good part of the machine, so the figures are a
floor.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from finsched.node.store import Opener, Store
from finsched.node.stores.remote import RemoteObjects
from finsched.node.stores.s3 import S3Objects

BLOCK = os.urandom(1 << 20)
OPENERS: dict[str, Opener] = {"stdlib": S3Objects, "obstore": RemoteObjects}


class Handler(BaseHTTPRequestHandler):
    """Takes every part and has every object, made of one block again and again."""

    protocol_version = "HTTP/1.1"
    size = 0

    def do_POST(self) -> None:
        """Begin or complete an upload."""
        self._take()
        name = "InitiateMultipartUploadResult" if "uploads" in self.path else "Result"
        inside = "<Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId><ETag>e</ETag>"
        self._answer(200, f"<{name}>{inside}</{name}>".encode())

    def do_PUT(self) -> None:
        """Take a part."""
        self._take()
        self._answer(200, b"")

    def do_GET(self) -> None:
        """Give a range."""
        wanted = self.headers.get("Range", f"bytes=0-{self.size - 1}").partition("=")[2]
        start, last = (int(part) for part in wanted.split("-"))
        last = min(last, self.size - 1)
        self.send_response(206)
        self.send_header("Content-Length", str(last - start + 1))
        self.send_header("Content-Range", f"bytes {start}-{last}/{self.size}")
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Sun, 01 Mar 2026 10:00:00 GMT")
        self.end_headers()
        for _ in range((last - start + 1) // len(BLOCK)):
            self.wfile.write(BLOCK)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
        return

    def _take(self) -> None:
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)


def serve(mib: int) -> None:
    """Be the server, and print the port."""
    Handler.size = mib << 20
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def measure(name: str, mib: int, action: Callable[[], object]) -> None:
    """Print how long an action takes."""
    began, used = time.monotonic(), time.process_time()
    action()
    seconds, processor = time.monotonic() - began, time.process_time() - used
    print(f"{name:18} {mib / seconds:6.0f} MiB/s   {1000 * processor / mib:5.1f} ms of CPU per MiB")


def drain(blocks: Iterable[bytes]) -> int:
    """Read all blocks."""
    return sum(map(len, blocks))


def main() -> None:
    """Measure both clients."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    command = [sys.executable, __file__, "serve", str(mib)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        options = {"endpoint": f"http://127.0.0.1:{int(server.stdout.readline())}"}
        for name, opener in OPENERS.items():
            store = Store("s3://b/k", {**options, "allow_http": True}, opener=opener)
            measure(f"{name} upload", mib, lambda store=store: store.upload("k", [BLOCK] * mib))
            measure(f"{name} download", mib, lambda store=store: drain(store.download("k")))
        server.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        main()
