"""When a run ends against its deadline, and what the on-demand way out adds to its cost."""

from __future__ import annotations

from typing import NamedTuple

from finsched.decide.offers.hardware import Refusal
from finsched.decide.pricing import refusals
from finsched.decide.pricing.cost import Expected, Setting
from finsched.decide.pricing.deadline import Finish, fallback_premium_usd, finish_by


class Ending(NamedTuple):
    """The chance to end in time on this offer alone, and the expected price of the way out."""

    probability: float = 1.0
    premium_usd: float = 0.0
    marks: tuple[str, ...] = ()


NO_DEADLINE = Ending()


def ending_of(
    setting: Setting,
    expected: Expected,
    deadline_hours: float | None,
    on_demand_usd_per_hour: float | None,
) -> Ending | Refusal:
    """The ending of a run; refused where the deadline cannot be met.

    With an on-demand price to fall back on, an uninterrupted run must fit; without one, the
    expected run must.
    """
    if deadline_hours is None:
        return NO_DEADLINE
    least_hours = expected.uninterrupted_hours
    needed_hours = expected.hours if on_demand_usd_per_hour is None else least_hours
    refusal = refusals.too_late(needed_hours, deadline_hours)
    if refusal is not None:
        return refusal
    restart_hours = setting.restart_hours(expected.data)
    finish = finish_by(
        slack_hours=deadline_hours - least_hours,
        segments=setting.work_hours / setting.interval_hours,
        segment_hours=setting.interval_hours + setting.save_hours,
        restart_hours=restart_hours,
        hazard_per_hour=setting.hazard_per_hour,
    )
    if finish.late_hours <= 0:
        return Ending(finish.probability)
    return _way_out(setting, restart_hours, finish, deadline_hours, on_demand_usd_per_hour)


def _way_out(
    setting: Setting,
    restart_hours: float,
    finish: Finish,
    deadline_hours: float,
    on_demand_usd_per_hour: float | None,
) -> Ending:
    if on_demand_usd_per_hour is None:
        return Ending(finish.probability, 0.0, ("no on-demand price to finish in time with",))
    premium_usd = fallback_premium_usd(
        finish=finish,
        work_hours=setting.work_hours,
        deadline_hours=deadline_hours,
        usd_per_hour=setting.usd_per_hour,
        on_demand_usd_per_hour=on_demand_usd_per_hour,
        restart_hours=restart_hours,
    )
    if premium_usd < 0.01:
        return Ending(finish.probability, premium_usd)
    late = 1 - finish.probability
    mark = f"${premium_usd:,.2f} for an on-demand finish in the {late:.1%} that would be late"
    return Ending(finish.probability, premium_usd, (mark,))
