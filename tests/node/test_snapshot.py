"""What counts as a checkpoint file, and when the directory is at rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from finsched.node.checkpoints.snapshot import Quiescence, is_checkpoint, look, without_temporary


def write(path: Path, content: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_files_in_folders_count_and_temporary_ones_do_not(tmp_path: Path) -> None:
    kept = [".metadata", "b.npz", "model/layer/0.bin", "x.tmpl"]
    left_out = ["a.tmp", "a.part", "a.partial", "a~", ".tmp-x", ".nfs01", "new.tmp/x"]
    for name in [*kept, *left_out, ".git/x"]:
        write(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "b.npz")
    (tmp_path / "linked").symlink_to(tmp_path / "model")
    assert [mark.name for mark in look(tmp_path)] == kept
    everything = look(tmp_path, temporary=True)
    assert {mark.name for mark in everything} == {*kept, *left_out}
    assert without_temporary(everything) == look(tmp_path)


@pytest.mark.parametrize("files", [{}, {"a": ""}, {"a": "", "deep/b": ""}])
def test_nothing_and_empty_files_are_no_checkpoint(tmp_path: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    assert not is_checkpoint(look(tmp_path))
    write(tmp_path / "c", "1")
    assert is_checkpoint(look(tmp_path))


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert look(tmp_path / "nothing") == ()


def test_every_change_starts_the_rest_anew(tmp_path: Path) -> None:
    rest = Quiescence()
    write(tmp_path / "a", "12")
    rest.observe(look(tmp_path), 10.0)
    rest.observe(look(tmp_path), 11.0)
    assert rest.seconds(12.0) == 2.0
    write(tmp_path / "a", "34")
    rest.observe(look(tmp_path), 13.0)
    assert rest.seconds(13.5) == 0.5
    write(tmp_path / "b")
    rest.observe(look(tmp_path), 14.0)
    (tmp_path / "b").unlink()
    rest.observe(look(tmp_path), 15.0)
    assert rest.seconds(15.0) == 0.0


def test_directories_may_be_nested_deeper_than_python_recurses(tmp_path: Path, deep: Path) -> None:
    (deep / "a").write_text("x")
    [mark] = look(tmp_path)
    assert mark.name == "d/" * 1500 + "a"
