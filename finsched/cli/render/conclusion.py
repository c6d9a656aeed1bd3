"""The end of a watched run: its account, a rehearsal's verdict, how to go on, the exit code."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from finsched.accounting.verdict import Verdict
from finsched.api import running
from finsched.cli.output import console, print_json
from finsched.cli.render.account import (
    account_document,
    print_account,
    print_verdict,
    verdict_document,
)
from finsched.cli.render.narration import checkpoint_number
from finsched.errors import ExitCode
from finsched.model.run import Checkpoint, Outcome, Run

LAST_LINES = 5
_CODES = {
    Outcome.FINISHED: ExitCode.DONE,
    Outcome.JOB_FAILED: ExitCode.JOB_FAILED,
    Outcome.STOPPED: ExitCode.INTERRUPTED,
    Outcome.BUDGET: ExitCode.STOPPED_BY_LIMIT,
    Outcome.DEADLINE: ExitCode.STOPPED_BY_LIMIT,
    Outcome.NO_PLACEMENT: ExitCode.NOTHING_FEASIBLE,
    Outcome.BROKEN: ExitCode.OUR_FAULT,
}


def conclude(run: Run, *, as_json: bool) -> ExitCode:
    """Show how a run ended and return the command's exit code."""
    proven = (
        running.verdict(run.id) if run.rehearsal and run.outcome is not Outcome.STOPPED else None
    )
    if as_json:
        print_json(_document(run, proven))
    else:
        _print(run, proven, console())
    return _exit_code(run, proven)


def _print(run: Run, proven: Verdict | None, out: Console) -> None:
    if run.outcome is Outcome.JOB_FAILED:
        _print_last_words(run, out)
    print_account(running.report(run.id), out)
    if proven:
        print_verdict(proven, out)
    hint = _how_to_go_on(run)
    if hint:
        out.print(Text(hint))


def _print_last_words(run: Run, out: Console) -> None:
    """What the job printed before it failed says more than its exit status."""
    last = run.last_at_work.number if run.last_at_work else None
    printed = b"".join(running.output(run.id, attempt=last)).decode("utf-8", "replace")
    out.print(Text(f"the job failed: {run.detail}; its last lines (finsched logs {run.id}):"))
    for line in printed.splitlines()[-LAST_LINES:]:
        out.print(Text(f"  | {line}", style="dim"), soft_wrap=True)


def _how_to_go_on(run: Run) -> str | None:
    if run.outcome is Outcome.FINISHED:
        return None
    last = run.last_checkpoint
    if last is None and run.outcome is Outcome.JOB_FAILED:
        return None
    kept = _kept(run, last) if last else "no checkpoint was committed"
    more = " --max-cost USD" if run.outcome is Outcome.BUDGET else ""
    more = " --deadline 12h" if run.outcome is Outcome.DEADLINE else more
    return f"{kept}; go on with: finsched resume {run.id}{more}"


def _kept(run: Run, last: Checkpoint) -> str:
    share = f" at {last.progress:.0%}" if last.progress is not None else ""
    return f"checkpoint {checkpoint_number(run, last.sequence)}{share} is kept"


def _document(run: Run, proven: Verdict | None) -> dict[str, Any]:
    document: dict[str, Any] = {"run": run.id, "outcome": run.outcome, "detail": run.detail}
    document["account"] = account_document(running.report(run.id))
    if proven:
        document["verdict"] = verdict_document(proven)
    return document


def _exit_code(run: Run, proven: Verdict | None) -> ExitCode:
    if run.outcome is None:
        return ExitCode.OUR_FAULT
    if proven and not proven.passed and run.outcome is Outcome.FINISHED:
        return ExitCode.JOB_FAILED
    return _CODES[run.outcome]
