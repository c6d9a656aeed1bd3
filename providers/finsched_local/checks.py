"""Whether this computer can be a machine: its tools for process trees, and room for the job."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from finsched.model.job import JobSpec
from finsched.provider import Finding
from finsched.toolbox.findings import ok, wrong

_PR_GET_CHILD_SUBREAPER = 37
_BYTES_PER_GB = 10**9


class LocalChecks:
    """The checks of this computer; `folder` is where its machines live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, job: JobSpec | None) -> Iterator[Finding]:
        """Yield the findings; with a job that may run here also what it asks of this computer."""
        yield _process_tree()
        yield self._locks()
        if job and job.requirements.disk_gb and "local" in job.where.clouds:
            yield self._room(job.requirements.disk_gb)

    def _locks(self) -> Finding:
        """A machine is told dead from alive by a lock, which some file systems do not have."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / "check.lock").open("w", encoding="ascii") as first:
                fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
                second_got_it = _locked_twice(self._folder / "check.lock")
            (self._folder / "check.lock").unlink()
        except OSError as error:
            return wrong("locks", str(error), "set state_dir to a folder on a local disk")
        if second_got_it:
            detail = f"{self._folder} is on a file system without locks"
            return wrong("locks", detail, "set state_dir to a folder on a local disk")
        return ok("locks", "hold")

    def _room(self, wanted_gb: float) -> Finding:
        free_gb = shutil.disk_usage(self._folder).free / _BYTES_PER_GB
        detail = f"{free_gb:,.0f} GB free, {wanted_gb:,.0f} asked for"
        if free_gb < wanted_gb:
            return wrong("disk", detail, "free some, or set state_dir to a larger disk")
        return ok("disk", detail)


def _locked_twice(path: Path) -> bool:
    with path.open("a", encoding="ascii") as second:
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _process_tree() -> Finding:
    """Orphans must come to us, or a job's daemon would outlive its machine."""
    fix = "run finsched on Linux; elsewhere it can quote and launch on clouds only"
    if not Path(f"/proc/{os.getpid()}/stat").is_file():
        return wrong("process tree", "there is no /proc to find processes in", fix)
    answer = ctypes.c_int()
    try:
        refused = ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    except AttributeError:
        refused = -1
    if refused:
        return wrong("process tree", "this kernel knows no child subreaper", fix)
    return ok("process tree", "processes are found by /proc, orphans by a subreaper")
