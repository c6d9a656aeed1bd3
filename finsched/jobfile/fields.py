"""The types of the fields of job.yaml: how each is read and what an editor is told of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from finsched.jobfile import units, values
from finsched.model.job import CapacityPreference
from finsched.model.market import Location

_NUMBER = r"(\d+(\.\d+)?|\.\d+)"
_DURATION_PATTERN = rf"({_NUMBER} ?[smhdw] ?)+"
_VARIABLE_PATTERN = "^(?!FINSCHED_)[A-Za-z_][A-Za-z0-9_]*$"
_MONEY_PATTERN = r"^(USD|\$)? ?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?( ?USD)?$"


class Read:
    """How a field is read and what an editor is told of it.

    A PlainValidator would also work out how to write the type, which takes time and is never asked.
    """

    def __init__(self, read: Callable[..., Any], **json_schema: Any) -> None:
        self._read = read
        self._json_schema = json_schema

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return dict(self._json_schema)


class ReadKnown(Read):
    """How a field is read that holds a name: `read` is also given the known ones of a kind."""

    def __init__(self, read: Callable[..., Any], kind: str, **json_schema: Any) -> None:
        super().__init__(read, **json_schema)
        self._kind = kind

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read_known)

    def _read_known(self, value: Any, info: ValidationInfo) -> Any:
        return self._read(value, (info.context or {}).get(self._kind, {}))


def _text(read: Callable[[Any], Any], **json_schema: Any) -> Read:
    return Read(read, type="string", **json_schema)


def _known(read: Callable[..., Any], kind: str, **json_schema: Any) -> Read:
    return ReadKnown(read, kind, type="string", **json_schema)


def _size(unit_bytes: int, most: str, *examples: str) -> Read:
    read = units.size(unit_bytes=unit_bytes, example=examples[0], most=most)
    pattern = rf"^{_NUMBER} ?([kKMGTP][iI]?B|[kmgtp]i?b)$"
    return _text(read, pattern=pattern, examples=list(examples))


def _whole(least: int, most: int) -> Read:
    return Read(units.whole_number(least, most), type="integer", minimum=least, maximum=most)


def _positive(most: float) -> Read:
    return Read(units.positive_number(most), type="number", exclusiveMinimum=0, maximum=most)


def _usd(read: Callable[[Any], float], least: dict[str, float]) -> Read:
    number = {"type": "number", **least, "maximum": 1e9}
    text = {"type": "string", "pattern": _MONEY_PATTERN, "examples": ["$300", "300 USD"]}
    return Read(read, anyOf=[number, text])


def _moment(value: Any) -> timedelta | datetime:
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

Name = Annotated[str, _text(values.job_name, pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Command = Annotated[str, _text(values.command, pattern=r"\S")]
PathText = Annotated[str, _text(units.text_of, minLength=1)]
InnerPath = Annotated[str, _text(values.inner_path, examples=["ckpt"])]
Uri = Annotated[str, _text(values.uri, minLength=1, examples=["s3://bucket/key"])]
Gpu = Annotated[str, _known(values.gpu, "gpus", examples=["H100"])]
GpuCount = Annotated[int, _whole(1, 128)]
GpuMemory = Annotated[float, _size(units.GIB, "10TiB", "40GiB")]
HostMemory = Annotated[float, _size(units.GIB, "100TiB", "256GiB")]
DiskSize = Annotated[float, _size(units.GB, "10PB", "500GB")]
DataSize = Annotated[float, _size(units.GB, "1000PB", "500GB", "2TB")]
Cpus = Annotated[float, _positive(10_000)]
Nodes = Annotated[int, _whole(1, 4096)]
WorkHours = Annotated[float, _positive(87_600)]
Speedup = Annotated[float, _positive(1000)]
Reads = Annotated[int, _whole(1, 1_000_000)]
Kept = Annotated[int, _whole(1, 1000)]
Interruptions = Annotated[int, _whole(0, 1_000_000)]
Usd = Annotated[float, _usd(units.money, {"minimum": 0})]
Price = Annotated[float, _usd(units.price, {"exclusiveMinimum": 0})]
SaveTime = Annotated[timedelta, _text(_read_save_time, pattern=f"^{_DURATION_PATTERN}$")]
Cadence = Annotated[timedelta | None, _text(_cadence, pattern=f"^(auto|{_DURATION_PATTERN})$")]
Moment = Annotated[
    timedelta | datetime,
    Read(
        _moment,
        anyOf=[
            {"type": "string", "pattern": f"^{_DURATION_PATTERN}$"},
            {"type": "string", "format": "date-time"},
        ],
        examples=["72h", "2026-12-31T18:00:00Z"],
    ),
]
Cloud = Annotated[str, _known(values.cloud, "clouds", examples=["aws"])]
Clouds = Annotated[
    tuple[Cloud, ...],
    BeforeValidator(as_list, json_schema_input_type=tuple[Cloud, ...] | Cloud),
]
Region = Annotated[str, _text(values.region_pattern, examples=["us-*"])]
Regions = Annotated[
    tuple[Region, ...],
    BeforeValidator(as_list, json_schema_input_type=tuple[Region, ...] | Region),
]
Area = Annotated[str, _text(values.area, examples=["eu"])]
Areas = Annotated[
    tuple[Area, ...], BeforeValidator(as_list, json_schema_input_type=tuple[Area, ...] | Area)
]
Place = Annotated[
    Location,
    _known(values.location, "clouds", pattern="^[^/]+/[^/]+$", examples=["aws/us-east-1"]),
]
Capacity = Annotated[
    CapacityPreference,
    _text(values.capacity, enum=[*(str(choice) for choice in CapacityPreference), "on-demand"]),
]
Signal = Annotated[str, _text(values.signal_name, pattern="^SIG[A-Z0-9]+$", examples=["SIGTERM"])]
Variable = Annotated[str, _text(values.variable, pattern=_VARIABLE_PATTERN)]
TagKey = Annotated[str, _text(values.tag_key, pattern="^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,62}$")]
Text = Annotated[str, Read(values.text, type=["string", "number", "boolean"])]
Secret = Annotated[str, _text(values.secret, pattern=_VARIABLE_PATTERN)]
Secrets = Annotated[
    tuple[Secret, ...],
    BeforeValidator(as_list, json_schema_input_type=tuple[Secret, ...] | Secret),
]
GpuText = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": r"^[^:]+(:\d+)?$", "examples": ["A100-80GB:8"]}),
]
