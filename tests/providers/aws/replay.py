"""`python replay.py PORT`: answers about prices and quotas over HTTP, in the shape of AWS.

It replays the answers of `answers/` for any region: Pricing, EC2's price calls, Service Quotas and
the advisor's feed. It checks no signature and no permission, knows of filters only the region and
the names of machines, and has no machine that runs: moto does that in the other tests.

POST /steer sets what `Replay` holds; GET /calls tells what was asked.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

ANSWERS = Path(__file__).with_name("answers")
REGION = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
RESERVED_TERMS = 12  # how many a product of the price list has
NEW_MACHINE = "p9.48xlarge"
NEW_HARDWARE = {
    "vcpu": "192", "memory_gib": "2048", "gpu": "A100", "gpus": "8", "gpu_memory_gib": "80",
}  # fmt: skip
EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
Row = dict[str, str]


@dataclass
class Replay:
    """What the answers depend on; every field can be steered."""

    regions: list[str] = field(default_factory=lambda: ["us-east-1", "us-west-2"])
    zones: int = 4
    latency_seconds: float = 0.0
    page: int = 100
    dead: list[str] = field(default_factory=list)  # no answer but a closed connection
    throttled: list[str] = field(default_factory=list)  # operations refused once
    refused: list[str] = field(default_factory=list)  # operations that are not permitted
    machines: list[str] = field(default_factory=list)  # all where empty
    spot_share: float = 0.4
    factor: float = 1.0  # on every price
    prices: dict[str, float] = field(default_factory=dict)  # by "region/zone/machine", as told
    names_alone: bool = False  # an answer without zone ids, as old endpoints give
    past: dict[str, float] = field(default_factory=dict)  # share of the price by hours ago
    quotas: dict[str, float] = field(default_factory=dict)  # by code
    scores: dict[str, int] = field(default_factory=dict)  # by zone id or region


STATE = Replay()
CALLS: Counter[str] = Counter()
LOCK = threading.Lock()
MACHINES: list[Row] = list(
    csv.DictReader((ANSWERS / "machines.csv").read_text(encoding="utf-8").splitlines())
)
PRODUCT: dict[str, Any] = json.loads((ANSWERS / "product.json").read_text(encoding="utf-8"))


class Refusal(Exception):
    """An error of AWS: a status, a code."""


def machines(region: str) -> list[Row]:
    return [
        row
        for row in MACHINES
        if region in row["regions"].split()
        and (not STATE.machines or row["instance_type"] in STATE.machines)
    ]


def price(region: str, zone: str, name: str, usd: float) -> float:
    return STATE.prices.get(f"{region}/{zone}/{name}", usd * STATE.factor)


def short(region: str) -> str:
    """The first part of a region's zone ids: us-west-2 is usw2."""
    area, *rest = region.split("-")
    way = "".join(part[:1] for part in re.findall("north|south|east|west|central", region))
    return area + way + rest[-1]


# --- Pricing -----------------------------------------------------------------------------------


def get_products(ask: dict[str, Any]) -> dict[str, Any]:
    wanted = {each["Field"]: each["Value"] for each in ask["Filters"]}
    region = wanted["regionCode"]
    products = [product(region, row) for row in machines(region)]
    products += traps(region) if not STATE.machines else []
    found = [p for p in products if wanted.items() <= p["product"]["attributes"].items()]
    start = int(ask.get("NextToken", 0))
    answer: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [json.dumps(each) for each in found[start : start + STATE.page]],
    }
    if start + STATE.page < len(found):
        answer["NextToken"] = str(start + STATE.page)
    return answer


def product(region: str, row: Row, **attributes: str) -> dict[str, Any]:
    name = row["instance_type"]
    usd = f"{price(region, '', name, float(row['usd_per_hour'])):.10f}"
    text = json.dumps(PRODUCT).replace("p4d.24xlarge", name).replace("21.9576420000", usd)
    made: dict[str, Any] = json.loads(text)
    made["product"]["attributes"] |= {
        "regionCode": region,
        "gpu": row["gpus"],
        "vcpu": row["vcpu"],
        "memory": f"{row['memory_gib']} GiB",
        **attributes,
    }
    [(code, term)] = made["terms"]["Reserved"].items()
    made["terms"]["Reserved"] = {f"{code}{i}": term for i in range(RESERVED_TERMS)}
    return made


def traps(region: str) -> list[dict[str, Any]]:
    """Products that match the filters and are no whole machine on demand, and a new machine."""
    first = MACHINES[0]
    blocks = first | {"usd_per_hour": "0"}
    slices = first | {"instance_type": "g6f.large", "gpus": "0.125", "usd_per_hour": "0.2"}
    new = first | {"instance_type": NEW_MACHINE, "gpus": "8", "usd_per_hour": "120"}
    return [
        product(region, blocks, marketoption="CapacityBlock", operation="RunInstances:CB"),
        product(region, slices),
        product(region, new),
    ]


# --- EC2 ---------------------------------------------------------------------------------------


def describe_regions(region: str, ask: Row) -> str:
    names = STATE.regions
    items = "".join(f"<item><regionName>{name}</regionName></item>" for name in names)
    return f"<regionInfo>{items}</regionInfo>"


def describe_availability_zones(region: str, ask: Row) -> str:
    """Names are turned by one letter: this account's `a` is the second zone."""
    zones = [
        f"<item><zoneName>{region}{'abcdef'[i]}</zoneName><zoneId>{short(region)}-az"
        f"{(i + 1) % STATE.zones + 1}</zoneId></item>"
        for i in range(STATE.zones)
    ]
    return f"<availabilityZoneInfo>{''.join(zones)}</availabilityZoneInfo>"


def describe_spot_price_history(region: str, ask: Row) -> str:
    wanted = {value for key, value in ask.items() if key.startswith("Filter.1.Value")}
    rows = [row for row in machines(region) if row["instance_type"] in wanted]
    since = datetime.fromisoformat(ask["StartTime"])
    items = [item for row in rows for item in spot_items(region, row, since)]
    start = int(ask.get("NextToken") or 0)
    shown = items[start : start + 1000]
    token = str(start + 1000) if start + 1000 < len(items) else ""
    listed = f"<spotPriceHistorySet>{''.join(shown)}</spotPriceHistorySet>"
    return listed + f"<nextToken>{token}</nextToken>"


def spot_items(region: str, row: Row, since: datetime) -> list[str]:
    """The price in force, and with a past those before it; newest first, as EC2 tells them."""
    name, usd = row["instance_type"], float(row["usd_per_hour"]) * STATE.spot_share
    now = datetime.now(UTC)
    items = []
    for number in range(1, STATE.zones + 1):
        zone = f"{short(region)}-az{number}"
        current = price(region, zone, name, usd * (1 + number / 100))
        items.append(spot_item(region, zone, number, name, now - timedelta(hours=2), current))
        for hours, share in STATE.past.items():
            at = now - timedelta(hours=float(hours))
            if at >= since:
                items.append(spot_item(region, zone, number, name, at, current * share))
    city = f"{short(region)}-lax1-az1"
    items.append(spot_item(region, city, 0, name, now - timedelta(hours=3), usd / 2))
    return items


def spot_item(region: str, zone: str, number: int, name: str, at: datetime, usd: float) -> str:
    letter = "abcdef"[(number - 2) % STATE.zones] if number else "-lax-1a"
    told = (
        "" if STATE.names_alone and number else f"<availabilityZoneId>{zone}</availabilityZoneId>"
    )
    return (
        f"<item><instanceType>{name}</instanceType><productDescription>Linux/UNIX"
        f"</productDescription><spotPrice>{usd:.6f}</spotPrice><timestamp>{at:%Y-%m-%dT%H:%M:%S}"
        f".000Z</timestamp><availabilityZone>{region}{letter}</availabilityZone>{told}</item>"
    )


def describe_instance_types(region: str, ask: Row) -> str:
    wanted = {value for key, value in ask.items() if key.startswith("InstanceType.")}
    new = NEW_HARDWARE | {"instance_type": NEW_MACHINE}
    rows = [row for row in (*machines(region), new) if row["instance_type"] in wanted]
    return f"<instanceTypeSet>{''.join(map(hardware, rows))}</instanceTypeSet>"


def hardware(row: Row) -> str:
    mib = {key: int(float(row[key]) * 1024) for key in ("memory_gib", "gpu_memory_gib")}
    return (
        f"<item><instanceType>{row['instance_type']}</instanceType><vCpuInfo><defaultVCpus>"
        f"{row['vcpu']}</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>{mib['memory_gib']}"
        f"</sizeInMiB></memoryInfo><gpuInfo><gpus><item><name>{row['gpu']}</name><manufacturer>"
        f"NVIDIA</manufacturer><count>{row['gpus']}</count><memoryInfo><sizeInMiB>"
        f"{mib['gpu_memory_gib']}</sizeInMiB></memoryInfo></item></gpus></gpuInfo></item>"
    )


def get_spot_placement_scores(region: str, ask: Row) -> str:
    by_zone = ask.get("SingleAvailabilityZone") == "true"
    scores = [
        f"<item><region>{region}</region>"
        + (f"<availabilityZoneId>{place}</availabilityZoneId>" if by_zone else "")
        + f"<score>{score}</score></item>"
        for place, score in STATE.scores.items()
        if ("-az" in place) == by_zone
    ]
    return f"<spotPlacementScoreSet>{''.join(scores)}</spotPlacementScoreSet>"


# --- Service Quotas ----------------------------------------------------------------------------


def get_service_quota(ask: dict[str, Any]) -> dict[str, Any]:
    code = ask["QuotaCode"]
    if code not in STATE.quotas:
        raise Refusal(400, "NoSuchResourceException")
    return quota(code, STATE.quotas[code])


def get_aws_default_service_quota(ask: dict[str, Any]) -> dict[str, Any]:
    return quota(ask["QuotaCode"], 0.0)


def quota(code: str, value: float) -> dict[str, Any]:
    told = {"ServiceCode": "ec2", "QuotaCode": code, "QuotaName": f"Quota {code}", "Value": value}
    return {"Quota": told | {"Unit": "None", "Adjustable": True, "GlobalQuota": False}}


# --- HTTP --------------------------------------------------------------------------------------

JSON_CALLS = {
    "GetProducts": get_products,
    "GetServiceQuota": get_service_quota,
    "GetAWSDefaultServiceQuota": get_aws_default_service_quota,
}
EC2_CALLS = {
    "DescribeRegions": describe_regions,
    "DescribeAvailabilityZones": describe_availability_zones,
    "DescribeSpotPriceHistory": describe_spot_price_history,
    "DescribeInstanceTypes": describe_instance_types,
    "GetSpotPlacementScores": get_spot_placement_scores,
}


class Handler(BaseHTTPRequestHandler):
    """One connection; kept open, as AWS keeps them."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/calls":
            return self._answer(200, json.dumps(CALLS).encode())
        if self.path == "/spot-advisor-data.json" and "advisor" not in STATE.dead:
            return self._answer(200, (ANSWERS / "spot-advisor-data.json").read_bytes())
        return self._answer(404, b"nothing here")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/steer":
            CALLS.clear()
            STATE.__init__(**json.loads(body))  # type: ignore[misc]
            return self._answer(200, b"{}")
        return self._call(body)

    def _call(self, body: str) -> None:
        target = self.headers.get("X-Amz-Target", "")
        ask = json.loads(body) if target else {k: v[0] for k, v in parse_qs(body).items()}
        operation = target.partition(".")[2] or ask["Action"]
        found = REGION.search(self.headers["Authorization"])
        region = found[1] if found else ""
        time.sleep(STATE.latency_seconds)
        with LOCK:
            CALLS[operation] += 1
        if region in STATE.dead:
            self.close_connection = True
            return
        try:
            self._refuse_at_times(operation)
            self._reply(operation, region, ask)
        except Refusal as refusal:
            self._error(*refusal.args, as_json=bool(target))

    def _refuse_at_times(self, operation: str) -> None:
        if operation in STATE.refused:
            raise Refusal(403, "UnauthorizedOperation")
        with LOCK:
            if operation in STATE.throttled:
                STATE.throttled.remove(operation)
                raise Refusal(503, "RequestLimitExceeded")

    def _reply(self, operation: str, region: str, ask: Any) -> None:
        if operation in JSON_CALLS:
            return self._answer(200, json.dumps(JSON_CALLS[operation](ask)).encode())
        inner = EC2_CALLS[operation](region, ask)
        name = f"{operation}Response"
        text = f'<{name} xmlns="{EC2}"><requestId>r</requestId>{inner}</{name}>'
        return self._answer(200, text.encode(), "text/xml")

    def _error(self, status: int, code: str, *, as_json: bool) -> None:
        if as_json:
            return self._answer(status, json.dumps({"__type": code, "message": code}).encode())
        text = f"<Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors>"
        whole = f"<Response>{text}<RequestID>r</RequestID></Response>"
        return self._answer(status, whole.encode(), "text/xml")

    def _answer(self, status: int, body: bytes, kind: str = "application/x-amz-json-1.1") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Many connections at once."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
