"""The machine's metadata endpoint, in the shape of EC2's IMDSv2: first a token, then answers."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class MetadataServer:
    """Answers on a free loopback port; hint and notice are a 404 until they are given."""

    def __init__(self, instance_id: str) -> None:
        self._answers = {"/latest/meta-data/instance-id": instance_id}
        handler = _handler(self._answers, secrets.token_urlsafe(24))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="metadata", daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def give_hint(self, at: datetime) -> None:
        """Recommend to leave: the machine is more likely than before to be taken back."""
        recommendation = json.dumps({"noticeTime": at.isoformat()})
        self._answers["/latest/meta-data/events/recommendations/rebalance"] = recommendation

    def give_notice(self, ends_at: datetime) -> None:
        """Say that the machine will be taken back."""
        action = {"action": "terminate", "time": ends_at.isoformat()}
        self._answers["/latest/meta-data/spot/instance-action"] = json.dumps(action)


def _handler(answers: dict[str, str], token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            if self.path == "/latest/api/token":
                self._answer(200, token)
            else:
                self._answer(404, "")

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != token:
                self._answer(401, "")
            elif self.path in answers:
                self._answer(200, answers[self.path])
            else:
                self._answer(404, "")

        def log_message(self, *_: object) -> None:
            return

        def _answer(self, status: int, body: str) -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
