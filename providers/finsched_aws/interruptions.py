"""The spot advisor of AWS: how often machines are taken back, as priors.

The advisor gives the share of instances interrupted in a trailing month, not how long they ran.
Most do not run for a month of 730 hours: spot is used for batch work, tests and fleets that follow
the load. We assume that an instance runs LIFE_HOURS on average, a day. Months instead of a day
would make the hazard thirty times lower, and the measured traces are higher still:
docs/reference/catalog.md compares them. The life is our assumption and the figure a regional
average, so that a prior weighs little; its central 80 % contains the band.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from finsched.errors import NoAnswer, ProviderError
from finsched.model.interruption import HazardPrior
from finsched.toolbox.bands import Bands

LIFE_HOURS = 24.0  # assumed mean run of a spot instance
BANDS = Bands(
    source="AWS spot advisor",
    shares={
        "<5%": (0.0, 0.05),
        "5-10%": (0.05, 0.10),
        "10-15%": (0.10, 0.15),
        "15-20%": (0.15, 0.20),
    },
    open_band=">20%",
    open_from=0.20,
    hours=LIFE_HOURS,
    unit="a month",
    remark="; a machine's life of a day is assumed",
)
_GPU_FAMILIES = ("g", "p")
_SECONDS = 20.0
_LARGEST_BYTES = 64 * 1024 * 1024
_FIX = "check aws.spot_advisor_url; the bundled frequencies are used until then"


class SpotAdvisor:
    """The public feed; it needs no account."""

    def __init__(self, url: str) -> None:
        self._url = url

    def priors(self) -> Mapping[tuple[str, str], HazardPrior]:
        """Return a prior by region and instance type. Raises NoAnswer or ProviderError."""
        feed = fetch_feed(self._url)
        try:
            return dict(priors_of(feed, datetime.now(UTC)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"aws: the spot advisor's feed has another form: {error!r}"
            raise ProviderError(message, fix=_FIX) from error


def fetch_feed(url: str) -> Any:
    """Return the advisor's document. Raises NoAnswer."""
    from urllib.request import urlopen  # noqa: PLC0415 - not for a quote

    if not url.startswith(("https://", "http://")):
        raise ProviderError(f"aws: {url} is not the address of a feed", fix=_FIX)
    try:
        with urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - http and https only
            return json.loads(answer.read(_LARGEST_BYTES))
    except (OSError, ValueError) as error:
        raise NoAnswer(f"aws: the spot advisor did not answer: {error}", fix=_FIX) from error


def priors_of(
    feed: Mapping[str, Any], asked_at: datetime
) -> Iterator[tuple[tuple[str, str], HazardPrior]]:
    """Yield the prior of every GPU machine and region of the feed; pure."""
    labels = {each["index"]: each["label"] for each in feed["ranges"]}
    priors = BANDS.priors(asked_at)
    for region, systems in feed["spot_advisor"].items():
        for instance_type, told in systems.get("Linux", {}).items():
            if instance_type.startswith(_GPU_FAMILIES):
                yield (region, instance_type), priors[labels[told["r"]]]
