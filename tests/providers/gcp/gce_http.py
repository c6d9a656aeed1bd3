"""The emulated project over plain HTTP, as the real client library asks it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .gce import (
    ACCELERATORS,
    IMAGE,
    IMAGE_GIB,
    MACHINES,
    NODE_ACCOUNT,
    NOT_THERE,
    PROJECT,
    REGIONS,
    ROOT,
    USER,
    Document,
    Gce,
    Refused,
    zones,
)

MACHINES_TOKEN = "token-of-the-machine"
_LONGEST_PAGE = 500
_COMPARISON = re.compile(r'\(?(?P<field>[\w.-]+)\s*(?P<sign>=|:)\s*"?(?P<value>[^"()]*)"?\)?')


@dataclass(frozen=True)
class Call:
    """One call as it came."""

    name: str
    query: dict[str, str]
    body: Document
    agent: str


@dataclass
class Fault:
    """What goes wrong with the next calls of a name; `after` it was done all the same."""

    name: str
    status: int = 0
    reason: str = ""
    words: str = "in Google's words"
    text: str | None = None
    hang_seconds: float = 0.0
    empty: bool = False
    times: int = 1
    skip: int = 0
    place: str = ""


@dataclass
class Cloud:
    """The server, what it was asked, and what is to go wrong."""

    gce: Gce = field(default_factory=Gce)
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    expired_tokens: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)
    page_size: int = _LONGEST_PAGE
    hanging: int = 0
    skew_seconds: float = 0.0
    accounts: dict[str, Document] = field(default_factory=dict)
    buckets: dict[str, str] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)

    def reset(self) -> None:
        self.gce.reset()
        fresh = Cloud(gce=self.gce)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(fresh, name))
        self.accounts = {NODE_ACCOUNT: {"email": NODE_ACCOUNT}}

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    def fault(self, name: str, **how: Any) -> None:
        self.faults.append(Fault(name, **how))

    def take_fault(self, name: str, path: str) -> Fault | None:
        with self.gce.lock:
            for fault in self.faults:
                if fault.name == name and fault.place in path and fault.times:
                    fault.skip -= 1
                    fault.times -= fault.skip < 0
                    return fault if fault.skip < 0 else None
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cloud = cloud
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = timestamp or time.time()
        return super().date_time_string(now + self.server.cloud.skew_seconds)

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = _document(self.rfile.read(length))
        told = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(told.query).items()}
        cloud = self.server.cloud
        name, parts, act = route(self.command, told.path)
        asked = Asked(cloud, parts, query, body, self._user())
        agent = self.headers.get("User-Agent", "") + self.headers.get("x-goog-api-client", "")
        cloud.calls.append(Call(name, query, body, agent))
        self._send(*self._acted(name, told.path, lambda: act(asked)))

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - as http.server asks

    def _acted(self, name: str, path: str, act: Callable[[], Document]) -> tuple[int, str]:
        cloud = self.server.cloud
        fault = cloud.take_fault(name, path)
        try:
            self._refuse(fault)
            cloud.gce.tick()
            with cloud.gce.lock:
                document = json.dumps(act())
        except Refused as refused:
            return refused.status, json.dumps(refused.document)
        if fault and fault.hang_seconds:
            cloud.hanging += 1
            time.sleep(fault.hang_seconds)
        if fault and fault.empty:
            return 200, json.dumps({"items": {} if "aggregated" in path else []})
        return 200, document if not fault or fault.text is None else fault.text

    def _refuse(self, fault: Fault | None) -> None:
        if self._token() in self.server.cloud.expired_tokens:
            raise Refused(401, "authError", "Request had invalid authentication credentials")
        if fault and fault.status:
            raise Refused(fault.status, fault.reason, fault.words)

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True

    def _user(self) -> str:
        return NODE_ACCOUNT if self._token() == MACHINES_TOKEN else USER

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


def _document(data: bytes) -> Document:
    try:
        return dict(json.loads(data or b"{}"))
    except ValueError:
        return {}  # a form


# --- what is asked -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One call: where its address leads, and what it brings."""

    cloud: Cloud
    parts: dict[str, str]
    query: dict[str, str]
    body: Document
    user: str

    def __getitem__(self, part: str) -> str:
        return self.parts.get(part) or "global"


Act = Callable[[Asked], Document]
_PROJECT = r"/compute/v1/projects/(?P<project>[^/]+)"
_PLACE = _PROJECT + r"/(?:global|(?:zones|regions)/(?P<place>[^/]+))"


def route(method: str, path: str) -> tuple[str, dict[str, str], Act]:
    """Return the name of a call, as the documentation has it, its parts, and what it does."""
    for asked_method, pattern, name, act in ROUTES:
        found = re.fullmatch(pattern, path)
        if found and asked_method == method:
            parts = found.groupdict()
            kind = _service(parts.get("kind") or "", parts.get("place"))
            return name.format(kind=kind), parts, act
    return path, {}, lambda _: not_found(path)


def _service(kind: str, place: str | None) -> str:
    if kind != "operations":
        return kind
    return "zoneOperations" if place else "globalOperations"


def insert_instance(asked: Asked) -> Document:
    request_id = asked.query.get("requestId", "")
    return asked.cloud.gce.insert_instance(asked["place"], asked.body, request_id)


def get(asked: Asked) -> Document:
    return asked.cloud.gce.get(asked["kind"], asked["place"], asked["name"])


def delete(asked: Asked) -> Document:
    return asked.cloud.gce.delete(asked["kind"], asked["place"], asked["name"], user=asked.user)


def list_of(asked: Asked) -> Document:
    return page(asked.cloud, listed(asked.cloud, asked["kind"], asked["place"]), asked.query)


def service_account(asked: Asked) -> Document:
    email = asked["name"].replace("%40", "@")
    return asked.cloud.accounts.get(email) or not_found(email)


def bucket(asked: Asked) -> Document:
    place = asked.cloud.buckets.get(asked["name"])
    return {"location": place} if place else not_found(asked["name"])


def token(_: Asked) -> Document:
    """Nobody's login can be renewed here."""
    raise Refused(400, "invalid", "invalid_grant")


def permissions(asked: Asked) -> Document:
    granted = [each for each in asked.body["permissions"] if each not in asked.cloud.denied]
    return {"permissions": granted}


def listed(cloud: Cloud, kind: str, place: str) -> list[Document]:
    if place not in zones() and place not in REGIONS and place != "global":
        not_found(place)
    if kind == "operations":
        return [each for each in cloud.gce.operations if _last(each.get("zone")) == place]
    return [each for (where, _), each in cloud.gce.resources[kind].items() if where == place]


def aggregated(asked: Asked) -> Document:
    cloud, kind = asked.cloud, asked["kind"]
    everything = [{**each, "_scope": scope} for scope, each in _everywhere(cloud, kind)]
    paged = page(cloud, everything, asked.query)
    items: dict[str, Any] = {
        f"zones/{zone}": {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for zone in zones()
    }
    for each in paged.pop("items"):
        scope = items.setdefault(each.pop("_scope"), {})
        scope.pop("warning", None)
        scope.setdefault(kind, []).append(each)
    for zone in cloud.unreachable:
        items[f"zones/{zone}"] = {"warning": {"code": "UNREACHABLE"}}
    return {**paged, "items": items}


def _everywhere(cloud: Cloud, kind: str) -> Iterator[tuple[str, Document]]:
    if kind in ("machineTypes", "acceleratorTypes"):
        names = MACHINES if kind == "machineTypes" else ACCELERATORS
        for zone in zones():
            link = f"{ROOT}/projects/{PROJECT}/zones/{zone}"
            for name in sorted(names):
                if (zone, name) not in NOT_THERE:
                    yield f"zones/{zone}", {"name": name, "zone": link}
        return
    if kind == "operations":
        for each in cloud.gce.operations:
            zone = _last(each.get("zone"))
            yield ("global" if zone == "global" else f"zones/{zone}"), each
        return
    for (place, _), each in cloud.gce.resources[kind].items():
        yield (f"regions/{place}" if place in REGIONS else f"zones/{place}"), each


def page(cloud: Cloud, items: Iterable[Document], query: dict[str, str]) -> Document:
    found = [each for each in items if is_meant(each, query.get("filter", ""))]
    size = min(cloud.page_size, int(query.get("maxResults", _LONGEST_PAGE)))
    start = int(query.get("pageToken") or 0)
    told: Document = {"items": found[start : start + size]}
    if start + size < len(found):
        told["nextPageToken"] = str(start + size)
    return told


def is_meant(item: Document, text: str) -> bool:
    """Judge a filter: comparisons with `=` and `:`, joined by OR; others are refused."""
    if not text:
        return True
    return any(_compares(item, part.strip()) for part in text.split(" OR "))


def _compares(item: Document, text: str) -> bool:
    found = _COMPARISON.fullmatch(text)
    if not found:
        raise Refused(400, "invalid", f"Invalid value for field 'filter': '{text}'")
    first, _, rest = found["field"].partition(".")
    value = item.get(first, {} if rest else "")
    told = str(value.get(rest, "") if rest else value)
    return told == found["value"] if found["sign"] == "=" else found["value"] in told


# --- single answers ------------------------------------------------------------------------------


def project(asked: Asked) -> Document:
    limits = asked.cloud.gce.everywhere.items()
    return {"name": PROJECT, "quotas": [{"metric": name, "limit": each} for name, each in limits]}


def regions(_: Asked) -> Document:
    return {"items": [{"name": name} for name in REGIONS]}


def region(asked: Asked) -> Document:
    if asked["name"] not in REGIONS:
        not_found(asked["name"])
    limits = asked.cloud.gce.regional.items()
    quotas = [{"metric": name, "limit": limit} for name, limit in limits]
    return {"name": asked["name"], "quotas": quotas}


def advice(asked: Asked) -> Document:
    score = asked.cloud.gce.obtainability
    if score is None:
        raise Refused(403, "forbidden", "Required permission: compute.advice.capacity")
    return {"recommendations": [{"scores": {"obtainability": score}}]}


def network(asked: Asked) -> Document:
    name, gce = asked["name"], asked.cloud.gce
    if name not in gce.networks:
        not_found(name)
    return {"name": name, "selfLink": gce.link("networks", "global", name)}


def subnetwork(asked: Asked) -> Document:
    gce, which = asked.cloud.gce, (asked["place"], asked["name"])
    if which not in gce.subnetworks:
        not_found(asked["name"])
    own = gce.link("networks", "global", gce.subnetworks[which])
    return {"name": which[1], "selfLink": gce.link("subnetworks", *which), "network": own}


def image(asked: Asked) -> Document:
    if asked["name"] != IMAGE:
        not_found(asked["name"])
    link = f"{ROOT}/projects/deeplearning-platform-release/global/images/{IMAGE}-v1"
    return {"name": f"{IMAGE}-v1", "selfLink": link, "diskSizeGb": str(IMAGE_GIB)}


def operation(asked: Asked) -> Document:
    name = asked["name"]
    found = [each for each in asked.cloud.gce.operations if each["name"] == name]
    return found[0] if found else not_found(name)


def insert_rule(asked: Asked) -> Document:
    gce, name = asked.cloud.gce, asked.body["name"]
    if ("global", name) in gce.resources["firewalls"]:
        raise Refused(409, "alreadyExists", f"The resource '{name}' already exists")
    gce.add("firewalls", "global", **asked.body)
    link = gce.link("firewalls", "global", name)
    return gce.operation("insert", "global", link, seconds=gce.rule_seconds)


def not_found(name: str) -> Document:
    raise Refused(404, "notFound", f"The resource '{name}' was not found")


def _last(url: str | None) -> str:
    return url.rpartition("/")[2] if url else "global"


_KIND, _NAMED = r"/(?P<kind>\w+)", r"/(?P<name>[^/]+)"
ROUTES: tuple[tuple[str, str, str, Act], ...] = (
    ("GET", _PROJECT, "projects.get", project),
    ("GET", _PROJECT + "/aggregated" + _KIND, "{kind}.aggregatedList", aggregated),
    ("GET", _PROJECT + "/regions", "regions.list", regions),
    ("GET", _PROJECT + "/regions" + _NAMED, "regions.get", region),
    ("POST", _PLACE + "/advice/capacity", "advice.capacity", advice),
    ("GET", _PLACE + "/subnetworks" + _NAMED, "subnetworks.get", subnetwork),
    ("GET", _PLACE + "/networks" + _NAMED, "networks.get", network),
    ("GET", _PLACE + "/images/family" + _NAMED, "images.getFromFamily", image),
    ("GET", _PLACE + "/images" + _NAMED, "images.get", image),
    ("GET", _PLACE + "/(?P<kind>operations)" + _NAMED, "{kind}.get", operation),
    ("POST", _PLACE + "/instances", "instances.insert", insert_instance),
    ("POST", _PLACE + "/firewalls", "firewalls.insert", insert_rule),
    ("GET", _PLACE + _KIND, "{kind}.list", list_of),
    ("GET", _PLACE + _KIND + _NAMED, "{kind}.get", get),
    ("DELETE", _PLACE + _KIND + _NAMED, "{kind}.delete", delete),
    ("POST", r"/v1/projects/[^/]+:testIamPermissions", "projects.testIamPermissions", permissions),
    (
        "POST",
        r"/v1/projects/-/serviceAccounts/[^/]+:testIamPermissions",
        "serviceAccounts.testIamPermissions",
        permissions,
    ),
    ("GET", "/v1/projects/-/serviceAccounts" + _NAMED, "serviceAccounts.get", service_account),
    ("POST", "/token", "token", token),
    ("GET", "/storage/v1/b" + _NAMED, "buckets.get", bucket),
)
