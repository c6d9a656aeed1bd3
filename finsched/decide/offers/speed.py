"""How fast a machine does the job's work, against the hours that the job file states."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from finsched.model.evidence import Evidence, Quality
from finsched.model.experience import Pace
from finsched.model.job import JobSpec
from finsched.model.market import Accelerator, InstanceType


class Speed(NamedTuple):
    """Work per hour against the reference (2.0 is twice as fast), and where that is from."""

    factor: float
    evidence: tuple[Evidence, ...] = ()
    marks: tuple[str, ...] = ()


Paces = Mapping[tuple[str, int], Pace]

AS_STATED = Speed(1.0)
_NO_PACES: Paces = MappingProxyType({})
_ONE_SPEED_FOR_ALL = Speed(1.0, (), ("work.reference missing: same hours on every GPU",))


def speed_of(
    job: JobSpec,
    machine: InstanceType,
    accelerators: Mapping[str, Accelerator],
    paces: Paces = _NO_PACES,
) -> Speed | None:
    """The machine's speed at this job, or None where nothing tells it.

    What this very job was measured to do goes before a declared `speedup`, and that before the
    datasheets. Both are per GPU and against the reference: where that was measured, they follow it.
    Another GPU count scales linearly.
    """
    if job.work is None:
        return AS_STATED
    measured = _measured(machine.engine, machine.gpu_count, paces)
    if measured is not None:
        return measured
    if not job.requirements.gpus or machine.gpu is None:
        return AS_STATED
    reference, reference_count = _reference(job, machine)
    if reference is None:
        return _ONE_SPEED_FOR_ALL
    per_gpu = _per_gpu(job.work.speedup, reference, machine.gpu, accelerators)
    if per_gpu is None:
        return None
    scaled = _scaled(per_gpu, reference_count, machine.gpu_count)
    return _following(scaled, _measured(reference, reference_count, paces))


def _measured(engine: str, count: int, paces: Paces) -> Speed | None:
    """The measured speed of so many GPUs of a kind, from the count with the most hours."""
    pace = paces.get((engine, count))
    if pace is not None:
        return _pace(engine, pace)
    others = {number: each for (name, number), each in paces.items() if name == engine and number}
    if not others or not count:
        return None
    nearest = max(others, key=lambda number: others[number].hours)
    return _scaled(_pace(engine, others[nearest]), nearest, count)


def _pace(engine: str, pace: Pace) -> Speed:
    evidence = Evidence(
        what=f"speed of {engine} in this job",
        source=f"{pace.attempts} own attempt{'' if pace.attempts == 1 else 's'}",
        quality=Quality.MEASURED,
        earliest=pace.first,
        latest=pace.last,
        note=f"{pace.work_hours:.3g} h of stated work in {pace.hours:.3g} h",
    )
    return Speed(pace.work_hours / pace.hours, (evidence,))


def _scaled(speed: Speed, known_count: int, count: int) -> Speed:
    if known_count == count:
        return speed
    mark = f"linear scaling from {known_count} to {count} GPUs assumed"
    return Speed(speed.factor * count / known_count, speed.evidence, (*speed.marks, mark))


def _following(speed: Speed, reference: Speed | None) -> Speed:
    """The speed against a reference that itself is faster or slower than the job file states."""
    if reference is None:
        return speed
    evidence = (*speed.evidence, *reference.evidence)
    marks = tuple(dict.fromkeys((*speed.marks, *reference.marks)))
    return Speed(speed.factor * reference.factor, evidence, marks)


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
