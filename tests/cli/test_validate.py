"""`finsched validate` and `finsched schema` as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.cli.output import exact_duration
from finsched.cli.render.job_summary import summary_lines
from finsched.jobfile.units import duration
from finsched.model.job import CheckpointSpec, Requirements
from finsched.testing.builders import job

GOOD = """\
resources: {gpu: "A100-80GB:8", memory: 256GiB}
where: {clouds: [aws, local]}
work: {hours: 40, speedup: {H100: 2.2}}
data: {inputs: [{uri: s3://lake/tokens, region: aws/us-east-1, size: 2TB, reads: 3}]}
checkpoint: {uri: s3://ckpt/x, size: 16GB}
budget: {max_cost: 300}
secrets: [HF_TOKEN]
run: python train.py
"""

UNDERSTOOD = """\
job.yaml is valid.
  name        job
  gpu         8 x A100-80GB
  host        256 GiB memory
  clouds      aws, local
  capacity    auto
  work        40 h on A100-80GB; H100 is 2.2 x as fast
  inputs      s3://lake/tokens in aws/us-east-1 (2,000 GB, read 3 times)
  checkpoint  16 GB in ckpt kept at s3://ckpt/x; as often as finsched finds
              best; 30 s a save; SIGTERM
  budget      $300.00 for the run
  secrets     HF_TOKEN
  run         python train.py
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def finsched(folder: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from finsched.cli import main; main()", *arguments],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "FINSCHED_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_file_is_said_back_in_80_columns(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "job.yaml").write_text(GOOD, encoding="utf-8")
    done = finsched(tmp_path, cache, "validate", "job.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == UNDERSTOOD
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_times_and_the_price_are_said_back_with_what_they_cannot_promise(
    tmp_path: Path, cache: Path
) -> None:
    lines = (
        "deadline: 72h\nstart: {after: 8h, before: 2099-12-31T06:00:00Z}\nscavenge_below: 1.20\n"
    )
    (tmp_path / "job.yaml").write_text(GOOD + lines, encoding="utf-8")
    done = finsched(tmp_path, cache, "validate", "job.yaml")
    assert done.returncode == 0
    assert (
        """\
  deadline    72 h after launch
  start       from 8 h after launch, before 2099-12-31 06:00 UTC
  scavenge    only while all nodes together cost less than $1.20 an hour;
              scavenge_below is a hard limit: the deadline is met only if prices
              allow
"""
        in done.stdout
    )


def test_a_bad_file_ends_with_2_and_says_all(tmp_path: Path, cache: Path) -> None:
    bad = GOOD.replace("A100-80GB:8", "H1000:8").replace("memory:", "memry:")
    (tmp_path / "job.yaml").write_text(bad, encoding="utf-8")
    done = finsched(tmp_path, cache, "validate", "job.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "finsched: job.yaml has 2 problems:\n"
        "  line 1: resources.gpu 'H1000' is not a known GPU; did you mean H100?\n"
        "  line 1: resources.memry is not a key; did you mean memory?\n"
    )


def test_json_tells_what_was_understood_or_what_is_wrong(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "job.yaml").write_text(GOOD, encoding="utf-8")
    done = finsched(tmp_path, cache, "validate", "job.yaml", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema_version"], document["valid"]) == (0, 1, True)
    assert document["job"]["requirements"]["memory_gib"] == 256.0

    (tmp_path / "bad.yaml").write_text("resources: {}\nrun: x\nnamee: y\n", encoding="utf-8")
    done = finsched(tmp_path, cache, "validate", "bad.yaml", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout) == {
        "schema_version": 1,
        "valid": False,
        "errors": [
            {
                "line": 3,
                "column": 1,
                "field": "",
                "message": "namee is not a key",
                "fix": "did you mean name?",
            }
        ],
    }


def test_a_missing_file_is_one_message(tmp_path: Path, cache: Path) -> None:
    done = finsched(tmp_path, cache, "validate", "none.yaml")
    assert done.returncode == 2
    assert done.stderr == "finsched: none.yaml: no such file\n  fix: name the job's YAML file\n"
    assert finsched(tmp_path, cache, "validate", "none.yaml", "--json").returncode == 2


def test_schema_prints_a_json_schema(tmp_path: Path, cache: Path) -> None:
    done = finsched(tmp_path, cache, "schema")
    assert (done.returncode, done.stderr) == (0, "")
    jsonschema.Draft202012Validator.check_schema(json.loads(done.stdout))


def test_help_and_settings_cost_no_pydantic() -> None:
    code = (
        "import sys, finsched.cli, finsched.settings, finsched.plugins, finsched.model.codec;"
        "sys.exit('pydantic' in sys.modules or 'yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("90s", "90 s"),
        ("60s", "1 min"),
        ("150s", "2 min 30 s"),
        ("1.5s", "1.5 s"),
        ("90m", "1 h 30 min"),
        ("48h", "48 h"),
        ("96h", "96 h"),
        ("30d", "30 d"),
        ("4d1h", "4 d 1 h"),
        ("100h30s", "4 d 4 h 30 s"),
    ],
)
def test_a_duration_is_said_exactly(written: str, said: str) -> None:
    span = duration(least=timedelta(0), example="1h")(written)
    assert exact_duration(span) == said


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=3650)))
def test_what_is_said_of_a_duration_is_that_duration(span: timedelta) -> None:
    said = exact_duration(span).replace("min", "m").replace(" ", "")
    assert duration(least=timedelta(0), example="1h")(said) == span


def test_the_summary_rounds_nothing_that_was_written() -> None:
    spec = job(
        deadline=timedelta(hours=48),
        requirements=Requirements(disk_gb=500 * 2**30 / 1e9),
        checkpoint=CheckpointSpec(save_time=timedelta(seconds=90), every=timedelta(minutes=90)),
    )
    said = " ".join(summary_lines(spec, width=200))
    for exact in ("48 h after launch", "90 s a save", "every 1 h 30 min", "500 GiB disk"):
        assert exact in said
