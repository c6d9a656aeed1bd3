"""The compiled cache is only a cache: lost, cut, contended or forbidden, the answer is the same."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from finsched.catalog import load_market
from finsched.catalog.cache import cache_path
from finsched.model.market import Market
from tests.catalogs.conftest import NOW

LOAD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from finsched.catalog import load_market
market = load_market(now=datetime(2026, 11, 22, tzinfo=UTC), cache_dir=Path(sys.argv[1]))
print(len(market.offers), sum(offer.price_usd_per_hour for offer in market.offers))
"""
MODULES = "print(sorted({'pydantic', 'numpy', 'csv', 'rich', 'platformdirs'} & set(sys.modules)))"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same(one: Market, other: Market) -> bool:
    return (one.offers, one.hazards, one.terms) == (other.offers, other.hazards, other.terms)


def test_processes_that_start_at_once_agree_and_leave_one_file(
    tmp_path: Path, market: Market
) -> None:
    command = [sys.executable, "-c", LOAD, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4
    total = sum(offer.price_usd_per_hour for offer in market.offers)
    assert answers == {f"{len(market.offers)} {total}\n"}
    assert list(tmp_path.iterdir()) == [cache_path(tmp_path)]


def test_a_good_file_is_not_written_again(tmp_path: Path, market: Market) -> None:
    load_market(now=NOW, cache_dir=tmp_path)
    path = cache_path(tmp_path)
    before = path.stat()
    assert same(load_market(now=NOW, cache_dir=tmp_path), market)
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_built_anew(tmp_path: Path, cache_dir: Path, market: Market,
                                        share: float) -> None:  # fmt: skip
    path = cache_path(tmp_path)
    whole = cache_path(cache_dir).read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert same(load_market(now=NOW, cache_dir=tmp_path), market)
    assert digest(path) == digest(cache_path(cache_dir))


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + bytes(8192)])
def test_garbage_is_built_anew(tmp_path: Path, market: Market, content: bytes) -> None:
    path = cache_path(tmp_path)
    path.write_bytes(content)
    assert same(load_market(now=NOW, cache_dir=tmp_path), market)
    assert path.read_bytes()[:16] == b"SQLite format 3\0"
    assert len(path.read_bytes()) > len(content)


def test_a_place_that_cannot_hold_a_folder_costs_only_time(tmp_path: Path, market: Market) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert same(load_market(now=NOW, cache_dir=blocked), market)
    assert list(tmp_path.iterdir()) == [blocked]


def test_a_folder_in_the_files_place_costs_only_time(tmp_path: Path, market: Market) -> None:
    cache_path(tmp_path).mkdir()
    assert same(load_market(now=NOW, cache_dir=tmp_path), market)
    assert list(tmp_path.iterdir()) == [cache_path(tmp_path)]


def test_a_warm_load_imports_little(cache_dir: Path, market: Market) -> None:
    command = [sys.executable, "-c", LOAD + MODULES, str(cache_dir)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
