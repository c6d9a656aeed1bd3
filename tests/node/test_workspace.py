"""The agent's directories go when the attempt ends, whatever the job made of them."""

from __future__ import annotations

from pathlib import Path

from finsched.node.job.workspace import Workspace, make_empty


def test_what_the_job_nested_too_deep_for_python_is_removed(tmp_path: Path, deep: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.create()
    workspace.progress.write_text("0.5")
    (tmp_path / "d").rename(workspace.job / "d")
    workspace.clear()
    assert [path.name for path in workspace.scratch.iterdir()] == ["progress"]


def test_of_a_link_only_the_link_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    make_empty(tmp_path / "link")
    assert (tmp_path / "kept" / "a").exists()
    assert not (tmp_path / "link").is_symlink()
    assert list((tmp_path / "link").iterdir()) == []
