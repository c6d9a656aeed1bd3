"""Whether a machine has what each node of a job needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from finsched.model.job import GpuRequest, Requirements
from finsched.model.market import Accelerator, InstanceType
from finsched.model.quote import RejectionCode


class Refusal(NamedTuple):
    """Why something does not fit, as a code and a sentence with have and need."""

    code: RejectionCode
    reason: str


class Fit(NamedTuple):
    """A machine that fits; `host_unknown` when an asked-for host size is not published."""

    host_unknown: bool
    marks: tuple[str, ...]


def fit_machine(
    needs: Requirements, machine: InstanceType, accelerators: Mapping[str, Accelerator]
) -> Fit | Refusal:
    """Compare one machine with the needs of one node."""
    refusal = _gpu_refusal(needs.gpus, machine, accelerators)
    if refusal is not None:
        return refusal
    if needs.memory_gib and machine.memory_gib and machine.memory_gib < needs.memory_gib:
        need, has = _gibibytes(needs.memory_gib), _gibibytes(machine.memory_gib)
        return Refusal(RejectionCode.MEMORY, f"needs {need} of host memory, has {has}")
    if needs.vcpus and machine.vcpus and machine.vcpus < needs.vcpus:
        return Refusal(RejectionCode.VCPUS, f"needs {needs.vcpus:g} vCPUs, has {machine.vcpus:g}")
    return _fit(needs, machine)


def gpu_memory_gib(machine: InstanceType, accelerators: Mapping[str, Accelerator]) -> float | None:
    """Memory of one GPU of this machine: the provider's own figure first."""
    if machine.gpu_memory_gib is not None or machine.gpu is None:
        return machine.gpu_memory_gib
    accelerator = accelerators.get(machine.gpu)
    return None if accelerator is None else accelerator.memory_gib


def _fit(needs: Requirements, machine: InstanceType) -> Fit:
    marks = []
    if needs.memory_gib and machine.memory_gib is None:
        marks.append("host memory unknown")
    if needs.vcpus and machine.vcpus is None:
        marks.append("vCPUs unknown")
    return Fit(bool(marks), tuple(marks))


def _gpu_refusal(
    requests: tuple[GpuRequest, ...],
    machine: InstanceType,
    accelerators: Mapping[str, Accelerator],
) -> Refusal | None:
    """The refusal of the alternative that comes nearest, or None when one fits."""
    if not requests:
        return None
    if machine.gpu is None or machine.gpu_count == 0:
        wanted = " or ".join(_label(request) for request in requests)
        return Refusal(RejectionCode.GPU, f"needs {wanted}, has no GPU")
    memory = gpu_memory_gib(machine, accelerators)
    refusals = [_request_refusal(request, machine, memory) for request in requests]
    misses = [refusal for refusal in refusals if refusal is not None]
    if len(misses) < len(refusals):
        return None
    if all(miss.code is RejectionCode.GPU for miss in misses):
        wanted = " or ".join(_label(request) for request in requests)
        return Refusal(RejectionCode.GPU, f"needs {wanted}, has {machine.gpu}:{machine.gpu_count}")
    return next(miss for miss in misses if miss.code is not RejectionCode.GPU)


def _request_refusal(
    request: GpuRequest, machine: InstanceType, memory_gib: float | None
) -> Refusal | None:
    if request.name is not None and request.name != machine.gpu:
        return Refusal(RejectionCode.GPU, f"needs {request.name}, has {machine.gpu}")
    if request.memory_gib is not None and (memory_gib is None or memory_gib < request.memory_gib):
        has = "does not say" if memory_gib is None else f"has {_gibibytes(memory_gib)}"
        need = f"needs {_gibibytes(request.memory_gib)} per GPU"
        return Refusal(RejectionCode.GPU_MEMORY, f"{need}, {machine.gpu} {has}")
    if request.count != machine.gpu_count:
        size = f"{machine.gpu_count}-GPU machine"
        article = "an" if machine.gpu_count in (8, 11, 18) else "a"
        return Refusal(
            RejectionCode.GPU_COUNT, f"{_label(request)} does not match {article} {size}"
        )
    return None


def _label(request: GpuRequest) -> str:
    """The request as people write it, such as `A100:8` or `40GiB:2`."""
    if request.name is not None:
        return f"{request.name}:{request.count}"
    if request.memory_gib is not None:
        return f"{round(request.memory_gib, 1):g}GiB:{request.count}"
    return f"any GPU:{request.count}"


def _gibibytes(size_gib: float) -> str:
    return f"{round(size_gib, 1):g} GiB"
