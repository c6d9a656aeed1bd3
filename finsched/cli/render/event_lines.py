"""The event log: one line an event, for people or as JSON."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC
from json import JSONEncoder

from finsched.cli.output import PIPE_WIDTH
from finsched.cli.render.narration import narrate
from finsched.model.event import ClockAnchored, Decided, Launched, Progressed, Recorded
from finsched.model.run import Run
from finsched.observe.event_document import event_document, event_name
from finsched.run.clock import AnchoredClock

_RUN_WIDTH = 20
_WORD_WIDTH = 12


class JsonLines:
    """One JSON object a line, each as the published schema says."""

    def __init__(self) -> None:
        self._encoder = JSONEncoder()

    def tell(self, run: Run, record: Recorded) -> None:
        """Print one event at once."""
        _print(self._encoder.encode(event_document(run, record)))


class EventLines:
    """Time, word and sentence, as wide as the terminal; 80 columns when piped."""

    def __init__(self, *, every_run: bool) -> None:
        terminal = shutil.get_terminal_size((PIPE_WIDTH, 0)).columns
        self._width = terminal if sys.stdout.isatty() else PIPE_WIDTH
        self._every_run = every_run
        self._speeds: dict[str, float] = {}

    def tell(self, run: Run, record: Recorded) -> None:
        """Print one event at once; what does not fit is cut off."""
        if isinstance(record.event, ClockAnchored) and self._knows(run.id, record.event):
            return
        word, sentence = narrate(run, record) or _besides(record)
        name = f"{_cut(run.id, _RUN_WIDTH):<{_RUN_WIDTH}}  " if self._every_run else ""
        at = (AnchoredClock(run.anchor).real(record.at) if run.anchor else record.at).astimezone(
            UTC
        )
        line = f"{at:%F %T}  {name}{word:<{_WORD_WIDTH}}  {_plain(sentence)}"
        _print(_cut(line.rstrip(), self._width))

    def _knows(self, run_id: str, clock: ClockAnchored) -> bool:
        """A rehearsal's clock is set anew whenever it goes on; people hear of its speed once."""
        told = self._speeds.get(run_id) == clock.anchor.speed
        self._speeds[run_id] = clock.anchor.speed
        return told


def _besides(record: Recorded) -> tuple[str, str]:
    """What is not told while a run is watched."""
    match record.event:
        case Decided(choice=choice):
            return "decision", f"{choice.step} {choice.target}: {choice.why}"
        case Launched(attempt=number, instance_ids=ids):
            return "machine", f"attempt {number} has {', '.join(ids)}"
        case Progressed(attempt=number, progress=progress):
            return "progress", f"attempt {number} at {progress:.1%}"
        case ClockAnchored(anchor=anchor):
            return "clock", f"one second here is {anchor.speed:g} s there"
    return event_name(type(record.event)), ""


def _plain(sentence: str) -> str:
    """One line without what would steer a terminal: clouds and nodes wrote parts of it."""
    words = " ".join(sentence.split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _print(line: str) -> None:
    print(line, flush=True)
