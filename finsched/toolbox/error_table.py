"""How a cloud's table of errors is read; the rows are the cloud's own.

A code that is in no table is shown as it came: a guess would send the run the wrong way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from finsched.errors import InvalidRequest, NotAuthorized, ProviderError, ProviderProblem

_LONGEST_MESSAGE = 400  # a refused permission comes with a kilobyte of encoded detail


class NotFound(InvalidRequest):
    """The cloud knows no such resource, or does not know it yet."""


class AlreadyThere(ProviderError):
    """It was made before: by another launch, or by a call whose answer was lost."""


class ExpiredCredentials(NotAuthorized):
    """The credentials were valid once."""


class Answer(NamedTuple):
    """What an error code means for the run, and what a person does about it."""

    problem: type[ProviderProblem]
    fix: str

    def told(self, where: str, code: str, words: str) -> ProviderProblem:
        """Return the problem at a place, in the cloud's own words."""
        line = " ".join(words.split())
        short = line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"
        message = ": ".join(part for part in (where, code, short) if part)
        return self.problem(message, fix=self.fix)


def unknown(code: str, cloud: str) -> Answer:
    """Return the answer to a code that the cloud's table does not have."""
    fix = f"finsched does not know {code or 'this answer'}: look it up at {cloud}"
    return Answer(ProviderError, fix)


def sdk_problem(
    error: Exception, where: str, rows: Mapping[str, Answer], cloud: str
) -> ProviderProblem:
    """Return the problem by the name of the error's class, or of one that it is derived from."""
    for each in type(error).__mro__:
        if answer := rows.get(each.__name__):
            return answer.told(where, "", str(error))
    name = type(error).__name__
    return unknown(name, cloud).told(where, name, str(error))
