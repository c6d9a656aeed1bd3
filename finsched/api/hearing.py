"""Hears all providers at the same time, and stops listening when the time is up.

What was said by then counts. A provider that is still silent, or one that fails in a way nobody
thought of, is told as a problem and holds nobody up, not even the end of the program.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from finsched.errors import FinschedError, SpecError
from finsched.model.interruption import HazardPrior
from finsched.model.market import InstanceType
from finsched.provider import PriceAnswer, Provider

Progress = Callable[[str, int, int], None]
"""Told the provider, how many of its regions have answered, and of how many."""

Problem = tuple[str, str]
"""A region and what went wrong there."""

Priors = Mapping[tuple[str, str], HazardPrior]

EVERYWHERE = ""  # the region of a problem that is not of one region


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one provider said in time: so many regions were asked; `priors` is None for unknown."""

    provider: str
    asked_at: datetime
    seconds: float
    regions: int
    answers: tuple[PriceAnswer, ...]
    priors: Priors | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one provider: some regions or all, with `past` also for how prices were."""

    provider: Provider
    machines: Mapping[str, InstanceType]
    regions: Sequence[str] = ()
    past: timedelta | None = None


def hear(
    questions: Sequence[Question], *, within: timedelta, progress: Progress | None = None
) -> list[Heard]:
    """Ask everybody at once and return what was said within the time.

    Who has none of the regions that were named is left out. Raises SpecError for a region that
    nobody has.
    """
    ends_at = time.monotonic() + within.total_seconds()
    hearings = [_Hearing(question, progress) for question in questions]
    for hearing in hearings:
        hearing.begin()
    for hearing in hearings:
        hearing.wait(ends_at)
    _refuse_unknown_regions(hearings)
    return [hearing.heard(within) for hearing in hearings if not hearing.is_elsewhere]


def _refuse_unknown_regions(hearings: Sequence[_Hearing]) -> None:
    there = {region for hearing in hearings for region in hearing.there}
    for region in {region for hearing in hearings for region in hearing.question.regions}:
        if there and region not in there:
            near = get_close_matches(region, sorted(there), n=1)
            fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(there))}"
            raise SpecError(f"{region!r} is not a region that can be asked", fix=fix)


@dataclass(slots=True)
class _Hearing:
    """One provider's answers as they come; its threads write and nobody waits for them."""

    question: Question
    progress: Progress | None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    there: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    answers: list[PriceAnswer] = field(default_factory=list)
    priors: Priors | None = None
    problems: list[Problem] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    ended: datetime | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether it has regions, and none of those that were named."""
        return bool(self.there) and not self.regions

    def begin(self) -> None:
        for work in (self._prices, self._interruptions):
            thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def wait(self, ends_at: float) -> None:
        for thread in self.threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def heard(self, within: timedelta) -> Heard:
        """What was said until now."""
        self.progress = None
        working = [thread.is_alive() for thread in self.threads]  # before looking at what they said
        answers, ended = tuple(self.answers), self.ended or datetime.now(UTC)
        problems = [
            (answer.region, problem)
            for answer in sorted(answers, key=lambda answer: answer.region)
            for problem in answer.problems
        ]
        silent = self._silent(working, answers, within)
        return Heard(
            provider=self.question.provider.name,
            asked_at=self.began,
            seconds=(ended - self.began).total_seconds(),
            regions=len(self.regions),
            answers=answers,
            priors=self.priors,
            problems=(*problems, *silent, *self.problems),
        )

    def _silent(
        self, working: Sequence[bool], answers: Sequence[PriceAnswer], within: timedelta
    ) -> list[Problem]:
        prices, interruptions = working
        waited = f"no answer within {within.total_seconds():g} s; --timeout waits longer"
        told = {answer.region for answer in answers}
        missing = [region for region in self.regions or (EVERYWHERE,) if region not in told]
        late = [(EVERYWHERE, f"interruptions: {waited}")] if interruptions else []
        return [*((region, waited) for region in missing if prices), *late]

    def _guarded(self, work: Callable[[], None]) -> None:
        """Whatever a provider's package raises must not cost the others their prices."""
        try:
            work()
        except FinschedError as problem:
            self.problems.append((EVERYWHERE, with_fix(problem)))
        except Exception as error:  # noqa: BLE001 - see above
            self.problems.append((EVERYWHERE, f"{type(error).__name__}: {error}"))
        self.ended = datetime.now(UTC)

    def _prices(self) -> None:
        question = self.question
        prices = question.provider.live_prices
        if prices is None:
            return
        self.there = tuple(prices.regions())
        wanted = dict.fromkeys(question.regions or self.there)
        self.regions = tuple(region for region in wanted if region in self.there)
        for answer in prices.ask(self.regions, question.machines, past=question.past):
            self.answers.append(answer)
            if told := self.progress:
                told(question.provider.name, len(self.answers), len(self.regions))

    def _interruptions(self) -> None:
        if self.question.provider.interruptions is not None:
            self.priors = self.question.provider.interruptions.priors()


def with_fix(problem: FinschedError) -> str:
    """Return what happened and what to do about it, in one line."""
    return f"{problem.message}; {problem.fix}" if problem.fix else problem.message
