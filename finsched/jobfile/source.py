"""The file itself: read whole, bounded and as UTF-8."""

from __future__ import annotations

from pathlib import Path

from finsched.errors import SpecError
from finsched.jobfile.problems import JobFileError, Problem, Wrong, shown

MAX_BYTES = 1 << 20


def read_text(path: Path) -> str:
    """Return the text of a job file; anything in the way is a SpecError."""
    data = _read_bytes(path)
    if len(data) > MAX_BYTES:
        raise SpecError(f"{path}: larger than 1 MiB, not a job file", fix="name the job's file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        what = "the file is not UTF-8 text"
        problem = Problem(line=line, column=column, field="", what=what, fix="save it as UTF-8")
        raise JobFileError(str(path), [problem]) from None


def resolved_workdir(workdir: str, job_file: Path) -> str:
    """Return the workdir as an absolute path; a relative one starts at the job file's folder."""
    directory = (job_file.parent / Path(workdir).expanduser()).resolve()
    if not directory.is_dir():
        fix = "create it, or correct it (relative to the job file)"
        raise Wrong(f"is {shown(workdir)}, which is not a directory", fix)
    return str(directory)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file", fix="name the job's YAML file") from None
    except IsADirectoryError:
        raise SpecError(f"{path}: is a directory", fix="name the job.yaml inside of it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"{path}: cannot be read: {reason}", fix="check the path") from None
