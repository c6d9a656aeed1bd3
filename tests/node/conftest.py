from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from finsched.node.store import Store
from finsched.testing.metadata import AzureMetadata, GoogleMetadata
from tests.object_stores import OPENERS

from .cloud_labs import (
    NODE_TOKEN,
    FakeLab,
    Lab,
    az_lab,
    gs_lab,
)


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
