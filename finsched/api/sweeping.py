"""The Python API of the sweep: find what was left behind, and delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from finsched import plugins, settings
from finsched.errors import SpecError
from finsched.run.home import open_ledger
from finsched.run.removing import Remover
from finsched.run.stores import KeptStore, kept_stores
from finsched.run.sweep import Find, Survey, Sweep

__all__ = ["Find", "KeptStore", "Survey", "stores", "sweep"]


def sweep(
    providers: Sequence[str] = (),
    *,
    run: str | None = None,
    apply: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Survey:
    """Return what carries this installation's tag and what becomes of it; `apply` deletes orphans.

    With `run`, only what belongs to that run, which then counts as given up unless a process
    watches over it. Raises `SpecError` for a provider or a run that nobody knows.
    """
    chosen = settings.load()
    ledger = open_ledger(chosen.state_dir)
    _check_names(providers, known={*plugins.names(), *ledger.providers()})
    only_run = ledger.resolve(run) if run else None
    looking = Sweep(settings=chosen, ledger=ledger, only_run=only_run)
    survey = looking.survey(providers)
    if not apply:
        return survey
    removed = Remover(looking, told=told).remove(survey.finds)
    others = (find for find in survey.finds if not find.is_orphan)
    return replace(survey, finds=(*removed, *others))


def stores() -> list[KeptStore]:
    """Return what ended runs keep in their stores."""
    return list(kept_stores(open_ledger(settings.load().state_dir)))


def _check_names(providers: Sequence[str], known: set[str]) -> None:
    for name in providers:
        if name not in known:
            fix = f"known are {', '.join(sorted(known))}"
            raise SpecError(f"no provider is called {name!r}", fix=fix)
