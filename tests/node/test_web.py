"""The HTTP below the S3 client: encryption, connections used again, servers that hang up."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from finsched.node.clock import utc_now
from finsched.node.web.connections import Connections

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amz-Thing: a\r\n\r\nok"
ASK = """
import sys
from finsched.node.web.connections import Connections
try:
    print(Connections(sys.argv[1]).exchange("GET", "/", {}).body.decode())
except OSError as error:
    print(type(error).__name__)
"""


class Server:
    """Answers each request; it closes a connection after `answers` of them without a word."""

    def __init__(self, answers: int, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._answers = answers
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                self._talk(client)
            except OSError:
                client.close()

    def _talk(self, client: socket.socket) -> None:
        with (
            self._context.wrap_socket(client, server_side=True) if self._context else client as own
        ):
            for _ in range(self._answers):
                if not own.recv(1 << 16):
                    return
                own.sendall(ANSWER)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that nobody has signed, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a store")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(utc_now()).not_valid_after(utc_now() + timedelta(hours=1))
    signed = dated.add_extension(names, critical=False).sign(key, hashes.SHA256())
    file = tmp_path / "certificate.pem"
    text = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(signed.public_bytes(text) + key.private_bytes(text, *plain))
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(9, context)
    yield server
    server.close()


def ask(server: Server, **environment: str) -> str:
    command = [sys.executable, "-c", ASK, f"https://127.0.0.1:{server.port}"]
    own = {**os.environ, **environment}
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_a_server_is_believed_only_with_a_certificate_that_the_machine_trusts(
    secure: Server, certificate: Path
) -> None:
    assert ask(secure, SSL_CERT_FILE=str(certificate)) == "ok"
    assert ask(secure) == "SSLCertVerificationError"


@pytest.mark.parametrize(("answers", "connections"), [(9, 1), (1, 3)])
def test_a_connection_is_used_until_the_server_closes_it(answers: int, connections: int) -> None:
    server = Server(answers)
    client = Connections(f"http://127.0.0.1:{server.port}")
    for _ in range(3):
        answer = client.exchange("GET", "/", {})
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.headers["x-amz-thing"] == "a"
    assert server.connections == connections
    server.close()
