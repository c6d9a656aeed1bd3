"""The other nodes' parts of a checkpoint, as the leader of a gang collects them.

A checkpoint of a gang is what all nodes saved at the same point of the work. The nodes save
together, so a part belongs to a save when it was written nearer to it than to the save before.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from finsched.node.checkpoints.cadence import Pace
from finsched.node.checkpoints.commit_log import Committed, CommittedFile, file_from
from finsched.node.checkpoints.parts import Changed
from finsched.node.clock import monotonic, pause, utc_now
from finsched.node.gangs.gang import Gang, Round
from finsched.node.mail.documents import count, seconds

_PATIENCE_AFTER_ONE_SAVE = 3  # intervals
_MANY = 2
_SAVES_REMEMBERED = 8
_SAME_SAVE_SHARE = 4  # a save that follows within this part of an interval is the same
_NEXT_SAVE = 0.75  # intervals later it is the next one
_LONG_AGO = 2  # intervals
_LOOK_AGAIN_SECONDS = 1.0


class Apart(Exception):
    """The nodes have not saved together; the text is a sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One node's answer: its files, whether they are new, and how its command stood.

    `written_ns` is when the newest of them was written, `upload_seconds` how long it took to store
    them. `signalled` says that they were saved at the signal, `settled` that nothing was being
    written, `whole` that the command had ended by itself.
    """

    files: tuple[CommittedFile, ...]
    written_ns: int
    upload_seconds: float
    fresh: bool
    signalled: bool
    settled: bool
    whole: bool

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Share:
        """Read an answer; raises Apart where it is none."""
        try:
            return cls(
                files=tuple(file_from(file) for file in document["files"]),
                written_ns=count(document["written_ns"]),
                upload_seconds=seconds(document["upload_seconds"]),
                fresh=document["fresh"] is True,
                signalled=document["signalled"] is True,
                settled=document["settled"] is True,
                whole=document["whole"] is True,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Apart("a node's answer cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """The leader's own save: when its newest file was written, and how the command stood."""

    written_ns: int
    last: bool = False
    whole: bool = False


class Companions:
    """Asks the other nodes of a gang for their parts, round by round.

    At first everybody may save, and is waited for. A node that has had nothing new for one interval
    counts as silent, one that saved just once after three; who saved again is always waited for.
    `save_seconds` is what a save takes at the most.
    """

    def __init__(
        self, gang: Gang, pace: Pace, last: Committed | None, *, save_seconds: float
    ) -> None:
        self._gang = gang
        self._pace = pace
        self._save_seconds = save_seconds
        self.upload_seconds = 0.0  # of the slowest node in the last round that was taken
        self._number = 0
        self._accepted = 0
        self._accepted_ns = 0
        self._saves_ns: deque[int] = deque(maxlen=_SAVES_REMEMBERED)  # the leader's own
        writers = {file.rank for file in last.files} if last else set[int]()
        self._saves = dict.fromkeys(writers, _MANY)  # how often a node had something new
        self._silent = {*gang.others} - writers if last else set[int]()
        self._heard_at: dict[int, float] = {}  # when a node last had something new
        self._candidate = (0, 0)
        self.newest_ns = 0  # when the newest part was written in the last round that was taken
        self._taken_ns: Mapping[int, int] = {}  # when each was
        self._kept_ns: Mapping[int, int] = {}  # the same of the last commit
        self._signal_ns: int | None = None

    def signalled(self, at_ns: int) -> None:
        """The leader is asked to save and to end: what it writes from then on is its last save."""
        self._signal_ns = at_ns

    def saw(self, written_ns: int) -> None:
        """The leader has saved, whatever becomes of it: what the others saved then is of then."""
        if written_ns not in self._saves_ns:
            self._saves_ns.append(written_ns)

    def collect(self, save: Save, *, go_on: Callable[[], bool]) -> tuple[CommittedFile, ...]:
        """Return the others' files that belong to a save of the leader.

        Raises Apart, and Changed where the round has to be asked again. It stands for accepted only
        when `accept` is called.
        """
        asked, waited_from = self.ask(save), monotonic()
        answers = self._gang.gather(
            question(asked.number),
            go_on=lambda: go_on() and not self.gives_up(save, waited_from),
        )
        give_up_at = monotonic() + self._save_seconds
        while self.may_be_overtaken(save, answers) and go_on() and monotonic() < give_up_at:
            pause(_LOOK_AGAIN_SECONDS)
        return self.take(save, answers)

    def take(
        self, save: Save, answers: Mapping[int, Mapping[str, Any]]
    ) -> tuple[CommittedFile, ...]:
        """Return the files of the answers to the last round; raises as `collect`."""
        shares = {rank: Share.from_document(answer) for rank, answer in answers.items()}
        self._note(shares)
        if len(shares) < len(self._gang.others):
            raise Changed("not every node has sent its part of this save")
        self._require_no_later_save(save, shares)
        self._require_together(save, shares)
        self._candidate = (self._number, save.written_ns)
        self._taken_ns = {rank: share.written_ns for rank, share in shares.items()}
        self.newest_ns = max(self._taken_ns.values(), default=0)
        self.upload_seconds = max((each.upload_seconds for each in shares.values()), default=0.0)
        return tuple(file for _, share in sorted(shares.items()) for file in share.files)

    def gives_up(self, save: Save, waited_from: float) -> bool:
        """Say whether a node that is waited for has had nothing new for too long."""
        if save.last or self._signal_ns is not None:
            return False
        return any(self._is_too_long_silent(rank, waited_from) for rank in self._gang.others)

    def may_be_overtaken(self, save: Save, answers: Mapping[int, Mapping[str, Any]]) -> bool:
        """Say whether a command has just ended, so that the leader's may make its last save too."""
        if save.last or self._is_since_signal(save):
            return False
        shares = (Share.from_document(answer) for answer in answers.values())
        return any(self._has_just_ended(share, save) for share in shares)

    def accept(self) -> None:
        """The round has become a commit: what it told need not be sent again."""
        self._accepted, self._accepted_ns = self._candidate
        self._kept_ns = self._taken_ns

    def ask(self, save: Save) -> Round:
        """Ask everybody for the part that belongs to a save of the leader; raises StoreError."""
        self._number += 1
        before_ns = self._save_before_ns(save)
        halfway_ns = (before_ns + save.written_ns) // 2 if before_ns else 0
        asked = Round(
            number=self._number,
            accepted=self._accepted,
            newer_than_ns=halfway_ns,
            signalled=self._is_since_signal(save),
            last=save.last,
            silent=tuple(sorted(self._silent)),
        )
        self._gang.ask(asked)
        return asked

    def _save_before_ns(self, save: Save) -> int:
        """The leader's last save but this one, kept or not; what is close to it is the same."""
        latest_ns = save.written_ns - int(self._pace.every_seconds * 1e9 / _SAME_SAVE_SHARE)
        before = (written_ns for written_ns in self._saves_ns if written_ns <= latest_ns)
        return max((self._accepted_ns, *before))

    def _is_too_long_silent(self, rank: int, now_asked_at: float) -> bool:
        if rank in self._silent:
            return False
        saves = self._saves.get(rank, 0)
        if saves >= _MANY:
            return False
        intervals = _PATIENCE_AFTER_ONE_SAVE if saves else 1
        since = self._heard_at.setdefault(rank, now_asked_at)
        return monotonic() - since > intervals * self._pace.every_seconds

    def _note(self, shares: Mapping[int, Share]) -> None:
        """Learn who saves and who does not."""
        fresh = {rank for rank, share in shares.items() if share.fresh and share.files}
        self._heard_at |= dict.fromkeys(fresh, monotonic())
        self._saves |= {rank: self._saves.get(rank, 0) + 1 for rank in fresh}
        self._silent -= fresh
        waited_for = {*self._gang.others} - shares.keys()
        now = monotonic()
        self._silent |= {rank for rank in waited_for if self._is_too_long_silent(rank, now)}

    def _is_since_signal(self, save: Save) -> bool:
        return self._signal_ns is not None and save.written_ns >= self._signal_ns

    def _require_no_later_save(self, save: Save, shares: Mapping[int, Share]) -> None:
        """A node may have saved again while the leader still asks for the save before."""
        if save.last:
            return
        if ahead := [rank for rank, share in shares.items() if self._is_ahead(share, save)]:
            raise Apart(f"{_nodes(ahead)} saved again already, and the first one not yet")

    def _is_ahead(self, share: Share, save: Save) -> bool:
        """Whether these files are of the save at the signal, of the last one, or of the next."""
        if self._is_since_signal(save):
            return False
        if share.signalled or not share.fresh:
            return share.signalled
        return share.written_ns > self._latest_ns(save) or self._has_just_ended(share, save)

    def _latest_ns(self, save: Save) -> float:
        """Until when a node may have written its part; at the first save nobody knows."""
        next_ns = save.written_ns + _NEXT_SAVE * self._interval_ns(save)
        latest_ns = next_ns if self._save_before_ns(save) else math.inf
        return latest_ns if self._signal_ns is None else min(latest_ns, self._signal_ns)

    def _has_just_ended(self, share: Share, save: Save) -> bool:
        """Whether a command has saved after the leader and ended, of late."""
        age_seconds = utc_now().timestamp() - share.written_ns / 1e9
        since = share.fresh and share.whole and share.written_ns > save.written_ns
        return since and age_seconds < self._save_seconds

    def _require_silence(self, save: Save, shares: Mapping[int, Share]) -> None:
        """A node counted as silent may have saved of late, only too slowly to be heard."""
        oldest_ns = save.written_ns - _LONG_AGO * self._interval_ns(save)
        old = {rank: share for rank, share in shares.items() if share.files and not share.fresh}
        recent = [rank for rank, share in old.items() if share.written_ns > oldest_ns]
        if recent := [rank for rank in recent if old[rank].written_ns > self._kept_ns.get(rank, 0)]:
            self._silent -= set(recent)
            self._heard_at |= dict.fromkeys(recent, monotonic())
            raise Apart(f"{_nodes(recent)} saved before, and not together with the first one")

    def _interval_ns(self, save: Save) -> float:
        """How long it is from the leader's save before to this one."""
        before_ns = self._save_before_ns(save)
        since_ns = save.written_ns - before_ns if before_ns else 0
        return max(since_ns, self._pace.every_seconds * 1e9)

    def _require_together(self, save: Save, shares: Mapping[int, Share]) -> None:
        if torn := [rank for rank, share in shares.items() if not share.settled]:
            raise Apart(f"{_nodes(torn)} ended in the middle of a save")
        if save.whole and all(share.whole for share in shares.values()):
            return
        if save.last and any(share.files for share in shares.values()):
            raise Apart("the nodes were cut off, not all of them after the same save")
        late = [rank for rank, each in shares.items() if not each.fresh]
        if late := [rank for rank in late if rank not in self._silent]:
            raise Apart(f"{_nodes(late)} ended without saving together with the first one")
        self._require_silence(save, shares)


def question(number: int) -> str:
    """Return the name under which a round is answered."""
    return f"{number:08d}"


def _nodes(ranks: list[int]) -> str:
    listed = ", ".join(map(str, sorted(ranks)))
    return f"node {listed}" if len(ranks) == 1 else f"nodes {listed}"
