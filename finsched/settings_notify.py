"""Who is told of what happens: the table `[notify]`, and the addresses, which are secrets."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.errors import SpecError
from finsched.model.notification import About
from finsched.settings_values import absolute_path, names


class Addresses(tuple[str, ...]):
    """Addresses to notify; their text form shows how many there are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Addresses(of {len(self)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Which file holds the addresses, and what they are told of; everything if `about` is empty."""

    urls_file: Path | None = None
    about: tuple[About, ...] = ()


def read_notify(value: Any) -> NotifySettings:
    """Read the table; raises TypeError or ValueError."""
    if not isinstance(value, dict):
        raise TypeError("is not a table")
    if strange := value.keys() - {"urls_file", "about"}:
        raise ValueError(f"has no {min(strange)}; it has urls_file and about")
    file = value.get("urls_file")
    return NotifySettings(
        urls_file=None if file is None else absolute_path(file),
        about=_about(value.get("about", [])),
    )


def read_addresses(text: str | None, file: Path | None) -> Addresses:
    """Return the addresses of a text, or else of a file that only its owner may read.

    A line whose first letter is # is a comment. Raises SpecError, which names no address.
    """
    if text is not None:
        return Addresses(text.split())
    return Addresses() if file is None else Addresses(_lines(_content(file).splitlines()))


def _about(value: Any) -> tuple[About, ...]:
    chosen = names(value)
    if strange := set(chosen) - set(About):
        raise ValueError(f"has no {min(strange)!r}; it has {', '.join(About)}")
    return tuple(map(About, chosen))


def _content(file: Path) -> str:
    fix = f"write one address a line into {file} and chmod 600 it"
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise SpecError(f"notify.urls_file: {file} is not a file for its owner alone", fix=fix)
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SpecError(
            f"notify.urls_file: {file} cannot be read: {_reason(error)}", fix=fix
        ) from None


def _reason(error: Exception) -> str:
    """A text that is no UTF-8 would be shown in part."""
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8"


def _lines(lines: Iterable[str]) -> list[str]:
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]
