import os
import random
import shutil
import socket
import subprocess
import sys
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


# --- links and what is no file -------------------------------------------------------------


def test_links_that_stay_inside_arrive_as_links(tmp_path: Path) -> None:
    work = written(tmp_path / "work", data__one="1", bin__run="2")
    (work / "file").symlink_to("data/one")
    (work / "folder").symlink_to("data")
    (work / "bin" / "up").symlink_to("../data/one")
    (work / "here").symlink_to(".")
    with tarfile.open(fileobj=BytesIO(pack(work).content)) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path / "there", **safely)
    there = tmp_path / "there"
    assert (there / "folder").readlink() == Path("data")
    assert [
        (there / each).read_text() for each in ("file", "folder/one", "bin/up", "here/file")
    ] == ["1"] * 4


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/etc/hostname", "absolute"),
        ("../outside", "out of the workdir"),
        ("../work/a", "out of the workdir"),
        ("nowhere", "broken"),
        ("link", "broken"),
    ],
)
def test_a_link_that_means_nothing_elsewhere_is_refused(
    tmp_path: Path, target: str, why: str
) -> None:
    written(tmp_path, outside="x")
    work = written(tmp_path / "work", a="x")
    (work / "link").symlink_to(target)
    with pytest.raises(SpecError, match=why) as caught:
        pack(work)
    assert "work/link" in caught.value.message
    written(work, _dot_gitignore="link\n")
    assert names(pack(work).content) == [".gitignore", "a"]


def test_a_link_through_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    work = written(tmp_path / "work", deep__er__a="x")
    (tmp_path / "secret").write_text("x")
    (work / "d").symlink_to("deep/er")
    (work / "link").symlink_to("d/../../../secret")
    with pytest.raises(SpecError, match="work/link"):
        pack(work)


def test_a_pipe_and_a_socket_are_refused_not_read(tmp_path: Path) -> None:
    work = written(tmp_path, a="x")
    os.mkfifo(work / "pipe")
    with pytest.raises(SpecError, match="pipe is a pipe"):
        pack(work)
    (work / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as ours:
        here = os.open(work, os.O_RDONLY)
        ours.bind(f"/proc/self/fd/{here}/sock")  # tmp_path may be longer than a socket's name
        os.close(here)
        with pytest.raises(SpecError, match="sock is a pipe, a socket"):
            pack(work)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    work = written(tmp_path, secret="x")
    (work / "secret").chmod(0)
    code = (
        "import sys; from pathlib import Path; from finsched.run.packing import pack\n"
        "from finsched.errors import SpecError\n"
        "try: pack(Path(sys.argv[1]))\nexcept SpecError as error: print(error.message)"
    )
    command = [sys.executable, "-c", code, str(work)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root reads everything, and there is no setpriv to be less than root")
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", *command]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{work}/secret cannot be packed: Permission denied" in told.stdout, told.stderr


# --- what git ignores ----------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git to ask")


def test_a_gitignore_deeper_down_counts_and_may_take_back(tmp_path: Path) -> None:
    work = written(tmp_path, _dot_gitignore="*.env\n", top_dot_env="s", sub__a_dot_py="x")
    written(work, sub___dot_gitignore="secret\n!keep.env\n", sub__secret="s", secret="x")
    written(work, sub__keep_dot_env="x", sub__other_dot_env="s")
    packed = names(pack(work).content)
    assert packed == [".gitignore", "secret", "sub/.gitignore", "sub/a.py", "sub/keep.env"]


def test_a_gitignore_of_any_bytes_is_read(tmp_path: Path) -> None:
    work = written(tmp_path, a="x", secret="s")
    (work / ".gitignore").write_bytes(b"\xef\xbb\xbfsecret\r\n\xff\xfe\n")
    (work / os.fsdecode(b"\xff\xfe")).write_text("s")
    assert names(pack(work).content) == [".gitignore", "a"]


def test_a_pattern_that_is_none_is_an_error_of_that_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"\.gitignore: "):
        pack(written(tmp_path, _dot_gitignore="!\n"))


@needs_git
def test_what_the_repository_above_ignores_stays_here(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    work = written(tmp_path / "jobs" / "one", a="x", above="s", excluded="s", _dot_venv__b="x")
    written(tmp_path, _dot_gitignore="above\n", outside="x")
    (tmp_path / ".git" / "info" / "exclude").write_text("excluded\n")
    assert names(pack(work).content) == ["a"]


@needs_git
def test_a_file_deleted_or_replaced_by_a_link_since_it_was_added_is_left_out(
    tmp_path: Path,
) -> None:
    git(tmp_path, "init", "-q")
    written(tmp_path, gone="x", sub__a="x", other__a="x", kept="x")
    git(tmp_path, "add", ".")
    (tmp_path / "gone").unlink()
    shutil.rmtree(tmp_path / "sub")
    (tmp_path / "sub").symlink_to("other")
    assert names(pack(tmp_path).content) == ["kept", "other/a", "sub"]


@needs_git
def test_repositories_inside_a_repository_are_packed_by_their_own_rules(tmp_path: Path) -> None:
    git(tmp_path / "library", "init", "-q")
    written(tmp_path / "library", code="x", _dot_gitignore="built\n")
    git(tmp_path / "library", "add", ".")
    git(tmp_path / "library", "commit", "-qm", "one")
    git(tmp_path / "work", "init", "-q")
    git(tmp_path / "work", "submodule", "--quiet", "add", "../library", "module")
    git(tmp_path / "work" / "loose", "init", "-q")
    written(tmp_path / "work", module__built="s", loose__a="x", loose__hidden="s")
    (tmp_path / "work" / "loose" / ".git" / "info" / "exclude").write_text("hidden\n")
    packed = names(pack(tmp_path / "work").content)
    assert packed == [".gitmodules", "loose/a", "module/.gitignore", "module/code"]


@needs_git
def test_a_workdir_that_is_ignored_as_a_whole_is_packed_all_the_same(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    written(tmp_path, _dot_gitignore="scratch/\n")
    work = written(tmp_path / "scratch" / "job", a="x", secret="s", _dot_gitignore="secret\n")
    assert names(pack(work).content) == [".gitignore", "a"]


@needs_git
def test_a_repository_that_git_cannot_read_is_no_reason_to_upload_all(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".git" / "config").write_text("[core\n")
    with pytest.raises(SpecError, match="git cannot list"):
        pack(written(tmp_path, a="x"))


PATTERNS = (
    "a",
    "**/",
    "b/",
    "/c",
    "*.x",
    "!a",
    "!b.x",
    "a/b",
    "**/c",
    "a/**",
    "*",
    "!*/",
    "!c",
    "/*/a",
    "!*.x",
    "b/**",
)


@needs_git
@pytest.mark.parametrize("seed", range(8))
def test_without_git_the_same_is_packed_as_with_it(tmp_path: Path, seed: int) -> None:
    print("seed", seed)
    dice = random.Random(seed)
    for folder in ("", "a", "b", "a/b", "b/c", "c/a/b"):
        here = tmp_path / "work" / folder
        here.mkdir(parents=True, exist_ok=True)
        for name in ("f", "b.x", "a.x"):
            (here / name).write_text(folder)
        if dice.random() < 0.6:
            (here / ".gitignore").write_text("\n".join(dice.choices(PATTERNS, k=4)))
    without = pack(tmp_path / "work")
    git(tmp_path / "work", "init", "-q")
    assert names(pack(tmp_path / "work").content) == names(without.content)
    assert pack(tmp_path / "work").content == without.content
