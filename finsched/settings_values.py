"""Reads the values of a config file or of an answer; each reader raises TypeError or ValueError."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from finsched.errors import SpecError

Reader = Callable[[Any], Any]


def read_table(
    cloud: str, table: Mapping[str, Any], readers: Mapping[str, Reader]
) -> dict[str, Any]:
    """Return the values of a provider's own table `[cloud]`; raises SpecError naming the key."""
    return {key: _read(cloud, key, value, readers) for key, value in table.items()}


def text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("is not a text")
    return value


def names(value: Any) -> tuple[str, ...]:
    """Read a list of names."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("is not a list of names")
    return tuple(value)


def names_by_region(value: Any) -> dict[str, tuple[str, ...]]:
    """Read a table from regions to lists of names."""
    if not isinstance(value, dict):
        raise TypeError("is not a table of regions")
    return {region: names(listed) for region, listed in value.items()}


def texts_by_name(value: Any) -> dict[str, str]:
    """Read a table of texts."""
    if not isinstance(value, dict):
        raise TypeError("is not a table of texts")
    return {name: text(each) for name, each in value.items()}


def number(value: Any) -> float:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("is not a number")
    return float(value)


def whole(value: Any) -> int:
    """Read a whole number."""
    read = number(value)
    if not read.is_integer():
        raise ValueError("is not a whole number")
    return int(read)


def absolute_path(value: Any) -> Path:
    """Read a path; `~` is the user's home."""
    return Path(text(value)).expanduser().absolute()


def _read(cloud: str, key: str, value: Any, readers: Mapping[str, Reader]) -> Any:
    if key not in readers:
        raise SpecError(
            f"settings: [{cloud}] has no {key}", fix=f"it has {', '.join(sorted(readers))}"
        )
    try:
        return readers[key](value)
    except (TypeError, ValueError) as error:
        fix = f"correct {key} under [{cloud}]"
        raise SpecError(f"settings: [{cloud}] {key} {error}", fix=fix) from None
