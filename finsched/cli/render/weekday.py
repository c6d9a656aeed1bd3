"""The day of the week's effect on a price, in words."""

from __future__ import annotations

from finsched.decide.timing.start_effect import FEWEST_WEEKS, WeekdayEffect

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def weekday_words(effect: WeekdayEffect) -> str:
    """Return the effect as a phrase: `none measurable in 26 days`, or the day and its percent."""
    if effect.cheapest_weekday is None:
        few = effect.weeks < FEWEST_WEEKS
        why = f" ({FEWEST_WEEKS} full weeks needed)" if few else ""
        return f"none measurable in {effect.days} days{why}"
    return (
        f"{WEEKDAYS[effect.cheapest_weekday]} {effect.percent:+.1f}% against its week "
        f"(80% interval {effect.low_percent:+.1f}% to {effect.high_percent:+.1f}%), "
        f"in {effect.days} days"
    )
