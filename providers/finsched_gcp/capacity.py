"""What can be known before a launch: the project's quotas, and the chance of a spot request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from finsched.errors import ProviderProblem
from finsched.model.market import CapacityType, Offer
from finsched.provider import Quota
from finsched_gcp.api import Api

GPU = "GPU"
ALL_GPUS = "GPUS_ALL_REGIONS"
EVERYWHERE = "all regions"
_PREEMPTIBLE = "PREEMPTIBLE_"
GPU_METRICS = {
    "K80": "NVIDIA_K80_GPUS",
    "P4": "NVIDIA_P4_GPUS",
    "P100": "NVIDIA_P100_GPUS",
    "T4": "NVIDIA_T4_GPUS",
    "V100": "NVIDIA_V100_GPUS",
    "L4": "NVIDIA_L4_GPUS",
    "A100": "NVIDIA_A100_GPUS",
    "A100-80GB": "NVIDIA_A100_80GB_GPUS",
    "H100": "NVIDIA_H100_GPUS",
    "H100-MEGA": "NVIDIA_H100_MEGA_GPUS",
    "H200": "NVIDIA_H200_GPUS",
    "B200": "NVIDIA_B200_GPUS",
}
"""The metric of a GPU in a region's quotas; newer ones are not in that list, so unknown."""

Limits = Mapping[str, float]


class GcpCapacity:
    """Asks Compute Engine; what cannot be asked is unknown."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        """Return the quota that stands in the way, or else that of the GPU."""
        try:
            regional = _limits(self._api.call("Regions", "get", region=offer.region))
            everywhere = _limits(self._api.call("Projects", "get"))
        except ProviderProblem:
            return None
        found = list(_quotas(offer, nodes, regional, everywhere))
        short = [quota for quota in found if not quota.is_enough]
        return next(iter(short or found), None)

    def placement_score(self, offer: Offer, nodes: int) -> int | None:
        """Return Google's obtainability of spot machines, from 0 to 1, as tenths."""
        if offer.capacity_type is not CapacityType.SPOT:
            return None
        try:
            told = self._api.call(
                "Advice",
                "capacity",
                region=offer.region,
                capacity_advice_request_resource=_advice(offer, nodes),
            )
        except ProviderProblem:
            return None
        scores = [each.scores.obtainability for each in told.recommendations if "scores" in each]
        return max(1, round(10 * max(scores))) if scores else None


def _limits(told: Any) -> Limits:
    return {quota.metric: quota.limit for quota in told.quotas}


def _quotas(offer: Offer, nodes: int, regional: Limits, everywhere: Limits) -> Iterator[Quota]:
    """Yield the quotas that a launch counts against; spot has its own once Google granted some."""
    is_spot = offer.capacity_type is CapacityType.SPOT
    gpus = float(offer.instance_type.gpu_count * nodes)
    metric = GPU_METRICS.get(offer.instance_type.gpu or "", "")
    spot_metric = f"{_PREEMPTIBLE}{metric}"
    if is_spot and regional.get(spot_metric):
        yield _quota(spot_metric, offer.region, GPU, regional, gpus)
        return
    if metric in regional:
        yield _quota(metric, offer.region, GPU, regional, gpus)
    if not is_spot and gpus and ALL_GPUS in everywhere:
        yield _quota(ALL_GPUS, EVERYWHERE, GPU, everywhere, gpus)


def _quota(metric: str, region: str, unit: str, limits: Limits, need: float) -> Quota:
    name = metric.replace("_", " ").capitalize()
    return Quota(name=name, code=metric, region=region, unit=unit, have=limits[metric], need=need)


def _advice(offer: Offer, nodes: int) -> dict[str, Any]:
    from finsched_gcp.machines import machine_of  # noqa: PLC0415 - not for a quote

    machine = machine_of(offer.instance_type.name)
    selection: dict[str, Any] = {"machine_types": [machine.type]}
    if machine.accelerator:
        selection["guest_accelerators"] = [
            {"accelerator_type": machine.accelerator, "accelerator_count": machine.count}
        ]
    zones = [{"zone": f"zones/{offer.zone}"}] if offer.zone else []
    return {
        "size": nodes,
        "distribution_policy": {"target_shape": "ANY_SINGLE_ZONE", "zones": zones},
        "instance_flexibility_policy": {"instance_selections": {"machine": selection}},
        "instance_properties": {"scheduling": {"provisioning_model": "SPOT"}},
    }
