"""Stores of Google and Azure for tests: honest fakes, and Azurite where it is installed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

from finsched.node.clock import utc_now
from finsched.node.store import Opener, Store
from finsched.node.stores.az import AzObjects
from finsched.node.stores.gs import GsObjects
from finsched.node.stores.remote import RemoteObjects
from finsched.testing.azure_blob import FakeAzureBlob
from finsched.testing.gcs import FakeGcs
from finsched.testing.object_server import ObjectServer

FOLDER = "runs/a run"
NODE_TOKEN, LAUNCHER_TOKEN = "token-of-the-machine", "token-of-the-launcher"
ACCOUNT = "devstoreaccount1"
_AZURITE = "azurite-blob"
_INSTALLED = Path(__file__).parents[2] / ".venv/azurite/node_modules/.bin" / _AZURITE


class Lab(Protocol):
    """A store in a cloud, opened as the launcher does ("obstore") or as a node does ("stdlib")."""

    def open(self, client: str) -> Store: ...


class FaultyLab(Lab, Protocol):
    """One that does as the test says."""

    def fault(self, **rule: Any) -> None: ...

    def calls(self, method: str = "", query: str = "") -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class FakeLab:
    """A fake store; `launcher` are the credentials that obstore takes as options."""

    server: ObjectServer
    uri: str
    options: dict[str, Any]
    launcher: dict[str, Any]
    opener: Opener

    def open(self, client: str) -> Store:
        if client == "obstore":
            return Store(self.uri, {**self.options, **self.launcher}, opener=RemoteObjects)
        return Store(self.uri, self.options, opener=self.opener)

    def fault(self, **rule: Any) -> None:
        self.server.fault(**rule)

    def calls(self, method: str = "", query: str = "") -> list[dict[str, Any]]:
        return self.server.calls(method, query)


def gs_lab() -> FakeLab:
    server = FakeGcs("acme", tokens=(NODE_TOKEN, LAUNCHER_TOKEN))
    launcher = {"bearer_token": LAUNCHER_TOKEN}
    return FakeLab(server, f"gs://acme/{FOLDER}", server.options, launcher, GsObjects)


def az_lab() -> FakeLab:
    server = FakeAzureBlob("acme", tokens=(NODE_TOKEN, LAUNCHER_TOKEN))
    launcher = {"token": LAUNCHER_TOKEN}
    return FakeLab(server, f"az://acme/{FOLDER}", server.options, launcher, AzObjects)


# --- Azurite -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AzuriteLab:
    """A container in Azurite, which checks tokens of Entra ID over HTTPS."""

    address: str
    container: str
    token: str

    def open(self, client: str) -> Store:
        uri = f"az://{self.container}/{FOLDER}"
        options = {"account_name": ACCOUNT, "endpoint": f"{self.address}/{ACCOUNT}"}
        if client == "stdlib":
            return Store(uri, options, opener=AzObjects)
        trusting = {"token": self.token, "allow_invalid_certificates": True}
        return Store(uri, {**options, **trusting}, opener=RemoteObjects)

    def make_container(self) -> None:
        url = f"{self.address}/{ACCOUNT}/{self.container}?restype=container"
        headers = {"Authorization": f"Bearer {self.token}", "x-ms-version": "2023-11-03"}
        request = urllib.request.Request(url, b"", headers, method="PUT")
        urllib.request.urlopen(request, timeout=30, context=_trusting()).close()


def azurite_program() -> str | None:
    """Return Azurite where FINSCHED_AZURITE names it, `make azurite` has put it, or PATH has it."""
    named = os.environ.get("FINSCHED_AZURITE") or (str(_INSTALLED) if _INSTALLED.exists() else "")
    return named or shutil.which(_AZURITE)


def start_azurite(program: str, folder: Path, certificate: Path) -> tuple[Any, str]:
    """Start it and return its process and its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [program, "--blobPort", str(port), "--oauth", "basic"]
    command += ["--cert", str(certificate), "--key", str(certificate), "--location", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--silent", "--disableTelemetry"], stdout=log, stderr=log
        )
    address = f"https://127.0.0.1:{port}"
    give_up_at = time.monotonic() + 60
    while not _answers(address):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < give_up_at, "Azurite does not start"
        time.sleep(0.1)
    return process, address


def entra_token() -> str:
    """A token as Entra ID issues it, with a signature that Azurite does not look at."""
    now = int(time.time())
    claims = {
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        "oid": "00000000-0000-0000-0000-000000000001",
        "tid": "00000000-0000-0000-0000-000000000002",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3600,
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims, {"signature": "none"})
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts
    )


def make_certificate(file: Path) -> Path:
    """Write a certificate of 127.0.0.1 that nobody has signed, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a store")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(utc_now()).not_valid_after(utc_now() + timedelta(hours=1))
    signed = dated.add_extension(names, critical=False).sign(key, hashes.SHA256())
    text = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(signed.public_bytes(text) + key.private_bytes(text, *plain))
    return file


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/", timeout=5, context=_trusting()).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
