"""A checkpoint on its way, as a run's state shows it."""

from __future__ import annotations

import io
import json
from importlib.resources import files

import jsonschema
import pytest
from rich.console import Console

from finsched.cli.render.live import panel, transfer_words
from finsched.cli.render.status import run_document
from finsched.model.event import AttemptEnded, Transferred
from finsched.model.run import AttemptEnd, Direction, Transfer
from finsched.testing.runs import Story

HALF = Transfer(
    direction=Direction.UPLOAD,
    done_bytes=8 * 10**9,
    total_bytes=16 * 10**9,
    seconds=80.0,
)


def shown(story: Story) -> str:
    stream = io.StringIO()
    Console(file=stream, width=100).print(panel(story.run, story.now))
    return stream.getvalue()


def test_it_is_drawn_and_told_until_the_checkpoint_is_committed() -> None:
    story = Story().launched().tell(Transferred(attempt=1, transfer=HALF))
    assert "uploading" in shown(story)
    assert "50%" in shown(story)
    assert "8.0 GB of 16.0 GB, 100 MB/s, 80 s left" in shown(story)
    story.committed(0.5)
    assert "uploading" not in shown(story)
    assert story.run.live_attempt
    assert story.run.live_attempt.transfer is None


def test_the_end_of_an_attempt_ends_what_it_sent() -> None:
    story = Story().launched().tell(Transferred(attempt=1, transfer=HALF))
    story.tell(AttemptEnded(attempt=1, end=AttemptEnd.INTERRUPTED))
    assert story.run.attempts[0].transfer is None


def test_a_document_of_a_run_says_it_as_the_schema_does() -> None:
    story = Story().launched().tell(Transferred(attempt=1, transfer=HALF))
    document = {"schema_version": 1, **run_document(story.run, story.now)}
    schema = files("finsched").joinpath("schemas/status.json").read_text("utf-8")
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(schema))
    assert document["transfer"] == {
        "direction": "upload",
        "done_bytes": 8 * 10**9,
        "total_bytes": 16 * 10**9,
        "bytes_per_second": 1e8,
    }


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (0, 10**6, 2.0, "0 B of 1 MB"),
        (10**6, 10**6, 0.0, "1 MB of 1 MB"),
        (3 * 10**6, 12 * 10**6, 3.0, "3 MB of 12 MB, 1 MB/s, 9 s left"),
        (12 * 10**6, 12 * 10**6, 3.0, "12 MB of 12 MB, 4 MB/s, 0 s left"),
    ],
)
def test_the_words_of_a_transfer(done: int, total: int, seconds: float, said: str) -> None:
    transfer = Transfer(
        direction=Direction.RESTORE, done_bytes=done, total_bytes=total, seconds=seconds
    )
    assert transfer_words(transfer) == said
