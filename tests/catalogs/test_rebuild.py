"""The committed tables are what the builder makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finsched.catalog.cache import data_dir
from tools.catalogs.tables import digest

ROOT = Path(__file__).resolve().parents[2]
RAW_DATA = os.environ.get("FINSCHED_RAW_DATA", "")


def test_the_digest_is_that_of_the_tables() -> None:
    assert (data_dir() / "DIGEST").read_text(encoding="ascii").strip() == digest(data_dir())


def test_the_digest_sees_a_changed_price(tmp_path: Path) -> None:
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers/aws.csv").write_text("price\n1\n")
    before = digest(tmp_path)
    (tmp_path / "offers/aws.csv").write_text("price\n2\n")
    assert digest(tmp_path) != before


@pytest.mark.skipif(not RAW_DATA, reason="FINSCHED_RAW_DATA does not name the raw data")
def test_a_rebuild_changes_nothing(tmp_path: Path) -> None:
    script = ROOT / "tools/build_catalogs.py"
    subprocess.run([sys.executable, script, RAW_DATA, tmp_path], check=True, capture_output=True)
    built = {path.relative_to(tmp_path): path.read_bytes() for path in files(tmp_path)}
    committed = {path.relative_to(data_dir()): path.read_bytes() for path in files(data_dir())}
    assert built == committed


def files(folder: Path) -> list[Path]:
    kinds = (".csv", ".md", "")
    return [p for p in folder.rglob("*") if p.is_file() and p.suffix in kinds]
