"""What a run's job printed, read from its store piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

from finsched.errors import StoreProblem
from finsched.node.job.output import read_output
from finsched.node.store import Store, StoreError


class OutputReader:
    """Remembers what it has shown, so that asking again yields only what is new.

    `rank` is the node of a gang whose output it reads.
    """

    def __init__(self, store_uri: str, rank: int = 0) -> None:
        self._store = Store(store_uri)
        self._rank = rank
        self._shown: dict[int, int] = {}

    def news(self, attempt: int) -> Iterator[bytes]:
        """Yield the pieces of an attempt's output that were not shown yet."""
        try:
            after = self._shown.get(attempt, 0)
            pieces = read_output(self._store, attempt, rank=self._rank, after=after)
        except StoreError as error:
            raise StoreProblem(str(error), fix="check the store's credentials") from error
        for number, piece in pieces:
            self._shown[attempt] = number
            yield piece
