"""How each cloud tells a machine that it will be taken back; best effort everywhere."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from finsched.node.clock import UTC, from_iso
from finsched.node.identity import azure, gcp
from finsched.node.identity.metadata import conversation
from finsched.node.notices.told import Hearing, InterruptionNotice, RebalanceHint

_OF_AWS = "/latest/meta-data/spot/instance-action"
_HINT_OF_AWS = "/latest/meta-data/events/recommendations/rebalance"
_LONGEST_WAIT_SECONDS = 20


class NoticeSource(Protocol):
    """A metadata service that is asked for warnings."""

    def hear(self) -> InterruptionNotice | RebalanceHint | None:
        """Return what it says now.

        Raises OSError, http.client.HTTPException, ValueError, LookupError.
        """
        ...


class AwsNotices:
    """EC2 names the moment two minutes before, and may recommend to leave earlier."""

    def __init__(self, url: str) -> None:
        self._url = url

    def hear(self) -> InterruptionNotice | RebalanceHint | None:
        """Return the notice, else the hint."""
        with conversation(self._url) as answer:
            notice = answer(_OF_AWS)
            if notice is not None:
                return InterruptionNotice(_moment(notice, "time"))
            hint = answer(_HINT_OF_AWS)
        return None if hint is None else RebalanceHint(_moment(hint, "noticeTime"))


class GoogleNotices:
    """Google says only that the machine is preempted; the answer is waited for, up to a while.

    An announced maintenance is no preemption: the machine moves to another host, or stays.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._tag = ""

    def hear(self) -> InterruptionNotice | RebalanceHint | None:
        """Return the notice as soon as there is one; None after a while without."""
        path = "instance/preempted"
        wait_seconds = 0
        if self._tag:  # else a preemption from before the first question would be waited out
            wait_seconds = _LONGEST_WAIT_SECONDS
            path += f"?wait_for_change=true&last_etag={self._tag}&timeout_sec={wait_seconds}"
        told = gcp.ask_for(self._url, path, wait_seconds=wait_seconds)
        self._tag = told.tag
        return InterruptionNotice(None) if told.body.strip() == "TRUE" else None


class AzureNotices:
    """Azure announces an eviction up to 30 seconds before, among events of other kinds.

    Machines of one group may hear of each other's events.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._name = ""

    def hear(self) -> InterruptionNotice | RebalanceHint | None:
        """Return the notice of this machine's eviction."""
        self._name = self._name or azure.facts(self._url)["FINSCHED_INSTANCE"]
        for event in azure.answer(self._url, "scheduledevents")["Events"]:
            if event["EventType"] == "Preempt" and self._name in event["Resources"]:
                return InterruptionNotice(_not_before(event))
        return None


SOURCES: Mapping[str, Callable[[str], NoticeSource]] = {
    "aws": AwsNotices,
    "gcp": GoogleNotices,
    "azure": AzureNotices,
}
"""Whose words are understood."""


def listening(metadata_url: str, cloud: str) -> Hearing:
    """Return what asks a metadata service, which says nothing where it does not answer."""
    source = SOURCES[cloud](metadata_url)

    def hear() -> InterruptionNotice | RebalanceHint | None:
        with suppress(OSError, http.client.HTTPException, ValueError, LookupError):
            return source.hear()
        return None  # notices are a bonus: silence changes nothing

    return hear


def _moment(body: str, key: str) -> datetime | None:
    try:
        return from_iso(json.loads(body)[key])
    except (ValueError, KeyError, TypeError):
        return None


def _not_before(event: Mapping[str, Any]) -> datetime | None:
    """Return when the eviction begins at the earliest; None once it has."""
    try:
        return parsedate_to_datetime(event["NotBefore"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        return None
