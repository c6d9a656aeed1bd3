"""The workdir on its way to the store: watched, and told where it takes long."""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path

import pytest
from rich.console import Console

from finsched.cli.render.live import Lines
from finsched.cli.render.outgoing import Outgoing
from finsched.ledger import Ledger
from finsched.model.event import Transferred
from finsched.model.run import Direction
from finsched.run.clock import wall_clock
from finsched.run.submission import Submission, submit
from finsched.testing.builders import job
from tests.object_stores import S3Lab

from ..node.cable import cable  # noqa: TID252 - the one slow cable
from .conftest import Machine

MB = 10**6


@pytest.mark.slow
def test_a_large_workdir_on_a_slow_cable_is_told_and_arrives_whole(
    machine: Machine, s3: S3Lab
) -> None:
    path = machine.job(STEPS="2")
    (machine.folder / "work" / "weights").write_bytes(os.urandom(9 * MB))
    with cable(s3.url) as slow:
        slow.most_bytes_per_second = 2 * MB
        machine.environ["AWS_ENDPOINT_URL"] = slow.url
        machine.finsched("launch", path, "--store", f"s3://{s3.bucket}/runs")
    assert "workdir      sending 9 MB" in machine.errors
    run = machine.run()
    stored = s3.store(folder=f"runs/{run.id}").list("workdir")
    assert [each.size_bytes > 9 * MB for each in stored] == [True]


def test_a_small_workdir_is_not_worth_a_word(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a").write_text("a")
    stream = io.StringIO()
    lines = Lines(Console(file=stream))
    spec = job(workdir=str(work))
    submission = Submission(job=spec, store_base=tmp_path.as_uri(), best_on_demand=None)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    run = submit(ledger, submission, wall_clock(), lines.sending)
    assert ledger.run(run).workdir_key
    time.sleep(1.1)
    assert stream.getvalue() == ""


def test_the_bar_counts_only_what_has_surely_gone() -> None:
    outgoing = Outgoing(100 * MB)
    assert outgoing.said(4.0) == "100 MB, 4 s so far"
    for _ in range(60):
        outgoing.passed(MB)
    found = re.fullmatch(r"(\S+) MB of 100 MB, (\S+) MB/s, (\d+) s left", outgoing.said(10.0))
    assert found
    assert 30 < float(found[1]) < 60
    assert float(found[2]) == pytest.approx(float(found[1]) / 10, abs=0.05)


@pytest.mark.slow
def test_a_large_checkpoint_on_a_slow_cable_is_in_the_ledger_while_it_goes(
    machine: Machine, s3: S3Lab
) -> None:
    save = 'mkdir -p ckpt; head -c 60000000 /dev/urandom > "$FINSCHED_CHECKPOINT_DIR/w"'
    path = machine.job(run=f"|\n  {save}")
    with cable(s3.url) as slow:
        slow.most_bytes_per_second = 3 * MB  # for each connection
        machine.environ["AWS_ENDPOINT_URL"] = slow.url
        machine.finsched("launch", path, "--store", f"s3://{s3.bucket}/runs")
    records = Ledger(machine.state_dir / "ledger.sqlite").records(machine.run().id)
    told = [each.event.transfer for each in records if isinstance(each.event, Transferred)]
    assert told
    assert {(each.direction, each.total_bytes) for each in told} == {(Direction.UPLOAD, 60 * MB)}
    done = [each.done_bytes for each in told]
    assert done == sorted(done)
    assert machine.run().attempts[0].transfer is None
