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

from finsched.node import web
from finsched.node.remote import RemoteObjects
from finsched.node.s3 import S3Objects
from finsched.node.store import Opener, Store
from finsched.testing.metadata import AzureMetadata, GoogleMetadata

from .cloud_labs import (
    NODE_TOKEN,
    AzuriteLab,
    FakeLab,
    Lab,
    az_lab,
    azurite_program,
    entra_token,
    gs_lab,
    make_certificate,
    start_azurite,
)

OPENERS: dict[str, Opener] = {"obstore": RemoteObjects, "stdlib": S3Objects}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/store")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "finsched-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("disk full: mounting a small tmpfs needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A directory at the end of a path that is nested deeper than Python recurses."""
    top = tmp_path / "d"
    deep = top / "/".join(["d"] * 1499)
    subprocess.run(["mkdir", "-p", deep], check=True)
    yield deep
    subprocess.run(["rm", "-rf", top], check=True)  # pytest itself cannot


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
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as stream:
        command = [sys.executable, str(Path(__file__).with_name("s3_lab.py")), str(port)]
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
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> S3Lab:
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = f"bucket-{time.monotonic_ns()}"
    lab = S3Lab(s3_url, bucket)
    lab("reset")
    urllib.request.urlopen(f"{s3_url}/moto-api/reset", b"", timeout=30).close()
    put = urllib.request.Request(f"{s3_url}/{bucket}", method="PUT")
    urllib.request.urlopen(put, timeout=30).close()
    lab("reset")
    return lab


@pytest.fixture
def gs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    """A bucket of Google, and the metadata service of a machine that may use it."""
    lab, metadata = gs_lab(), GoogleMetadata("finsched-1")
    metadata.lend(NODE_TOKEN)
    monkeypatch.setenv("FINSCHED_METADATA_URL", metadata.url)
    yield lab
    lab.server.close()
    metadata.close()


@pytest.fixture
def az(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    """A container of Azure, and the metadata service of a machine that may use it."""
    lab, metadata = az_lab(), AzureMetadata("/subscriptions/s/virtualMachines/finsched-1")
    metadata.lend(NODE_TOKEN)
    monkeypatch.setenv("FINSCHED_METADATA_URL", metadata.url)
    yield lab
    lab.server.close()
    metadata.close()


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


CLOUD_LABS = ("s3", "gs", "az", "azurite")


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) for name in CLOUD_LABS])
def cloud_lab(request: pytest.FixtureRequest) -> Lab:
    """A store in each cloud."""
    lab: Lab = request.getfixturevalue(request.param)
    return lab


@pytest.fixture(
    params=[
        "folder",
        *(
            pytest.param(f"{name} {client}", marks=pytest.mark.slow)
            for name in CLOUD_LABS
            for client in OPENERS
        ),
    ]
)
def any_store(request: pytest.FixtureRequest) -> Store:
    """The store on a folder, and in each cloud by each of its two clients."""
    if request.param == "folder":
        store: Store = request.getfixturevalue("store")
        return store
    name, client = request.param.split()
    lab: Lab = request.getfixturevalue(name)
    return lab.open(client)
