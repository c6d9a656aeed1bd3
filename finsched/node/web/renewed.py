"""Something that is lent for a time, such as keys or a token: kept, and renewed before it ends."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from finsched.node.clock import utc_now
from finsched.node.objects import StoreError

_RENEW_BEFORE_THE_END = timedelta(minutes=5)


class NoCredentials(StoreError):
    """Nobody lends this machine credentials; the text is a sentence for people."""


class Lasting(Protocol):
    """What is lent; `valid_until` is None where it does not end."""

    @property
    def valid_until(self) -> datetime | None:
        """Return when it ends."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """What a bearer shows, and until when it is valid."""

    value: str = field(repr=False)
    valid_until: datetime | None = None


_Lent = TypeVar("_Lent", bound=Lasting)


class Renewed(Generic[_Lent]):
    """The one in force; `fetch` brings another, and raises what networks and documents raise."""

    def __init__(self, fetch: Callable[[], _Lent]) -> None:
        self._fetch = fetch
        self._held: _Lent | None = None
        self._lock = threading.Lock()

    def get(self) -> _Lent:
        """Return one that is valid now; raises NoCredentials."""
        with self._lock:
            if self._held is None or _ends_within(self._held, _RENEW_BEFORE_THE_END):
                self._held = self._renewed(self._held)
            return self._held

    def refuse(self, refused: _Lent) -> None:
        """Forget one that was refused."""
        with self._lock:
            if self._held is refused:
                self._held = None

    def _renewed(self, held: _Lent | None) -> _Lent:
        try:
            return self._fetch()
        except (
            OSError,
            http.client.HTTPException,
            ValueError,
            TypeError,
            LookupError,
            StoreError,
        ) as error:
            if held is not None and not _ends_within(held, timedelta()):
                return held
            text = str(error) or type(error).__name__
            raise NoCredentials(f"this machine gets no credentials: {text}") from error


def _ends_within(lent: Lasting, time_left: timedelta) -> bool:
    return lent.valid_until is not None and utc_now() >= lent.valid_until - time_left
