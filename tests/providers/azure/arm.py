"""Azure Resource Manager over plain HTTP in front of a `Cloud`: what the real SDK talks to.

It speaks what finsched calls: PUT, GET and DELETE of resources, long-running operations with
`Azure-AsyncOperation`, pages with `nextLink`, and errors in Resource Manager's form. It checks no
token and no permission. Faults can be put before or behind an answer. Every call is written down.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from .cloud import DISK, IDENTITY, SUBSCRIPTION, VM, Cloud, Refused, group_in, kind_of

ROOT = f"/subscriptions/{SUBSCRIPTION}"
OPERATION = re.compile(r"/locations/[^/]+/operations/([^/]+)$")
TAG_FILTER = re.compile(r"tagName eq '([^']*)' and tagValue eq '([^']*)'")


@dataclass(frozen=True)
class Call:
    """One request as it came, and the status that it was answered."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that match.

    Without `after` the request is not carried out. With it the request is carried out and its
    answer is lost: the connection closes, or hangs for `hang_seconds`.
    """

    method: str
    path: str
    times: int = 1
    status: int = 500
    code: str = "InternalServerError"
    message: str = "a test says so"
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    hang_seconds: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        return (
            self.times > 0
            and method == self.method
            and bool(re.search(self.path, path, re.IGNORECASE))
        )


@dataclass
class Account:
    """What Azure says of the subscription itself."""

    state: str = "Enabled"
    providers: dict[str, str] = field(
        default_factory=lambda: {
            "Microsoft.Compute": "Registered",
            "Microsoft.Network": "Registered",
        }
    )
    actions: list[str] = field(default_factory=lambda: ["*"])
    images: tuple[str, ...] = ("22.04.2025010101", "22.04.2026010101")
    page_size: int = 50
    skew_seconds: float = 0.0


class Arm(ThreadingHTTPServer):
    """The endpoint; `with Arm() as arm:` serves it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.RLock()
        self.reset()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def reset(self) -> None:
        self.cloud, self.account = Cloud(), Account()
        self.calls: list[Call] = []
        self.faults: list[Fault] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no error here."""

    def fault(self, method: str, path: str, **how: Any) -> None:
        self.faults.append(Fault(method, path, **how))

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.matches(method, path):
                    fault.times -= 1
                    return fault
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 44 ms for an acknowledgement
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        pass

    def handle_one(self) -> None:
        parts = urlsplit(self.path)
        self.route = re.sub("/resourcegroups/", "/resourceGroups/", parts.path, flags=re.IGNORECASE)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length) or b"null") if length else None
        fault = self.server.take_fault(self.command, self.route)
        if fault and not fault.after:
            self.answer_fault(fault)
            return
        status, answer, headers = self.carried_out()
        if fault:
            self.lose(fault)
            return
        self.answer(status, answer, headers)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_one  # noqa: N815 - http.server's names

    def carried_out(self) -> tuple[int, Any, dict[str, str]]:
        with self.server.lock:
            self.server.cloud.settle()
            try:
                return self.routed()
            except Refused as refused:
                error = {"code": refused.code, "message": refused.message}
                return refused.status, {"error": error}, {}

    def answer_fault(self, fault: Fault) -> None:
        time.sleep(fault.hang_seconds)
        error = {"error": {"code": fault.code, "message": fault.message}}
        self.answer(fault.status, error if fault.text is None else fault.text, fault.headers)

    def lose(self, fault: Fault) -> None:
        self.log(0)
        time.sleep(fault.hang_seconds)
        self.close_connection = True

    def answer(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        self.log(status)
        text = answer if isinstance(answer, str) else json.dumps(answer, default=str)
        content = b"" if answer is None else text.encode()
        self.send_response_only(status)
        account = self.server.account
        self.send_header("Date", formatdate(time.time() + account.skew_seconds, usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log(self, status: int) -> None:
        call = Call(self.command, self.route, self.query, self.body, status)
        with self.server.lock:
            self.server.calls.append(call)

    # --- routes --------------------------------------------------------------------------------

    def routed(self) -> tuple[int, Any, dict[str, str]]:
        path = self.route
        if not path.lower().startswith(ROOT):
            raise Refused(404, "SubscriptionNotFound", path)
        below = path[len(ROOT) :].rstrip("/")
        if found := OPERATION.search(path):
            return self.operation(found[1])
        if re.fullmatch(r"/resourcegroups(/[^/]+(/resources)?)?", below, re.IGNORECASE):
            return self.groups(below)
        if "/resourceGroups/" in below and "/providers/" in below:
            return self.resources(path)
        return self.subscription(below)

    def operation(self, name: str) -> tuple[int, Any, dict[str, str]]:
        going = self.server.cloud.operations[name]
        if not going.ended:
            return 200, {"status": "InProgress"}, {}
        if going.error:
            error = {"code": going.error.code, "message": going.error.message}
            return 200, {"status": "Failed", "error": error}, {}
        return 200, {"status": "Succeeded"}, {}

    def groups(self, below: str) -> tuple[int, Any, dict[str, str]]:
        cloud, (_, _, *rest) = self.server.cloud, below.split("/")
        if not rest:
            return self.page([each for each in cloud.groups.values() if self.is_wanted(each)])
        if len(rest) == 2:
            return self.page([self.shown(each) for each in cloud.contents(rest[0])])
        if self.command == "PUT":
            return *cloud.put_group(rest[0], self.body), {}
        if self.command == "DELETE":
            return self.begun(202, None, cloud.delete_group(rest[0]), "microsoft.resources")
        return 200, cloud.group(rest[0]), {}

    def resources(self, path: str) -> tuple[int, Any, dict[str, str]]:
        cloud = self.server.cloud
        if path.lower() in cloud.identities:
            return 200, {"id": path, "properties": {"clientId": "c", "principalId": "p"}}, {}
        if kind_of(path).startswith("microsoft.managedidentity"):
            raise Refused(404, "ResourceNotFound", path)
        if path.endswith("/simulateEviction"):
            cloud.vanish(cloud.resource(path.removesuffix("/simulateEviction"))["id"])
            return 204, None, {}
        if path.lower().endswith(kind_of(path)):
            return self.page([self.shown(each) for each in self.listed(path)])
        return self.one(path)

    def listed(self, path: str) -> list[Any]:
        return self.server.cloud.of_kind(kind_of(path), group_in(path))

    def one(self, path: str) -> tuple[int, Any, dict[str, str]]:
        cloud, namespace = self.server.cloud, kind_of(path).partition("/")[0]
        if self.command == "PUT":
            only_new = self.headers.get("If-None-Match") == "*"
            status, made, operation = cloud.put(path, self.body, only_new=only_new)
            return self.begun(status, self.shown(made), operation, namespace)
        if self.command == "DELETE":
            operation = cloud.delete(path)
            return self.begun(202 if operation else 204, None, operation, namespace)
        return 200, self.shown(cloud.resource(path)), {}

    def subscription(self, below: str) -> tuple[int, Any, dict[str, str]]:
        account = self.server.account
        if not below:
            name = {"displayName": "Acme research", "state": account.state}
            return 200, {"subscriptionId": SUBSCRIPTION, **name}, {}
        if below.lower().endswith("/permissions"):
            return self.page([{"actions": account.actions, "notActions": []}])
        if found := re.fullmatch(r"/providers/([^/]+)", below):
            return 200, {"registrationState": account.providers.get(found[1], "NotRegistered")}, {}
        if below.endswith("/skus"):
            return self.page(self.sizes())
        if below.endswith("/usages"):
            return self.page(self.usages(below.split("/")[-2]))
        if "/publishers/" in below:
            return self.images(below)
        raise Refused(404, "InvalidResourceType", below)

    def images(self, below: str) -> tuple[int, Any, dict[str, str]]:
        region = re.findall("/locations/([^/]+)/", below)[0]
        versions = sorted(self.server.account.images, reverse=True)
        if below.endswith("/versions"):
            names = versions[: int(self.query.get("$top", "99"))]
            return 200, [{"id": name, "name": name, "location": region} for name in names], {}
        name = below.rpartition("/")[2]
        if name not in versions:
            raise Refused(404, "PlatformImageNotFound", f"The platform image {below}")
        disk = {"operatingSystem": "Linux", "sizeInGb": 64}
        return 200, {"id": name, "name": name, "properties": {"osDiskImage": disk}}, {}

    def sizes(self) -> list[Any]:
        region = re.findall(r"location eq '(\w+)'", self.query.get("$filter", ""))[0]
        kinds = [{"resourceType": "disks", "name": "Premium_LRS", "locations": [region]}]
        return kinds + [described_size(each, region) for each in self.server.cloud.sizes]

    def usages(self, region: str) -> list[Any]:
        cloud = self.server.cloud
        names = {"lowPriorityCores", "cores", *(size.family for size in cloud.sizes)}
        used = cloud.used(region)
        return [
            {
                "name": {"value": name, "localizedValue": f"Total {name}"},
                "currentValue": used.get(name, 0),
                "limit": cloud.limits.get(name, 400),
                "unit": "Count",
            }
            for name in sorted(names)
        ]

    # --- forms ---------------------------------------------------------------------------------

    def is_wanted(self, group: Any) -> bool:
        found = TAG_FILTER.search(self.query.get("$filter", ""))
        return not found or group.get("tags", {}).get(found[1]) == found[2]

    def shown(self, resource: Any) -> Any:
        plain = {name: value for name, value in resource.items() if not name.startswith("_")}
        if "createdTime" in self.query.get("$expand", ""):
            plain["createdTime"] = resource["_created"]
        if kind_of(resource["id"]) == VM and self.query.get("$expand") == "instanceView":
            plain["properties"] = {**plain["properties"], "instanceView": instance_view(resource)}
        if kind_of(resource["id"]) == DISK:
            plain["properties"] = {"diskState": "Attached", **plain["properties"]}
        return plain

    def page(self, found: list[Any]) -> tuple[int, Any, dict[str, str]]:
        start, size = int(self.query.get("$skiptoken", "0")), self.server.account.page_size
        page: dict[str, Any] = {"value": found[start : start + size]}
        if start + size < len(found):
            query = urlencode({**self.query, "$skiptoken": start + size})
            page["nextLink"] = f"{self.server.url}{self.route}?{query}"
        return 200, page, {}

    def begun(
        self, status: int, body: Any, operation: str | None, namespace: str
    ) -> tuple[int, Any, dict[str, str]]:
        if operation is None:
            return status, body, {}
        where = f"{ROOT}/providers/{namespace}/locations/eastus/operations/{operation}"
        url = f"{self.server.url}{where}?api-version=2026-04-01"
        return status, body, {"Azure-AsyncOperation": url}


def instance_view(machine: Any) -> Any:
    state = machine["properties"]["provisioningState"].lower()
    code, message = machine.get("_failure", ("", ""))
    statuses = [{"code": f"ProvisioningState/{state}{'/' if code else ''}{code}"}]
    if message:
        statuses[0]["message"] = message
    if power := machine.get("_power"):
        statuses.append({"code": f"PowerState/{power}"})
    return {"statuses": statuses}


def described_size(size: Any, region: str) -> Any:
    capabilities = {
        "vCPUs": str(size.vcpus),
        "AcceleratedNetworkingEnabled": "True",
        "LowPriorityCapable": "True",
    }
    if size.gpus:
        capabilities["GPUs"] = str(size.gpus)
    restrictions = []
    if size.closed:
        restrictions.append({"type": "Location", "reasonCode": "NotAvailableForSubscription"})
    if size.closed_zones:
        info = {"zones": list(size.closed_zones)}
        restrictions.append({"type": "Zone", "restrictionInfo": info})
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "family": size.family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": list(size.zones)}],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities.items()],
        "restrictions": restrictions,
    }


__all__ = ["IDENTITY", "ROOT", "Account", "Arm", "Call", "Fault"]
