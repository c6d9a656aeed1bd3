"""The how-to of the first launch: its commands are there, and its files pass the checks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ...run.conftest import Machine  # noqa: TID252 - a user's machine
from ...test_docs import DOCS, _write_files, commands  # noqa: TID252 - what a page holds
from .conftest import Lab

pytestmark = pytest.mark.slow

PAGE = DOCS / "how-to" / "first-launch-on-aws.md"
ON_DEMAND_QUOTA = "L-DB2E81BA"


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Machine:
    lab.make_role("finsched-node")
    lab.client("s3", "us-east-1").create_bucket(Bucket="acme-ckpt")
    lab("quota", code=ON_DEMAND_QUOTA, value=4)
    user = Machine(folder=tmp_path)
    user.environ["FINSCHED_STATE_DIR"] = str(tmp_path / "state")
    user.environ["FINSCHED_CACHE_DIR"] = os.environ.get("FINSCHED_CACHE_DIR", str(tmp_path / "c"))
    user.environ["FINSCHED_CONFIG"] = str(tmp_path / "config.toml")
    _write_files(PAGE, tmp_path)
    _write_files(DOCS / "tutorial" / "first-rehearsal.md", tmp_path, only="count.py")
    return user


def test_what_the_page_sets_up_passes_the_checks(user: Machine, lab: Lab) -> None:
    document = user.document("check", "aws", user.folder / "job.yaml")
    found = {finding["name"]: finding["verdict"] for finding in document["findings"]}
    quota = found["quota for g4dn.xlarge on_demand in us-east-1"]
    assert quota == found["instance profile"] == found["write"] == found["placement"] == "ok"
    assert found["end machines"] == "unknown"
    assert "problem" not in found.values()


def test_its_commands_are_there(user: Machine) -> None:
    asked = [line.split() for line in commands(PAGE) if line.startswith("finsched ")]
    assert len(asked) >= 9
    for _, command, *arguments in asked:
        options = {each for each in arguments if each.startswith("--")}
        assert options <= set(re.findall(r"--[\w-]+", user.finsched(command, "--help")))


def test_nothing_is_left_over_says_the_sweep(user: Machine) -> None:
    assert "nothing is left over" in user.finsched("sweep", "aws")


def test_the_quote_is_what_the_page_says(user: Machine) -> None:
    best = user.document("quote", user.folder / "job.yaml")["quotes"][0]
    said = PAGE.read_text()
    assert best["instance_type"] in said
    assert f"${best['price_usd_per_hour']:.2f} an hour" in said
    assert f"${best['cost']['total_usd']:.2f} for the whole job" in said
