"""Small builders of offers, markets and jobs: every field that a test does not name is plain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import HazardPrior
from finsched.model.job import CheckpointSpec, GpuRequest, JobSpec, Requirements, Work
from finsched.model.market import (
    Accelerator,
    BillingRule,
    CapacityType,
    EgressTier,
    Geography,
    InstanceType,
    Location,
    Market,
    Offer,
    Pool,
    ProviderTerms,
    StorageRate,
    Tier,
    TransferPath,
)
from finsched.provider import LaunchRequest

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = date(2026, 6, 15)

ACCELERATORS: Mapping[str, Accelerator] = {
    accelerator.name: accelerator
    for accelerator in (
        Accelerator(
            name="A100-80GB",
            vendor="NVIDIA",
            memory_gib=80,
            dense_fp16_tflops=312,
            memory_bandwidth_gb_per_s=2039,
        ),
        Accelerator(
            name="H100",
            vendor="NVIDIA",
            memory_gib=80,
            dense_fp16_tflops=989,
            memory_bandwidth_gb_per_s=3350,
        ),
        Accelerator(name="K80", vendor="NVIDIA", memory_gib=12, memory_bandwidth_gb_per_s=240),
    )
}

GEOGRAPHY: Mapping[Location, Geography] = {
    Location("aws", "us-east-1"): Geography(area="us", country="us"),
    Location("aws", "us-gov-west-1"): Geography(area="us", country="us"),
    Location("aws", "eu-north-1"): Geography(area="eu", country="se", in_eu=True),
    Location("aws", "eu-west-2"): Geography(area="eu", country="gb"),
    Location("aws", "eu-central-2"): Geography(area="eu", country="ch"),
    Location("azure", "eastus"): Geography(area="us", country="us"),
    Location("gcp", "europe-west4"): Geography(area="eu", country="nl", in_eu=True),
}


def evidence(what: str = "price", quality: Quality = Quality.LISTED) -> Evidence:
    """A dated source made for tests."""
    return Evidence(what=what, source="test", quality=quality, earliest=TODAY, latest=TODAY)


def machine(
    provider: str = "aws",
    name: str = "p4de.24xlarge",
    gpu: str | None = "A100-80GB",
    gpu_count: int = 8,
    **fields: float | None,
) -> InstanceType:
    """A machine size; host figures are 96 vCPUs and 1152 GiB unless named."""
    fields = {"vcpus": 96, "memory_gib": 1152, **fields}
    return InstanceType(provider=provider, name=name, gpu=gpu, gpu_count=gpu_count, **fields)


def offer(
    price_usd_per_hour: float = 10.0,
    *,
    instance_type: InstanceType | None = None,
    region: str = "us-east-1",
    zone: str = "",
    capacity_type: CapacityType = CapacityType.ON_DEMAND,
    tier: Tier = Tier.STANDARD,
) -> Offer:
    """An on-demand offer on aws/us-east-1 unless told otherwise."""
    return Offer(
        instance_type=machine() if instance_type is None else instance_type,
        region=region,
        zone=zone,
        capacity_type=capacity_type,
        tier=tier,
        price_usd_per_hour=price_usd_per_hour,
        evidence=evidence(),
    )


def spot(price_usd_per_hour: float = 4.0, **fields: Any) -> Offer:
    """A spot offer, else as `offer`."""
    return offer(price_usd_per_hour, capacity_type=CapacityType.SPOT, **fields)


def launch_request(**fields: Any) -> LaunchRequest:
    """A request for one spot machine for the first attempt of the run r1."""
    plain: dict[str, Any] = {
        "token": "r1-1",
        "installation": "finsched-test",
        "run": "r1",
        "attempt": 1,
        "offer": spot(),
        "nodes": 1,
        "node_config": {"run": "r1"},
        "tags": {"project": "chatbot"},
    }
    return LaunchRequest(**{**plain, **fields})


def hazard_prior(per_hour: float, *, shape: float = 10.0, saturated: bool = False) -> HazardPrior:
    """A prior with this mean."""
    return HazardPrior(
        shape=shape,
        exposure_hours=shape / per_hour,
        saturated=saturated,
        evidence=evidence("hazard", Quality.MEASURED),
    )


def path(
    source: Location,
    destination: Location,
    *usd_per_gb: float | tuple[float, float],
    gbit_per_second: float = 5.0,
) -> TransferPath:
    """A path whose tiers are `(start_gb, usd_per_gb)`, or one price; none means unknown."""
    tiers = [(0.0, tier) if isinstance(tier, int | float) else tier for tier in usd_per_gb]
    return TransferPath(
        source=source,
        destination=destination,
        tiers=tuple(EgressTier(start_gb=start, usd_per_gb=usd) for start, usd in tiers),
        gbit_per_second=gbit_per_second,
        price_evidence=evidence("egress price"),
        speed_evidence=evidence("throughput", Quality.MEASURED),
    )


def terms(
    provider: str = "aws",
    *,
    boot: timedelta = timedelta(minutes=3),
    storage_usd_per_gb_month: float | None = None,
    billing: BillingRule | None = None,
) -> ProviderTerms:
    """A provider's terms; without a storage price it sells no object storage."""
    rate = storage_usd_per_gb_month
    storage = None if rate is None else StorageRate(usd_per_gb_month=rate, evidence=evidence())
    return ProviderTerms(
        provider=provider, billing=billing or BillingRule(), storage=storage, boot=boot
    )


def market(
    *offers: Offer,
    hazards: Mapping[Pool, HazardPrior] | None = None,
    paths: Iterable[TransferPath] = (),
    provider_terms: Iterable[ProviderTerms] = (),
) -> Market:
    """A market of these offers with a small table of accelerators and regions."""
    return Market(
        as_of=NOW,
        offers=offers,
        accelerators=ACCELERATORS,
        hazards=hazards or {},
        paths={(each.source, each.destination): each for each in paths},
        terms={each.provider: each for each in provider_terms},
        geography=GEOGRAPHY,
    )


def job(
    *,
    hours: float | None = 40.0,
    gpus: tuple[GpuRequest, ...] = (GpuRequest(count=8, name="A100-80GB"),),
    checkpoint: CheckpointSpec | None = None,
    **fields: Any,
) -> JobSpec:
    """Forty hours on 8 A100-80GB, without data, limits or checkpoint unless named."""
    spec = JobSpec(
        name="job",
        run="python train.py",
        requirements=Requirements(gpus=gpus),
        work=None if hours is None else Work(hours=hours, reference="A100-80GB"),
        checkpoint=checkpoint,
    )
    return replace(spec, **fields)
