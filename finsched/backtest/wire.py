"""A policy behind a pipe: one JSON object a line, one answer for every `decide`."""

from __future__ import annotations

import json
from typing import Any

from finsched.decide.spot.policies import MakePolicy
from finsched.decide.spot.situation import Off, Placement, Policy, Pool, Situation, SpotJob
from finsched.decide.spot.spells import Spells
from finsched.errors import SpecError


class Session:
    """Answers the lines of one conversation; a `reset` begins a new job."""

    def __init__(self, make_policy: MakePolicy) -> None:
        self._make_policy = make_policy
        self._policy: Policy | None = None
        self._spells = Spells(0)
        self._tick_s = 0.0

    def answer(self, line: str) -> str | None:
        """The answer to a line, or None where none is due."""
        try:
            message = json.loads(line)
            if message["type"] == "reset":
                self._begin(_job(message))
                return None
            situation = self._situation(message)
        except (ValueError, KeyError, TypeError) as error:
            raise SpecError(
                f"cannot understand the line {line.strip()[:80]!r}: {error!r}",
                fix="send one `reset` or `decide` object a line",
            ) from error
        if self._policy is None:
            raise SpecError("a `decide` came before any `reset`", fix="send the job first")
        return _action(self._policy.decide(situation))

    def _begin(self, job: SpotJob) -> None:
        self._policy = self._make_policy(job)
        self._spells, self._tick_s = Spells(len(job.pools)), job.tick_s

    def _situation(self, message: dict[str, Any]) -> Situation:
        where = message["placement"]
        self._spells.observe(message["available"], self._tick_s)
        return Situation(
            time_left_s=message["time_left_s"],
            work_left_s=message["work_left_s"],
            placement=message["pool"] if where == "spot" else Off(where),
            changeover_left_s=message["changeover_left_s"],
            data_region=message["data_region"],
            available=message["available"],
            ages_s=self._spells.ages_s,
        )


def _job(message: dict[str, Any]) -> SpotJob:
    return SpotJob(
        tick_s=message["gap_s"],
        deadline_s=message["deadline_s"],
        work_s=message["work_s"],
        changeover_s=message["changeover_s"],
        on_demand_price_per_hour=message["od_price"],
        egress_price=message["egress"],
        pools=tuple(
            Pool(region=pool["region"], price_per_hour=pool["spot_price"])
            for pool in message["pools"]
        ),
    )


def _action(placement: Placement) -> str:
    wanted = f'"{placement.value}"' if isinstance(placement, Off) else placement
    return f'{{"action":{wanted}}}'
