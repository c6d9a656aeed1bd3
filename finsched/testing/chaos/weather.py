"""What goes wrong around calls: single faults by chance, and storms that last for a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import NoReturn, TypeVar

from finsched.errors import (
    LedgerProblem,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    PriceTooLow,
    ProviderError,
    Throttled,
)
from finsched.node.objects import StoreError
from finsched.provider import EndReason
from finsched_sim.machine import Machine
from finsched_sim.timeline import Timeline
from finsched_sim.trouble import Gone, Torn

Result = TypeVar("Result")
STORE, NODE_STORE, NODE_PARTS, LEDGER = "store", "node's store", "node's parts", "ledger"

_ANY_CALL: tuple[type[Exception], ...] = (Throttled, NoAnswer, ProviderError)
_LAUNCH_ONLY: tuple[type[Exception], ...] = (NoCapacity, NoCapacity, NoQuota, PriceTooLow)


class Crash(BaseException):
    """The process that made this call is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """From `begins_s` to `ends_s` every call to a place fails in one way."""

    place: str
    begins_s: float
    ends_s: float
    error: type[Exception]


class Weather:
    """Trouble for a supervisor: at its clouds, its store and its ledger."""

    def __init__(self, timeline: Timeline, dice: Random, storms: tuple[Storm, ...]) -> None:
        self.faults: Counter[str] = Counter()
        self.last_fault_s = 0.0
        self.fault_chance = 0.015
        self.crash_next: str | None = None  # `before` or `after` the effect of the next call
        self.crash_at_launch: str | None = None
        self.lose_machine_at: str | None = None  # the operation of a node that will be its last
        self.timeline = timeline
        self.dice = dice
        self._storms = storms

    def note(self, fault: str, *, passing: bool = False) -> None:
        """Count a fault; one that passes at once is no excuse for anything later."""
        self.faults[fault] += 1
        if not passing:
            self.last_fault_s = self.timeline.now_s

    @property
    def storms_now(self) -> bool:
        """Whether any storm rages."""
        now_s = self.timeline.now_s
        return any(storm.begins_s <= now_s < storm.ends_s for storm in self._storms)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let a person do something undisturbed."""
        storms, self._storms = self._storms, ()
        crash, self.crash_next = self.crash_next, None
        try:
            yield
        finally:
            self._storms, self.crash_next = storms, crash

    def strikes(self) -> bool:
        """Say by chance whether something goes wrong with one call."""
        return self.dice.random() < self.fault_chance

    def lateness_s(self, place: str) -> float:
        """Let a cloud answer now and then with what it should have said before."""
        if not self.strikes():
            return 0.0
        self.note(f"{place} stale answer", passing=True)
        return self.dice.uniform(5.0, 600.0)

    def break_out(self, storm: Storm) -> None:
        """Begin another storm."""
        self._storms = (*self._storms, storm)

    def storm_over(self, place: str) -> Storm | None:
        """Return the storm that rages over a place now."""
        now_s = self.timeline.now_s
        for storm in self._storms:
            if storm.place == place and storm.begins_s <= now_s < storm.ends_s:
                return storm
        return None

    def around(self, place: str, operation: str, effect: Callable[[], Result]) -> Result:
        """Do what a call is for: with latency, and with whatever the weather has for it."""
        if operation == "launch" and self.crash_at_launch:
            self._crash_in_launch(effect)
        self._crash_if("before")
        if place != LEDGER:
            self.timeline.let_pass(self.dice.uniform(0.02, 1.5))
            self._crash_if("before")
        if storm := self.storm_over(place):
            self.note(f"{place} {storm.error.__name__}")
            raise storm.error(f"{place}: {storm.error.__name__} as the weather has it")
        result = self._by_chance(place, operation, effect)
        self._crash_if("after")
        return result

    def _by_chance(self, place: str, operation: str, effect: Callable[[], Result]) -> Result:
        if place == LEDGER or not self.strikes():
            return effect()
        kind = self.dice.choice(("before", "before", "after", "twice", "slow"))
        self.note(f"{place} {operation} {kind}", passing=True)
        if kind == "before":
            raise self._error(place, operation)
        result = effect()
        if kind == "after":
            raise StoreError("no answer") if place == STORE else NoAnswer(f"{place}: no answer")
        if kind == "twice":
            return effect()
        self.timeline.let_pass(self.dice.uniform(10.0, 60.0))
        return result

    def _error(self, place: str, operation: str) -> Exception:
        if place == STORE:
            return StoreError("the store cannot be reached")
        errors = _ANY_CALL + _LAUNCH_ONLY if operation == "launch" else _ANY_CALL
        error = self.dice.choice(errors)
        return error(f"{place}: {error.__name__} as the dice have it")

    def _crash_in_launch(self, effect: Callable[[], object]) -> NoReturn:
        """The process dies in the call that makes a machine, which may be made all the same."""
        when, self.crash_at_launch = self.crash_at_launch, None
        self.note(f"crash {when} a launch")
        if when == "after":
            effect()
        raise Crash

    def _crash_if(self, when: str) -> None:
        if self.crash_next == when:
            self.crash_next = None
            self.note(f"crash {when} a call")
            raise Crash


class NodeWeather:
    """Trouble for one machine: only the store is its to call, and any call may be its last."""

    def __init__(self, weather: Weather, machine: Machine) -> None:
        self._weather = weather
        self._machine = machine

    def lateness_s(self, place: str) -> float:  # noqa: ARG002 - a machine asks no cloud
        """Not at all."""
        return 0.0

    def around(self, place: str, operation: str, effect: Callable[[], Result]) -> Result:
        """Do what a call is for, or fail before or after; no time passes."""
        weather = self._weather
        is_down = weather.storm_over(NODE_STORE)
        if is_down or (operation == "upload" and weather.storm_over(NODE_PARTS)):
            weather.note(f"node's {place} down")
            raise StoreError("the store cannot be reached")
        if weather.lose_machine_at == operation:
            return self._lose_machine(operation, effect)
        if not weather.strikes():
            return effect()
        weather.note(f"node's {operation}", passing=True)
        if weather.dice.random() < 0.5:
            raise (Torn if operation == "upload" else StoreError)("the store cannot be reached")
        effect()
        raise StoreError("no answer")

    def _lose_machine(self, operation: str, effect: Callable[[], Result]) -> NoReturn:
        """Take the machine back in the middle of a call, its effect done or not."""
        self._weather.lose_machine_at = None
        self._weather.note(f"lost at {operation}")
        done = self._weather.dice.random() < 0.5
        if done:
            effect()
        self._machine.end(EndReason.INTERRUPTED)
        raise Gone


def draw_storms(dice: Random, clouds: tuple[str, ...], until_s: float) -> tuple[Storm, ...]:
    """Draw the storms of a run."""
    storms = []
    for _ in range(dice.randint(2, 6)):
        place = dice.choice((*clouds, *clouds, STORE, NODE_STORE, NODE_PARTS, LEDGER))
        begins_s = dice.uniform(0.0, until_s)
        lasts_s = dice.choice((60.0, 300.0, 1800.0)) * dice.uniform(0.5, 2.0)
        if place == NODE_PARTS:
            lasts_s *= 20
        error = _storm_error(dice, place)
        storms.append(Storm(place=place, begins_s=begins_s, ends_s=begins_s + lasts_s, error=error))
    return tuple(storms)


def _storm_error(dice: Random, place: str) -> type[Exception]:
    if place in {STORE, NODE_STORE, NODE_PARTS}:
        return StoreError
    if place == LEDGER:
        return LedgerProblem
    return dice.choice((Throttled, Throttled, NoAnswer, NotAuthorized, ProviderError))
