"""What is wrong with a job file: one problem per field, all of them in one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from finsched.errors import SpecError

_SHOWN_CHARACTERS = 60


class Wrong(ValueError):
    """A value that cannot be used: what is wrong with it and what to write instead."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong, at a place; `line` and `column` count from 1, 0 where there is none."""

    line: int
    column: int
    field: str
    what: str
    fix: str

    @property
    def sentence(self) -> str:
        """The field and what is wrong with it."""
        return f"{self.field} {self.what}" if self.field else self.what


class JobFileError(SpecError):
    """A job file that cannot be used, with every problem found in it."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column)))
        if len(self.problems) == 1:
            problem = self.problems[0]
            where = f"{source}, line {problem.line}, column {problem.column}: "
            super().__init__((where if problem.line else f"{source}: ") + problem.sentence)
            self.fix = problem.fix
            return
        lines = (f"  line {p.line}: {p.sentence}; {p.fix}" for p in self.problems)
        super().__init__("\n".join([f"{source} has {len(self.problems)} problems:", *lines]))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is spelt most like `word`, in any case, or None."""
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(word[:_SHOWN_CHARACTERS].lower(), by_lower_case, n=1)
    return by_lower_case[close[0]] if close else None


def nearest(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return the fix for a misspelt word: the nearest known one, else `otherwise`."""
    close = closest(word, known)
    return otherwise if close is None else f"did you mean {close}?"


def shown(text: str) -> str:
    """Quote a user's text for a message: one short printable line."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return repr(cut)
