"""The document that tells a node what to run; it holds no secret."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from finsched.node.checkpoints.cadence import Cadence
from finsched.node.clock import from_iso


class ConfigError(Exception):
    """The node's document is wrong; the text names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointConfig:
    """How the job's checkpoints are found and kept; `path` is relative to the job's directory.

    `usual_seconds` is told to a job that reads its interval once; without it, the first one.
    """

    path: str
    cadence: Cadence
    usual_seconds: float | None = None
    signal: str = "SIGTERM"
    keep: int = 2

    def __post_init__(self) -> None:
        if (
            Path(self.path).is_absolute()
            or ".." in Path(self.path).parts
            or Path(self.path) == Path()
        ):
            raise ConfigError(f"checkpoint.path {self.path!r} is not below the job's directory")
        if not self.signal.startswith("SIG") or not hasattr(signal, self.signal):
            raise ConfigError(f"checkpoint.signal {self.signal!r} is not a signal")
        if self.keep < 1:
            raise ConfigError("checkpoint.keep must be above zero")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CheckpointConfig:
        """Build it from plain JSON; raises ConfigError, ValueError, TypeError, KeyError."""
        values = dict(document)
        return cls(cadence=Cadence.read(values.pop("every_seconds")), **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAt:
    """A moment at which the machine must be done, and whether budget or deadline says so."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """All that the agent needs to know; docs/reference/node-contract.md explains each key."""

    run: str
    attempt: int
    store_uri: str
    run_command: str
    lease_seconds: float
    node_rank: int = 0
    nodes: int = 1
    store_options: Mapping[str, Any] = field(default_factory=dict)
    workdir_key: str | None = None
    standby: bool = False
    setup: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()
    checkpoint: CheckpointConfig | None = None
    stop_at: tuple[StopAt, ...] = ()
    reserve_seconds: float = 30.0
    poll_seconds: float = 5.0
    notice_grace_seconds: float = 20.0

    @classmethod
    def read(cls, path: Path) -> NodeConfig:
        """Read the document; raises ConfigError."""
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}") from error
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> NodeConfig:
        """Build the configuration from plain JSON; raises ConfigError."""
        values = dict(document)
        try:
            checkpoint = values.get("checkpoint")
            values["checkpoint"] = (
                CheckpointConfig.from_document(checkpoint) if checkpoint else None
            )
            values["stop_at"] = tuple(
                StopAt(at=from_iso(stop["at"]), reason=stop["reason"])
                for stop in values.get("stop_at") or ()
            )
            values["secret_names"] = tuple(values.get("secret_names") or ())
            values["setup"] = values.get("setup") or ""
            return cls(**values)
        except (TypeError, KeyError, ValueError) as error:
            raise ConfigError(f"the node's document is wrong: {error}") from error
