"""The name of an installation: made once, whoever comes first, and never half of it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finsched.errors import MachineProblem
from finsched.run.home import installation


def test_all_that_come_at_once_bear_one_name(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(installation, [tmp_path / "state"] * 64))
    assert len(found) == 1
    assert installation(tmp_path / "state") in found
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["installation"]
    assert stat.S_IMODE((tmp_path / "state" / "installation").stat().st_mode) == 0o600


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    """What it tagged could not be told from what others own."""
    (tmp_path / "installation").touch()
    with pytest.raises(MachineProblem, match="is empty") as caught:
        installation(tmp_path)
    assert "restore" in caught.value.fix
