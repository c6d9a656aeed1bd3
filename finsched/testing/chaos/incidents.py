"""What befalls machines and processes at drawn moments: crashes, sleep, frost, losses, damage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

from finsched.errors import NotAuthorized
from finsched.node.objects import StoreError
from finsched.provider import EndReason
from finsched.testing.chaos.office import OfficeTime, Process
from finsched.testing.chaos.weather import STORE, Storm, Weather
from finsched.testing.chaos.zones import ZONES, move_to
from finsched_sim.machine import Machine
from finsched_sim.world import World

_MINUTE_S, _HOUR_S = 60.0, 3600.0


class Scene(Protocol):
    """What incidents happen to."""

    world: World
    weather: Weather
    time: OfficeTime
    dice: Random

    @property
    def process(self) -> Process | None:
        """A supervisor that runs, if one does."""
        ...

    def ask_to_stop(self) -> None:
        """Let a person ask for the end of the run."""
        ...

    def sweep(self) -> None:
        """Let a person look for what was left behind, and delete it."""
        ...

    def start_a_second_supervisor(self) -> None:
        """Try to supervise what is supervised already."""
        ...


def befall(scene: Scene, name: str) -> None:
    """Let an incident happen, if there is something that it can happen to."""
    _INCIDENTS[name](scene)


def draw(dice: Random, until_s: float, *, at_least: int) -> list[tuple[float, str]]:
    """Draw the incidents of a run: (moment, name)."""
    names = sorted(_INCIDENTS)
    weights = [_WEIGHTS.get(name, 2) for name in names]
    number = at_least + dice.randint(0, at_least)
    drawn = dice.choices(names, weights=weights, k=number)
    return sorted((dice.uniform(0.0, until_s), name) for name in drawn)


def _crash_in_a_call(scene: Scene) -> None:
    scene.weather.crash_next = scene.dice.choice(("before", "after"))


def _crash_in_a_launch(scene: Scene) -> None:
    """The next machine is made, or not, and nobody lives who could write it down."""
    scene.weather.crash_at_launch = scene.dice.choice(("before", "after"))
    _lose(scene)


def _kill(scene: Scene) -> None:
    if scene.process and scene.process.alive:
        scene.weather.note("supervisor killed")
        scene.process.kill()


def _nap(scene: Scene) -> None:
    _sleep(scene, scene.dice.uniform(2 * _MINUTE_S, 40 * _MINUTE_S))


def _long_sleep(scene: Scene) -> None:
    _sleep(scene, scene.dice.uniform(2 * _HOUR_S, 30 * _HOUR_S))


def _sleep(scene: Scene, seconds: float) -> None:
    if scene.process and scene.process.alive:
        scene.weather.note("supervisor asleep")
        scene.time.sleep(seconds)


def _second(scene: Scene) -> None:
    scene.start_a_second_supervisor()


def _jump(scene: Scene) -> None:
    scene.weather.note("clock jumps")
    scene.time.skew_s = scene.dice.choice((-120.0, -20.0, 0.0, 0.0, 20.0, 120.0))


def _travel(scene: Scene) -> None:
    """The laptop's local time changes, as it also does twice a year."""
    scene.weather.note("zone changes", passing=True)
    move_to(scene.dice.choice(ZONES))


def _expire(scene: Scene) -> None:
    """Nobody may ask the clouds or the store for anything, until somebody logs in again."""
    now_s = scene.world.timeline.now_s
    ends_s = now_s + scene.dice.uniform(_HOUR_S / 2, 8 * _HOUR_S)
    scene.weather.note("credentials expired")
    for place in (*scene.world.clouds, STORE):
        error = StoreError if place == STORE else NotAuthorized
        storm = Storm(place=place, begins_s=now_s, ends_s=ends_s, error=error)
        scene.weather.break_out(storm)


def _fill_disk(scene: Scene) -> None:
    if machine := _some_machine(scene):
        scene.weather.note("node's disk full")
        lasts_s = scene.dice.uniform(5 * _MINUTE_S, 3 * _HOUR_S)
        scene.world.nodes[machine.id].disk_full_until_s = scene.world.timeline.now_s + lasts_s


def _sweep(scene: Scene) -> None:
    if scene.time.awake:
        scene.weather.note("sweep", passing=True)
        scene.sweep()


def _sweep_alone(scene: Scene) -> None:
    """A sweep while nobody watches over the runs, and the store does not answer."""
    _kill(scene)
    now_s, wait_s = scene.world.timeline.now_s, scene.dice.uniform(5.0, 40.0) * _MINUTE_S
    begins_s, ends_s = now_s + wait_s - _MINUTE_S, now_s + wait_s + 5 * _MINUTE_S
    scene.weather.break_out(Storm(place=STORE, begins_s=begins_s, ends_s=ends_s, error=StoreError))
    scene.world.timeline.after(wait_s, lambda: _sweep(scene))


def _freeze(scene: Scene) -> None:
    machine = _some_machine(scene)
    if machine and not machine.frozen:
        scene.weather.note("node frozen")
        node = scene.world.nodes[machine.id]
        node.freeze()
        lasts_s = scene.dice.choice((5 * _MINUTE_S, 2 * _HOUR_S, 48 * _HOUR_S))
        scene.world.timeline.after(lasts_s * scene.dice.uniform(0.5, 1.0), node.thaw)


def _lose(scene: Scene) -> None:
    if machine := _some_machine(scene):
        scene.weather.note("machine lost")
        machine.end(EndReason.INTERRUPTED)


def _fail(scene: Scene) -> None:
    if machine := _some_machine(scene):
        scene.weather.note("machine failed")
        machine.end(EndReason.FAILED)


def _kill_agent(scene: Scene) -> None:
    """The agent is gone; the operating system's timer ends the machine."""
    if machine := _some_machine(scene):
        scene.weather.note("agent killed")
        scene.world.nodes[machine.id].die()
        ends_s = scene.dice.uniform(10.0, 15 * _MINUTE_S)
        scene.world.timeline.after(ends_s, lambda: machine.end(EndReason.ENDED_ITSELF))


def _lose_all(scene: Scene) -> None:
    """A region goes dark: everything that runs in one cloud is lost at once."""
    if machine := _some_machine(scene):
        scene.weather.note("region lost")
        for each in scene.world.clouds[machine.cloud.name].machines:
            each.end(EndReason.FAILED)


def _unlist(scene: Scene) -> None:
    """The cloud's answers leave a machine out, as if it had never been."""
    if machine := _some_machine(scene):
        scene.weather.note("machine unlisted")
        machine.unlisted = True
        lasts_s = scene.dice.choice((10 * _MINUTE_S, 2 * _HOUR_S, 100 * _HOUR_S))
        scene.world.timeline.after(lasts_s, lambda: setattr(machine, "unlisted", False))


def _stop(scene: Scene) -> None:
    scene.ask_to_stop()


def _lose_while(operation: str) -> Callable[[Scene], None]:
    def lose(scene: Scene) -> None:
        scene.weather.lose_machine_at = operation

    return lose


def _damage(scene: Scene) -> None:
    if machine := _some_machine(scene):
        uri = machine.request.node_config["store_uri"]
        if scene.world.bucket(uri).damage("parts"):
            scene.weather.note("checkpoint damaged")


def _some_machine(scene: Scene) -> Machine | None:
    running = [machine for machine in scene.world.made if machine.runs]
    return scene.dice.choice(running) if running else None


_INCIDENTS: Mapping[str, Callable[[Scene], None]] = {
    "agent killed": _kill_agent,
    "checkpoint damaged": _damage,
    "clock jumps": _jump,
    "crash in a call": _crash_in_a_call,
    "credentials expired": _expire,
    "node's disk full": _fill_disk,
    "sweep": _sweep,
    "sweep alone": _sweep_alone,
    "zone changes": _travel,
    "crash in a launch": _crash_in_a_launch,
    "lost at an upload": _lose_while("upload"),
    "lost at a commit": _lose_while("create"),
    "lost at a read": _lose_while("get"),
    "machine failed": _fail,
    "machine lost": _lose,
    "node frozen": _freeze,
    "machine unlisted": _unlist,
    "person stops": _stop,
    "region lost": _lose_all,
    "second supervisor": _second,
    "supervisor asleep": _nap,
    "supervisor asleep long": _long_sleep,
    "supervisor killed": _kill,
}
_WEIGHTS = {
    "crash in a call": 6,
    "credentials expired": 1,
    "machine lost": 4,
    "zone changes": 1,
    "machine unlisted": 1,
    "person stops": 1,
    "supervisor asleep long": 1,
    "sweep alone": 1,
}
