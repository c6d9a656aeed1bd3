"""`python -m finsched_local.machine FOLDER LOCK`: an instance, as a supervised process tree.

It holds the instance's lock as long as it lives, answers as the metadata endpoint, starts the node
agent, and ends everything below it when it is told to, when the agent ends, or when it takes itself
back. The secrets come on stdin and go to the agent's stdin.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, NoReturn

from finsched.node.job.bound_process import bound_command
from finsched.node.job.process_tree import become_subreaper, hide_environment, kill_descendants
from finsched.provider import EndReason, InstanceState, InstanceStatus
from finsched_local.folder import MARK, InstanceFolder, utc_now
from finsched_local.metadata import MetadataServer
from finsched_local.rehearsal import PlannedInterruption

_TICK_SECONDS = 0.03
_SIGN_OF_LIFE_EVERY_SECONDS = 1.0


class _Ending(NamedTuple):
    reason: EndReason
    detail: str


class Machine:
    """The life of one instance."""

    def __init__(self, folder: InstanceFolder, lock: int) -> None:
        self._folder = folder
        self._lock = lock
        self._status = InstanceStatus(
            id=folder.id, state=InstanceState.PENDING, billing_from=utc_now()
        )
        self._plan = PlannedInterruption.from_hints(folder.facts["hints"])
        self._hinted = False
        self._taken_back_at: float | None = None
        self._shut_down = False
        self._shown_life_at = 0.0
        folder.write_status(self._status)

    def live(self, secrets: bytes) -> None:
        """Run from power-on to power-off."""
        become_subreaper()
        hide_environment()
        signal.signal(signal.SIGTERM, self._on_shutdown)
        metadata = MetadataServer(self._folder.id)
        agent = self._start_agent(metadata.url, secrets)
        self._say(replace(self._status, state=InstanceState.RUNNING))
        while (ending := self._ending(agent, metadata)) is None:
            self._show_life()
            time.sleep(_TICK_SECONDS)
        kill_descendants()
        if self._folder.is_locked_by(self._lock):  # or else it is gone, or another machine's
            self._power_off(ending)

    def _power_off(self, ending: _Ending) -> None:
        self._folder.remove_scratch()
        self._say(
            replace(
                self._status,
                state=InstanceState.TERMINATED,
                ended_at=utc_now(),
                reason=ending.reason,
                detail=ending.detail,
            )
        )

    def _start_agent(self, metadata_url: str, secrets: bytes) -> subprocess.Popen[bytes]:
        command = [sys.executable, *self._folder.agent_command]
        agent = subprocess.Popen(  # noqa: S603 - our own program
            bound_command(signal.SIGHUP, command),
            cwd=self._folder.path,
            env={**os.environ, **self._told_to_agent(metadata_url)},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        assert agent.stdin is not None  # noqa: S101 - it was asked for as a pipe
        with agent.stdin as pipe:
            pipe.write(secrets)
        return agent

    def _told_to_agent(self, metadata_url: str) -> dict[str, str]:
        started_at = self._status.billing_from or utc_now()
        return {
            MARK: self._folder.id,
            "FINSCHED_NODE_RANK": str(self._folder.facts.get("rank", 0)),
            "FINSCHED_METADATA_URL": metadata_url,
            "FINSCHED_MACHINE_STARTED": started_at.isoformat(),
        }

    def _ending(self, agent: subprocess.Popen[bytes], metadata: MetadataServer) -> _Ending | None:
        exit_code = agent.poll()
        if not self._folder.is_locked_by(self._lock):
            return _Ending(EndReason.FAILED, "the machine's folder was removed")
        if self._folder.end_ordered:
            return _Ending(EndReason.TERMINATED_BY_US, "")
        if self._shut_down:
            return _Ending(EndReason.FAILED, "this computer stopped the machine")
        if exit_code is not None and self._taken_back_at is None:
            return _agent_ended(exit_code)
        if self._plan and self._taken_back_at is None:
            self._follow(self._plan, metadata)
        if self._taken_back_at is not None and (
            exit_code is not None or time.monotonic() >= self._taken_back_at
        ):
            return _Ending(EndReason.INTERRUPTED, "taken back as rehearsed")
        return None

    def _follow(self, plan: PlannedInterruption, metadata: MetadataServer) -> None:
        scratch = self._folder.scratch
        if not self._hinted and plan.hint_due(scratch):
            self._hinted = True
            metadata.give_hint(utc_now())
        if plan.due(scratch):
            self._take_back(plan, metadata)

    def _take_back(self, plan: PlannedInterruption, metadata: MetadataServer) -> None:
        self._taken_back_at = time.monotonic() + plan.notice_seconds
        if plan.notice_seconds > 0:
            metadata.give_notice(utc_now() + timedelta(seconds=plan.notice_seconds))

    def _show_life(self) -> None:
        now = time.monotonic()
        if now - self._shown_life_at >= _SIGN_OF_LIFE_EVERY_SECONDS:
            self._shown_life_at = now
            os.utime(self._lock)

    def _say(self, status: InstanceStatus) -> None:
        self._status = status
        self._folder.write_status(status)

    def _on_shutdown(self, *_: object) -> None:
        self._shut_down = True


def _agent_ended(exit_code: int) -> _Ending:
    if exit_code == 0:
        return _Ending(EndReason.ENDED_ITSELF, "")
    return _Ending(EndReason.FAILED, f"the node agent ended with {exit_code}; see machine.log")


def _handed_over() -> bytes:
    """Read the secrets; where they are cut off the launcher has died, and there is no machine."""
    secrets = sys.stdin.buffer.read()
    try:
        json.loads(secrets)
    except ValueError:
        sys.exit("the launcher died before it had said all")
    return secrets


def main() -> NoReturn:
    """Leave the launcher's process tree, then live."""
    folder, lock = InstanceFolder(Path(sys.argv[1])), int(sys.argv[2])
    os.set_inheritable(lock, False)
    secrets = _handed_over()
    machine = Machine(folder, lock)
    if os.fork() == 0:
        os.setsid()
        machine.live(secrets)
    os._exit(0)


if __name__ == "__main__":
    main()
