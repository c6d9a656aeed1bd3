"""The spot advisor of AWS: how often machines are taken back, as priors.

The advisor gives the share f of instances interrupted in a trailing month, not how long they ran.
Most do not run for a month of 730 hours: spot is used for batch work, tests and fleets that follow
the load. We assume that an instance runs LIFE_HOURS on average, a day, so h = -ln(1 - f) / 24 per
hour. Months instead of a day would make h thirty times lower, and the measured traces are higher
still: docs/reference/catalog.md compares them. The life is our assumption and the figure a regional
average: the prior is an estimate worth one interruption (shape 1, exposure 1/h), with h at the
middle of the band; its central 80 % contains the band. The open band ">20%" bounds from below: its
lower edge is put at the prior's tenth percentile.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from finsched.errors import NoAnswer, ProviderError
from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import HazardPrior

LIFE_HOURS = 24.0  # assumed mean run of a spot instance
BANDS = {
    "<5%": (0.0, 0.05),
    "5-10%": (0.05, 0.10),
    "10-15%": (0.10, 0.15),
    "15-20%": (0.15, 0.20),
}
OPEN_BAND, OPEN_FROM = ">20%", 0.20
PRIOR_SHAPE = 1.0
SOURCE = "AWS spot advisor"
_TENTH_PERCENTILE = -math.log(0.9)  # of a Gamma with shape 1, in units of its mean
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
    priors = {band: _prior(band, asked_at) for band in (*BANDS, OPEN_BAND)}
    for region, systems in feed["spot_advisor"].items():
        for instance_type, told in systems.get("Linux", {}).items():
            if instance_type.startswith(_GPU_FAMILIES):
                yield (region, instance_type), priors[labels[told["r"]]]


def _prior(band: str, asked_at: datetime) -> HazardPrior:
    evidence = Evidence(
        what="hazard",
        source=SOURCE,
        quality=Quality.ESTIMATED,
        earliest=asked_at.date(),
        latest=asked_at.date(),
        note=f"{band} a month, read {asked_at:%H:%M} UTC; a machine's life of a day is assumed",
    )
    return HazardPrior(
        shape=PRIOR_SHAPE,
        exposure_hours=PRIOR_SHAPE / band_hazard_per_hour(band),
        saturated=band == OPEN_BAND,
        evidence=evidence,
    )


def band_hazard_per_hour(band: str) -> float:
    """Mean hazard of an advisor band; the formula is in this module's docstring."""
    if band == OPEN_BAND:
        return hazard_of_share(OPEN_FROM) / _TENTH_PERCENTILE
    low, high = BANDS[band]
    return hazard_of_share((low + high) / 2)


def hazard_of_share(share: float) -> float:
    """Constant hourly hazard that takes back `share` of instances within their assumed life."""
    return -math.log1p(-share) / LIFE_HOURS
