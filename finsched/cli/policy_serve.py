"""`finsched policy-serve`: a spot policy behind a pipe, for other simulators."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from finsched.errors import ExitCode, SpecError


def policy_serve(
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="One JSON object a line, on stdin and stdout.")
    ] = False,
    policy: Annotated[str, typer.Option(help="The policy to ask.")] = "adaptive",
) -> int:
    """Answer where to run next, decision by decision, until the input ends."""
    from finsched.backtest.wire import Session
    from finsched.decide.spot.policies import named

    if not json_lines:
        raise SpecError("policy-serve speaks JSON lines only", fix="add --json-lines")
    session = Session(named(policy))
    for line in sys.stdin:
        answer = session.answer(line)
        if answer is not None:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()
    return ExitCode.DONE
