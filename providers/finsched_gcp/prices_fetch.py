"""What Google is asked for prices: the list of everything that Compute Engine sells."""

from __future__ import annotations

from typing import Any

from finsched.toolbox.json_api import JsonApi

COMPUTE_ENGINE = "/v1/services/6F81-5844-456A/skus"
SKUS_PER_PAGE = 5000
MOST_PAGES = 40


def skus(api: JsonApi) -> list[dict[str, Any]]:
    """Return every SKU with its price in USD; they come in pages of several megabytes."""
    query: dict[str, str | int] = {"currencyCode": "USD", "pageSize": SKUS_PER_PAGE}
    found: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        page = api.get(COMPUTE_ENGINE, query)
        found += page["skus"]
        if not page.get("nextPageToken"):
            return found
        query["pageToken"] = page["nextPageToken"]
    raise ValueError(f"the list has more than {MOST_PAGES} pages")
