"""How fast a machine does the job's work, against the reference it was stated for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from finsched.model.evidence import Evidence, Quality
from finsched.model.job import JobSpec
from finsched.model.market import Accelerator, InstanceType


class Speed(NamedTuple):
    """Work per hour against the reference (2.0 is twice as fast), and where that is from."""

    factor: float
    evidence: tuple[Evidence, ...] = ()
    marks: tuple[str, ...] = ()


AS_STATED = Speed(1.0)
_ONE_SPEED_FOR_ALL = Speed(1.0, (), ("work.reference missing: same hours on every GPU",))


def speed_of(
    job: JobSpec, machine: InstanceType, accelerators: Mapping[str, Accelerator]
) -> Speed | None:
    """The machine's speed at this job, or None where nothing tells it.

    A user's `speedup` is per GPU and goes before the datasheets; another GPU count than the
    reference's scales linearly.
    """
    if job.work is None or not job.requirements.gpus or machine.gpu is None:
        return AS_STATED
    reference, reference_count = _reference(job, machine)
    if reference is None:
        return _ONE_SPEED_FOR_ALL
    per_gpu = _per_gpu(job.work.speedup, reference, machine.gpu, accelerators)
    if per_gpu is None or reference_count == machine.gpu_count:
        return per_gpu
    mark = f"linear scaling from {reference_count} to {machine.gpu_count} GPUs assumed"
    factor = per_gpu.factor * machine.gpu_count / reference_count
    return Speed(factor, per_gpu.evidence, (*per_gpu.marks, mark))


def datasheet_ratio(gpu: Accelerator, reference: Accelerator) -> float | None:
    """The smaller of the ratios of dense FP16 TFLOPS and of memory bandwidth.

    A kernel is bound by one of the two (Williams et al., 2009, the roofline model), and the smaller
    ratio never promises more than either. None when a datasheet lacks one of the figures.
    """
    tflops, bandwidth = gpu.dense_fp16_tflops, gpu.memory_bandwidth_gb_per_s
    reference_tflops = reference.dense_fp16_tflops
    reference_bandwidth = reference.memory_bandwidth_gb_per_s
    if not (tflops and bandwidth and reference_tflops and reference_bandwidth):
        return None
    return min(tflops / reference_tflops, bandwidth / reference_bandwidth)


def _reference(job: JobSpec, machine: InstanceType) -> tuple[str | None, int]:
    """The reference GPU and how many of it; the first GPU asked for where none is named."""
    requests = job.requirements.gpus
    named = job.work.reference if job.work is not None else None
    reference = named or requests[0].name
    for request in requests:
        if request.name == reference and reference is not None:
            return reference, request.count
    return reference, machine.gpu_count


def _per_gpu(
    declared: Mapping[str, float],
    reference: str,
    gpu: str,
    accelerators: Mapping[str, Accelerator],
) -> Speed | None:
    if gpu == reference:
        return AS_STATED
    if gpu in declared:
        return Speed(declared[gpu], (_evidence(gpu, reference, "job file", Quality.DECLARED),))
    known, base = accelerators.get(gpu), accelerators.get(reference)
    ratio = None if known is None or base is None else datasheet_ratio(known, base)
    if ratio is None:
        return None
    evidence = _evidence(gpu, reference, "datasheets", Quality.ESTIMATED)
    return Speed(ratio, (evidence,), (f"speed of {gpu} estimated from datasheets",))


def _evidence(gpu: str, reference: str, source: str, quality: Quality) -> Evidence:
    return Evidence(what=f"speed of {gpu} against {reference}", source=source, quality=quality)
