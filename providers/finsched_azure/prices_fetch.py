"""What Azure is asked for prices: one function a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from finsched.toolbox.json_api import JsonApi

RETAIL_PATH = "/api/retail/prices"
RETAIL_VERSION = "2023-01-01-preview"
GPU_SIZES = "Standard_N"  # the families with accelerators: NC, ND, NG and NV
GRAPH_PATH = "/providers/Microsoft.ResourceGraph/resources"
GRAPH_VERSION = "2021-03-01"
ROWS_PER_PAGE = 1000
MOST_PAGES = 100

SPOT_HISTORY = """
SpotResources
| where type =~ 'microsoft.compute/skuspotpricehistory/ostype/location'
| where properties.osType =~ 'linux' and sku.name startswith 'standard_n'
| project skuName = tostring(sku.name), location, spotPrices = properties.spotPrices
"""
EVICTION_RATES = """
SpotResources
| where type =~ 'microsoft.compute/skuspotevictionrate/location'
| where sku.name startswith 'standard_n'
| project skuName = tostring(sku.name), location, evictionRate = tostring(properties.evictionRate)
"""


def retail_rows(api: JsonApi, region: str) -> list[dict[str, Any]]:
    """Return every pay-as-you-go price of a machine with GPUs in a region, in USD.

    USD is what the API tells where no currency is named.
    """
    wanted = (
        "serviceName eq 'Virtual Machines'",
        "priceType eq 'Consumption'",
        f"armRegionName eq '{region}'",
        f"contains(armSkuName, '{GPU_SIZES}')",
    )
    query = {"api-version": RETAIL_VERSION, "$filter": " and ".join(wanted)}
    rows: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        page = api.get(RETAIL_PATH, query)
        rows += page["Items"]
        if not page.get("NextPageLink"):
            return rows
        query = _query_of(page["NextPageLink"])
    raise ValueError(f"{region} has more than {MOST_PAGES} pages")


def _query_of(link: str) -> dict[str, str]:
    """The next page's question; it is asked of the address that we know."""
    return dict(parse_qsl(urlsplit(link).query))


def graph_rows(api: JsonApi, query: str) -> list[dict[str, Any]]:
    """Return all rows of a Resource Graph query over everything that the account may read."""
    rows: list[dict[str, Any]] = []
    options: Mapping[str, Any] = {"resultFormat": "objectArray", "$top": ROWS_PER_PAGE}
    for _ in range(MOST_PAGES):
        body = {"query": query, "options": options}
        page = api.post(GRAPH_PATH, body, {"api-version": GRAPH_VERSION})
        rows += page["data"]
        if not page.get("$skipToken"):
            return rows
        options = {**options, "$skipToken": page["$skipToken"]}
    raise ValueError(f"the query has more than {MOST_PAGES} pages")
