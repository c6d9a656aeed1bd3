"""Azure's price list and Resource Graph on this machine, as far as questions about prices go.

It knows of filters only the region, and answers a few rows a page. It checks that a token is sent
and not whose it is. `days` of the history are moved to end today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from finsched.testing.web import Asked, Reply

ANSWERS = Path(__file__).with_name("answers")
RETAIL: list[dict[str, Any]] = json.loads((ANSWERS / "retail.json").read_text("utf-8"))
GRAPH: dict[str, list[dict[str, Any]]] = json.loads((ANSWERS / "graph.json").read_text("utf-8"))
LAST_DAY = datetime(2026, 11, 20, tzinfo=UTC)
TOKEN = "canary-token"


@dataclass
class Lab:
    """What it answers; every field can be steered."""

    page: int = 7
    dead: frozenset[str] = frozenset()
    factor: float = 1.0
    refused: bool = False  # Resource Graph
    regions: Mapping[str, float] = field(default_factory=lambda: {"eastus": 1.0, "westus2": 1.1})

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/api/retail/prices":
            return self._retail(asked)
        if asked.path == "/providers/Microsoft.ResourceGraph/resources":
            return self._graph(asked)
        return Reply(document={"error": "nothing here"}, status=404)

    def _retail(self, asked: Asked) -> Reply:
        found = re.search(r"armRegionName eq '(\w+)'", asked.query["$filter"])
        region = found[1] if found else ""
        if region in self.dead:
            return Reply()
        rows = [self._row(row, region) for row in RETAIL if region in self.regions]
        start = int(asked.query.get("$skip", 0))
        shown, end = rows[start : start + self.page], start + self.page
        more = f"https://prices.azure.com:443/api/retail/prices?$filter={asked.query['$filter']}"
        document = {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": shown,
            "NextPageLink": f"{more}&$skip={end}" if end < len(rows) else None,
            "Count": len(shown),
        }
        return Reply(document=document)

    def _row(self, row: Mapping[str, Any], region: str) -> dict[str, Any]:
        usd = round(row["retailPrice"] * self.factor * self.regions[region], 6)
        return {**row, "armRegionName": region, "retailPrice": usd, "unitPrice": usd}

    def _graph(self, asked: Asked) -> Reply:
        if self.refused or asked.headers.get("authorization") != f"Bearer {TOKEN}":
            error = {"code": "AuthorizationFailed", "message": "no permission"}
            return Reply(document={"error": error}, status=403)
        body = asked.json
        kind = "eviction" if "skuspotevictionrate" in body["query"] else "history"
        start = int(body["options"].get("$skipToken", 0))
        rows = [_today(row) for row in GRAPH[kind]]
        document: dict[str, Any] = {
            "totalRecords": len(rows),
            "count": 1,
            "data": rows[start : start + 1],
        }
        if start + 1 < len(rows):
            document["$skipToken"] = str(start + 1)
        return Reply(document=document)


def _today(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same row, its days as long ago as they were on the last day of the answers."""
    late = datetime.now(UTC) - LAST_DAY
    prices = [
        {**told, "effectiveDate": _later(told["effectiveDate"], late)}
        for told in row.get("spotPrices", ())
    ]
    return {**row, "spotPrices": prices} if prices else dict(row)


def _later(day: str, late: timedelta) -> str:
    return (datetime.fromisoformat(day) + late).isoformat()
