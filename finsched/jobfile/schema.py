"""The shape of job.yaml as the user types it: keys, types and what each is for."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from finsched.jobfile import fields as f
from finsched.jobfile.problems import Wrong
from finsched.model.job import CapacityPreference


class Section(BaseModel):
    """A mapping of known keys: any other key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _named(value: Any) -> Any:
    """Read `A100:8` as a name and a count; a mapping passes as it is."""
    if isinstance(value, dict) and len(value) == 1 and not value.keys() & Gpu.model_fields.keys():
        ((name, count),) = value.items()
        raise Wrong("is a mapping without name, memory or count", f"write {name}:{count}")
    if not isinstance(value, str):
        return value
    name, colon, count = value.strip().rpartition(":")
    return {"name": name, "count": count} if colon else {"name": value}


class Gpu(Section):
    """One GPU that would do: by `name` or, for any that fits, by `memory`."""

    name: f.Gpu | None = Field(default=None, description="GPU by name or alias")
    memory: f.GpuMemory | None = Field(
        default=None, description="any GPU with at least this memory"
    )
    count: f.GpuCount = Field(default=1, description="GPUs per node, exactly")


GpuItem = Annotated[Gpu, BeforeValidator(_named, json_schema_input_type=f.GpuText | Gpu)]
Gpus = Annotated[
    tuple[GpuItem, ...],
    BeforeValidator(f.as_list, json_schema_input_type=tuple[GpuItem, ...] | GpuItem),
]


class Resources(Section):
    """Hard needs of each node."""

    gpu: Gpus = Field(
        default=(), description="`H100:8`, a list of alternatives, or {memory: 40GiB, count: 8}"
    )
    memory: f.HostMemory | None = Field(
        default=None, description="host memory of each node, at least"
    )
    cpus: f.Cpus | None = Field(default=None, description="vCPUs of each node, at least")
    disk: f.DiskSize | None = Field(default=None, description="disk of each node")
    nodes: f.Nodes = Field(default=1, description="machines that start and stop together")


class Where(Section):
    """Where the job may run."""

    clouds: f.Clouds = Field(default=(), description="providers")
    regions: f.Regions = Field(
        default=(), description='patterns such as us-*; "!us-gov-*" excludes'
    )
    residency: f.Areas = Field(
        default=(), description="areas that compute, data and checkpoints must stay in, such as eu"
    )


class Work(Section):
    """How much work there is."""

    hours: f.WorkHours = Field(
        description="wall-clock hours of useful work on the requested number of `reference` GPUs",
        examples=[40],
    )
    reference: f.Gpu | None = Field(
        default=None, description="the GPU that `hours` was measured on"
    )
    speedup: dict[f.Gpu, f.Speedup] = Field(
        default={}, description="measured speed of other GPUs against the reference: {H100: 2.2}"
    )


class Start(Section):
    """When the job may start."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    after: f.Moment | None = Field(default=None, description="not earlier than this")
    before: f.Moment | None = Field(
        default=None, description="not later than this; else the run ends, never started"
    )


class Output(Section):
    """Data that the job writes."""

    uri: f.Uri = Field(description="where it lies", examples=["s3://bucket/folder"])
    region: f.Place | None = Field(
        default=None, description="its provider and region: aws/us-east-1"
    )
    size: f.DataSize = Field(description="how much it is", examples=["500GB"])


class Input(Output):
    """Data that the job reads."""

    reads: f.Reads = Field(default=1, description="how often the whole of it is read")


class Data(Section):
    """What the job reads and writes."""

    inputs: tuple[Input, ...] = Field(default=(), description="data that the job reads")
    outputs: tuple[Output, ...] = Field(default=(), description="data that the job writes")


class Checkpoint(Section):
    """How the job saves itself."""

    path: f.InnerPath = Field(default="ckpt", description="directory inside of the workdir")
    uri: f.Uri | None = Field(default=None, description="where committed checkpoints are kept")
    region: f.Place | None = Field(default=None, description="provider and region of `uri`")
    size: f.DataSize | None = Field(default=None, description="size of one checkpoint")
    save_time: f.SaveTime = Field(
        default=timedelta(seconds=30),
        description="time that one save takes",
        json_schema_extra={"default": "30s"},
    )
    every: f.Cadence = Field(
        default=None,
        description="time between saves; auto lets finsched choose",
        json_schema_extra={"default": "auto"},
    )
    signal: f.Signal = Field(
        default="SIGTERM", description="signal that makes the job save and stop"
    )
    keep: f.Kept = Field(default=2, description="so many of the newest are kept")


class Budget(Section):
    """Hard limits, in USD."""

    max_cost: f.Usd | None = Field(default=None, description="for the whole run")
    max_hourly: f.Usd | None = Field(default=None, description="for one hour of all nodes")
    max_interruptions: f.Interruptions | None = Field(
        default=None, description="then the run stops"
    )


class Job(Section):
    """A training job for finsched."""

    name: f.Name | None = Field(
        default=None, description="name of the job; default: the file's name"
    )
    resources: Resources = Field(
        description="hard needs of each node", examples=[{"gpu": "A100-80GB:8"}]
    )
    where: Where = Field(default=Where(), description="where the job may run; default: anywhere")
    capacity: f.Capacity = Field(
        default=CapacityPreference.AUTO, description="how machines are bought"
    )
    work: Work | None = Field(
        default=None, description="how much work there is; without it, per hour"
    )
    deadline: f.Moment | None = Field(
        default=None, description="after launch (72h), or a timestamp"
    )
    start: Start | None = Field(
        default=None, description="when the job may start; default: at once"
    )
    scavenge_below: f.Price | None = Field(
        default=None, description="runs only while all nodes together cost less, in USD an hour"
    )
    data: Data = Field(default=Data(), description="what the job reads and writes")
    checkpoint: Checkpoint | None = Field(default=None, description="how the job saves itself")
    budget: Budget = Field(default=Budget(), description="hard limits, in USD")
    tags: dict[f.TagKey, f.Text] = Field(
        default={}, description="labels for reports and for the provider's bill"
    )
    env: dict[f.Variable, f.Text] = Field(
        default={}, description="environment variables of the job"
    )
    secrets: f.Secrets = Field(
        default=(), description="names of variables taken from your environment, never stored"
    )
    workdir: f.PathText | None = Field(
        default=None, description="directory that is copied to the machine, relative to this file"
    )
    setup: f.PathText | None = Field(default=None, description="command that prepares each machine")
    run: f.Command = Field(description="the command", examples=["python train.py"])


SECTIONS: dict[tuple[str, ...], type[Section]] = {
    (): Job,
    ("resources",): Resources,
    ("resources", "gpu"): Gpu,
    ("where",): Where,
    ("work",): Work,
    ("start",): Start,
    ("data",): Data,
    ("data", "inputs"): Input,
    ("data", "outputs"): Output,
    ("checkpoint",): Checkpoint,
    ("budget",): Budget,
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of job.yaml, for editors."""
    schema = _for_people(Job.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _for_people(schema: Any) -> Any:
    """Close mappings, and drop nulls: a key without a value is an error, not a default."""
    if isinstance(schema, list):
        return [_for_people(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _for_people(value) for key, value in schema.items() if not _is_noise(key, value)}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    choices = kept.get("anyOf", ())
    return {**choices[0], **_without(kept, "anyOf")} if len(choices) == 1 else kept


def _is_noise(key: str, value: Any) -> bool:
    return key == "title" or (key == "default" and not isinstance(value, str | int))


def _without(schema: dict[str, Any], dropped: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != dropped}
