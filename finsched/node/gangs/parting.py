"""How a node parts from its gang once its command has ended: never before the others are served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from finsched.node.clock import utc_now
from finsched.node.ending import Cause, End, Watch
from finsched.node.gangs.peers import ROLL_SECONDS, Peers
from finsched.node.gangs.sharing import Sharer
from finsched.node.reports import Reports

Watching = Callable[[Callable[[], Any]], Any]
"""Acts while the watch is asked; returns the cause that came up meanwhile, or the result."""


class Parting:
    """What is left to do for the others, in the words of the agent."""

    def __init__(self, peers: Peers, watch: Watch, reports: Reports, watching: Watching) -> None:
        self._peers = peers
        self._watch = watch
        self._reports = reports
        self._watching = watching

    def warn(self, cause: Cause) -> None:
        """Report that this machine is taken back, and let the others save with this one.

        A lease may be over here first, because each node reads of its renewal when it can. Where
        a command of another node has failed, perhaps a third one is gone: the leader asks.
        """
        if cause.end is End.JOB_FAILED:
            self._peers.call_roll()
        if notice := self._watch.notices.notice:
            self._reports.notice(notice)
            self._peers.warn(cause.end, "is taken back", cause.ends_at)
        elif cause.end is End.LEASE_EXPIRED and not self._peers.know_of_an_end:
            self._peers.warn(cause.end, "has lost its lease", cause.ends_at)

    def excuse(self, end: End) -> str:
        """Say why a command that failed is not to blame; empty where it is."""
        absent = self._peers.absent() if end is End.JOB_FAILED else []
        ranks = ", ".join(map(str, absent))
        return f"node {ranks} does not answer, and the others failed without it" if absent else ""

    def wait_for_all(self, exit_code: int) -> Cause | None:
        """Let the leader wait until every node has done its part; None where all have.

        A command that failed may have lost its peers: then their word is the cause.
        """
        if exit_code:
            return self._why_it_failed(exit_code)
        return self._cause_of(self._peers.wait_until_done)

    def follow(self, sharer: Sharer | None, exit_code: int, cause: Cause | None) -> Cause | None:
        """Stay until the leader needs nothing more of this node, and return what ended it."""
        if sharer:
            sharer.job_ended(whole=exit_code == 0)
        cause = cause or self._own_part(exit_code)
        if cause is None and exit_code == 0:
            cause = self._cause_of(self._peers.wait_until_over)
        if cause or exit_code:
            self._peers.wait_until_over(self._needed_until(cause))
        return cause

    def _needed_until(self, cause: Cause | None) -> datetime:
        """A failure is the leader's to explain: it asks who is still there."""
        until = cause.ends_at if cause else self._watch.latest_end
        if cause is None or cause.end is End.JOB_FAILED:
            until = max(until, utc_now() + timedelta(seconds=2 * ROLL_SECONDS))
        return until

    def _own_part(self, exit_code: int) -> Cause | None:
        if exit_code:
            return self._why_it_failed(exit_code)
        return self._cause_of(self._peers.wait_until_done)

    def _why_it_failed(self, exit_code: int) -> Cause | None:
        if self._peers.hear_of_an_end():
            return self._watch.cause()
        self._peers.tell_end(End.JOB_FAILED, f"the command exited with {exit_code}")
        self._peers.call_roll()
        return None

    def _cause_of(self, wait: Callable[[], Any]) -> Cause | None:
        """Wait for something while the watch is asked, and warn the others of what came up."""
        found = self._watching(wait)
        if not isinstance(found, Cause):
            return None
        self.warn(found)
        return found
