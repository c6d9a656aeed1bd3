"""Config file and environment -> Settings: the only reader of os.environ."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import platformdirs

from finsched.errors import SpecError
from finsched.model.queue import QueueLimits
from finsched.settings_notify import Addresses, NotifySettings, read_addresses, read_notify
from finsched.settings_values import absolute_path, names, number, text, whole

CONFIG_VARIABLE = "FINSCHED_CONFIG"
STATE_DIR_VARIABLE = "FINSCHED_STATE_DIR"
CACHE_DIR_VARIABLE = "FINSCHED_CACHE_DIR"
NOTIFY_VARIABLE = "FINSCHED_NOTIFY_URLS"
PROVIDERS = "finsched.providers"
"""The entry point group of provider packages; each may have a table of its own in the config."""

PRICES = "finsched.prices"
"""The group of those that can be asked for prices without being set up to launch."""

LEDGER_FILE = "ledger.sqlite"
"""The name of the ledger in the state directory."""

_APP = "finsched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user configures once for all jobs; no secret is ever in here.

    `store` is the object store that runs keep their checkpoints and mailbox in. `discounts` maps a
    provider to the factor its list prices are multiplied by; `rates` maps a provider to what its
    on-demand machines cost the user per hour, as `machine` or `region/machine`. Empty `providers`
    means every one that is installed. `clouds` are the tables named after providers, unread: what
    they mean is known to the provider's package alone. `queue` limits the per-user process, which
    ends once it was `idle` for so long. `budgets` are USD a calendar month, by tag or `total`.
    `poll_interval` is how often a cloud is asked, None as often as its package says.
    """

    state_dir: Path
    cache_dir: Path
    store: str
    discounts: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    required_tags: tuple[str, ...] = ()
    lease: timedelta = timedelta(minutes=10)
    poll_interval: timedelta | None = None
    local_price_usd_per_hour: float = 0.0
    providers: tuple[str, ...] = ()
    clouds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notify: NotifySettings = field(default_factory=NotifySettings)
    queue: QueueLimits = field(default_factory=QueueLimits)
    idle: timedelta = timedelta(minutes=10)
    budgets: Mapping[str, float] = field(default_factory=dict)


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
            values[key] = absolute_path(directory)
    state_dir = values.setdefault("state_dir", platformdirs.user_state_path(_APP))
    values.setdefault("cache_dir", platformdirs.user_cache_path(_APP))
    values.setdefault("store", (state_dir / "store").as_uri())
    return Settings(**values)


def config_path(environ: Mapping[str, str]) -> Path:
    """Return where the config file is, or would be."""
    named = environ.get(CONFIG_VARIABLE)
    return absolute_path(named) if named else platformdirs.user_config_path(_APP) / "config.toml"


def with_absolute_paths(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment for a process of ours that works in another folder."""
    variables = dict(os.environ if environ is None else environ)
    for name in (CONFIG_VARIABLE, STATE_DIR_VARIABLE, CACHE_DIR_VARIABLE):
        if path := variables.get(name):
            variables[name] = str(absolute_path(path))
    return variables


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


def notify_urls(settings: Settings, environ: Mapping[str, str] | None = None) -> Addresses:
    """Return whom to notify: from the environment, or else from the file that the settings name.

    Raises SpecError.
    """
    variables = os.environ if environ is None else environ
    return read_addresses(variables.get(NOTIFY_VARIABLE), settings.notify.urls_file)


# --- the config file -----------------------------------------------------------------------


def _read(path: Path, *, must_exist: bool) -> dict[str, Any]:
    document = _document(path, must_exist=must_exist)
    clouds = _clouds(document)
    values: dict[str, Any] = {"clouds": clouds}
    for key, value in document.items():
        if key in clouds:
            continue
        if key not in _READERS:
            raise SpecError(f"{path}: {key} is not a setting", fix=_nearest(key, clouds))
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


def _clouds(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the tables that are named after an installed provider."""
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    strange = tables.keys() - _READERS.keys()
    if not strange:  # looking through all installed packages takes milliseconds
        return {}
    installed = {each.name for group in (PROVIDERS, PRICES) for each in entry_points(group=group)}
    return {key: tables[key] for key in tables if key in strange & installed}


def _nearest(key: str, clouds: Iterable[str]) -> str:
    known = (*_READERS, *clouds)
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else f"the settings are {', '.join(known)}"


def _price(value: Any) -> float:
    usd = number(value)
    if usd < 0:
        raise ValueError("is negative")
    return usd


def _poll_interval(value: Any) -> timedelta:
    seconds = number(value)
    if not 1 <= seconds <= 300:
        raise ValueError("is not between 1 and 300 seconds")
    return timedelta(seconds=seconds)


def _lease(value: Any) -> timedelta:
    seconds = number(value)
    if not 10 <= seconds <= 86_400:
        raise ValueError("is not between 10 seconds and a day")
    return timedelta(seconds=seconds)


def _idle(value: Any) -> timedelta:
    seconds = number(value)
    if not 1 <= seconds <= 604_800:
        raise ValueError("is not between a second and a week")
    return timedelta(seconds=seconds)


def _queue(value: Any) -> QueueLimits:
    if not isinstance(value, dict):
        raise TypeError("is not a table")
    if strange := value.keys() - {"total", "per_provider", "per_tag"}:
        raise ValueError(f"has no {min(strange)}")
    total = value.get("total")
    return QueueLimits(
        total=None if total is None else _limit("total", total),
        per_provider=_limits(value.get("per_provider", {})),
        per_tag=_limits(value.get("per_tag", {})),
    )


def _budgets(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError("is not a table of tags")
    if strange := [name for name in value if name != "total" and "=" not in name]:
        raise ValueError(f"has {strange[0]}, which is neither total nor a tag such as team=ai")
    return {name: _price(usd) for name, usd in value.items()}


def _limits(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise TypeError("has limits that are not a table")
    return {name: _limit(name, limit) for name, limit in value.items()}


def _limit(name: str, value: Any) -> int:
    limit = whole(value)
    if limit < 0:
        raise ValueError(f"of {name} is negative")
    return limit


def _discounts(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError("is not a table of providers")
    factors = {provider: number(factor) for provider, factor in value.items()}
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
    usd = number(value)
    if usd <= 0:
        raise ValueError(f"of {machine} is not above 0")
    return usd


_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "state_dir": ("state_dir", absolute_path),
    "cache_dir": ("cache_dir", absolute_path),
    "store": ("store", text),
    "discounts": ("discounts", _discounts),
    "rates": ("rates", _rates),
    "required_tags": ("required_tags", names),
    "lease_seconds": ("lease", _lease),
    "poll_seconds": ("poll_interval", _poll_interval),
    "local_price_usd_per_hour": ("local_price_usd_per_hour", _price),
    "providers": ("providers", names),
    "notify": ("notify", read_notify),
    "queue": ("queue", _queue),
    "idle_seconds": ("idle", _idle),
    "budgets": ("budgets", _budgets),
}

_EXAMPLES = {
    "state_dir": 'state_dir = "~/finsched/state"',
    "cache_dir": 'cache_dir = "~/finsched/cache"',
    "store": 'store = "s3://bucket/finsched"',
    "discounts": "discounts = {aws = 0.9}",
    "rates": 'rates = {aws = {"us-west-2/p4d.24xlarge" = 12.5}}',
    "required_tags": 'required_tags = ["project"]',
    "lease_seconds": "lease_seconds = 600",
    "poll_seconds": "poll_seconds = 15",
    "local_price_usd_per_hour": "local_price_usd_per_hour = 0.25",
    "providers": 'providers = ["local"]',
    "notify": 'notify = {urls_file = "~/.config/finsched/notify-urls", about = ["end"]}',
    "queue": 'queue = {total = 8, per_provider = {aws = 4}, per_tag = {"team=ai" = 2}}',
    "idle_seconds": "idle_seconds = 600",
    "budgets": 'budgets = {total = 20000, "team=ai" = 1000}',
}
