"""Several nodes of one attempt: how they meet, what they tell each other, and who speaks for them.

Rank 0 leads: it opens the commit log, asks the others for their parts of each checkpoint, and
reports. All of it goes through create-only objects of the run's store, which every node reaches.
docs/explanation/gangs.md tells why each step is as it is.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finsched.node.clock import from_iso, pause, to_iso
from finsched.node.mail.documents import count, read_document, text
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store, StoreError, with_retries

LEADER = 0
READY = "ready"  # a node of a standby has staged what it needs
HERE = "here"  # a node is set up, and tells which checkpoint it has
DONE = "done"  # a node's command has ended by itself
ROLL = "roll"  # a node's agent is there, whatever its command does
_ASK_AGAIN_SECONDS = 0.2


class Incomplete(Exception):
    """The gang cannot work: a node is missing; the text is a sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The leader asks for everybody's part of a checkpoint.

    A file counts as new when it was written after `newer_than_ns`, and a node answers when it has
    new ones; those that are `silent` are known not to save. `accepted` is the last round that
    became a commit, 0 for none. A `signalled` round asks for what was saved at the signal. The
    `last` round waits until every node's command has ended.
    """

    number: int
    accepted: int
    newer_than_ns: int
    signalled: bool
    last: bool
    silent: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerEnd:
    """A node tells why all of them have to end."""

    rank: int
    end: str
    detail: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """All nodes are there: where the leader is, and from which checkpoint they start."""

    leader_address: str
    checkpoint: int | None


class GangBoard:
    """The nodes of one attempt, as one of them sees the others; `read_new` looks for news."""

    def __init__(self, store: Store, attempt: int, *, rank: int, nodes: int) -> None:
        self.rank = rank
        self.nodes = nodes
        self.end: PeerEnd | None = None
        self.round: Round | None = None
        self.begun: Begun | None = None
        self.is_over = False
        self._store = store
        self._folder = f"gang/{attempt:06d}"
        self._board = NumberedObjects(store, f"{self._folder}/board", suffix=".json")
        self._last_number = 0

    @property
    def leads(self) -> bool:
        """Whether this node speaks for the others."""
        return self.rank == LEADER

    # --- the board: what is told to all ----------------------------------------------------------

    def begin(self, begun: Begun) -> None:
        """Let all nodes start."""
        self._announce("begin", address=begun.leader_address, checkpoint=begun.checkpoint)

    def ask(self, asked: Round) -> None:
        """Ask for everybody's part of a checkpoint."""
        self._announce(
            "round",
            number=asked.number,
            accepted=asked.accepted,
            newer_than_ns=asked.newer_than_ns,
            signalled=asked.signalled,
            last=asked.last,
            silent=list(asked.silent),
        )

    def tell_end(self, end: str, detail: str, ends_at: datetime | None) -> None:
        """Tell all nodes that they have to end; the first word counts."""
        until = to_iso(ends_at) if ends_at else None
        self._announce("end", rank=self.rank, end=end, detail=detail, ends_at=until)

    def call_roll(self) -> None:
        """Let every agent that is still there answer."""
        self._announce(ROLL)

    def tell_over(self) -> None:
        """Let the others go: nothing is asked of them any more."""
        self._announce("over")

    # --- answers: what one node tells the leader -------------------------------------------------

    def answer(self, question: str, content: Mapping[str, Any]) -> None:
        """Leave this node's answer; raises StoreError."""
        key = f"{self._folder}/answers/{question}/{self.rank:06d}.json"
        body = json.dumps(content).encode()
        with_retries(lambda: self._store.create(key, body))

    @property
    def others(self) -> range:
        """The ranks of those that do not lead."""
        return range(LEADER + 1, self.nodes)

    def new_answers(self, question: str, known: Mapping[int, Any]) -> dict[int, Mapping[str, Any]]:
        """Return the answers of other nodes that are not known yet; raises StoreError."""
        found = {}
        for stored in self._store.list(f"{self._folder}/answers/{question}"):
            name = stored.key.rpartition("/")[2].removesuffix(".json")
            rank = int(name) if name.isdecimal() else LEADER
            if rank not in known and rank in self.others:
                found[rank] = _answer(self._store.get(stored.key))
        return found

    # --- reading ---------------------------------------------------------------------------------

    def _announce(self, kind: str, **content: Any) -> None:
        body = json.dumps({"kind": kind, "by": self.rank, **content}).encode()
        with_retries(lambda: self._board.append(body, after=self._last_number))

    def read_new(self) -> None:
        """Take in what was told to all since the last look; raises StoreError."""
        for number in self._board.numbers(after=self._last_number):
            content = self._board.read(number)
            with suppress(KeyError, TypeError, ValueError):  # it never gets better: the next counts
                self._hear(read_document(content))
            self._last_number = number

    def _hear(self, told: Mapping[str, Any]) -> None:
        if told["kind"] == "begin":
            checkpoint = None if told["checkpoint"] is None else count(told["checkpoint"])
            self.begun = Begun(leader_address=text(told["address"]), checkpoint=checkpoint)
        elif told["kind"] == "round":
            self.round = Round(
                number=count(told["number"]),
                accepted=count(told["accepted"]),
                newer_than_ns=count(told["newer_than_ns"]),
                signalled=told["signalled"] is True,
                last=told["last"] is True,
                silent=tuple(count(rank) for rank in told["silent"]),
            )
        elif told["kind"] == "end" and self.end is None and told["by"] != self.rank:
            ends_at = from_iso(told["ends_at"]) if told["ends_at"] else None
            self.end = PeerEnd(
                rank=count(told["rank"]),
                end=text(told["end"]),
                detail=text(told["detail"]),
                ends_at=ends_at,
            )
        elif told["kind"] == ROLL and not self.leads:
            self.answer(ROLL, {})
        elif told["kind"] == "over":
            self.is_over = True


class Gang(GangBoard):
    """The nodes of one attempt, as one of them sees the others; a thread reads the board."""

    def __init__(
        self, store: Store, attempt: int, *, rank: int, nodes: int, poll_seconds: float
    ) -> None:
        super().__init__(store, attempt, rank=rank, nodes=nodes)
        self._poll_seconds = poll_seconds
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="gang", daemon=True).start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()

    def gather(
        self, question: str, *, go_on: Callable[[], bool]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Return the answers of all other nodes, or those that came until it is not to go on.

        A store that cannot be reached is asked again.
        """
        answers: dict[int, Mapping[str, Any]] = {}
        while True:
            with suppress(StoreError):
                answers.update(self.new_answers(question, answers))
            if len(answers) == self.nodes - 1 or not go_on():
                return answers
            pause(min(_ASK_AGAIN_SECONDS, self._poll_seconds))

    def _watch(self) -> None:
        while not self._closed.wait(self._poll_seconds):
            try:
                self.read_new()
            except StoreError:
                continue  # the next look tries again; the lease ends what never comes back


def _answer(content: bytes) -> Mapping[str, Any]:
    """What cannot be read is an answer without content: whoever needs some, finds none."""
    try:
        return read_document(content)
    except ValueError:
        return {}
