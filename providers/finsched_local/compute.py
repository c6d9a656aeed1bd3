"""Launch, watch and end instances on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from finsched.errors import NoCapacity, ProviderError
from finsched.model.market import Pool
from finsched.node.job.process_tree import kill_marked
from finsched.provider import (
    EndReason,
    Instance,
    InstanceState,
    InstanceStatus,
    LaunchRequest,
    OwnedResource,
)
from finsched_local.environment import machine_environment
from finsched_local.folder import MARK, InstanceFolder, open_private, utc_now, write_atomically

_LAUNCH_SECONDS = 30.0


class LocalCompute:
    """Instances below one folder, shared by every process that uses it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Start the machines of the request's token, or find those that were started for it.

        They all are processes here, one agent for each node of a gang. The hint `no_capacity` (why)
        refuses instead: this machine always has room, so a rehearsal has to say when the pool that
        it stands for had none. Raises NoCapacity, ProviderError.
        """
        folders = [self._instance(request.token, rank) for rank in range(request.nodes)]
        if (why := request.hints.get("no_capacity")) and not folders[0].launched:
            raise NoCapacity(f"local: {why}")
        try:
            for rank, folder in enumerate(folders):
                self._launch_once(folder, request, rank)
        except OSError as error:
            raise ProviderError(
                f"local: {error}", fix=f"Make room for the machine's files in {self._folder}."
            ) from error
        return [_instance(folder) for folder in folders]

    def _launch_once(self, folder: InstanceFolder, request: LaunchRequest, rank: int) -> None:
        folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        give_up_at = time.monotonic() + _LAUNCH_SECONDS
        while not folder.launched:
            with folder.lock_if_free() as lock:
                if lock is not None and not folder.launched:
                    _start(folder, request, rank, lock)
            if time.monotonic() > give_up_at:
                raise ProviderError(f"local: the machine {folder.id} does not start")
            time.sleep(0.0 if folder.launched else 0.01)

    def find(self, token: str) -> Sequence[Instance]:
        """Return the machines that were started for this token, in the order of their rank.

        One that is just starting is waited for: its launcher may have died meanwhile.
        """
        first = self._instance(token)
        others = (InstanceFolder(path) for path in self._folder.glob(f"{first.id}-*"))
        folders = [folder for folder in (first, *others) if _has_started(folder)]
        return [_instance(each) for each in sorted(folders, key=_rank)]

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return how the known ones of these instances stand."""
        known = {}
        for instance_id in ids:
            with contextlib.suppress(FileNotFoundError):  # never launched, or removed by hand
                known[instance_id] = _status(InstanceFolder(self._folder / instance_id))
        return known

    def terminate(self, instance_id: str) -> None:
        """Order the end of an instance."""
        folder = InstanceFolder(self._folder / instance_id)
        if folder.launched:
            folder.order_end()

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield the instances that are not terminated."""
        for path in sorted(self._folder.glob("local-*")):
            folder = InstanceFolder(path)
            if not folder.launched or folder.facts["installation"] != installation:
                continue
            if _status(folder).state is not InstanceState.TERMINATED:
                yield OwnedResource(
                    provider="local",
                    kind="instance",
                    id=folder.id,
                    run=folder.facts["run"],
                    created_at=datetime.fromisoformat(folder.facts["created_at"]),
                    installation=installation,
                    attempt=folder.facts["attempt"],
                )

    def delete(self, resource: OwnedResource) -> None:
        """End one instance."""
        self.terminate(resource.id)

    def _instance(self, token: str, rank: int = 0) -> InstanceFolder:
        digest = hashlib.sha256(f"{self._folder}\n{token}".encode()).hexdigest()
        node = f"-{rank}" if rank else ""
        return InstanceFolder(self._folder / f"local-{digest[:16]}{node}")


def _start(folder: InstanceFolder, request: LaunchRequest, rank: int, lock: int) -> None:
    """Write the instance down and start its machine, which inherits the lock."""
    folder.write_facts(
        {
            "installation": request.installation,
            "run": request.run,
            "attempt": request.attempt,
            "rank": rank,
            "pool": list(request.offer.pool),
            "created_at": utc_now().isoformat(),
            "hints": dict(request.hints) if rank == 0 else {},  # it takes the whole gang
        }
    )
    write_atomically(folder.node_config, request.node_config)
    with open_private(folder.log, os.O_APPEND) as log:
        machine = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "finsched_local.machine", str(folder.path), str(lock)],
            input=json.dumps(dict(request.secrets)).encode(),
            env=machine_environment(os.environ, str(request.node_config.get("store_uri", ""))),
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            check=False,
        )
    if machine.returncode != 0:
        last_words = folder.log.read_text(errors="replace")[-2000:]
        raise ProviderError(f"local: the machine {folder.id} did not start: {last_words}")


def _has_started(folder: InstanceFolder) -> bool:
    """Wait for a launch that is under way, and say whether it has made a machine."""
    give_up_at = time.monotonic() + _LAUNCH_SECONDS
    while folder.path.exists() and not folder.launched and time.monotonic() < give_up_at:
        with folder.lock_if_free() as lock:
            if lock is not None:
                break
        time.sleep(0.01)
    return folder.launched


def _rank(folder: InstanceFolder) -> int:
    return int(folder.facts.get("rank", 0))


def _instance(folder: InstanceFolder) -> Instance:
    facts = folder.facts
    return Instance(
        id=folder.id,
        pool=Pool(*facts["pool"]),
        created_at=datetime.fromisoformat(facts["created_at"]),
    )


def _status(folder: InstanceFolder) -> InstanceStatus:
    """Return the machine's own word, or the truth where it died without one."""
    status = folder.status()
    if status.state is InstanceState.TERMINATED:
        return status
    with folder.lock_if_free() as lock:
        if lock is not None:
            return _bury(folder)
    status = folder.status()
    if folder.end_ordered and status.state is not InstanceState.TERMINATED:
        return replace(status, state=InstanceState.TERMINATING)
    return status


def _bury(folder: InstanceFolder) -> InstanceStatus:
    """End what a killed machine has left running and write down that it is gone."""
    status = folder.status()
    if status.state is InstanceState.TERMINATED:
        return status
    if not kill_marked(f"{MARK}={folder.id}", or_command=folder.agent_command):
        return replace(status, state=InstanceState.TERMINATING)
    ended_at = folder.last_sign_of_life()
    folder.remove_scratch()
    ended = InstanceStatus(
        id=folder.id,
        state=InstanceState.TERMINATED,
        billing_from=status.billing_from,
        ended_at=ended_at,
        reason=EndReason.FAILED,
        detail="the machine process was killed",
    )
    with contextlib.suppress(OSError):  # a full disk: the next poll says the same
        folder.write_status(ended)
    return ended
