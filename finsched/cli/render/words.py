"""How offers, ages and rejection reasons are called when people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from finsched.model.evidence import Evidence, Quality
from finsched.model.job import GpuRequest, JobSpec
from finsched.model.market import ANY_REGION, CapacityType, Location, Offer
from finsched.model.quote import Quote, RejectionCode

DAYS_PER_MONTH = 30.44
UNDATED = frozenset({Quality.ESTIMATED, Quality.DECLARED})  # said, not observed on some day

REJECTIONS = {
    RejectionCode.CLOUD: "not among the clouds asked for",
    RejectionCode.NOT_LAUNCHABLE: "no way to launch there from here",
    RejectionCode.GPU: "another GPU",
    RejectionCode.GPU_COUNT: "another number of GPUs",
    RejectionCode.GPU_MEMORY: "too little GPU memory",
    RejectionCode.MEMORY: "too little host memory",
    RejectionCode.VCPUS: "too few CPUs",
    RejectionCode.REGION: "another region",
    RejectionCode.RESIDENCY: "outside the residency",
    RejectionCode.CAPACITY_TYPE: "another capacity type",
    RejectionCode.TIER: "queued or reserved ahead",
    RejectionCode.NO_CHECKPOINT: "spot without a checkpoint",
    RejectionCode.NEVER_FINISHES: "would never finish",
    RejectionCode.DEADLINE: "too late for the deadline",
    RejectionCode.MAX_HOURLY: "over max_hourly",
    RejectionCode.MAX_COST: "over max_cost",
    RejectionCode.SCAVENGE_BELOW: "not under scavenge_below",
    RejectionCode.SPOT_ABOVE_ON_DEMAND: "spot dearer than on-demand",
    RejectionCode.SPEED_UNKNOWN: "speed on that GPU unknown",
}


def place(offer: Offer) -> str:
    """Return provider and zone in few letters: `aws us-west-2 az1`, `gcp us-central1-a`."""
    return f"{offer.provider} {_short_zone(offer.region, offer.zone)}"


def region(offer: Offer) -> str:
    """Return provider and region: `aws us-west-2`."""
    return f"{offer.provider} {_short_zone(offer.region, '')}"


def _short_zone(region: str, zone: str) -> str:
    if region == ANY_REGION:
        return "any region"
    if not zone:
        return region
    return zone if zone.startswith(region) else f"{region} {zone.rpartition('-')[2]}"


def place_and_machine(offer: Offer) -> str:
    """Return where and what in one phrase: `aws us-west-2 az1, p4d.24xlarge spot`."""
    return f"{place(offer)}, {machine(offer)} {capacity(offer.capacity_type)}"


def machine(offer: Offer) -> str:
    """Return the instance type without what every type of its provider starts with."""
    return offer.instance_type.name.removeprefix("Standard_").removeprefix("gpu_")


def gpus(offer: Offer) -> str:
    """Return the GPUs of one machine: `8x H100`, or `no GPU`."""
    instance = offer.instance_type
    return f"{instance.gpu_count}x {instance.gpu}" if instance.gpu else "no GPU"


def capacity(capacity_type: CapacityType) -> str:
    """Return `spot` or `on-demand`."""
    return "spot" if capacity_type is CapacityType.SPOT else "on-demand"


def capacity_and_interruptions(quote: Quote) -> str:
    """Return `on-demand`, or spot with the expected number of interruptions: `spot 0.8`."""
    if quote.offer.capacity_type is CapacityType.ON_DEMAND:
        return "on-demand"
    expected = quote.expected_interruptions
    if expected < 0.05:
        return "spot <.1"
    return f"spot {expected:.0f}" if expected >= 9.95 else f"spot {expected:.1f}"


def location(where: Location) -> str:
    """Return a location as people say it."""
    if where.provider == "internet":
        return "the internet"
    known = where.region not in {"", ANY_REGION}
    return f"{where.provider} {where.region}" if known else f"somewhere in {where.provider}"


def gpu_request(request: GpuRequest) -> str:
    """Return what was asked for: `8x H100`, or `8x any GPU of 40 GiB`."""
    kind = request.name or f"any GPU of {gibibytes(request.memory_gib or 0)}"
    return f"{request.count}x {kind}"


def gibibytes(size_gib: float) -> str:
    """Return a size with at most one decimal: `80 GiB`, `74.5 GiB`."""
    return f"{round(size_gib, 1):,g} GiB"


def requested(job: JobSpec) -> str:
    """Return the machines that a job asks for: `2 nodes of 8x H100 or 8x A100`."""
    gpus = " or ".join(gpu_request(request) for request in job.requirements.gpus) or "no GPU"
    nodes = job.requirements.nodes
    return gpus if nodes == 1 else f"{nodes} nodes of {gpus}"


def source_and_age(evidence: Evidence, today: date) -> str:
    """Return where a figure is from and how old it is: `aws price list, listed 2026-07-20, ...`.

    An age has two bounds where the day of observation has; an assumption of ours has none.
    """
    source = evidence.source or "no source"
    known = [day for day in (evidence.latest, evidence.earliest) if day is not None]
    if not known:
        undated = "" if evidence.quality in UNDATED else ", undated"
        return f"{source}, {evidence.quality}{undated}"
    days = "..".join(dict.fromkeys(str(day) for day in reversed(known)))
    before = "by " if evidence.earliest is None else ""
    return f"{source}, {evidence.quality} {before}{days}, {_age(evidence, today)}"


def _age(evidence: Evidence, today: date) -> str:
    if evidence.earliest is None and evidence.latest is not None:
        return f"{_age_of(evidence.latest, today)} old or more"
    known = [day for day in (evidence.latest, evidence.earliest) if day is not None]
    youngest, oldest = (_age_of(day, today) for day in (known[0], known[-1]))
    if youngest == oldest:
        return f"{oldest} old"
    number, _, unit = youngest.partition(" ")
    return f"{number if oldest.endswith(unit) else youngest} to {oldest} old"


def short_age(evidence: Evidence, today: date) -> str:
    """Return the age of a figure in few letters: `12d`, `6mo`, `>5mo` at least, `?` undated."""
    days = evidence.age_days(today)
    if days is None:
        return "?"
    at_least = ">" if evidence.earliest is None else ""
    age = f"{max(0, days)}d" if days < 60 else f"{days / DAYS_PER_MONTH:.0f}mo"
    return at_least + age


def _age_of(day: date, today: date) -> str:
    days = max(0, (today - day).days)
    if days < 60:
        return f"{days} day{'' if days == 1 else 's'}"
    return f"{days / DAYS_PER_MONTH:.0f} months"


def chance(probability: float) -> str:
    """Return a probability for people, never 100 %: it is an estimate."""
    if probability >= 0.995:
        return ">99%"
    return "<1%" if 0 < probability < 0.005 else f"{probability:.0%}"


def either(choices: Sequence[object]) -> str:
    """Return a choice as people say it: `1, 2 or 4`."""
    *first, last = map(str, choices)
    return f"{', '.join(first)} or {last}" if first else last
