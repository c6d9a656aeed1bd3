"""`python -m finsched.node.booting.boot PLAN_PATH`: run the agent here, then switch this off.

A timer of the operating system ends a machine that nobody watches. It is put off as long as the
agent lives, and never beyond the moment at which the machine has to be done.
"""

from __future__ import annotations

import base64
import http.client
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from finsched.node.booting.loader import (
    Refused,
    ask,
    fetch,
    or_switch_off,
    read_plan,
    say,
    switch_off,
)
from finsched.node.booting.machine import facts, node_rank
from finsched.node.booting.parameter import Parameters
from finsched.node.booting.secret_half import joined
from finsched.node.clock import from_iso, utc_now
from finsched.node.objects import StoreError
from finsched.node.store import with_retries
from finsched.node.web.service import error_code

_TICK_SECONDS = 0.1
_RENEW_EVERY_SECONDS = 300.0
_LONGEST_SILENCE_MINUTES = 15
_TRIES = 4


def main() -> None:
    """Run the agent as the plan says."""
    plan = read_plan(Path(sys.argv[1]))
    or_switch_off(plan, lambda: _run(plan))


def _run(plan: Mapping[str, Any]) -> int:
    config = Path(plan["folder"]) / "node.json"
    config.write_bytes(fetch(plan, plan["config"]))
    secrets = _secrets(plan)
    rank = with_retries(lambda: _rank(plan), tries=_TRIES)
    agent = subprocess.Popen(  # noqa: S603 - it was checked
        [sys.executable, "-I", "-S", sys.path[0], "finsched.node", str(config)],
        env={**os.environ, **facts(plan), "FINSCHED_NODE_RANK": rank},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert agent.stdin is not None  # noqa: S101 - it was asked for as a pipe
    with suppress(BrokenPipeError), agent.stdin as pipe:  # it may have ended, and said why
        pipe.write(secrets)
    say(f"the agent runs as process {agent.pid}")
    clean_up = _once_all_have_begun(plan) if rank == "0" else None
    return _watch(agent, from_iso(plan["end_at"]) if plan["end_at"] else None, clean_up)


def _rank(plan: Mapping[str, Any]) -> str:
    try:
        return node_rank(plan)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StoreError(
            f"the metadata service does not say which node this is: {error}"
        ) from error


def _secrets(plan: Mapping[str, Any]) -> bytes:
    """Return the secrets as JSON; they are deleted where no other machine needs them."""
    where = plan["secrets"]
    if where is None:
        return b"{}"
    return _joined_halves(plan, where) if where["by"] == "halves" else _parameter(where)


def _parameter(where: Mapping[str, Any]) -> bytes:
    parameters = Parameters(where["region"])
    found = with_retries(lambda: parameters.read(where["name"]), tries=_TRIES)
    if where["only_reader"]:
        _delete_parameter(where)
    return found.encode()


def _delete_parameter(where: Mapping[str, Any]) -> None:
    try:
        Parameters(where["region"]).delete(where["name"])
    except StoreError as error:
        say(f"the launcher has to clean up: {error}")


def _once_all_have_begun(plan: Mapping[str, Any]) -> Callable[[], bool] | None:
    """Return what deletes the secrets that several nodes share, when the job has begun on all."""
    where = plan["secrets"]
    if where is None or where["by"] != "parameter" or where["only_reader"]:
        return None
    begun = Path(plan["folder"]) / "scratch" / "started"

    def clean_up() -> bool:
        if begun.exists():
            _delete_parameter(where)
            return True
        return False

    return clean_up


def _joined_halves(plan: Mapping[str, Any], where: Mapping[str, Any]) -> bytes:
    """Bring the other half, delete it in the store, and put both together."""
    answer = ask(plan, "GET", where["path"])
    if answer.status != 200:
        raise Refused(f"the secrets cannot be read: {answer.status} {error_code(answer)}")
    pad, key = base64.b64decode(where["pad"]), base64.b64decode(where["key"])
    found = joined(answer.body, pad, key)
    try:
        ask(plan, "DELETE", where["path"])
    except StoreError as error:
        say(f"the launcher has to clean up: {error}")
    return found


def _watch(
    agent: subprocess.Popen[bytes], end_at: datetime | None, clean_up: Callable[[], bool] | None
) -> int:
    """Wait for the agent; a shutdown of the operating system is passed on to it.

    `clean_up` is called until it says that it is done.
    """

    def pass_on(number: int, _frame: FrameType | None) -> None:
        agent.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    renewed_at = -math.inf
    while (status := agent.poll()) is None:
        if end_at and utc_now() >= end_at:
            raise Refused("the agent has not ended in time")
        if time.monotonic() - renewed_at >= _RENEW_EVERY_SECONDS:
            renewed_at = time.monotonic()
            switch_off(f"+{_minutes(end_at)}")
        if clean_up and clean_up():
            clean_up = None
        time.sleep(_TICK_SECONDS)
    return status


def _minutes(end_at: datetime | None) -> int:
    if end_at is None:
        return _LONGEST_SILENCE_MINUTES
    left = math.ceil((end_at - utc_now()).total_seconds() / 60)
    return min(max(left, 1), _LONGEST_SILENCE_MINUTES)


if __name__ == "__main__":
    main()
