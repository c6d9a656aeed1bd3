"""The same agent with a real S3 server behind a network that breaks on the way."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from finsched.node.store import Missing, StoreError

pytestmark = pytest.mark.slow

SAVES = r"""
for i in 1 2 3 4 5 6; do
  head -c SIZE /dev/urandom > $FINSCHED_CHECKPOINT_DIR/weights.tmp
  mv $FINSCHED_CHECKPOINT_DIR/weights.tmp $FINSCHED_CHECKPOINT_DIR/weights
  sleep 0.5
done
sha256sum < $FINSCHED_CHECKPOINT_DIR/weights"""


class Network:
    """A way to the server that can be cut: open connections break, new ones are refused."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sent_bytes = 0
        self._accept_in_thread()

    def cut(self) -> None:
        for each in {self._listener, *self._sockets}:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accept_in_thread()

    def _accept_in_thread(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets |= {client, server}
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(1 << 16):
                target.sendall(block)
                self.sent_bytes += len(block)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def network(s3_url: str) -> Iterator[Network]:
    port = urlsplit(s3_url).port
    assert port
    network = Network(port)
    yield network
    network.cut()


@pytest.fixture
def s3(cloud: Any, network: Network, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The cloud of the other tests, with its store in a new bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = f"bucket-{os.getpid()}-{network.port}"
    endpoint = f"http://127.0.0.1:{network.port}"
    cloud.store_uri = f"s3://{bucket}/runs/a run"
    cloud.store_options = {"endpoint": endpoint, "region": "us-east-1", "allow_http": True}
    create_bucket(endpoint, bucket)
    return cloud


def create_bucket(endpoint: str, bucket: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=bucket)
    client.close()


def test_the_store_behaves_as_a_folder_does(s3: Any) -> None:
    store = s3.store
    assert store.create("log/1", b"first")
    assert not store.create("log/1", b"second")
    assert store.get("log/1") == b"first"
    large = os.urandom(12 << 20)
    store.upload("parts/large", [large[: 7 << 20], large[7 << 20 :]])
    assert b"".join(store.download("parts/large")) == large
    assert [item.key for item in store.list("parts")] == ["parts/large"]
    assert store.list("parts", after="parts/large") == []
    store.delete("parts/large")
    with pytest.raises(Missing):
        list(store.download("parts/large"))


def test_a_run_is_interrupted_and_resumed_over_s3(s3: Any) -> None:
    save = "echo state > $FINSCHED_CHECKPOINT_DIR/a; echo 0.5 > $FINSCHED_PROGRESS; "
    plan = {"at_progress": 0.2, "after_seconds": 30, "notice_seconds": 5}
    _, ended = s3.run(
        save + "trap 'exit 0' TERM; while :; do sleep 0.05; done", hints={"interruption": plan}
    )
    assert ended["end"] == "interrupted"
    _, ended = s3.run("cat $FINSCHED_RESUME_FROM/a", attempt=2)
    assert ended["end"] == "finished"
    assert s3.output(s3.instances[1]) == "state\n"


def test_an_upload_that_dies_is_repeated_when_the_network_is_back(
    s3: Any, network: Network, eventually: Any
) -> None:
    """The connection breaks in the middle of the bytes; the job goes on and nothing is lost."""
    instance = s3.launch(SAVES.replace("SIZE", "30000000"))
    before = network.sent_bytes
    eventually(lambda: network.sent_bytes - before > 8_000_000)
    network.cut()
    with pytest.raises(StoreError):
        s3.store.list("log")
    time.sleep(2.0)
    assert s3.status(instance).state == "running", "the job does not notice"
    network.mend()
    s3.wait_until_ended(instance, seconds=40)
    assert s3.messages("ended")[-1]["end"] == "finished"
    assert any("trying on" in warning["text"] for warning in s3.messages("warning"))
    [weights] = s3.commits()[-1].files
    assert weights.sha256 == s3.output(instance).split()[0]


def test_with_the_store_gone_for_good_the_machine_still_ends(
    cloud: Any, network: Network, s3: Any, eventually: Any
) -> None:
    """Nobody can renew the lease, so the node ends itself: no machine bills for ever."""
    instance = s3.launch("while :; do sleep 0.05; done", lease_seconds=1.0)
    eventually(lambda: s3.messages("started"))
    network.cut()
    status = s3.wait_until_ended(instance, seconds=40)
    assert status.reason == "ended_itself"
