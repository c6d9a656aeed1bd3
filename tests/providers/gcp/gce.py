"""An emulated project of Compute Engine: what it holds, and what happens in it.

It keeps to the shapes and rules of the public documentation that finsched relies on: operations
that take time and fail by themselves, one answer for one request id, names that are unique in a
zone, labels and filters with their limits, spot machines that are deleted when they are taken back,
machines that stop (and keep their disk) when they are switched off from inside.

It does not model: permissions (it logs calls, and a test compares them with the role), prices,
networks beyond their names, real capacity, quotas beyond fixed refusals, lists that are late unless
a test asks for it, and everything that no call of finsched touches. Its refusals are written after
public reports of Google's; no answer of it was recorded from the real service.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

PROJECT = "acme-ml"
USER = "ada@acme.example"
NODE_ACCOUNT = f"finsched-node@{PROJECT}.iam.gserviceaccount.com"
ROOT = "https://www.googleapis.com/compute/v1"
REGIONS = {"us-central1": "abcf", "europe-west4": "abc"}
MACHINES = {"n1-standard-4", "n1-standard-8", "a2-highgpu-1g", "a4-highgpu-8g"} | {
    f"g2-standard-{vcpus}" for vcpus in (4, 8, 12, 16)
}
ACCELERATORS = {"nvidia-tesla-t4", "nvidia-tesla-v100"}
NOT_THERE = {("us-central1-f", "g2-standard-8"), ("us-central1-b", "nvidia-tesla-t4")}
IMAGE = "common-cu129-ubuntu-2204-nvidia-580"
IMAGE_GIB = 50
ATTACHED_GPUS = ("n1-",)
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_MOST_METADATA = 256 << 10
_PACIFIC = timezone(timedelta(hours=-8))

Document = dict[str, Any]


class Refused(Exception):
    """A call that is refused at once: its HTTP status, Google's reason and words."""

    def __init__(self, status: int, reason: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.document = {
            "error": {
                "code": status,
                "message": words,
                "errors": [{"message": words, "domain": "global", "reason": reason}],
            }
        }


def zones() -> list[str]:
    return [f"{region}-{letter}" for region, letters in REGIONS.items() for letter in letters]


def stamp(moment: datetime | None = None) -> str:
    """Google writes times of the Pacific coast."""
    told = (moment or datetime.now(UTC)).astimezone(_PACIFIC)
    return told.isoformat(timespec="milliseconds")


class Gce:
    """One project; every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.create_seconds = 0.05
        self.rule_seconds = 0.05
        self.stop_seconds = 0.05
        self.reset()

    def reset(self) -> None:
        with self.lock:
            self.numbers = itertools.count(4_000_000_000_000_000_000)
            self.resources: dict[str, dict[tuple[str, str], Document]] = {
                kind: {} for kind in ("instances", "disks", "addresses", "firewalls")
            }
            self.operations: list[Document] = []
            self.due: list[tuple[float, Callable[[], None]]] = []
            self.by_request_id: dict[str, Document] = {}
            self.sold_out: dict[str, Document] = {}  # zone -> the error of its operations
            self.room: dict[str, int] = {}  # zone -> how many machines it still has
            self.networks = {"default"}
            self.subnetworks: dict[tuple[str, str], str] = {}  # region and name -> network
            self.regional: dict[str, float] = {}
            self.everywhere: dict[str, float] = {}
            self.obtainability: float | None = None

    def link(self, kind: str, place: str, name: str) -> str:
        where = (
            "global"
            if place == "global"
            else f"{'regions' if place in REGIONS else 'zones'}/{place}"
        )
        return f"{ROOT}/projects/{PROJECT}/{where}/{kind}/{name}"

    # --- time ------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let happen what is due."""
        with self.lock:
            self._end_by_timer()
            while self.due and min(self.due, key=lambda each: each[0])[0] <= time.monotonic():
                event = min(self.due, key=lambda each: each[0])
                self.due.remove(event)
                event[1]()

    def _later(self, seconds: float, happens: Callable[[], None]) -> None:
        self.due.append((time.monotonic() + seconds, happens))

    def _end_by_timer(self) -> None:
        """The cloud's own timer deletes a machine at its termination time."""
        for (zone, name), instance in list(self.resources["instances"].items()):
            end = instance["scheduling"].get("terminationTime")
            if end and datetime.fromisoformat(end) <= datetime.now(UTC):
                del instance["scheduling"]["terminationTime"]
                self.delete("instances", zone, name, user="system")

    # --- operations ------------------------------------------------------------------------------

    def operation(
        self,
        kind: str,
        place: str,
        target: str,
        *,
        user: str = USER,
        seconds: float = 0.0,
        error: Document | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> Document:
        number = str(next(self.numbers))
        made: Document = {
            "kind": "compute#operation",
            "id": number,
            "name": f"operation-{number}",
            "operationType": kind,
            "targetLink": target,
            "targetId": str(next(self.numbers)),
            "status": "RUNNING",
            "progress": 0,
            "user": user,
            "insertTime": stamp(),
            "startTime": stamp(),
        }
        if place != "global":
            made["zone"] = f"{ROOT}/projects/{PROJECT}/zones/{place}"
        self.operations.append(made)

        def ends() -> None:
            then()
            made.update(status="DONE", progress=100, endTime=stamp())
            if error:
                made["error"] = {"errors": [error]}
                made.update(httpErrorStatusCode=503, httpErrorMessage="SERVICE UNAVAILABLE")

        if seconds > 0:
            self._later(seconds, ends)
        else:
            ends()
        return made

    # --- machines --------------------------------------------------------------------------------

    def insert_instance(self, zone: str, asked: Document, request_id: str) -> Document:
        with self.lock:
            if request_id and request_id in self.by_request_id:
                return self.by_request_id[request_id]
            self._check_instance(zone, asked)
            made = self._create(zone, asked)
            if request_id:
                made["clientOperationId"] = request_id
                self.by_request_id[request_id] = made
            return made

    def _create(self, zone: str, asked: Document) -> Document:
        name = asked["name"]
        link = self.link("instances", zone, name)
        if error := self._stock_out(zone):
            return self.operation("insert", zone, link, seconds=self.create_seconds, error=error)
        instance = {
            **asked,
            "id": str(next(self.numbers)),
            "status": "PROVISIONING",
            "creationTimestamp": stamp(),
            "selfLink": link,
            "zone": f"{ROOT}/projects/{PROJECT}/zones/{zone}",
        }
        self.resources["instances"][zone, name] = instance
        for disk in asked["disks"]:
            self._create_disk(zone, name, disk)
        starts = lambda: instance.update(status="RUNNING")  # noqa: E731
        return self.operation("insert", zone, link, seconds=self.create_seconds, then=starts)

    def _stock_out(self, zone: str) -> Document | None:
        left = self.room.get(zone, 1)
        if zone in self.room:
            self.room[zone] = left - 1
        no_room = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no room"}
        return self.sold_out.get(zone) or (None if left > 0 else no_room)

    def _create_disk(self, zone: str, name: str, disk: Document) -> None:
        told = disk["initializeParams"]
        self.add(
            "disks",
            zone,
            name,
            labels=told.get("labels", {}),
            sizeGb=str(told["diskSizeGb"]),
            type=f"{ROOT}/projects/{PROJECT}/{told['diskType']}",
            users=[self.link("instances", zone, name)],
        )

    def add(self, kind: str, place: str, name: str, **told: Any) -> Document:
        """Put something there, as if it had been made by hand."""
        made = {
            "name": name,
            "id": str(next(self.numbers)),
            "creationTimestamp": stamp(),
            "selfLink": self.link(kind, place, name),
            **told,
        }
        if place != "global":
            word = "region" if place in REGIONS else "zone"
            made[word] = f"{ROOT}/projects/{PROJECT}/{word}s/{place}"
        self.resources[kind][place, name] = made
        return made

    def delete(self, kind: str, place: str, name: str, *, user: str = USER) -> Document:
        with self.lock:
            found = self.get(kind, place, name)
            if kind != "instances":
                if found.get("users"):
                    words = f"The {kind[:-1]} resource '{name}' is already being used"
                    raise Refused(400, "resourceInUseByAnotherResource", words)
                del self.resources[kind][place, name]
                return self.operation("delete", place, found["selfLink"], user=user)
            found["status"] = "STOPPING"
            gone = lambda: self._vanish(place, name)  # noqa: E731
            link = found["selfLink"]
            return self.operation(
                "delete", place, link, user=user, seconds=self.stop_seconds, then=gone
            )

    def get(self, kind: str, place: str, name: str) -> Document:
        if (place, name) not in self.resources[kind]:
            words = f"The resource 'projects/{PROJECT}/{place}/{kind}/{name}' was not found"
            raise Refused(404, "notFound", words)
        return self.resources[kind][place, name]

    def _vanish(self, zone: str, name: str) -> None:
        instance = self.resources["instances"].pop((zone, name), None)
        for disk in (instance or {}).get("disks", ()):
            if disk.get("autoDelete"):
                self.resources["disks"].pop((zone, name), None)
            elif (zone, name) in self.resources["disks"]:
                self.resources["disks"][zone, name]["users"] = []

    # --- what happens to machines ----------------------------------------------------------------

    def preempt(self, instance_id: str) -> None:
        """Take a spot machine back."""
        self._happens(instance_id, "compute.instances.preempted", "Instance was preempted.")

    def host_error(self, instance_id: str) -> None:
        """Let the host of a machine fail; it is not restarted."""
        self._happens(
            instance_id, "compute.instances.hostError", "Instance terminated: host error."
        )

    def switch_off(self, instance_id: str) -> None:
        """Switch a machine off from inside: it stops, and its disk stays."""
        words = "Instance terminated by guest OS shutdown."
        self._happens(instance_id, "compute.instances.guestTerminate", words, stays=True)

    def forget(self, instance_id: str) -> None:
        """Lose a machine without a word."""
        zone, _, name = instance_id.partition("/")
        with self.lock:
            self._vanish(zone, name)

    def _happens(self, instance_id: str, kind: str, words: str, *, stays: bool = False) -> None:
        zone, _, name = instance_id.partition("/")
        with self.lock:
            instance = self.get("instances", zone, name)
            instance["status"] = "STOPPING"
            told = self.operation(kind, zone, instance["selfLink"], user="system")
            told["statusMessage"] = words
            deleted = instance["scheduling"].get("instanceTerminationAction") == "DELETE"
            stopped = lambda: instance.update(  # noqa: E731
                status="TERMINATED", lastStopTimestamp=stamp()
            )
            gone = lambda: self._vanish(zone, name)  # noqa: E731
            self._later(self.stop_seconds, gone if deleted and not stays else stopped)

    # --- rules -----------------------------------------------------------------------------------

    def _check_instance(self, zone: str, asked: Document) -> None:
        if (zone, asked["name"]) in self.resources["instances"]:
            link = f"projects/{PROJECT}/zones/{zone}/instances/{asked['name']}"
            raise Refused(409, "alreadyExists", f"The resource '{link}' already exists")
        for words in self._faults(zone, asked):
            raise Refused(400, "invalid", f"Invalid value for field 'resource': {words}")

    def _faults(self, zone: str, asked: Document) -> Iterator[str]:
        machine = asked["machineType"].rpartition("/")[2]
        gpus = asked.get("guestAccelerators", [])
        kinds = {gpu["acceleratorType"].rpartition("/")[2] for gpu in gpus}
        if not _NAME.fullmatch(asked["name"]):
            yield "name"
        if machine not in MACHINES or (zone, machine) in NOT_THERE:
            yield f"machineType {machine} is not in {zone}"
        if not kinds <= ACCELERATORS or any((zone, kind) in NOT_THERE for kind in kinds):
            yield f"acceleratorType is not in {zone}"
        if bool(gpus) != machine.startswith(ATTACHED_GPUS):
            yield "guestAccelerators do not go with this machine type"
        yield from self._faults_of_parts(machine, asked)
        yield from _faults_of_labels(asked.get("labels", {}))
        yield from _faults_of_scheduling(asked["scheduling"])

    def _faults_of_parts(self, machine: str, asked: Document) -> Iterator[str]:
        [disk] = asked["disks"]
        told = disk["initializeParams"]
        if not told["sourceImage"].endswith(f"/{IMAGE}-v1"):
            yield "sourceImage"
        if int(told["diskSizeGb"]) < IMAGE_GIB:
            yield "diskSizeGb is smaller than the image"
        if machine.startswith("a4-") is not told["diskType"].endswith("/hyperdisk-balanced"):
            yield "diskType"
        [interface] = asked["networkInterfaces"]
        known = {*(self.link("networks", "global", name) for name in self.networks)}
        known |= {self.link("subnetworks", *each) for each in self.subnetworks}
        if interface.get("subnetwork", interface.get("network")) not in known:
            yield "networkInterfaces"
        items = asked["metadata"]["items"]
        if any(len(item["value"].encode()) > _MOST_METADATA for item in items):
            yield "metadata is too long"
        if any(not account["scopes"] for account in asked.get("serviceAccounts", ())):
            yield "serviceAccounts without scopes"


def _faults_of_labels(labels: dict[str, str]) -> Iterator[str]:
    if len(labels) > 64:
        yield "too many labels"
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield f"label {key}={value}"


def _faults_of_scheduling(told: Document) -> Iterator[str]:
    is_spot = told["provisioningModel"] == "SPOT"
    if told.get("onHostMaintenance") != "TERMINATE":
        yield "onHostMaintenance: machines with GPUs do not migrate"
    if is_spot and told.get("automaticRestart", True):
        yield "automaticRestart of a spot machine"
    if not is_spot and "preemptionNoticeDuration" in told:
        yield "preemptionNoticeDuration of a standard machine"
    end = told.get("terminationTime")
    if end and "instanceTerminationAction" not in told:
        yield "instanceTerminationAction is missing"
    if end and datetime.fromisoformat(end) < datetime.now(UTC) + timedelta(seconds=30):
        yield "terminationTime is too near"
