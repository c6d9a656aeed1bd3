"""A run while it runs: one line per event, and on a terminal a panel that moves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from textwrap import wrap
from threading import Timer
from typing import IO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from finsched.cli.output import data_size, duration, money
from finsched.cli.render import words
from finsched.cli.render.narration import checkpoint_number, narrate
from finsched.cli.render.outgoing import SILENT_SECONDS, Outgoing
from finsched.decide.live.at_risk import at_risk
from finsched.decide.live.spend import possible_usd, spent_usd
from finsched.model.event import Recorded
from finsched.model.run import Attempt, Checkpoint, Direction, Run, Transfer

_STYLES = {
    "notice": "yellow",
    "interrupted": "bold yellow",
    "warning": "yellow",
    "job failed": "bold red",
    "ended": "bold",
}
_DIRECTIONS = {Direction.UPLOAD: "uploading", Direction.RESTORE: "restoring"}
_WORD_WIDTH = 11
_CLOCK_WIDTH = 9
_INDENT = _CLOCK_WIDTH + _WORD_WIDTH + 4
_LEAST_ROOM = 40


class Lines:
    """A listener that prints one line per event: what a pipe or a CI log gets."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heard(self, run: Run, record: Recorded) -> None:
        """Print the event's line, if people need to hear of it."""
        told = narrate(run, record)
        if told:
            self.tell(_since_submission(run, record.at), *told)

    def looked(self, run: Run, now: datetime) -> None:
        """Stay silent: a pipe hears of events only."""

    @contextmanager
    def sending(self, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """Say that the workdir is on its way, where that takes longer than a second."""
        said = ("", "workdir", f"sending {data_size(size_bytes)}")
        timer = Timer(SILENT_SECONDS, self.tell, said)
        timer.daemon = True
        timer.start()
        try:
            yield lambda _: None
        finally:
            timer.cancel()

    def tell(self, clock: str, word: str, sentence: str) -> None:
        """Print one line, folded below its sentence where it is longer than a line is wide."""
        begin = f"{clock:>{_CLOCK_WIDTH}}  {word:<{_WORD_WIDTH}}  "
        room = max(self._console.width - _INDENT, _LEAST_ROOM)
        lines = wrap(sentence, room, break_long_words=False, break_on_hyphens=False) or [""]
        # Not through rich: it would end the process when the reader of the pipe has left.
        stream = self._console.file
        try:
            print(begin + f"\n{' ' * _INDENT}".join(lines), file=stream, flush=True)
        except OSError:
            _let_go(stream)
            raise


def _let_go(stream: IO[str]) -> None:
    """What is still buffered would fail again when Python ends, and change the exit code."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Panel(Lines):
    """A listener for a terminal: the lines, and below them progress, spend and what is at risk.

    Commits are not told line by line: the panel shows how much is kept.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Panel:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @contextmanager
    def sending(self, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """Draw a bar while the workdir is on its way."""
        outgoing = Outgoing(size_bytes)
        self._live.update(outgoing)
        try:
            yield outgoing.passed
        finally:
            self._live.update(Text(""))

    def looked(self, run: Run, now: datetime) -> None:
        """Draw the panel anew."""
        self._live.update(panel(run, now))

    def tell(self, clock: str, word: str, sentence: str) -> None:
        """Print one line above the panel; commits are told by the panel."""
        if word == "commit":
            return
        row = Table.grid(padding=(0, 2))
        row.add_column(justify="right", width=_CLOCK_WIDTH, style="dim")
        row.add_column(width=_WORD_WIDTH, style=_STYLES.get(word, "cyan"))
        row.add_column()
        row.add_row(clock, word, Text(sentence))
        self._console.print(row)


def panel(run: Run, now: datetime) -> Group:
    """Return the moving picture of a run at a moment."""
    attempt = run.live_attempt
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", width=_CLOCK_WIDTH + _WORD_WIDTH + 2, justify="right")
    rows.add_column()
    rows.add_row("", "")
    rows.add_row(_whereabouts(attempt), _where(attempt))
    rows.add_row("progress", _progress(run))
    if attempt and attempt.transfer:
        rows.add_row(_DIRECTIONS[attempt.transfer.direction], _transfer(attempt.transfer))
    rows.add_row("spent", _money(run, attempt, now))
    rows.add_row("at risk", _risk(run, now))
    return Group(rows)


def _since_submission(run: Run, at: datetime) -> str:
    return f"+{_elapsed(at - run.submitted_at)}"


def _elapsed(passed: timedelta) -> str:
    minutes, seconds = divmod(max(int(passed.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _whereabouts(attempt: Attempt | None) -> str:
    if attempt is None:
        return "between"
    return "launching on" if attempt.unconfirmed else "running on"


def _where(attempt: Attempt | None) -> Text:
    if attempt is None:
        return Text("looking for the next placement", style="yellow")
    offer = attempt.placement.offer
    price = money(attempt.placement.usd_per_hour)
    return Text(f"{words.place_and_machine(offer)}, {price}/h, attempt {attempt.number}")


def _progress(run: Run) -> Table:
    attempt = run.live_attempt or (run.attempts[-1] if run.attempts else None)
    last = run.last_checkpoint
    done = attempt.progress if attempt and attempt.progress is not None else None
    if done is None:
        done = (last.progress if last else None) or 0.0
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=1.0, completed=done, width=30), f"{done:.0%}", _kept(run, last))
    return row


def _transfer(transfer: Transfer) -> Table:
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=1.0, completed=transfer.share, width=30)
    row.add_row(bar, f"{transfer.share:.0%}", Text(transfer_words(transfer), "dim"))
    return row


def transfer_words(transfer: Transfer) -> str:
    """Return how far a checkpoint has come: `3.2 of 16.0 GB, 85.0 MB/s, 2 min left`."""
    done, total, rate = transfer.done_bytes, transfer.total_bytes, transfer.bytes_per_second
    said = f"{data_size(done)} of {data_size(total)}"
    if not rate:
        return said
    left = duration(max(total - done, 0) / rate / 3600)
    return f"{said}, {data_size(rate)}/s, {left} left"


def _kept(run: Run, last: Checkpoint | None) -> Text:
    if last is None:
        return Text("nothing kept yet", "dim")
    share = f"{last.progress:.0%}, " if last.progress is not None else ""
    return Text(f"kept: {share}checkpoint {checkpoint_number(run, last.sequence)}", "dim")


def _money(run: Run, attempt: Attempt | None, now: datetime) -> Text:
    spent = float(spent_usd(run, now))
    unsure = "up to " if possible_usd(run, now) else ""
    text = Text(f"{unsure}{money(spent)}", style="bold")
    limit = run.job.budget.max_cost_usd
    if limit:
        text.append(f" of {money(limit)}", style=_alarm(spent / limit))
    if attempt:
        text.append(f" + {money(attempt.placement.usd_per_hour)}/h", style="not bold")
    return text


def _risk(run: Run, now: datetime) -> Text:
    risk_usd, age = at_risk(run, now)
    return Text(f"{money(risk_usd)}, {duration(age.total_seconds() / 3600)} since the last commit")


def _alarm(share: float) -> str:
    return "red" if share >= 0.8 else "yellow" if share >= 0.5 else "green"
