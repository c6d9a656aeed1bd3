"""The metadata service of an emulated machine, in the words of AWS, GCP or Azure.

It lends keys and tokens, and tells of hints and notices. Identity tokens are plain text here that
names the machine and the audience; whoever takes them in a test compares them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from finsched.node.clock import utc_now

_ROLES = "/latest/meta-data/iam/security-credentials/"
_OF_GOOGLE = "/computeMetadata/v1/"
_OF_AZURE = "/metadata/"
_RESOURCES = ("https://storage.azure.com", "https://management.azure.com")


class Question(NamedTuple):
    """What was asked; the names of the headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Metadata:
    """Answers on a free loopback port, as one of EC2's; what is not known is a 404."""

    def __init__(self, instance_id: str, *, launch_index: int = 0) -> None:
        self._token = secrets.token_urlsafe(24)
        identity = {"instanceId": instance_id, "pendingTime": _moment(utc_now())}
        self._answers = {
            "/latest/dynamic/instance-identity/document": json.dumps(identity),
            "/latest/meta-data/ami-launch-index": str(launch_index),
        }
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def lend(self, secret: str, *, hours: float = 6.0) -> None:
        """Give the machine a role with this access key."""
        document = {
            "AccessKeyId": secret,
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

    def answer(self, asked: Question) -> tuple[int, str]:
        """Return status and body of one answer."""
        if asked.method == "PUT":
            return (200, self._token) if asked.path == "/latest/api/token" else (404, "")
        if asked.headers.get("x-aws-ec2-metadata-token") != self._token:
            return 401, ""
        found = self._answers.get(asked.path)
        return (404, "") if found is None else (200, found)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class GoogleMetadata(Metadata):
    """That of a machine of Compute Engine with a service account."""

    def __init__(self, name: str, *, project: str = "acme", zone: str = "us-central1-a") -> None:
        self._name = name
        self._lent: tuple[str, datetime] | None = None
        self._preempted = threading.Event()
        super().__init__(name)
        self._answers = {
            f"{_OF_GOOGLE}instance/name": name,
            f"{_OF_GOOGLE}instance/zone": f"projects/123456789012/zones/{zone}",
            f"{_OF_GOOGLE}instance/maintenance-event": "NONE",
            f"{_OF_GOOGLE}project/project-id": project,
        }

    def lend(self, secret: str, *, hours: float = 1.0) -> None:
        """Give the machine's service account this token."""
        self._lent = (secret, utc_now() + timedelta(hours=hours))

    def give_hint(self) -> None:
        """Announce maintenance, which is no preemption."""
        self._answers[f"{_OF_GOOGLE}instance/maintenance-event"] = "MIGRATE_ON_HOST_MAINTENANCE"

    def give_notice(self, ends_at: datetime) -> None:  # noqa: ARG002 - Google names no moment
        """Say that the machine is being preempted."""
        self._preempted.set()

    def answer(self, asked: Question) -> tuple[int, str]:
        """Return status and body of one answer."""
        if asked.headers.get("metadata-flavor") != "Google":
            return 403, ""
        account = f"{_OF_GOOGLE}instance/service-accounts/default/"
        if asked.path == f"{account}token" and self._lent:
            return 200, self._token_document(*self._lent)
        if asked.path == f"{account}identity":
            return 200, f"{self._name} for {asked.query['audience']}"
        if asked.path == f"{_OF_GOOGLE}instance/preempted":
            if asked.query.get("wait_for_change") == "true" and self._unchanged(asked):
                self._preempted.wait(float(asked.query.get("timeout_sec", 60)))
            return 200, str(self._preempted.is_set()).upper()
        found = self._answers.get(asked.path)
        return (404, "") if found is None else (200, found)

    def _unchanged(self, asked: Question) -> bool:
        last = asked.query.get("last_etag")
        return last is None or last == _tag(str(self._preempted.is_set()).upper())

    def _token_document(self, token: str, ends_at: datetime) -> str:
        seconds = int((ends_at - utc_now()).total_seconds())
        return json.dumps({"access_token": token, "expires_in": seconds, "token_type": "Bearer"})


class AzureMetadata(Metadata):
    """That of a virtual machine of Azure with a managed identity."""

    def __init__(self, resource_id: str) -> None:
        self._name = resource_id.rpartition("/")[2]
        self._lent: tuple[str, datetime] | None = None
        self._events: list[dict[str, object]] = []
        super().__init__(self._name)
        described = {"name": self._name, "resourceId": resource_id}
        self._answers = {f"{_OF_AZURE}instance/compute": json.dumps(described)}

    def lend(self, secret: str, *, hours: float = 24.0) -> None:
        """Give the machine's identity this token, for storage and for the Resource Manager."""
        self._lent = (secret, utc_now() + timedelta(hours=hours))

    def give_hint(self) -> None:
        """Announce a reboot, which is no eviction."""
        self._announce("Reboot", utc_now() + timedelta(minutes=15), self._name)

    def give_notice(self, ends_at: datetime) -> None:
        """Say that the machine will be evicted."""
        self._announce("Preempt", ends_at, self._name)

    def announce_another(self, ends_at: datetime) -> None:
        """Say that another machine of the same group will be evicted: each hears of all."""
        self._announce("Preempt", ends_at, "another")

    def answer(self, asked: Question) -> tuple[int, str]:
        """Return status and body of one answer."""
        if asked.headers.get("metadata") != "true":
            return 400, ""
        if "api-version" not in asked.query:
            return 400, json.dumps({"error": "Bad request. api-version is invalid"})
        if asked.path == f"{_OF_AZURE}scheduledevents":
            document = {"DocumentIncarnation": len(self._events), "Events": self._events}
            return 200, json.dumps(document)
        if asked.path == f"{_OF_AZURE}identity/oauth2/token" and self._lent:
            return 200, self._token_document(asked.query["resource"], *self._lent)
        found = self._answers.get(asked.path)
        return (404, "") if found is None else (200, found)

    def _token_document(self, resource: str, token: str, ends_at: datetime) -> str:
        own = resource.rstrip("/") in _RESOURCES
        document = {
            "access_token": token if own else f"{self._name} for {resource}",
            "expires_on": str(int(ends_at.timestamp())),
            "resource": resource,
            "token_type": "Bearer",
        }
        return json.dumps(document)

    def _announce(self, kind: str, ends_at: datetime, machine: str) -> None:
        event: dict[str, object] = {
            "EventId": secrets.token_hex(8),
            "EventType": kind,
            "EventStatus": "Scheduled",
            "ResourceType": "VirtualMachine",
            "Resources": [machine],
            "NotBefore": f"{ends_at:%a, %d %b %Y %H:%M:%S GMT}",
            "EventSource": "Platform",
        }
        self._events.append(event)


def metadata_of(cloud: str, names: Mapping[str, str]) -> Metadata:
    """Start the service of a cloud for a machine with this name, project, zone or resource id."""
    if cloud == "gcp":
        return GoogleMetadata(**names)
    if cloud == "azure":
        return AzureMetadata(**names)
    return Metadata(names["name"], launch_index=int(names.get("launch_index", 0)))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _tag(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


def _handler(metadata: Metadata) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query))
            status, body = metadata.answer(Question(self.command, parts.path, query, headers))
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", _tag(body))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = _respond  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            return

    return Handler
