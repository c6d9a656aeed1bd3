"""The Python API of the sweep: find what was left behind, and delete it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from finsched import plugins, settings
from finsched.api.durations import read_duration
from finsched.decide.leftovers.store_fate import Wish
from finsched.errors import SpecError
from finsched.run.discarding import discard
from finsched.run.home import open_ledger
from finsched.run.removing import Remover
from finsched.run.settling import settle
from finsched.run.stores import KeptStore, StoreSurvey
from finsched.run.sweep import Find, Survey, Sweep

__all__ = ["Find", "KeptStore", "Survey", "stores", "sweep"]


def sweep(
    providers: Sequence[str] = (),
    *,
    runs: Collection[str] = (),
    apply: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Survey:
    """Return what carries this installation's tag and what becomes of it; `apply` deletes orphans.

    With `runs`, only what belongs to these, which then count as given up unless a process
    watches over them. Raises `SpecError` for a provider or a run that nobody knows.
    """
    chosen = settings.load()
    ledger = open_ledger(chosen.state_dir)
    _check_names(providers, known={*plugins.names(), *ledger.providers()})
    looking = Sweep(settings=chosen, ledger=ledger, only_runs=frozenset(map(ledger.resolve, runs)))
    survey = looking.survey(providers)
    if not apply:
        return survey
    removed = Remover(looking, told=told).remove(survey.finds)
    settle(looking, providers)
    others = (find for find in survey.finds if not find.is_orphan)
    return replace(survey, finds=(*removed, *others))


def stores(
    *,
    runs: Collection[str] = (),
    older_than: str | None = None,
    apply: bool = False,
    told: Callable[[KeptStore], None] = lambda _: None,
) -> list[KeptStore]:
    """Return what ended runs keep in their stores and what becomes of it; `apply` deletes.

    What goes is the stores of `runs`, and of all that finished `older_than` ago, such as "30d".
    """
    state_dir = settings.load().state_dir
    ledger = open_ledger(state_dir)
    wish = Wish(
        runs=frozenset(map(ledger.resolve, runs)),
        older_than=_age(older_than) if older_than else None,
    )
    survey = StoreSurvey(ledger=ledger, state_dir=state_dir, wish=wish)
    return list(discard(survey, survey.stores(), told) if apply else survey.stores())


def _age(text: str) -> timedelta:
    return read_duration("--older-than", text, least=timedelta(seconds=1), example="30d")


def _check_names(providers: Sequence[str], known: set[str]) -> None:
    for name in providers:
        if name not in known:
            fix = f"known are {', '.join(sorted(known))}"
            raise SpecError(f"no provider is called {name!r}", fix=fix)
