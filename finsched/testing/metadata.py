"""The metadata endpoint of an emulated EC2 machine: IMDSv2, with a role, a hint and a notice."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from finsched.node.clock import utc_now

_ROLES = "/latest/meta-data/iam/security-credentials/"


class Metadata:
    """Answers on a free loopback port; what is not known is a 404."""

    def __init__(self, instance_id: str) -> None:
        self._answers: dict[str, str] = {}
        identity = {"instanceId": instance_id, "pendingTime": _moment(utc_now())}
        self._answers["/latest/dynamic/instance-identity/document"] = json.dumps(identity)
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), _handler(self._answers, secrets.token_urlsafe(24))
        )
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def lend_keys(self, access_key: str, *, hours: float = 6.0) -> None:
        """Give the machine a role with these keys."""
        document = {
            "AccessKeyId": access_key,
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": _moment(utc_now() + timedelta(hours=hours)),
        }
        self._answers[_ROLES] = "finsched-node\n"
        self._answers[f"{_ROLES}finsched-node"] = json.dumps(document)

    def give_hint(self) -> None:
        """Recommend to leave."""
        hint = json.dumps({"noticeTime": _moment(utc_now())})
        self._answers["/latest/meta-data/events/recommendations/rebalance"] = hint

    def give_notice(self, ends_at: datetime) -> None:
        """Say that the machine will be taken back."""
        action = json.dumps({"action": "terminate", "time": _moment(ends_at)})
        self._answers["/latest/meta-data/spot/instance-action"] = action

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _handler(answers: dict[str, str], token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self._answer(200 if self.path == "/latest/api/token" else 404, token)

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != token:
                self._answer(401, "")
            else:
                self._answer(200 if self.path in answers else 404, answers.get(self.path, ""))

        def log_message(self, *_: object) -> None:
            return

        def _answer(self, status: int, body: str) -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
