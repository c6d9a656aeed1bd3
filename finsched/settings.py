"""Config file and environment -> Settings: the only reader of os.environ."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import platformdirs

from finsched.errors import SpecError

CONFIG_VARIABLE = "FINSCHED_CONFIG"
STATE_DIR_VARIABLE = "FINSCHED_STATE_DIR"
CACHE_DIR_VARIABLE = "FINSCHED_CACHE_DIR"
LEDGER_FILE = "ledger.sqlite"
"""The name of the ledger in the state directory."""

_APP = "finsched"


DLAMI = "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
SPOT_ADVISOR_URL = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """What a user says about AWS; credentials are none of it, they come as every AWS tool's do.

    `regions` is where finsched may launch and looks for what is its own; empty means every region
    that the account has enabled. `subnets` are those of a region to launch into, empty means the
    default ones. `ami` is an AMI's id, or an SSM parameter with `{arch}` for x86_64 or arm64.
    `spot_advisor_url` is where the public feed of interruption frequencies is read.
    """

    regions: tuple[str, ...] = ()
    subnets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    instance_profile: str = ""
    ami: str = DLAMI
    spot_advisor_url: str = SPOT_ADVISOR_URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user configures once for all jobs; no secret is ever in here.

    `store` is the object store that runs keep their checkpoints and mailbox in. `discounts` maps a
    provider to the factor its list prices are multiplied by; `rates` maps a provider to what its
    on-demand machines cost the user per hour, as `machine` or `region/machine`. Empty `providers`
    means every one that is installed.
    """

    state_dir: Path
    cache_dir: Path
    store: str
    discounts: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    required_tags: tuple[str, ...] = ()
    lease: timedelta = timedelta(minutes=10)
    local_price_usd_per_hour: float = 0.0
    providers: tuple[str, ...] = ()
    aws: AwsSettings = field(default_factory=AwsSettings)


class SecretValues(dict[str, str]):
    """Values of secrets by name; its text form shows the names only."""

    def __repr__(self) -> str:
        return f"SecretValues({', '.join(self)})"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this user: environment first, then the config file, then defaults.

    Raises SpecError naming the file and the key.
    """
    variables = os.environ if environ is None else environ
    path = config_path(variables)
    values = _read(path, must_exist=bool(variables.get(CONFIG_VARIABLE)))
    for variable, key in ((STATE_DIR_VARIABLE, "state_dir"), (CACHE_DIR_VARIABLE, "cache_dir")):
        if directory := variables.get(variable):
            values[key] = _absolute(directory)
    state_dir = values.setdefault("state_dir", platformdirs.user_state_path(_APP))
    values.setdefault("cache_dir", platformdirs.user_cache_path(_APP))
    values.setdefault("store", (state_dir / "store").as_uri())
    return Settings(**values)


def config_path(environ: Mapping[str, str]) -> Path:
    """Return where the config file is, or would be."""
    named = environ.get(CONFIG_VARIABLE)
    return _absolute(named) if named else platformdirs.user_config_path(_APP) / "config.toml"


def secret_values(names: Iterable[str], environ: Mapping[str, str] | None = None) -> SecretValues:
    """Return the values of declared secrets from the caller's environment.

    Raises SpecError naming every variable that is not set, or empty.
    """
    variables = os.environ if environ is None else environ
    wanted = tuple(names)
    if missing := [name for name in wanted if not variables.get(name)]:
        listed = ", ".join(missing)
        message = f"the job declares secrets that are not set in your environment: {listed}"
        raise SpecError(message, fix=f"export {missing[0]}=… in the shell that runs finsched")
    return SecretValues((name, variables[name]) for name in wanted)


# --- the config file -----------------------------------------------------------------------


def _read(path: Path, *, must_exist: bool) -> dict[str, Any]:
    document = _document(path, must_exist=must_exist)
    values = {}
    for key, value in document.items():
        if key not in _READERS:
            raise SpecError(f"{path}: {key} is not a setting", fix=_nearest(key))
        name, read = _READERS[key]
        try:
            values[name] = read(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise SpecError(f"{path}: {key} {error}", fix=f"write {_EXAMPLES[key]}") from None
    return values


def _document(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if must_exist:
            fix = f"correct {CONFIG_VARIABLE} or unset it"
            raise SpecError(f"{path}: no such config file", fix=fix) from None
        return {}
    except (OSError, ValueError) as error:
        raise SpecError(f"{path}: cannot be read: {error}", fix="check the path") from None
    return _parsed(content, path)


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most people have no config file

    try:
        return tomllib.loads(content.decode())
    except ValueError as error:
        raise SpecError(f"{path}: not TOML: {error}", fix="correct that line") from None


def _nearest(key: str) -> str:
    close = get_close_matches(key, _READERS, n=1)
    return f"did you mean {close[0]}?" if close else f"the settings are {', '.join(_READERS)}"


def _absolute(value: Any) -> Path:
    return Path(_text(value)).expanduser().absolute()


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("is not a text")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("is not a list of names")
    return tuple(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("is not a number")
    return float(value)


def _price(value: Any) -> float:
    usd = _number(value)
    if usd < 0:
        raise ValueError("is negative")
    return usd


def _lease(value: Any) -> timedelta:
    seconds = _number(value)
    if not 10 <= seconds <= 86_400:
        raise ValueError("is not between 10 seconds and a day")
    return timedelta(seconds=seconds)


def _discounts(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError("is not a table of providers")
    factors = {provider: _number(factor) for provider, factor in value.items()}
    for provider, factor in factors.items():
        if not 0 < factor <= 1:
            raise ValueError(f"of {provider} is {factor:g}, not above 0 and up to 1")
    return factors


def _rates(value: Any) -> dict[str, dict[str, float]]:
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise TypeError("is not a table of providers, each with a table of machines")
    return {
        provider: {machine: _rate(usd, machine) for machine, usd in machines.items()}
        for provider, machines in value.items()
    }


def _rate(value: Any, machine: str) -> float:
    usd = _number(value)
    if usd <= 0:
        raise ValueError(f"of {machine} is not above 0")
    return usd


def _subnets(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise TypeError("is not a table of regions")
    return {region: _names(subnets) for region, subnets in value.items()}


def _aws(value: Any) -> AwsSettings:
    if not isinstance(value, dict):
        raise TypeError("is not a table")
    for key in value:
        if key not in _AWS_READERS:
            raise ValueError(f"has no {key}: it has {', '.join(_AWS_READERS)}")
    return AwsSettings(**{key: _field(key, read) for key, read in value.items()})


def _field(key: str, value: Any) -> Any:
    try:
        return _AWS_READERS[key](value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key} {error}") from None


_AWS_READERS: dict[str, Callable[[Any], Any]] = {
    "regions": _names,
    "subnets": _subnets,
    "instance_profile": _text,
    "ami": _text,
    "spot_advisor_url": _text,
}

_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "state_dir": ("state_dir", _absolute),
    "cache_dir": ("cache_dir", _absolute),
    "store": ("store", _text),
    "discounts": ("discounts", _discounts),
    "rates": ("rates", _rates),
    "required_tags": ("required_tags", _names),
    "lease_seconds": ("lease", _lease),
    "local_price_usd_per_hour": ("local_price_usd_per_hour", _price),
    "providers": ("providers", _names),
    "aws": ("aws", _aws),
}

_EXAMPLES = {
    "state_dir": 'state_dir = "~/finsched/state"',
    "cache_dir": 'cache_dir = "~/finsched/cache"',
    "store": 'store = "s3://bucket/finsched"',
    "discounts": "discounts = {aws = 0.9}",
    "rates": 'rates = {aws = {"us-west-2/p4d.24xlarge" = 12.5}}',
    "required_tags": 'required_tags = ["project"]',
    "lease_seconds": "lease_seconds = 600",
    "local_price_usd_per_hour": "local_price_usd_per_hour = 0.25",
    "providers": 'providers = ["local"]',
    "aws": 'aws = {regions = ["us-west-2"], instance_profile = "finsched-node"}',
}
