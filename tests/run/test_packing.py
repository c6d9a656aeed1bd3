import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from finsched.errors import SpecError
from finsched.run import packing
from finsched.run.packing import pack


def names(content: bytes) -> list[str]:
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        return archive.getnames()


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_same_files_give_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    files = {"train_dot_py": "x", "data__a_dot_txt": "y"}
    one, other = written(tmp_path / "one", **files), written(tmp_path / "other", **files)
    os.utime(other / "train.py", (1, 1))
    assert pack(one).content == pack(other).content
    assert pack(one).key == pack(other).key


def test_what_git_ignores_stays_here(tmp_path: Path) -> None:
    work = written(tmp_path, train_dot_py="x", big__blob_dot_bin="y", _dot_env="secret")
    written(work, _dot_gitignore="*.bin\n.env\n")
    written(work, _dot_git__config="z", _dot_venv__bin="z")
    assert names(pack(work).content) == [".gitignore", "train.py"]


def test_a_changed_file_changes_the_key(tmp_path: Path) -> None:
    before = pack(written(tmp_path, a_dot_py="1")).key
    assert pack(written(tmp_path, a_dot_py="2")).key != before


def test_an_executable_stays_one_and_nothing_else_of_the_owner_travels(tmp_path: Path) -> None:
    work = written(tmp_path, run_dot_sh="#!/bin/sh")
    (work / "run.sh").chmod(0o755)
    with tarfile.open(fileobj=BytesIO(pack(work).content)) as archive:
        member = archive.getmembers()[0]
    assert (member.mode, member.uid, member.uname, member.mtime) == (0o700, 0, "", 0)


def test_a_workdir_of_data_is_refused_with_its_largest_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LARGEST_MIB", 0)
    with pytest.raises(SpecError, match="MiB") as caught:
        pack(written(tmp_path, big_dot_bin="x" * 100))
    assert "big.bin" in str(caught.value.fix)
