"""Tags as labels of Google Cloud, and back.

A label has lower-case letters, digits, `_` and `-` only, 63 at most, and its key begins with a
letter. Plain tags stay as they are. What a label may not hold is written as the hexadecimal digits
of its UTF-8 bytes, each behind `__`. A long value goes on in labels whose keys end in `__p1` and so
on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from finsched.errors import InvalidRequest

MOST_LABELS = 64
_LONGEST = 63
_LONGEST_KEY = _LONGEST - len("__p99")
_NOT_PLAIN = re.compile(r"__+|[^a-z0-9_-]")
_ESCAPED = re.compile(r"((?:__[0-9a-f]{2})+)")
_PART = re.compile(r"(.+)__p(\d+)")
_NO_LETTER_FIRST = "x__x"


def encode(text: str) -> str:
    """Write a text in the characters of a label, however long it becomes."""
    return _NOT_PLAIN.sub(lambda found: _escaped(found[0]), text)


def decode(text: str) -> str:
    """Read what `encode` wrote."""
    return _ESCAPED.sub(lambda found: _unescaped(found[1]), text)


def to_labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as labels; raises InvalidRequest where they do not fit."""
    labels: dict[str, str] = {}
    for key, value in tags.items():
        labels |= _label(_encoded_key(key), encode(value))
    if len(labels) > MOST_LABELS:
        raise InvalidRequest(
            f"tags: they need {len(labels)} labels, and gcp takes {MOST_LABELS} to a machine",
            fix="use fewer or shorter tags",
        )
    return labels


def from_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Read what `to_labels` wrote; labels that others have set come as they are."""
    parts: dict[str, dict[int, str]] = {}
    for label, value in labels.items():
        found = _PART.fullmatch(label)
        key, number = (found[1], int(found[2])) if found else (label, 0)
        parts.setdefault(key, {})[number] = value
    return {
        decode(key.removeprefix(_NO_LETTER_FIRST)): decode(
            "".join(dict(sorted(each.items())).values())
        )
        for key, each in parts.items()
    }


def _label(key: str, value: str) -> dict[str, str]:
    rest = range(_LONGEST, len(value), _LONGEST)
    more = {
        f"{key}__p{number}": value[start : start + _LONGEST]
        for number, start in enumerate(rest, start=1)
    }
    return {key: value[:_LONGEST], **more}


def _encoded_key(key: str) -> str:
    encoded = encode(key)
    if not encoded[:1].isalpha():
        encoded = f"{_NO_LETTER_FIRST}{encoded}"
    if len(encoded) > _LONGEST_KEY:
        raise InvalidRequest(
            f"tags: the name {key!r} is too long for a label of gcp",
            fix=f"use at most {_LONGEST_KEY} lower-case letters, digits, - and _",
        )
    return encoded


def _escaped(text: str) -> str:
    return "".join(f"__{byte:02x}" for byte in text.encode())


def _unescaped(text: str) -> str:
    return bytes.fromhex(text.replace("__", "")).decode(errors="replace")
