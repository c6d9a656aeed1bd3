"""`python -m finsched.node CONFIG_PATH`: run one attempt; stdin holds the secrets as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from finsched.node.agent import Agent, Surroundings
from finsched.node.clock import from_iso, utc_now
from finsched.node.config import ConfigError, NodeConfig
from finsched.node.ending import End, Watch
from finsched.node.gangs.gang import Gang
from finsched.node.job.process_tree import become_subreaper, hide_environment, kill_descendants
from finsched.node.job.workspace import Workspace
from finsched.node.mail.mailbox import Mailbox
from finsched.node.mail.orders import Orders
from finsched.node.notices.told import InterruptionNotice
from finsched.node.notices.watch import NoticeWatch
from finsched.node.store import Store, StoreError


def main() -> int:
    """Run the attempt; 0 when it ended as it should, whatever became of the job."""
    umask = os.umask(0o077)
    become_subreaper()
    hide_environment()  # it may hold the credentials of the store
    signal.signal(signal.SIGHUP, _machine_is_gone)
    try:
        around = _surroundings(Path(sys.argv[1]), umask)
    except (ConfigError, StoreError, IndexError, ValueError) as error:
        sys.stderr.write(f"finsched.node: {error}\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: _shutdown_is_near(around.watch.notices))
    ended = Agent(around).run()
    sys.stderr.write(f"finsched.node: {ended.end} {ended.detail}\n")
    return int(ended.end is End.NODE_FAILED)


def _surroundings(config_path: Path, umask: int) -> Surroundings:
    config = _placed(NodeConfig.read(config_path))
    secrets = json.load(sys.stdin)
    if missing := set(config.secret_names) - secrets.keys():
        raise ConfigError(f"secrets without a value: {', '.join(sorted(missing))}")
    store = Store(config.store_uri, config.store_options)
    watch = Watch(
        config,
        NoticeWatch(os.environ.get("FINSCHED_METADATA_URL"), poll_seconds=config.poll_seconds),
        Orders(
            store,
            config.attempt,
            lease_seconds=config.lease_seconds,
            poll_seconds=config.poll_seconds,
        ),
        _gang(store, config),
    )
    return Surroundings(
        config=config,
        secrets={name: secrets[name] for name in config.secret_names},
        workspace=Workspace(config_path.resolve().parent),
        watch=watch,
        store=store,
        mailbox=Mailbox(
            store,
            config.attempt,
            node=config.node_rank,
            alive_every_seconds=config.lease_seconds / 3,
        ),
        umask=umask,
        boot_seconds=_boot_seconds(os.environ.get("FINSCHED_MACHINE_STARTED")),
    )


def _placed(config: NodeConfig) -> NodeConfig:
    """The machines of a gang share one document: each is told its own rank when it boots."""
    rank = int(os.environ.get("FINSCHED_NODE_RANK") or config.node_rank)
    if not 0 <= rank < config.nodes:
        raise ConfigError(f"node {rank} is none of {config.nodes}")
    return replace(config, node_rank=rank)


def _gang(store: Store, config: NodeConfig) -> Gang | None:
    if config.nodes == 1:
        return None
    return Gang(
        store,
        config.attempt,
        rank=config.node_rank,
        nodes=config.nodes,
        poll_seconds=config.poll_seconds,
    )


def _boot_seconds(machine_started: str | None) -> float:
    """Return how long the machine has lived; raises ValueError for what is no moment."""
    if not machine_started:
        return 0.0
    return max(0.0, (utc_now() - from_iso(machine_started)).total_seconds())


def _machine_is_gone(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Our machine process died: nothing of this instance may live on."""
    kill_descendants()
    os._exit(1)


def _shutdown_is_near(notices: NoticeWatch) -> None:
    """The operating system shuts down: as good as a notice that names no end."""
    notices.notice = notices.notice or InterruptionNotice(None)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # a thread that hangs in a dead store must not keep the machine
