"""The other nodes' parts of a checkpoint, as the leader of a gang collects them.

A checkpoint of a gang is what all nodes saved at the same point of the work. The nodes save
together, so a part belongs to a save when it was written nearer to it than to the save before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from finsched.node.commit_log import CommittedFile, file_from
from finsched.node.gang import Gang, Round
from finsched.node.parts import Changed


class Apart(Exception):
    """The nodes have not saved together; the text is a sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One node's answer: its files, whether they are new, and how its command stood.

    `settled` says that nothing was being written, `whole` that the command had ended by itself.
    """

    files: tuple[CommittedFile, ...]
    fresh: bool
    settled: bool
    whole: bool

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Share:
        """Read an answer; raises Apart where it is none."""
        try:
            return cls(
                files=tuple(file_from(file) for file in document["files"]),
                fresh=document["fresh"] is True,
                settled=document["settled"] is True,
                whole=document["whole"] is True,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Apart("a node's answer cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """The leader's own save: when its newest file was written, and how the command stood.

    `since_ns` is the signal that asked for it, 0 where nothing did.
    """

    written_ns: int
    since_ns: int = 0
    last: bool = False
    whole: bool = False


class Companions:
    """Asks the other nodes of a gang for their parts, round by round."""

    def __init__(self, gang: Gang) -> None:
        self._gang = gang
        self._number = 0
        self._accepted = 0
        self._accepted_ns = 0
        self._expected: frozenset[int] = frozenset()  # they saved something new the last time
        self._candidate = (0, 0, self._expected)

    def collect(self, save: Save, *, go_on: Callable[[], bool]) -> tuple[CommittedFile, ...]:
        """Return the others' files that belong to a save of the leader.

        Raises Apart, Changed where it was not to go on, StoreError.

        The round stands for accepted only when `accept` is called.
        """
        shares = self._ask(save, go_on)
        self._require_together(save, shares)
        self._candidate = (self._number, save.written_ns, _fresh(shares))
        return tuple(file for _, share in sorted(shares.items()) for file in share.files)

    def accept(self) -> None:
        """The round has become a commit: what it told need not be sent again."""
        self._accepted, self._accepted_ns, self._expected = self._candidate

    def _ask(self, save: Save, go_on: Callable[[], bool]) -> Mapping[int, Share]:
        self._number += 1
        halfway_ns = (self._accepted_ns + save.written_ns) // 2 if self._accepted else 0
        asked = Round(
            number=self._number,
            accepted=self._accepted,
            newer_than_ns=max(halfway_ns, save.since_ns),
            last=save.last,
            hurry=save.since_ns > 0,
        )
        self._gang.ask(asked)
        answers = self._gang.gather(question(self._number), go_on=go_on)
        if answers is None:
            raise Changed("the next save has begun before every node had sent this one")
        return {rank: Share.from_document(answer) for rank, answer in answers.items()}

    def _require_together(self, save: Save, shares: Mapping[int, Share]) -> None:
        if torn := [rank for rank, share in shares.items() if not share.settled]:
            raise Apart(f"{_nodes(torn)} ended in the middle of a save")
        writers = {rank: share for rank, share in shares.items() if share.files}
        everything_ended_well = save.whole and all(share.whole for share in shares.values())
        if save.last and writers and not everything_ended_well:
            raise Apart("the nodes were cut off, not all of them after the same save")
        late = sorted(self._expected - _fresh(shares))
        if late and not everything_ended_well:
            self._expected -= {*late}  # who stays silent twice is not waited for
            raise Apart(f"{_nodes(late)} did not save together with the first one")


def question(number: int) -> str:
    """Return the name under which a round is answered."""
    return f"{number:08d}"


def _fresh(shares: Mapping[int, Share]) -> frozenset[int]:
    return frozenset(rank for rank, share in shares.items() if share.fresh)


def _nodes(ranks: list[int]) -> str:
    listed = ", ".join(map(str, sorted(ranks)))
    return f"node {listed}" if len(ranks) == 1 else f"nodes {listed}"
