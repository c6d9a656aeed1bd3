"""The Python API of the check: would a launch work from here?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from finsched import plugins, quoting, settings
from finsched.errors import SpecError
from finsched.provider import Finding, Verdict
from finsched.run.checking import MACHINE, Check, Checked

__all__ = ["Checked", "check"]


def check(providers: Sequence[str] = (), *, job: str | Path | None = None) -> Iterator[Checked]:
    """Yield one finding a check, as they are made; nothing is bought.

    Settings that cannot be read are a finding too. Raises `SpecError` for a provider that is not
    installed and for a job file that is wrong.
    """
    try:
        chosen = settings.load()
    except SpecError as problem:
        yield Checked(MACHINE, _unreadable(problem))
        return
    for name in providers:
        if name not in plugins.priced_names():
            known = ", ".join(plugins.priced_names())
            raise SpecError(f"no provider is called {name!r}", fix=f"installed are {known}")
    spec = quoting.read_job(Path(job), chosen) if job else None
    yield Checked(MACHINE, Finding(name="settings", verdict=Verdict.OK, detail="can be read"))
    yield from Check(settings=chosen, providers=tuple(providers), job=spec).run()


def _unreadable(problem: SpecError) -> Finding:
    return Finding(
        name="settings",
        verdict=Verdict.PROBLEM,
        detail=problem.message,
        fix=problem.fix or "correct the file",
    )
