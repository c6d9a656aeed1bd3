"""The workdir as one archive: reproducible, without what git ignores, named by its content."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from finsched.errors import SpecError

LARGEST_MIB = 256
LEFT_OUT = frozenset({".git", ".venv", "__pycache__", ".finsched"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A packed workdir; `key` is its place in the run's store."""

    content: bytes
    files: int

    @property
    def key(self) -> str:
        """`workdir/<sha256>.tar.gz`."""
        return f"workdir/{hashlib.sha256(self.content).hexdigest()}.tar.gz"


def pack(workdir: Path) -> Package:
    """Pack a directory; the same files give the same bytes.

    Links that stay inside are packed as links. Raises `SpecError` for a directory that is too
    large, and for an entry that cannot be read or that would mean something else elsewhere.
    """
    if not workdir.is_dir():
        raise SpecError(f"workdir: {workdir} is not a directory", fix="name the job's own folder")
    with _explained(workdir):
        files = sorted(each for each in _listing(workdir) if _is_kept(each, workdir))
        _refuse_large(workdir, files)
        return Package(content=_archive(workdir, files), files=len(files))


def _archive(workdir: Path, files: list[Path]) -> bytes:
    archive = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for file in files:
            name = file.relative_to(workdir).as_posix()
            tar.add(file, arcname=name, recursive=False, filter=_anonymous)
    return archive.getvalue()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o700 if member.mode & 0o100 else 0o600
    return member


@contextmanager
def _explained(workdir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpecError(
            f"workdir: {error.filename or workdir} cannot be packed: {error.strerror or error}",
            fix="make it readable, or add it to .gitignore",
        ) from error


def _refuse_large(workdir: Path, files: list[Path]) -> None:
    size_mib = sum(file.lstat().st_size for file in files) / 2**20
    if size_mib > LARGEST_MIB:
        largest = max(files, key=lambda file: file.lstat().st_size)
        raise SpecError(
            f"workdir: {workdir} holds {size_mib:.0f} MiB, more than {LARGEST_MIB} MiB",
            fix=f"add what the job does not need to .gitignore; the largest file is {largest}",
        )


# --- what can travel -----------------------------------------------------------------------


def _is_kept(entry: Path, workdir: Path) -> bool:
    """Whether an entry travels; SpecError for one that cannot."""
    parts = entry.relative_to(workdir).parts
    if not LEFT_OUT.isdisjoint(parts) or not _is_there(entry, depth=len(parts)):
        return False
    mode = entry.lstat().st_mode
    if stat.S_ISLNK(mode):
        _refuse_leading_away(entry, workdir)
    elif not stat.S_ISREG(mode):
        raise SpecError(
            f"workdir: {entry} is a pipe, a socket or a device",
            fix="delete it, or add it to .gitignore",
        )
    return True


def _is_there(entry: Path, *, depth: int) -> bool:
    """Git also lists what was deleted, and what a link to a directory has replaced."""
    if any(parent.is_symlink() for parent in entry.parents[: depth - 1]):
        return False
    try:
        entry.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _refuse_leading_away(link: Path, workdir: Path) -> None:
    """A link must mean the same elsewhere, and be one that `tarfile` unpacks."""
    target = link.readlink()
    if why := _why_leading_away(link, target, workdir):
        raise SpecError(
            f"workdir: the link {link} -> {target} {why}",
            fix="copy the file into the workdir or add the link to .gitignore",
        )


def _why_leading_away(link: Path, target: Path, workdir: Path) -> str | None:
    if target.is_absolute():
        return "is absolute: it leads nowhere on another machine"
    by_name = Path(os.path.normpath(link.relative_to(workdir).parent / target))
    try:
        leads_to = link.resolve(strict=True)
    except (OSError, RuntimeError):  # a loop is a RuntimeError up to Python 3.12
        return "is broken"
    if os.pardir in by_name.parts or not leads_to.is_relative_to(workdir.resolve()):
        return "leads out of the workdir"
    return None


# --- what git does not ignore --------------------------------------------------------------


def _listing(workdir: Path) -> Iterator[Path]:
    git = shutil.which("git")
    return _listed(git, workdir) if git and _git_knows(git, workdir) else _walked(workdir)


def _git_knows(git: str, workdir: Path) -> bool:
    """Whether git can tell; of a workdir that is ignored as a whole it lists nothing."""
    here = workdir.resolve()
    if not any(_is_repository(folder) for folder in (here, *here.parents)):
        return False
    asked = subprocess.run(  # noqa: S603 - no shell, and every argument is ours
        [git, "check-ignore", "--quiet", "."], cwd=workdir, capture_output=True, check=False
    )
    return asked.returncode != 0


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").is_file() or (folder / ".git" / "HEAD").exists()


def _listed(git: str, folder: Path) -> Iterator[Path]:
    for name in sorted(set(_git_names(git, folder))):
        entry = folder / os.fsdecode(name)
        if entry.is_symlink() or not entry.is_dir():
            yield entry
        elif (entry / ".git").exists():
            yield from _listed(git, entry)  # a submodule, or a repository inside of this one
        else:
            yield from _walked(entry)


def _git_names(git: str, folder: Path) -> list[bytes]:
    """Ask git; what it could not read it says on stderr, and then its list cannot be trusted."""
    told = subprocess.run(  # noqa: S603 - no shell, and every argument is ours
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if told.returncode or told.stderr:
        words = os.fsdecode(told.stderr).partition("\n")[0] or f"exit {told.returncode}"
        raise SpecError(
            f"workdir: git cannot list {folder}: {words}",
            fix="mend what git names, or copy the workdir out of the repository",
        )
    return [name for name in told.stdout.split(b"\0") if name]


# --- the same without git ------------------------------------------------------------------

_Ignored = dict[Path, list[GitIgnoreSpecPattern]]


def _walked(top: Path) -> Iterator[Path]:
    """Walk a folder, honouring the .gitignore of every folder on the way."""
    ignored: _Ignored = {}
    for name, folders, names in os.walk(top, onerror=_raise):
        folder = Path(name)
        ignored[folder] = _patterns(folder / ".gitignore")
        links = [each for each in folders if (folder / each).is_symlink()]
        folders[:] = [
            each
            for each in sorted({*folders} - {*links} - LEFT_OUT)
            if not _is_ignored(folder / each, ignored, mark="/")
        ]
        for entry in (folder / each for each in (*names, *links)):
            if not _is_ignored(entry, ignored):
                yield entry


def _raise(error: OSError) -> NoReturn:
    raise error


def _is_ignored(entry: Path, ignored: _Ignored, mark: str = "") -> bool:
    """The nearest .gitignore that has a word on an entry decides, by its last word."""
    for folder in entry.parents:
        if folder not in ignored:
            return False
        name = entry.relative_to(folder).as_posix() + mark
        for pattern in reversed(ignored[folder]):
            if pattern.regex and _is_meant(pattern.regex, name):
                return bool(pattern.include)
    return False


def _is_meant(regex: re.Pattern[str], name: str) -> bool:
    """Whether a pattern means the entry itself; pathspec's also match what lies below.

    Its one group is the slash behind a folder; `a/**` has none and means only what is in `a/`.
    """
    for found in regex.finditer(name):
        if found.lastindex is None and not found.group().endswith("/"):
            return True
        if (found.end() == len(name)) == (found.lastindex is not None):
            return True
    return False


def _patterns(file: Path) -> list[GitIgnoreSpecPattern]:
    content = file.read_bytes().removeprefix(codecs.BOM_UTF8) if file.is_file() else b""
    try:
        return [GitIgnoreSpecPattern(os.fsdecode(line)) for line in content.splitlines()]
    except ValueError as error:
        raise SpecError(f"{file}: {error}", fix="correct that pattern") from error
