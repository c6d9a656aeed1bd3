"""The half of a job's secrets that the launcher leaves in the run's store."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from finsched.errors import InvalidRequest, StoreProblem
from finsched.node.booting.secret_half import padded_bytes, stored_half
from finsched.node.store import Store, StoreError

_MOST_BYTES = 16 << 10
_KEY_BYTES = 32


class Half(NamedTuple):
    """What user data says: where the other half is, and the pad that it was combined with.

    `pad` and `hash_key` are base64.
    """

    key: str
    pad: str
    hash_key: str


def leave_half(store: Store, attempt: int, values: Mapping[str, str]) -> Half:
    """Combine the secrets with a new pad, put the result into the store and return the rest.

    Raises InvalidRequest, StoreProblem.
    """
    content = json.dumps(dict(values)).encode()
    if len(content) > _MOST_BYTES:
        raise InvalidRequest(
            f"secrets: {', '.join(values)} have {len(content)} bytes together, and a machine takes"
            f" {_MOST_BYTES}",
            fix="keep large secrets in a place that the job reads itself",
        )
    pad, hash_key = secrets.token_bytes(padded_bytes(content)), secrets.token_bytes(_KEY_BYTES)
    key = f"{_folder(attempt)}/{secrets.token_hex(16)}"
    try:
        store.create(key, stored_half(content, pad, hash_key))
    except StoreError as error:
        raise StoreProblem(
            f"the secrets' other half cannot be left in the run's store: {error}",
            fix="make the store writable, or choose another with --store",
        ) from error
    return Half(key, base64.b64encode(pad).decode(), base64.b64encode(hash_key).decode())


def forget_halves(store: Store, attempt: int) -> None:
    """Delete every half of an attempt; raises StoreProblem."""
    try:
        for stored in store.list(_folder(attempt)):
            store.delete(stored.key)
    except StoreError as error:
        raise StoreProblem(
            f"what is left of the secrets cannot be deleted: {error}",
            fix=f"delete the folder {_folder(attempt)} in the run's store",
        ) from error


def _folder(attempt: int) -> str:
    return f"secrets/{attempt:06d}"
