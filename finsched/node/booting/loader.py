"""`python loader.zip PLAN_PATH [end]`: what user data carries; it fetches the agent and checks it.

Small, for user data has room for 16 KiB. The rest of the boot is in the agent's archive (boot.py).
With `end` it only ends the machine, which somebody has started again.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from finsched.node.clock import utc_now
from finsched.node.identity.access import identity_for
from finsched.node.objects import StoreError
from finsched.node.web.connections import Answer
from finsched.node.web.request import Request
from finsched.node.web.service import Service, error_code

_TRIES = 8  # fresh roles and networks take a moment to be known everywhere
_LOG_BYTES = 1 << 20


class Refused(Exception):
    """The machine must not work; the text is a sentence for people."""


def main() -> None:
    """Become the boot of the agent, or switch the machine off."""
    plan = read_plan(Path(sys.argv[1]))
    folder = Path(plan["folder"]) / "agent"
    if sys.argv[2:] == ["end"]:
        return or_switch_off(plan, lambda: 0)

    def load() -> int:
        with zipfile.ZipFile(io.BytesIO(fetch(plan, plan["artefact"]))) as artefact:
            artefact.extractall(folder)
        boot = "finsched.node.booting.boot"
        become = [sys.executable, "-I", "-S", str(folder), boot, sys.argv[1]]
        os.execv(sys.executable, become)  # noqa: S606 - it was checked

    return or_switch_off(plan, load)


def read_plan(path: Path) -> Mapping[str, Any]:
    """Return what the machine was told, and in which folder it was told so."""
    return {**json.loads(path.read_text()), "folder": str(path.resolve().parent)}


def or_switch_off(plan: Mapping[str, Any], action: Callable[[], int]) -> None:
    """Act and switch the machine off, whatever happens; what went wrong is left in the store."""
    status = 1
    try:
        status = action()
    except (Refused, StoreError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        say(f"the machine is switched off: {error}")
    finally:
        try:
            if status:
                _send_log(plan)
        finally:
            try:
                _leave(plan)
            finally:
                switch_off("now")


def fetch(plan: Mapping[str, Any], wanted: Mapping[str, str]) -> bytes:
    """Return an object of the run's store that is what the launcher put there."""
    for _ in range(_TRIES):
        try:
            answer = ask(plan, "GET", wanted["path"])
            if answer.status == 200:
                return _checked(answer.body, wanted)
            say(f"{wanted['path']}: {answer.status} {error_code(answer)}")
        except StoreError as error:
            say(str(error))
        time.sleep(plan["pause_seconds"])
    raise Refused(f"{wanted['path']} cannot be fetched")


def ask(plan: Mapping[str, Any], method: str, path: str, body: bytes = b"") -> Answer:
    """Return the answer of the run's store, whatever its status; raises StoreError."""
    identity = identity_for(plan["scheme"], plan["access"], plan["region"], os.environ)
    is_blob = plan["scheme"] == "az" and method == "PUT"
    headers = {"x-ms-blob-type": "BlockBlob"} if is_blob else {}
    request = Request(method=method, path=path, headers=headers, body=body)
    return Service(plan["address"], identity).call(request)


def switch_off(when: str) -> None:
    """Let the machine end at a moment in the words of shutdown(8); it replaces any other."""
    program = shutil.which("shutdown") or "/sbin/shutdown"
    with suppress(OSError):
        subprocess.run([program, "-P", when], check=False)  # noqa: S603 - our own words


def say(text: str) -> None:
    """Write a line to the boot log."""
    sys.stderr.write(f"{utc_now():%F %T} finsched boot: {text}\n")
    sys.stderr.flush()


def _checked(content: bytes, wanted: Mapping[str, str]) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted["sha256"]:
        raise Refused(f"{wanted['path']} is not what was launched: its hash is {found}")
    return content


def _send_log(plan: Mapping[str, Any]) -> None:
    log = Path(plan["folder"]) / "boot.log"
    with suppress(StoreError, OSError):
        ask(plan, "PUT", plan["log_path"], log.read_bytes()[-_LOG_BYTES:])


def _leave(plan: Mapping[str, Any]) -> None:
    """Let the cloud delete this machine, where switching it off would not end its costs."""
    if plan["ending"]["by"] == "power_off":
        return
    from finsched.node.booting.departure import delete_machine  # noqa: PLC0415 - not on AWS

    try:
        delete_machine(plan, os.environ)
    except (StoreError, OSError, http.client.HTTPException, ValueError, KeyError) as error:
        say(f"the machine is only switched off, and may go on costing: {error}")
