"""A lossless, type-driven round trip between the vocabulary and JSON documents.

Type hints drive it: a plan is built once per type and cached. A field whose union has several
members is written as `{"member": value}`; a mapping whose keys are not text as a list of pairs.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from finsched.model.codec_scalars import SCALARS, DocumentError, Plan, unexpected

__all__ = ["DocumentError", "decode", "encode"]

T = TypeVar("T")


def encode(value: object, as_type: Any = None) -> Any:
    """Return `value` as plain JSON data: dicts, lists, text, numbers, booleans and None.

    `as_type` is needed where the value's own class does not say enough, as for a union or a
    tuple. Raises DocumentError where a value contradicts its declared type.
    """
    hint: Any = type(value) if as_type is None else as_type
    plan: Plan = _plan(hint)
    return plan.encode(value)


@overload
def decode(as_type: type[T], document: object) -> T: ...
@overload
def decode(as_type: Any, document: object) -> Any: ...
def decode(as_type: Any, document: object) -> Any:
    """Rebuild a value of `as_type` from what `encode` returned.

    Absent keys take the field's default; unknown keys and wrong types raise DocumentError.
    """
    plan: Plan = _plan(as_type)
    return plan.decode(document)


@cache
def _plan(hint: Any) -> Plan:
    if (scalar := SCALARS.get(hint)) is not None:
        return scalar
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint))
    if origin is tuple:
        return _tuple(get_args(hint))
    if origin is frozenset:
        return _frozenset(*get_args(hint))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(*get_args(hint))
    if isinstance(hint, type):
        return _class(hint)
    raise TypeError(f"no JSON form for {hint!r}")


def _class(cls: type) -> Plan:
    if issubclass(cls, Enum):
        return _enum(cls)
    if dataclasses.is_dataclass(cls):
        fields = [field for field in dataclasses.fields(cls) if field.init]
        required = {field.name for field in fields if _has_no_default(field)}
        return _record(cls, [field.name for field in fields], required)
    if (defaults := getattr(cls, "_field_defaults", None)) is not None:
        names = list(get_type_hints(cls))
        return _record(cls, names, set(names) - set(defaults))
    raise TypeError(f"no JSON form for {cls.__qualname__}")


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


# --- records: dataclasses and named tuples -------------------------------------------------


def _record(cls: type, names: list[str], required: set[str]) -> Plan:
    hints = get_type_hints(cls)
    plans = {name: _plan(hints[name]) for name in names}
    encoders = tuple((name, plan.encode) for name, plan in plans.items())
    decoders = {name: plan.decode for name, plan in plans.items()}

    def write(value: Any) -> dict[str, Any]:
        if type(value) is not cls:
            raise unexpected(cls.__name__, value)
        document = {}
        for name, encode_field in encoders:
            try:
                document[name] = encode_field(getattr(value, name))
            except DocumentError as error:
                raise error.within(f".{name}") from None
        return document

    def read(document: Any) -> Any:
        if not isinstance(document, dict):
            raise unexpected(f"an object for {cls.__name__}", document)
        if missing := required - document.keys():
            raise DocumentError(f"{cls.__name__} lacks {', '.join(sorted(missing))}")
        return _construct(cls, _read_fields(cls, decoders, document))

    return Plan(write, read)


def _read_fields(
    cls: type, decoders: dict[str, Callable[[Any], Any]], document: dict[str, Any]
) -> dict[str, Any]:
    values = {}
    for name, item in document.items():
        decode_field = decoders.get(name)
        if decode_field is None:
            raise DocumentError(f"{cls.__name__} has no field {name!r}")
        try:
            values[name] = decode_field(item)
        except DocumentError as error:
            raise error.within(f".{name}") from None
    return values


def _construct(cls: type, values: dict[str, Any]) -> Any:
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise DocumentError(f"not a {cls.__name__}: {error}") from error


def _enum(cls: type[Enum]) -> Plan:
    members = {member.value: member for member in cls}
    if not all(type(value) in (str, int) for value in members):
        raise TypeError(f"{cls.__name__} has values that are neither text nor whole numbers")

    def write(value: Any) -> Any:
        if not isinstance(value, cls):
            raise unexpected(cls.__name__, value)
        return value.value

    def read(document: Any) -> Enum:
        if type(document) not in (str, int) or document not in members:
            raise DocumentError(f"{document!r} is not a {cls.__name__}")
        return members[document]

    return Plan(write, read)


# --- unions --------------------------------------------------------------------------------


def _union(members: tuple[Any, ...]) -> Plan:
    others = [member for member in members if member is not types.NoneType]
    inner = _plan(others[0]) if len(others) == 1 else _tagged(others)
    if len(others) == len(members):
        return inner
    return Plan(
        lambda value: None if value is None else inner.encode(value),
        lambda document: None if document is None else inner.decode(document),
    )


def _tagged(members: list[Any]) -> Plan:
    by_class: dict[type, str] = {get_origin(m) or m: (get_origin(m) or m).__name__ for m in members}
    plans = {by_class[get_origin(m) or m]: _plan(m) for m in members}
    if len(plans) != len(members):
        raise TypeError(f"members of a union need distinct names: {members!r}")

    def write(value: Any) -> dict[str, Any]:
        tag = by_class.get(type(value)) or _first_match(by_class, value)
        return {tag: plans[tag].encode(value)}

    def read(document: Any) -> Any:
        if not isinstance(document, dict) or len(document) != 1:
            raise unexpected(f"an object with one key of {', '.join(plans)}", document)
        ((tag, inner),) = document.items()
        if tag not in plans:
            raise DocumentError(f"{tag!r} is none of {', '.join(plans)}")
        return plans[tag].decode(inner)

    return Plan(write, read)


def _first_match(by_class: dict[type, str], value: object) -> str:
    for cls, tag in by_class.items():
        if isinstance(value, cls):
            return tag
    raise unexpected(" or ".join(by_class.values()), value)


# --- collections ---------------------------------------------------------------------------


def _tuple(members: tuple[Any, ...]) -> Plan:
    if len(members) == 2 and members[1] is Ellipsis:
        return _sequence(_plan(members[0]))
    plans = [_plan(member) for member in members]

    def convert(items: Any, which: int) -> list[Any]:
        if len(items) != len(plans):
            raise DocumentError(f"expected {len(plans)} items, got {len(items)}")
        return [
            _at(i, plan[which], item)
            for i, (plan, item) in enumerate(zip(plans, items, strict=True))
        ]

    return Plan(
        lambda value: convert(_of(tuple, value), 0),
        lambda document: tuple(convert(_of(list, document), 1)),
    )


def _sequence(item: Plan) -> Plan:
    return Plan(
        lambda value: _each(item.encode, _of(tuple, value)),
        lambda document: tuple(_each(item.decode, _of(list, document))),
    )


def _frozenset(member: Any) -> Plan:
    item = _plan(member)
    return Plan(
        lambda value: sorted(_each(item.encode, list(_of(frozenset, value))), key=repr),
        lambda document: frozenset(_each(item.decode, _of(list, document))),
    )


def _mapping(key_type: Any, value_type: Any) -> Plan:
    key, item = _plan(key_type), _plan(value_type)
    if not (isinstance(key_type, type) and issubclass(key_type, str)):
        return _pairs(key, item)
    return Plan(
        lambda value: _entries(key.encode, item.encode, _of(Mapping, value)),
        lambda document: _entries(key.decode, item.decode, _of(dict, document)),
    )


def _pairs(key: Plan, item: Plan) -> Plan:
    def write(value: Any) -> list[list[Any]]:
        return [[key.encode(k), _at(k, item.encode, v)] for k, v in _of(Mapping, value).items()]

    def read(document: Any) -> dict[Any, Any]:
        pairs = _of(list, document)
        if any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
            raise DocumentError("expected a list of [key, value] pairs")
        return {key.decode(k): _at(k, item.decode, v) for k, v in pairs}

    return Plan(write, read)


def _entries(
    convert_key: Callable[[Any], Any], convert: Callable[[Any], Any], items: Mapping[Any, Any]
) -> dict[Any, Any]:
    return {convert_key(key): _at(key, convert, value) for key, value in items.items()}


def _each(convert: Callable[[Any], Any], items: Any) -> list[Any]:
    return [_at(index, convert, item) for index, item in enumerate(items)]


def _at(step: object, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except DocumentError as error:
        raise error.within(f"[{step!r}]" if isinstance(step, str) else f"[{step}]") from None


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise unexpected(f"a {kind.__name__}", value)
    return value
