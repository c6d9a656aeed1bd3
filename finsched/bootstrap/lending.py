"""Lends a machine short-lived credentials for a store of another cloud, and renews them in time.

They lie in a folder of a store in the machine's own cloud, which only it and this computer read.
docs/explanation/cross-cloud.md explains when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from finsched.bootstrap.access import AccessRules, is_lent
from finsched.bootstrap.minting import (
    LIFETIME,
    azure_token,
    google_token,
    mint_google_token,
    mint_keys,
    mint_signature,
)
from finsched.bootstrap.store_place import StorePlace, store_place
from finsched.errors import StoreProblem
from finsched.node.clock import from_iso, utc_now
from finsched.node.store import Missing, Store, StoreError
from finsched.node.web.renewed import Token


def mailbox_key(run: str, attempt: int) -> str:
    """Return where an attempt's credentials lie, below the mailbox's folder."""
    return f"{run}/{attempt:06d}.json"


def lend(
    rules: AccessRules, cloud: str, store_uri: str, options: Mapping[str, Any], letter: str
) -> bool:
    """Leave new credentials where an attempt's machines find them, once half of their time is over.

    `letter` is `mailbox_key(run, attempt)`. False where the machines need none. It remembers
    nothing, so any process may call it, as often as it renews the lease. Raises NotConfigured,
    StoreProblem.
    """
    if not is_lent(rules, cloud, urlsplit(store_uri).scheme):
        return False
    place = store_place(store_uri, options)
    mailbox = Store(rules.mailbox)
    try:
        if not _is_fresh(mailbox, letter):
            document = _minted(rules, place, store_uri, options)
            mailbox.upload(letter, [json.dumps(document).encode()])
    except StoreError as error:
        raise StoreProblem(
            f"{cloud}: no credentials could be lent for {store_uri}: {error}",
            fix="sign in again, or set up a federation; docs/explanation/cross-cloud.md shows how",
        ) from error
    return True


def _is_fresh(mailbox: Store, letter: str) -> bool:
    try:
        ends_at = from_iso(json.loads(mailbox.get(letter))["valid_until"])
    except (Missing, ValueError, KeyError):
        return False
    return ends_at - utc_now() > LIFETIME / 2


def _minted(
    rules: AccessRules, place: StorePlace, store_uri: str, options: Mapping[str, Any]
) -> Mapping[str, str]:
    name = store_uri.split("/")[2]
    if place.scheme == "s3":
        return mint_keys(place, name, rules.lender_role)
    if place.scheme == "gs":
        given = options.get("bearer_token")
        return mint_google_token(place, name, Token(given) if given else google_token())
    given = options.get("token")
    account = str(place.options.get("account_name", ""))
    return mint_signature(place, name, account, Token(given) if given else azure_token())
