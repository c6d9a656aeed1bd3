"""Object stores of the clouds, each started once for all tests of a process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from finsched.node.store import Opener, Store
from finsched.node.stores.remote import RemoteObjects
from finsched.node.stores.s3 import S3Objects
from finsched.node.web import connections as web
from finsched.testing.metadata import AzureMetadata
from tests.node.cloud_labs import (
    AzuriteLab,
    azurite_program,
    entra_token,
    make_certificate,
    start_azurite,
)

OPENERS: dict[str, Opener] = {"obstore": RemoteObjects, "stdlib": S3Objects}


@dataclass(frozen=True)
class S3Lab:
    """An S3 server that does as the test says; one bucket for each test."""

    url: str
    bucket: str

    def __call__(self, word: str, **body: Any) -> Any:
        url = f"{self.url}/lab/{word}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def calls(self, method: str = "", query: str = "") -> list[dict[str, Any]]:
        calls = self("log")
        return [call for call in calls if method in call["method"] and query in call["query"]]

    def store(self, opener: Opener = S3Objects, folder: str = "runs/a run") -> Store:
        return Store(f"s3://{self.bucket}/{folder}", self.options, opener=opener)

    def open(self, client: str) -> Store:
        return self.store(OPENERS[client])

    def fault(self, **rule: Any) -> None:
        self("fault", **rule)

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint": self.url, "allow_http": True}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as stream:
        command = [sys.executable, str(Path(__file__).parent / "node" / "s3_lab.py"), str(port)]
        server = subprocess.Popen(command, stdout=stream, stderr=stream)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, url, log)
        yield url
    finally:
        server.kill()
        server.wait()


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        try:
            return S3Lab(url, "")("reset")
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, "the S3 server does not start"
            time.sleep(0.05)


@pytest.fixture
def s3_url(s3_server: str) -> str:
    """The server without the faults that another test has asked for."""
    S3Lab(s3_server, "")("reset")
    return s3_server


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> S3Lab:
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = f"bucket-{time.monotonic_ns()}"
    lab = S3Lab(s3_url, bucket)
    urllib.request.urlopen(f"{s3_url}/moto-api/reset", b"", timeout=30).close()
    put = urllib.request.Request(f"{s3_url}/{bucket}", method="PUT")
    urllib.request.urlopen(put, timeout=30).close()
    lab("reset")
    return lab


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    program = azurite_program()
    if program is None:
        pytest.skip("Azurite is not installed: make azurite")
    folder = tmp_path_factory.mktemp("azurite")
    certificate = make_certificate(folder / "certificate.pem")
    process, address = start_azurite(program, folder, certificate)
    yield address, certificate
    process.terminate()
    process.wait()


@pytest.fixture
def azurite(
    azurite_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[AzuriteLab]:
    address, certificate = azurite_server
    lab = AzuriteLab(address, f"container-{time.monotonic_ns()}", entra_token())
    lab.make_container()
    metadata = AzureMetadata("/subscriptions/s/virtualMachines/finsched-1")
    metadata.lend(lab.token)
    monkeypatch.setenv("FINSCHED_METADATA_URL", metadata.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    web._tls.cache_clear()
    yield lab
    web._tls.cache_clear()
    metadata.close()
