"""The lines of a run that is watched: as wide as a page, in a pipe too."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from finsched.cli.render.live import Lines

LAUNCH = "attempt 1 on azure westus3, NC24ads_A100_v4 spot, $0.40/h; least expected cost"


def told(sentence: str, width: int) -> list[str]:
    page = StringIO()
    Lines(Console(file=page, width=width)).tell("+0:41:51", "launch", sentence)
    return page.getvalue().splitlines()


@pytest.mark.parametrize("width", [64, 80])
def test_a_long_sentence_is_folded_below_its_beginning(width: int) -> None:
    first, *rest = told(LAUNCH, width)
    assert first.startswith(" +0:41:51  launch       attempt 1 on")
    assert rest
    assert all(len(line) <= width for line in (first, *rest))
    assert {line[:24] for line in rest} == {" " * 24}
    assert " ".join([first[24:], *(line.strip() for line in rest)]) == LAUNCH


def test_what_fits_is_one_line() -> None:
    assert told("finished", 80) == [" +0:41:51  launch       finished"]
