"""A machine is paid for from its boot on: the checkpoint is fetched while `setup` runs."""

from __future__ import annotations

from typing import Any

SAVE = "echo precious > $FINSCHED_CHECKPOINT_DIR/weights; sleep 1"
WAIT_FOR_THE_CHECKPOINT = """
for _ in $(seq 200); do cat ../restored/*/weights 2>/dev/null && break; sleep 0.05; done
echo "resume from: '$FINSCHED_RESUME_FROM'"
"""


def test_the_checkpoint_is_there_before_setup_has_ended(cloud: Any) -> None:
    cloud.run(SAVE)
    show = "cat $FINSCHED_RESUME_FROM/weights"
    _, ended = cloud.run(show, attempt=2, setup=WAIT_FOR_THE_CHECKPOINT)
    assert ended["end"] == "finished"
    lines = cloud.output(cloud.instances[1]).split("\n")
    assert lines[:3] == ["precious", "resume from: ''", "precious"]
    [started] = cloud.messages("started", attempt=2)
    assert started["restore"]["size_bytes"] == len("precious\n")
    assert started["restore"]["seconds"] > 0


def test_a_setup_that_fails_ends_the_attempt_although_the_restore_went_well(cloud: Any) -> None:
    cloud.run(SAVE)
    _, ended = cloud.run("echo never", attempt=2, setup="exit 3")
    assert (ended["end"], ended["detail"]) == ("job_failed", "setup exited with 3")
    assert not cloud.messages("started", attempt=2)


def test_a_damaged_checkpoint_is_passed_over_while_setup_runs(cloud: Any) -> None:
    cloud.run(SAVE)
    for stored in cloud.store.list("parts"):
        cloud.store.delete(stored.key)
    _, ended = cloud.run("ls -A $FINSCHED_CHECKPOINT_DIR", attempt=2, setup="true")
    assert ended["end"] == "finished"
    [warning] = cloud.messages("warning", attempt=2)
    assert "is damaged" in warning["text"]
