"""Who keeps the job's checkpoints: alone and as the leader a committer, else a sharer."""

from __future__ import annotations

from dataclasses import dataclass

from finsched.node.checkpoints.cadence import Pace
from finsched.node.checkpoints.checkpoint import Committer, CommitTools
from finsched.node.checkpoints.commit_log import CommitWriter
from finsched.node.checkpoints.parts import Parts
from finsched.node.checkpoints.restore import Restored
from finsched.node.config import NodeConfig
from finsched.node.gangs.companions import Companions
from finsched.node.gangs.peers import Peers
from finsched.node.gangs.sharing import Sharer, ShareTools
from finsched.node.job.progress import Progress
from finsched.node.job.workspace import Workspace
from finsched.node.reports import Reports
from finsched.node.store import Store

Keeper = Committer | Sharer


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingTools:
    """What the agent has of all that keepers need."""

    config: NodeConfig
    store: Store
    workspace: Workspace
    writer: CommitWriter
    progress: Progress
    reports: Reports
    peers: Peers


def keeper(tools: KeepingTools, pace: Pace | None, restored: Restored) -> Keeper | None:
    """Return who keeps the checkpoints, at work already; None where the job declares none."""
    checkpoint = tools.config.checkpoint
    if checkpoint is None or pace is None:
        return None
    rank = tools.config.node_rank
    parts = Parts(tools.store, tools.config.attempt, keep=checkpoint.keep, rank=rank)
    begin = _committer if tools.peers.leads else _sharer
    keeping = begin(tools, checkpoint.path, parts, pace, restored)
    keeping.start()
    return keeping


def _committer(
    tools: KeepingTools, path: str, parts: Parts, pace: Pace, restored: Restored
) -> Keeper:
    parts.trust(reversed([c for c in (restored.commit, *restored.older) if c]))
    own = CommitTools(
        writer=tools.writer,
        parts=parts,
        progress=tools.progress,
        reports=tools.reports,
        pace=pace,
        marker=tools.workspace.committed,
        companions=_companions(tools, pace, restored),
    )
    return Committer(tools.workspace.job / path, tools.workspace.staging, own)


def _companions(tools: KeepingTools, pace: Pace, restored: Restored) -> Companions | None:
    if tools.peers.gang is None:
        return None
    save_seconds = tools.config.reserve_seconds
    return Companions(tools.peers.gang, pace, restored.commit, save_seconds=save_seconds)


def _sharer(tools: KeepingTools, path: str, parts: Parts, pace: Pace, restored: Restored) -> Keeper:
    assert tools.peers.gang is not None  # noqa: S101 - who is alone leads
    own = ShareTools(gang=tools.peers.gang, parts=parts, reports=tools.reports, pace=pace)
    known = restored.commit.files if restored.commit else ()
    return Sharer(tools.workspace.job / path, tools.workspace.staging, own, known)
