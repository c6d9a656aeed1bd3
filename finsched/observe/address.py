"""Hands a notification to an address through Apprise, which knows a hundred services."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from urllib.parse import urlsplit

from finsched.decide.live.notifications import Notification

Send = Callable[[Notification], bool]
"""Hand a notification over; False where it was not taken, which may be tried again."""


def is_installed() -> bool:
    """Return whether the library is there; it is loaded when the first notification is sent."""
    return find_spec("apprise") is not None


def service(address: str) -> str:
    """Return what kind of address this is; the rest of it may be a secret."""
    return urlsplit(address).scheme.lower() or "without a scheme"


def sender(address: str) -> Send:
    """Return what hands notifications to an address; ValueError for one that is none."""
    import apprise  # noqa: PLC0415 - a fifth of a second, and only for who is notified

    log = logging.getLogger("apprise")  # it would name hosts and paths on stderr
    log.addHandler(logging.NullHandler())
    log.propagate = False
    asset = apprise.AppriseAsset(app_id="finsched", async_mode=False, secure_logging=True)
    # Not through `Apprise.notify`: its pool of threads would hold up the end of the program.
    target = apprise.Apprise.instantiate(address, asset=asset)
    if target is None:
        raise ValueError(f"is no address of a service {service(address)!r}")
    kinds = {
        True: apprise.NotifyType.SUCCESS,
        False: apprise.NotifyType.WARNING,
        None: apprise.NotifyType.INFO,
    }

    def send(notification: Notification) -> bool:
        kind = kinds[notification.good]
        return bool(target.notify(notification.text, title=notification.title, notify_type=kind))

    return send
