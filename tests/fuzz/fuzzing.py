"""How hard to fuzz, from which seed, and what everybody throws at everything.

FINSCHED_FUZZ_EXAMPLES=20000 tries so many of each; FINSCHED_FUZZ_SEED=N repeats a run, whose seed
a failure prints.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FINSCHED_FUZZ_EXAMPLES") or 25)
SEED = int(os.environ.get("FINSCHED_FUZZ_SEED") or secrets.randbelow(2**32))
REPEAT = f"FINSCHED_FUZZ_SEED={SEED} FINSCHED_FUZZ_EXAMPLES={EXAMPLES}"


def fuzz(*strategies: Any, **named: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Throw these at a test, so often and from that seed."""
    odd = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    harder = settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=odd, print_blob=True
    )

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        return seed(SEED)(harder(given(*strategies, **named)(test)))

    return decorate


def scalars() -> st.SearchStrategy[Any]:
    """Values that somebody may meet where another was meant."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(
            ["", ".", "..", "../../x", "/etc/x", "a\0b", "\ud800", "NaN", "1e999", "2026-01-01"]
        ),
        st.sampled_from(
            ["2026-06-15T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"]
        ),
    )


def documents() -> st.SearchStrategy[Any]:
    """JSON-like trees."""
    return st.recursive(
        scalars(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=6,
    )


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """Return a document with some of its parts replaced, removed or added."""
    copy = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(0, 3))):
        copy = _hurt(draw, copy)
    return copy


def _hurt(draw: st.DrawFn, document: Any) -> Any:
    if isinstance(document, dict) and document and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(document)))
        how = draw(st.integers(0, 9))
        if how == 0:
            return {name: value for name, value in document.items() if name != key}
        if how == 1:
            return {**document, draw(st.text(max_size=8)): draw(documents())}
        return {**document, key: _hurt(draw, document[key])}
    if isinstance(document, list) and document and draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(document) - 1))
        return [*document[:at], _hurt(draw, document[at]), *document[at + 1 :]]
    return draw(documents())


def contents(document: Any) -> st.SearchStrategy[bytes]:
    """The bytes of an object that should hold such a document: damaged, cut, or something else."""
    whole = damaged(document).map(lambda each: json.dumps(each).encode())
    return st.one_of(
        whole,
        st.tuples(whole, st.integers(0, 400)).map(lambda cut: cut[0][: cut[1]]),
        st.binary(max_size=40),
        st.sampled_from([b"", b"null", b"[]", b"{}", b"1e999", b"[" * 20_000, b'{"a":' * 9_000]),
    )
