"""Why an attempt ends, and how long the job has for its last checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from finsched.node.clock import utc_now
from finsched.node.config import NodeConfig
from finsched.node.gangs.gang import Gang
from finsched.node.mail.orders import Orders
from finsched.node.notices.watch import NoticeWatch

_SHORTEST_RESERVE_SECONDS = 2.0
_SHORTEST_UPLOAD_SECONDS = 0.2


class End(str, Enum):
    """How an attempt ended, in the words of the scheduler."""

    __str__ = str.__str__

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    JOB_FAILED = "job_failed"
    LEASE_EXPIRED = "lease_expired"
    LIMIT = "limit"
    STOPPED = "stopped"
    FENCED = "fenced"
    NODE_FAILED = "node_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Something outside of the job wants it to end; the machine is to be done by `ends_at`."""

    end: End
    ends_at: datetime
    detail: str = ""

    def kill_at(self, upload_seconds: float) -> datetime:
        """Return when waiting for the job ends, so that its last checkpoint can still be sent."""
        left = max(0.0, (self.ends_at - utc_now()).total_seconds())
        upload = min(max(1.5 * upload_seconds, _SHORTEST_UPLOAD_SECONDS), left / 2)
        return self.ends_at - timedelta(seconds=upload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last word on an attempt."""

    end: End
    exit_code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """All that may end an attempt from outside, asked in the order of urgency."""

    config: NodeConfig
    notices: NoticeWatch
    orders: Orders
    gang: Gang | None = None

    def cause(self) -> Cause | None:
        """Return why the job has to end now, or None."""
        return (
            self._interrupted()
            or self._stopped()
            or self._limit()
            or self._lease_expired()
            or self._peer_ended()
        )

    def close(self) -> None:
        """Watch no more."""
        self.notices.close()
        self.orders.close()
        if self.gang:
            self.gang.close()

    @property
    def latest_end(self) -> datetime:
        """When a machine that has nothing more to do is to be done."""
        return utc_now() + self.reserve

    @property
    def reserve(self) -> timedelta:
        """How long the last checkpoint may take when it is we who set the end."""
        return timedelta(seconds=max(self.config.reserve_seconds, _SHORTEST_RESERVE_SECONDS))

    def _interrupted(self) -> Cause | None:
        notice = self.notices.notice
        if notice is None:
            return None
        grace = timedelta(seconds=self.config.notice_grace_seconds)
        return Cause(end=End.INTERRUPTED, ends_at=notice.ends_at or utc_now() + grace)

    def _stopped(self) -> Cause | None:
        reason = self.orders.stop_reason
        if reason is None:
            return None
        return Cause(end=End.STOPPED, ends_at=utc_now() + self.reserve, detail=reason)

    def _limit(self) -> Cause | None:
        now = utc_now()
        for stop in sorted(self.config.stop_at, key=lambda stop: stop.at):
            if now >= stop.at - timedelta(seconds=self.config.reserve_seconds):
                shortest = timedelta(seconds=_SHORTEST_RESERVE_SECONDS)
                return Cause(
                    end=End.LIMIT, ends_at=max(stop.at, now + shortest), detail=stop.reason
                )
        return None

    def _lease_expired(self) -> Cause | None:
        if utc_now() < self.orders.lease_until:
            return None
        return Cause(
            end=End.LEASE_EXPIRED,
            ends_at=utc_now() + self.reserve,
            detail="nobody renewed the lease",
        )

    def _peer_ended(self) -> Cause | None:
        """Without one of its nodes a gang cannot work on."""
        told = self.gang.end if self.gang else None
        if told is None:
            return None
        ends_at = told.ends_at or utc_now() + self.reserve
        return Cause(end=End(told.end), ends_at=ends_at, detail=told.detail)
