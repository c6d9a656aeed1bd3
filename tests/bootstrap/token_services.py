"""The token services of Google and Entra ID, and both clouds' APIs that delete a machine.

What a service takes is checked as its documentation says; whose signature an identity token has is
not: the metadata service of the tests does not sign.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from finsched.node.clock import to_iso, utc_now

SECRET_KEY = "secret"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenServices:
    """Gives `token` to who shows the identity token `expected`, or a signed request of AWS."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.expected = ""
        self.given: list[str] = []
        self.boundaries: list[Any] = []
        self.deleted: list[dict[str, str]] = []
        self.refuse_deletion = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:
        path = unquote(urlsplit(target).path)
        if method == "DELETE":
            return self._delete(target, headers["authorization"])
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if path == "/v1/token":
            return self._google(form)
        if path.endswith(":generateAccessToken"):
            return self._act(path, headers["authorization"])
        if path.endswith("/oauth2/v2.0/token"):
            return self._entra(form)
        return 404, {}

    def _google(self, form: dict[str, str]) -> tuple[int, Any]:
        kind = form["subject_token_type"].rpartition(":")[2]
        genuine = form["subject_token"] == self.expected
        if kind == "aws4_request":
            genuine = is_signed(json.loads(unquote(form["subject_token"])), form["audience"])
        if form["grant_type"] != EXCHANGE or not genuine:
            return 400, {"error": "invalid_grant"}
        self.given.append(kind)
        if "options" in form:
            self.boundaries.append(json.loads(form["options"]))
        return 200, {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}

    def _act(self, path: str, authorization: str) -> tuple[int, Any]:
        if authorization != f"Bearer {self.token}":
            return 403, {"error": "PERMISSION_DENIED"}
        account = path.rpartition("/")[2].partition(":")[0]
        self.given.append(account)
        ends_at = to_iso(utc_now().replace(year=utc_now().year + 1)).replace("+00:00", "Z")
        return 200, {"accessToken": f"{self.token}-of-{account}", "expireTime": ends_at}

    def _entra(self, form: dict[str, str]) -> tuple[int, Any]:
        wanted = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
        if not wanted.items() <= form.items() or form["client_assertion"] != self.expected:
            return 401, {"error": "invalid_client"}
        self.given.append(form["scope"])
        return 200, {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}

    def _delete(self, target: str, authorization: str) -> tuple[int, Any]:
        if self.refuse_deletion:
            return 403, {"error": {"code": "AuthorizationFailed"}}
        self.deleted.append({"target": target, "authorization": authorization})
        return 202, {}


def is_signed(request: dict[str, Any], audience: str) -> bool:
    """Say whether AWS would tell who has signed a request for its GetCallerIdentity."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {each["key"]: each["value"] for each in request["headers"]}
    if headers.get("x-goog-cloud-target-resource") != audience:
        return False
    found = re.search(r"Credential=\w+/\d+/([^/]+)/sts/", headers["authorization"])
    signed = re.search("SignedHeaders=([^,]+)", headers["authorization"])
    if not (found and signed and "x-goog-cloud-target-resource" in signed[1]):
        return False
    shown = {name: headers[name] for name in signed[1].split(";")}
    theirs = AWSRequest(request["method"], request["url"], shown, b"")
    theirs.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials("any", SECRET_KEY), "sts", found[1])
    signature = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    return signature in headers["authorization"]


def _handler(services: TokenServices) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = services.answer(self.command, self.path, headers, body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_DELETE = do_POST  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            return

    return Handler
