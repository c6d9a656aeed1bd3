"""A copy with other values is what `dataclasses.replace` makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finsched.model.changed import changed
from finsched.testing.runs import Story


def test_a_changed_record_is_what_replace_makes() -> None:
    run = Story().launched().run
    attempt = run.attempts[0]
    assert changed(run, detail="x", attempts=()) == replace(run, detail="x", attempts=())
    assert changed(attempt, progress=0.5) == replace(attempt, progress=0.5)
    assert changed(run) == run
    assert changed(run) is not run


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError):
        changed(Story().run, colour="red")
