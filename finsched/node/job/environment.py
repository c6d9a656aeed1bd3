"""The job's environment: small, declared, and without the credentials of the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from finsched.node.config import NodeConfig
from finsched.node.job.workspace import Workspace

_INHERITED = ("HOME", "LANG", "FINSCHED_INSTANCE")
MASTER_PORT = "29500"  # PyTorch's own choice; a job may declare another under `env`
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def job_environment(
    config: NodeConfig,
    workspace: Workspace,
    *,
    restored: Path | None,
    every_seconds: float | None,
    secrets: Mapping[str, str],
    leader_address: str = "",
) -> dict[str, str]:
    """Return all variables that the job gets; declared ones win over inherited ones.

    Without a `leader_address` the nodes have not met yet.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        "LANG": "C.UTF-8",
        **inherited,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', _DEFAULT_PATH)}",
        "TMPDIR": str(workspace.temporary),
        **_gang(config, leader_address),
        **config.env,
        **secrets,
        **_contract(config, workspace, restored, every_seconds),
    }


def checkpoint_directory(config: NodeConfig, workspace: Workspace) -> Path | None:
    """Return where the job writes its checkpoints."""
    return workspace.job / config.checkpoint.path if config.checkpoint else None


def _gang(config: NodeConfig, leader_address: str) -> dict[str, str]:
    """What `torchrun --nnodes=$NNODES --node-rank=$NODE_RANK` and its kind ask for."""
    place = {"NODE_RANK": str(config.node_rank), "NNODES": str(config.nodes)}
    if not leader_address:
        return place
    return {**place, "MASTER_ADDR": leader_address, "MASTER_PORT": MASTER_PORT}


def _contract(
    config: NodeConfig, workspace: Workspace, restored: Path | None, every_seconds: float | None
) -> dict[str, str]:
    saves = every_seconds is not None
    return {
        "FINSCHED_RUN": config.run,
        "FINSCHED_ATTEMPT": str(config.attempt),
        "FINSCHED_PROGRESS": str(workspace.progress),
        "FINSCHED_CHECKPOINT_DIR": str(checkpoint_directory(config, workspace) or ""),
        "FINSCHED_RESUME_FROM": str(restored or ""),
        "FINSCHED_CHECKPOINT_EVERY": f"{every_seconds:g}" if saves else "",
        "FINSCHED_CHECKPOINT_EVERY_FILE": str(workspace.checkpoint_every) if saves else "",
    }
