"""Text -> the values of a job that are neither sizes nor numbers: names, GPUs, places, signals."""

from __future__ import annotations

import re
import signal
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from finsched.jobfile.problems import Wrong, closest, nearest, shown
from finsched.jobfile.units import text_of
from finsched.model.job import CapacityPreference
from finsched.model.market import Location, normalise_gpu_name

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_REGION_PATTERN = re.compile(r"!?[\w*?][\w*?., ()-]{0,99}")
_AREA = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20})*", re.ASCII)
_COUNTED_GPU = re.compile(  # 8xH100 or H100x8
    r"(?P<count>\d+) ?[x*] ?(?P<name>\S.*)|(?P<first>.*\S) ?[x*] ?(?P<last>\d+)", re.ASCII
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_TAG_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,62}", re.ASCII)
_RESERVED = "FINSCHED_"
_UNCATCHABLE = frozenset({"SIGKILL", "SIGSTOP"})
_PROVIDER_OF_SCHEME = {
    "s3": "aws",
    "gs": "gcp",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "file": "local",
    "": "local",
}


def job_name(value: Any) -> str:
    """Read a job's name: lower-case letters, digits and dashes."""
    text = text_of(value)
    if not _NAME.fullmatch(text):
        what = f"is {shown(text)}: a name is lower-case letters, digits and dashes, at most 63"
        raise Wrong(what, f"write {name_from(text)}")
    return text


def name_from(text: str) -> str:
    """Make a valid job name of any text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "job"


def command(value: Any) -> str:
    """Read a shell command that is not blank."""
    if not text_of(value):
        raise Wrong("is blank", "write the command, such as python train.py")
    return str(value)


def capacity(value: Any) -> CapacityPreference:
    """Read `auto`, `spot` or `on_demand`, which people also write `on-demand`."""
    text = text_of(value).replace("-", "_")
    if text not in set(CapacityPreference):
        choices = [str(choice) for choice in CapacityPreference]
        hint = nearest(text, choices, otherwise=f"write one of {', '.join(choices)}")
        raise Wrong(f"is {shown(text)}", hint)
    return CapacityPreference(text)


def gpu(value: Any, known: dict[str, str]) -> str:
    """Read a GPU's name or alias and return its canonical name."""
    text = text_of(value)
    name = normalise_gpu_name(text)
    if name not in known:
        raise Wrong(f"{shown(text)} is not a known GPU", _gpu_hint(text, known))
    return known[name]


def _gpu_hint(text: str, known: dict[str, str]) -> str:
    counted = _COUNTED_GPU.fullmatch(text)
    if counted is not None:
        name = normalise_gpu_name(counted["name"] or counted["first"])
        if name in known:
            return f"write {known[name]}:{counted['count'] or counted['last']}"
    close = closest(normalise_gpu_name(text), known)
    return f"did you mean {known[close]}?" if close else "`finsched gpus` lists them all"


def cloud(value: Any, known: frozenset[str]) -> str:
    """Read a provider's name; with an empty `known` any well-formed name passes."""
    text = text_of(value)
    if not _PROVIDER.fullmatch(text) or (known and text not in known):
        hint = nearest(text, known, otherwise=f"known are {', '.join(sorted(known))}")
        raise Wrong(f"{shown(text)} is not a provider", hint if known else "write it like aws")
    return text


def region_pattern(value: Any) -> str:
    """Read a pattern such as `us-*`, or `!us-gov-*` to exclude."""
    text = text_of(value)
    if not _REGION_PATTERN.fullmatch(text):
        raise Wrong(
            f"{shown(text)} is not a pattern of regions", 'write it like us-* or "!us-gov-*"'
        )
    return text


def area(value: Any) -> str:
    """Read an area such as `eu`."""
    text = text_of(value).lower()
    if not _AREA.fullmatch(text):
        raise Wrong(f"{shown(text)} is not an area", "write it like eu or us")
    return text


def location(value: Any, known: frozenset[str]) -> Location:
    """Read `provider/region`."""
    provider, slash, region = text_of(value).partition("/")
    if not slash or not region.strip() or "/" in region:
        what = f"is {shown(text_of(value))}, which does not say the provider and its region"
        raise Wrong(what, "write it like aws/us-east-1")
    return Location(cloud(provider, known), region.strip())


def location_of(uri: str) -> Location | None:
    """Return the provider that a URI's scheme implies; None where it implies none."""
    scheme = uri.split("://", 1)[0] if "://" in uri else ""
    provider = _PROVIDER_OF_SCHEME.get(scheme.lower())
    return None if provider is None else Location(provider, "")


def uri(value: Any) -> str:
    """Read a URI or a path; credentials inside of it are refused, and never shown."""
    text = text_of(value)
    if not text or not text.isprintable():
        raise Wrong("is not a URI or a path", "write it like s3://bucket/folder")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Wrong("is not a URI", "write it like s3://bucket/folder") from None
    if "://" in text and "@" in parts.netloc and not parts.scheme.startswith("abfs"):
        raise Wrong("holds credentials, which would be stored", "configure them at the provider")
    if "://" in text and parts.scheme != "file" and not parts.netloc:
        raise Wrong(f"is {shown(text)}, which names no bucket", "write it like s3://bucket/folder")
    return text


def inner_path(value: Any) -> str:
    """Read a relative path that stays inside of the working directory."""
    text = text_of(value)
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts or "~" in path.parts[0][:1]:
        what = f"is {shown(text)}, which is not a directory inside of the workdir"
        raise Wrong(what, "write a relative path such as ckpt")
    return str(path)


def signal_name(value: Any) -> str:
    """Read the name of a signal that a job can catch."""
    text = text_of(value)
    names = [s.name for s in signal.Signals if s.name not in _UNCATCHABLE]
    if text in _UNCATCHABLE:
        raise Wrong(f"is {text}, which no job can catch", "write SIGTERM or SIGUSR1")
    if text not in names:
        hint = nearest(text, names, otherwise="write SIGTERM or SIGUSR1")
        raise Wrong(f"{shown(text)} is not a signal", hint)
    return text


def variable(value: Any) -> str:
    """Read the name of an environment variable of the job."""
    if not _VARIABLE.fullmatch(value):
        what = f"{shown(value)} is not the name of a variable"
        raise Wrong(what, "use letters, digits and underscores")
    if value.startswith(_RESERVED):
        raise Wrong(f"starts with {_RESERVED}, which is reserved", "remove it")
    return str(value)


def tag_key(value: Any) -> str:
    """Read the key of a tag."""
    if not _TAG_KEY.fullmatch(value):
        what = f"{shown(value)} is not the key of a tag"
        raise Wrong(what, "use letters, digits and _ . : / -, at most 63")
    if value.lower().startswith("finsched"):
        raise Wrong("is reserved for finsched's own tags", "use another name")
    return str(value)


def text(value: Any) -> str:
    """Read any text as it stands; it is never shown in messages, it may be secret."""
    text_of(value)
    return str(value)


def secret(value: Any) -> str:
    """Read the name of a secret; a wrong entry is never shown, it may be the secret itself."""
    if not isinstance(value, str):
        raise Wrong("is not a name", "list names only; values come from your environment")
    if "=" in value:
        raise Wrong("holds a value", "write the name only and export the value in your shell")
    if not _VARIABLE.fullmatch(value):
        raise Wrong("is not the name of a variable", "use letters, digits and underscores")
    if value.startswith(_RESERVED):
        raise Wrong(f"starts with {_RESERVED}, which is reserved", "use another name")
    return value
