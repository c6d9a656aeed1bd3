"""How commands speak: data on stdout, people on stderr, plain when piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta
    from json import JSONEncoder

    from rich.console import Console

SCHEMA_VERSION = 1
PIPE_WIDTH = 80
_MOST_IN_HOURS = 96 * 3600


def console(*, stderr: bool = False) -> Console:
    """Return a rich console: as wide as the terminal, 80 plain columns when piped."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document with its `schema_version` first, one line an item of its lists."""
    from json import JSONEncoder

    encoder = JSONEncoder(default=str)  # indenting would take Python's slow encoder
    members = [
        f"  {encoder.encode(key)}: {_lines(encoder, value)}"
        for key, value in {"schema_version": SCHEMA_VERSION, **document}.items()
    ]
    sys.stdout.write("{\n" + ",\n".join(members) + "\n}\n")


def _lines(encoder: JSONEncoder, value: object) -> str:
    if not isinstance(value, list) or not value:
        return encoder.encode(value)
    return "[\n    " + ",\n    ".join(map(encoder.encode, value)) + "\n  ]"


def money(usd: float) -> str:
    """Format USD for people: `$1,234.50`, `-$3.10`, and more digits below one cent."""
    sign = "-" if usd < 0 else ""
    size = abs(usd)
    digits = 4 if 0 < size < 0.01 else 2
    return f"{sign}${size:,.{digits}f}"


def data_size(size_bytes: float) -> str:
    """Format bytes for people: `12 B`, `34.5 MB`, `16.0 GB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def exact_duration(span: timedelta) -> str:
    """Format what a person has written, without rounding: `90 s`, `1 h 30 min`, `48 h`, `30 d`."""
    from datetime import timedelta
    from decimal import Decimal

    seconds = Decimal(span // timedelta(microseconds=1)) / 10**6
    if seconds % 60 and seconds < 120:
        return f"{seconds.normalize():f} s"
    days, rest = divmod(seconds, 86_400) if seconds > _MOST_IN_HOURS else (Decimal(0), seconds)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    amounts = {"d": days, "h": hours, "min": minutes, "s": rest}
    said = (f"{amount.normalize():f} {unit}" for unit, amount in amounts.items() if amount)
    return " ".join(said)


def duration(hours: float) -> str:
    """Format hours for people: `45 s`, `12 min`, `3.5 h`, `4.2 d`."""
    seconds = hours * 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if hours < 48:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} d"
