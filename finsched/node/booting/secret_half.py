"""Secrets in two halves: a random pad in user data, and what it reveals in the run's store.

Neither half alone says anything. The half in the store begins with a keyed hash, and the key is in
user data: who can write to the store only cannot make another half.
"""

from __future__ import annotations

import hashlib
import hmac

_HASH_BYTES = 32
_LENGTH_BYTES = 4


def stored_half(secret: bytes, pad: bytes, key: bytes) -> bytes:
    """Return the half for the store; the pad is longer than the secret and used once."""
    marked = len(secret).to_bytes(_LENGTH_BYTES, "big") + secret
    sealed = _combined(marked.ljust(len(pad), b"\0"), pad)
    return hmac.digest(key, sealed, hashlib.sha256) + sealed


def joined(half: bytes, pad: bytes, key: bytes) -> bytes:
    """Return the secret; raises ValueError where the half is not the one that was made."""
    claimed, sealed = half[:_HASH_BYTES], half[_HASH_BYTES:]
    if not hmac.compare_digest(claimed, hmac.digest(key, sealed, hashlib.sha256)):
        raise ValueError("the secrets in the run's store are not those of this machine")
    marked = _combined(sealed, pad)
    length = int.from_bytes(marked[:_LENGTH_BYTES], "big")
    return marked[_LENGTH_BYTES : _LENGTH_BYTES + length]


def padded_bytes(secret: bytes, *, step: int = 1024) -> int:
    """Return how long a pad has to be; in steps, so that it does not tell the secret's length."""
    return -(-(_LENGTH_BYTES + len(secret)) // step) * step


def _combined(one: bytes, other: bytes) -> bytes:
    if len(one) != len(other):
        raise ValueError("the secrets in the run's store do not fit the pad of this machine")
    combined = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return combined.to_bytes(len(one), "big")
