"""The types of the fields of job.yaml: how each is read and what an editor is told of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema

from finsched.jobfile import units, values
from finsched.model.job import CapacityPreference
from finsched.model.market import Location

_NUMBER = r"(\d+(\.\d+)?|\.\d+)"
_DURATION_PATTERN = rf"({_NUMBER} ?[smhdw] ?)+"
_VARIABLE_PATTERN = "^(?!FINSCHED_)[A-Za-z_][A-Za-z0-9_]*$"
_MONEY_PATTERN = r"^(USD|\$)? ?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?( ?USD)?$"


def _known_gpu(value: Any, info: ValidationInfo) -> str:
    return values.gpu(value, (info.context or {}).get("gpus", {}))


def _known_cloud(value: Any, info: ValidationInfo) -> str:
    return values.cloud(value, (info.context or {}).get("clouds", frozenset()))


def _known_location(value: Any, info: ValidationInfo) -> Location:
    return values.location(value, (info.context or {}).get("clouds", frozenset()))


def _deadline(value: Any) -> timedelta | datetime:
    text = units.text_of(value)
    is_stamp = text[:4].isdigit() and text[4:5] == "-"
    return units.moment(text) if is_stamp else _read_time_limit(text)


def _cadence(value: Any) -> timedelta | None:
    return None if units.text_of(value) == "auto" else _read_cadence(value)


def as_list(value: Any) -> Any:
    """Let one value stand for a list of one."""
    return [value] if isinstance(value, str | dict) else value


_read_time_limit = units.duration(least=timedelta(seconds=1), example="72h")
_read_cadence = units.duration(least=timedelta(seconds=1), example="30m")
_read_save_time = units.duration(least=timedelta(0), example="60s")


def _text(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


def _size(unit_bytes: int, example: str, most: str) -> PlainValidator:
    return PlainValidator(units.size(unit_bytes=unit_bytes, example=example, most=most))


def _size_text(*examples: str) -> WithJsonSchema:
    return _text(pattern=rf"^{_NUMBER} ?([kKMGTP][iI]?B|[kmgtp]i?b)$", examples=list(examples))


def _whole(least: int, most: int) -> PlainValidator:
    return PlainValidator(units.whole_number(least, most))


def _whole_schema(least: int, most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})


def _positive_schema(most: float) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": most})


Name = Annotated[
    str,
    PlainValidator(values.job_name),
    _text(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
]
Command = Annotated[str, PlainValidator(values.command), _text(pattern=r"\S")]
PathText = Annotated[str, PlainValidator(units.text_of), _text(minLength=1)]
InnerPath = Annotated[str, PlainValidator(values.inner_path), _text(examples=["ckpt"])]
Uri = Annotated[str, PlainValidator(values.uri), _text(minLength=1, examples=["s3://bucket/key"])]
Gpu = Annotated[str, PlainValidator(_known_gpu), _text(examples=["H100"])]
GpuCount = Annotated[int, _whole(1, 128), _whole_schema(1, 128)]
GpuMemory = Annotated[float, _size(units.GIB, "40GiB", "10TiB"), _size_text("40GiB")]
HostMemory = Annotated[float, _size(units.GIB, "256GiB", "100TiB"), _size_text("256GiB")]
DiskSize = Annotated[float, _size(units.GB, "500GB", "10PB"), _size_text("500GB")]
DataSize = Annotated[float, _size(units.GB, "500GB", "1000PB"), _size_text("500GB", "2TB")]
Cpus = Annotated[float, PlainValidator(units.positive_number(10_000)), _positive_schema(10_000)]
Nodes = Annotated[int, _whole(1, 4096), _whole_schema(1, 4096)]
WorkHours = Annotated[
    float, PlainValidator(units.positive_number(87_600)), _positive_schema(87_600)
]
Speedup = Annotated[float, PlainValidator(units.positive_number(1000)), _positive_schema(1000)]
Reads = Annotated[int, _whole(1, 1_000_000), _whole_schema(1, 1_000_000)]
Interruptions = Annotated[int, _whole(0, 1_000_000), _whole_schema(0, 1_000_000)]
Usd = Annotated[
    float,
    PlainValidator(units.money),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1e9},
                {"type": "string", "pattern": _MONEY_PATTERN, "examples": ["$300", "300 USD"]},
            ]
        }
    ),
]
SaveTime = Annotated[
    timedelta, PlainValidator(_read_save_time), _text(pattern=f"^{_DURATION_PATTERN}$")
]
Cadence = Annotated[
    timedelta | None, PlainValidator(_cadence), _text(pattern=f"^(auto|{_DURATION_PATTERN})$")
]
Deadline = Annotated[
    timedelta | datetime,
    PlainValidator(_deadline),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_DURATION_PATTERN}$"},
                {"type": "string", "format": "date-time"},
            ],
            "examples": ["72h", "2026-12-31T18:00:00Z"],
        }
    ),
]
Cloud = Annotated[str, PlainValidator(_known_cloud), _text(examples=["aws"])]
Clouds = Annotated[
    tuple[Cloud, ...],
    BeforeValidator(as_list, json_schema_input_type=tuple[Cloud, ...] | Cloud),
]
Region = Annotated[str, PlainValidator(values.region_pattern), _text(examples=["us-*"])]
Regions = Annotated[
    tuple[Region, ...],
    BeforeValidator(as_list, json_schema_input_type=tuple[Region, ...] | Region),
]
Area = Annotated[str, PlainValidator(values.area), _text(examples=["eu"])]
Areas = Annotated[
    tuple[Area, ...], BeforeValidator(as_list, json_schema_input_type=tuple[Area, ...] | Area)
]
Place = Annotated[
    Location,
    PlainValidator(_known_location),
    _text(pattern="^[^/]+/[^/]+$", examples=["aws/us-east-1"]),
]
Capacity = Annotated[
    CapacityPreference,
    PlainValidator(values.capacity),
    _text(enum=[str(choice) for choice in CapacityPreference]),
]
Signal = Annotated[
    str, PlainValidator(values.signal_name), _text(pattern="^SIG[A-Z0-9]+$", examples=["SIGTERM"])
]
Variable = Annotated[str, PlainValidator(values.variable), _text(pattern=_VARIABLE_PATTERN)]
TagKey = Annotated[
    str, PlainValidator(values.tag_key), _text(pattern="^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,62}$")
]
Text = Annotated[
    str, PlainValidator(values.text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Secret = Annotated[str, PlainValidator(values.secret), _text(pattern=_VARIABLE_PATTERN)]
Secrets = Annotated[
    tuple[Secret, ...],
    BeforeValidator(as_list, json_schema_input_type=tuple[Secret, ...] | Secret),
]
GpuText = Annotated[str, _text(pattern=r"^[^:]+(:\d+)?$", examples=["A100-80GB:8"])]
