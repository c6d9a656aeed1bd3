"""The checked sections of a job file -> JobSpec, and the rules that span several keys."""

from __future__ import annotations

from collections.abc import Iterator

from finsched.jobfile import schema, values
from finsched.jobfile.problems import Wrong
from finsched.model.job import (
    Budget,
    CheckpointSpec,
    Dataset,
    GpuRequest,
    JobSpec,
    Requirements,
    StartWindow,
    Where,
    Work,
)

Path = tuple[str | int, ...]


def to_spec(job: schema.Job, default_name: str) -> JobSpec:
    """Return the job in our own vocabulary."""
    return JobSpec(
        name=job.name or default_name,
        run=job.run,
        setup=job.setup or "",
        workdir=job.workdir,
        requirements=_requirements(job.resources),
        where=_where(job.where),
        capacity=job.capacity,
        work=_work(job),
        deadline=job.deadline,
        start=_start(job.start),
        scavenge_below_usd_per_hour=job.scavenge_below,
        inputs=tuple(_dataset(item, item.reads) for item in job.data.inputs),
        outputs=tuple(_dataset(item, 1) for item in job.data.outputs),
        checkpoint=_checkpoint(job.checkpoint),
        budget=_budget(job.budget),
        tags=job.tags,
        env=job.env,
        secrets=tuple(dict.fromkeys(job.secrets)),
    )


def contradictions(job: schema.Job) -> Iterator[tuple[Path, Wrong]]:
    """Yield what each key allows but the job as a whole does not."""
    for index, gpu in enumerate(job.resources.gpu):
        if (gpu.name is None) == (gpu.memory is None):
            what = "needs either a name or a memory"
            yield ("resources", "gpu", index), Wrong(what, "write H100:8 or {memory: 40GiB}")
    for index, name in enumerate(job.secrets):
        if name in job.env:
            what = f"({name}) is also in env, where it would be stored"
            yield ("secrets", index), Wrong(what, "remove it from env")
    if job.work is not None:
        yield from _contradictions_of_work(job, job.work)


def _contradictions_of_work(job: schema.Job, work: schema.Work) -> Iterator[tuple[Path, Wrong]]:
    names = {gpu.name for gpu in job.resources.gpu}
    if work.reference is None and (len(names) > 1 or None in names):
        what = "is missing: hours were measured on which GPU?"
        yield ("work", "reference"), Wrong(what, "add reference: and its name, such as H100")
    if not names and (work.reference is not None or work.speedup):
        what = "speaks of GPUs, but resources asks for none"
        yield ("work",), Wrong(what, "add resources.gpu, or remove reference and speedup")


def _requirements(resources: schema.Resources) -> Requirements:
    return Requirements(
        gpus=tuple(
            GpuRequest(count=gpu.count, name=gpu.name, memory_gib=gpu.memory)
            for gpu in resources.gpu
        ),
        memory_gib=resources.memory,
        vcpus=resources.cpus,
        disk_gb=resources.disk,
        nodes=resources.nodes,
    )


def _where(where: schema.Where) -> Where:
    return Where(clouds=where.clouds, regions=where.regions, residency=where.residency)


def _work(job: schema.Job) -> Work | None:
    if job.work is None:
        return None
    only_gpu = job.resources.gpu[0].name if job.resources.gpu else None
    return Work(
        hours=job.work.hours,
        reference=job.work.reference or only_gpu,
        speedup=job.work.speedup,
    )


def _start(start: schema.Start | None) -> StartWindow | None:
    return None if start is None else StartWindow(after=start.after, before=start.before)


def _dataset(item: schema.Output, reads: int) -> Dataset:
    location = item.region or values.location_of(item.uri)
    return Dataset(uri=item.uri, location=location, size_gb=item.size, reads=reads)


def _checkpoint(checkpoint: schema.Checkpoint | None) -> CheckpointSpec | None:
    if checkpoint is None:
        return None
    uri = checkpoint.uri
    return CheckpointSpec(
        path=checkpoint.path,
        uri=uri,
        location=checkpoint.region or (None if uri is None else values.location_of(uri)),
        size_gb=checkpoint.size or 0.0,
        save_time=checkpoint.save_time,
        every=checkpoint.every,
        signal=checkpoint.signal,
        keep=checkpoint.keep,
    )


def _budget(budget: schema.Budget) -> Budget:
    return Budget(
        max_cost_usd=budget.max_cost,
        max_hourly_usd=budget.max_hourly,
        max_interruptions=budget.max_interruptions,
    )
