"""The Python API: five verbs, looked up late."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import finsched
from finsched.errors import SpecError
from finsched.model.quote import RejectionCode

JOB = """\
name: tiny
resources: {gpu: "H100:8"}
work: {hours: 10}
checkpoint: {size: 10GB}
run: python train.py
"""


@pytest.fixture
def job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINSCHED_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FINSCHED_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    path = tmp_path / "job.yaml"
    path.write_text(JOB, encoding="utf-8")
    return path


def test_importing_finsched_loads_nothing_else() -> None:
    code = "import sys, finsched; print([n for n in sys.modules if n.startswith('finsched.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_five_verbs_are_the_public_face() -> None:
    assert dir(finsched) == sorted(finsched.__all__)
    assert finsched.__all__ == ["launch", "quote", "report", "status", "stop"]
    with pytest.raises(AttributeError, match="quot"):
        finsched.quot  # noqa: B018


def test_a_file_and_its_job_are_quoted_alike(job_file: Path) -> None:
    from finsched import quoting, settings

    decision = finsched.quote(str(job_file))
    job = quoting.read_job(job_file, settings.load())
    again = finsched.quote(job)
    assert decision.best is not None
    assert [quote.total_usd for quote in again.quotes] == [
        quote.total_usd for quote in decision.quotes
    ]


def test_limits_given_in_a_call_take_the_place_of_the_jobs(job_file: Path) -> None:
    best = finsched.quote(job_file).best
    assert best is not None
    at_most = finsched.quote(job_file, max_cost_usd=best.total_usd)
    assert at_most.best == best
    assert {quote.total_usd for quote in at_most.quotes} == {best.total_usd}
    below = finsched.quote(job_file, max_hourly_usd=0.01)
    assert below.best is None
    assert RejectionCode.MAX_HOURLY in {rejection.code for rejection in below.rejections}


def test_an_unknown_cloud_is_refused_with_the_nearest_one(job_file: Path) -> None:
    with pytest.raises(SpecError) as caught:
        finsched.quote(job_file, clouds=["awss"])
    assert caught.value.fix == "did you mean aws?"
