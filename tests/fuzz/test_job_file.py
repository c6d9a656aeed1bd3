"""Whatever stands in a job.yaml is a job that makes sense, or an error that says what to mend."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any

import yaml
from hypothesis import strategies as st

from finsched import jobfile
from finsched.errors import SpecError
from finsched.model.job import JobSpec
from finsched.testing.builders import ACCELERATORS, NOW

from .fuzzing import damaged, documents, fuzz

GPUS = {name.lower().replace("-", ""): name for name in ACCELERATORS}
JOB: dict[str, Any] = {
    "name": "llama",
    "resources": {"gpu": ["A100-80GB:8"], "memory": "256GiB", "cpus": 32, "disk": "500GiB"},
    "where": {"clouds": ["aws"], "regions": ["us-*", "!us-gov-*"], "residency": ["eu"]},
    "capacity": "auto",
    "work": {"hours": 40, "reference": "A100-80GB", "speedup": {"H100": 2.2}},
    "start": {"after": "2026-06-15T20:00:00Z", "before": "2026-06-16T20:00:00Z"},
    "deadline": "72h",
    "data": {
        "inputs": [{"uri": "s3://a/b", "region": "aws/us-east-1", "size": "500GB", "reads": 1}],
        "outputs": [{"uri": "s3://a/c", "region": "aws/us-east-1", "size": "20GB"}],
    },
    "checkpoint": {"path": "ckpt", "size": "16GB", "save_time": "60s", "every": "auto"},
    "budget": {"max_cost": 300, "max_hourly": 15, "max_interruptions": 5},
    "tags": {"project": "bot"},
    "env": {"HF_HOME": "/data/hf"},
    "secrets": ["HF_TOKEN"],
    "setup": "pip install x",
    "run": "python train.py",
}
ODD_TEXTS = [
    "a: &x [*x]",
    "run: !!python/object/apply:os.system [ls]",
    "run: x\nrun: y",
    "? [a]\n: b",
    "&a [*a, *a]",
    "- " * 3000 + "x",
    "[" * 3000,
    "{a: " * 3000,
    "run: " + "9" * 5000,
    "a: 0x" + "f" * 4000,
    "run: 2026-99-99",
    "run: 12:30:45",
    "run: .inf",
    "\t",
    "%YAML 9.9\n---\nrun: x",
    "--- a\n--- b",
    "run: x\x00y",
    "run: \ufeffx",
    "a: &b {<<: *b}",
    "<<: [1]",
    "=: x",
]


def job_or_nothing(text: str) -> JobSpec | None:
    try:
        return jobfile.parse(text, source="job.yaml", known_gpus=GPUS, now=NOW)
    except SpecError as error:
        assert_is_for_people(error)
        return None


def assert_is_for_people(error: SpecError) -> None:
    told = f"{error.message}\n{error.fix or ''}"
    assert error.message.strip()
    assert len(told) < 20_000
    assert "Traceback" not in told
    told.encode()


def assert_makes_sense(value: Any) -> None:
    """No figure is infinite or negative, and nothing is of a type that nobody expects."""
    if is_dataclass(value):
        for field in fields(value):
            assert_makes_sense(getattr(value, field.name))
    elif isinstance(value, tuple | frozenset):
        for each in value:
            assert_makes_sense(each)
    elif isinstance(value, bool | str) or value is None:
        return
    elif isinstance(value, int | float):
        assert math.isfinite(value)
        assert value >= 0
    elif isinstance(value, timedelta):
        assert value >= timedelta(0)


def test_the_whole_job_is_one() -> None:
    assert job_or_nothing(yaml.safe_dump(JOB))


@fuzz(damaged(JOB))
def test_a_damaged_job_is_refused_or_makes_sense(document: Any) -> None:
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except (UnicodeEncodeError, yaml.YAMLError):
        return
    job = job_or_nothing(text)
    if job:
        assert_makes_sense(job)
        assert jobfile.from_document(jobfile.to_document(job)) == job


@fuzz(st.sampled_from(sorted(JOB)), documents())
def test_no_key_takes_whatever_is_written(key: str, value: Any) -> None:
    try:
        text = yaml.safe_dump({**JOB, key: value})
    except (UnicodeEncodeError, yaml.YAMLError):
        return
    if job := job_or_nothing(text):
        assert_makes_sense(job)


@fuzz(st.text(max_size=60) | st.sampled_from(ODD_TEXTS))
def test_any_text_is_refused_or_a_job(text: str) -> None:
    job_or_nothing(text)


@fuzz(st.binary(max_size=60), st.integers(0, 900), st.booleans())
def test_any_bytes_in_a_file_are_refused_or_a_job(noise: bytes, at: int, within: bool) -> None:
    import tempfile
    from pathlib import Path

    whole = yaml.safe_dump(JOB).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.yaml"
        path.write_bytes(whole[:at] + noise + whole[at:] if within else noise)
        try:
            assert_makes_sense(jobfile.read(path, known_gpus=GPUS, now=NOW))
        except SpecError as error:
            assert_is_for_people(error)
