"""`finsched quote JOB.YAML`: what the finished run would cost, on every offer of the market."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from finsched.cli.arguments import Clouds, Launchable, MaxHourly, finite
from finsched.cli.job_file import read_job
from finsched.errors import FinschedError, SpecError

if TYPE_CHECKING:
    from finsched.cli.render.quote_summary import Section
    from finsched.cli.render.shortlist import ShortlistLine
    from finsched.model.job import JobSpec
    from finsched.model.quote import Decision
    from finsched.relaxing import Relaxation

SHOWN_OVER_THRESHOLD = 3


def quote(
    job_file: Annotated[Path, typer.Argument(metavar="JOB.YAML", help="The job to price.")],
    *,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, callback=finite, metavar="USD", help="Most for the whole run."),
    ] = None,
    max_hourly: MaxHourly = None,
    clouds: Clouds = "",
    launchable: Launchable = False,
    top: Annotated[int | None, typer.Option(min=1, metavar="N", help="Show N lines.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every place and zone.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why the winner wins.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one CSV row a quote.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown page.")] = False,
) -> None:
    """Price the finished run on every offer: compute, rework, start-up, transfer and storage.

    Exit 0 with quotes, 3 when no offer can run the job, 4 when all cost too much.
    """
    from finsched.api import pricing

    _at_most_one({"--json": json, "--csv": csv, "--markdown": markdown})
    _at_most_one({"--all": every, "--top": top is not None})
    _at_most_one({"--explain": explain, "--json": json, "--csv": csv})
    job = read_job(job_file, max_cost, max_hourly, clouds)
    decision = pricing.quote(job, launchable_only=launchable)
    if json:
        _print_json(decision, top)
    elif csv:
        _print_csv(decision, top)
    else:
        _print_page(_Page(job_file, job, decision, top, every, explain), markdown=markdown)
    if not decision.quotes:
        raise _refusal(job, decision)


def _at_most_one(flags: dict[str, bool]) -> None:
    given = [flag for flag, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise SpecError(f"{' and '.join(given)} exclude each other", fix=f"keep {given[0]} alone")


def _print_json(decision: Decision, top: int | None) -> None:
    from finsched.cli.output import print_json
    from finsched.cli.render.quote_document import decision_document

    print_json(decision_document(decision, top))


def _print_csv(decision: Decision, top: int | None) -> None:
    from finsched.cli.render.quote_export import print_csv

    print_csv(decision, top)
    for note in decision.notes:
        typer.echo(f"note: {note}", err=True)


class _Page(NamedTuple):
    """What people see of a decision, and how much of it."""

    job_file: Path
    job: JobSpec
    decision: Decision
    top: int | None
    every: bool
    explain: bool


def _print_page(page: _Page, *, markdown: bool) -> None:
    from finsched.cli.render.quote_summary import sections, title

    lines = _lines(page)
    found = sections(page.job, page.decision)
    if page.explain:
        from finsched.cli.render.explanation import explanation_sections

        found.extend(explanation_sections(page.job, page.decision))
    if markdown:
        from finsched.cli.render.quote_export import print_markdown

        print_markdown(title(page.job, page.decision), lines, page.decision, found)
    else:
        _print_for_people(page, lines, found)


def _lines(page: _Page) -> list[ShortlistLine]:
    from finsched.cli.render.quote_summary import over_threshold
    from finsched.cli.render.shortlist import LINES, every_place, shortlist

    if not page.decision.quotes:
        return shortlist(over_threshold(page.decision), SHOWN_OVER_THRESHOLD)
    if page.every:
        return every_place(page.decision.quotes)
    return shortlist(page.decision.quotes, page.top or LINES)


def _print_for_people(
    page: _Page, lines: Sequence[ShortlistLine], sections: Sequence[Section]
) -> None:
    from finsched.cli.output import console
    from finsched.cli.render.quote_summary import considered, next_step, title
    from finsched.cli.render.quote_table import print_sections, print_table, print_title

    out, decision = console(), page.decision
    print_title(out, title(page.job, decision), considered(decision))
    if lines:
        print_table(out, lines, decision.basis, decision.as_of.date())
    step = [] if decision.best is None else [[next_step(page.job_file, decision)]]
    print_sections(out, [*sections, *step], best=decision.best)


def _refusal(job: JobSpec, decision: Decision) -> FinschedError:
    from finsched.cli.render.quote_refusal import nothing_feasible, too_dear
    from finsched.cli.render.quote_summary import over_threshold

    if quotes := over_threshold(decision):
        return too_dear(job, quotes)
    return nothing_feasible(job, decision, _relaxations(job, decision))


def _relaxations(job: JobSpec, decision: Decision) -> list[Relaxation]:
    from finsched import quoting, settings
    from finsched.relaxing import relaxations

    market = quoting.read_market(job, settings.load(), now=decision.as_of)
    return list(relaxations(job, market, now=decision.as_of))
