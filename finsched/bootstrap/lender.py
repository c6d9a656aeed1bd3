"""Keeps credentials that machines are lent from running out, as long as somebody attends them."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.bootstrap.access import AccessRules
from finsched.node.clock import utc_now

_LOOK_AGAIN_AFTER = timedelta(minutes=2)


class StoreLender:
    """The lender of one cloud's machines, as its users' rules say."""

    def __init__(self, cloud: str, rules: AccessRules) -> None:
        self._cloud = cloud
        self._rules = rules
        self._looked_at: dict[str, datetime] = {}

    def renew(self, run: str, attempt: int, store_uri: str) -> None:
        """Lend an attempt's machines new credentials where half of the time of theirs is over.

        Raises NotConfigured, StoreProblem.
        """
        if not self._rules.mailbox:
            return
        from finsched.bootstrap.lending import lend, mailbox_key  # noqa: PLC0415 - seldom needed

        letter, now = mailbox_key(run, attempt), utc_now()
        looked_at = self._looked_at.get(letter)
        if looked_at is None or now - looked_at >= _LOOK_AGAIN_AFTER:
            self._looked_at[letter] = now
            lend(self._rules, self._cloud, store_uri, {}, letter)
