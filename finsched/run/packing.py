"""The workdir as one archive: reproducible, without what git ignores, named by its content."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pathspec

from finsched.errors import SpecError

LARGEST_MIB = 256
ALWAYS_LEFT_OUT = (".git/", ".venv/", "__pycache__/", ".finsched/")


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
    """Pack a directory; the same files give the same bytes. Raises `SpecError` when too large."""
    if not workdir.is_dir():
        raise SpecError(f"workdir: {workdir} is not a directory", fix="name the job's own folder")
    files = sorted(_files(workdir))
    _refuse_large(workdir, files)
    archive = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for file in files:
            tar.add(file, arcname=file.relative_to(workdir).as_posix(), filter=_anonymous)
    return Package(content=archive.getvalue(), files=len(files))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o700 if member.mode & 0o100 else 0o600
    return member


def _files(workdir: Path) -> Iterator[Path]:
    ignored = pathspec.GitIgnoreSpec.from_lines([*ALWAYS_LEFT_OUT, *_gitignore_lines(workdir)])
    for folder, folders, names in os.walk(workdir):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not ignored.match_file((here / name).relative_to(workdir).as_posix() + "/")
        )
        for name in names:
            file = here / name
            if file.is_file() and not ignored.match_file(file.relative_to(workdir).as_posix()):
                yield file


def _gitignore_lines(workdir: Path) -> list[str]:
    file = workdir / ".gitignore"
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def _refuse_large(workdir: Path, files: list[Path]) -> None:
    size_mib = sum(file.stat().st_size for file in files) / 2**20
    if size_mib > LARGEST_MIB:
        largest = max(files, key=lambda file: file.stat().st_size)
        raise SpecError(
            f"workdir: {workdir} holds {size_mib:.0f} MiB, more than {LARGEST_MIB} MiB",
            fix=f"add what the job does not need to .gitignore; the largest file is {largest}",
        )
