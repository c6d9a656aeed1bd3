"""Whatever a machine writes and a provider answers, the supervisor goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from finsched.ledger import Ledger
from finsched.model.event import Warned
from finsched.model.market import Offer, ProviderTerms
from finsched.model.run import AttemptState
from finsched.node.store import Store
from finsched.provider import (
    Compute,
    EndReason,
    Instance,
    InstanceState,
    InstanceStatus,
    LaunchRequest,
    Prices,
    Provider,
)
from finsched.run.clock import wall_clock
from finsched.run.correspondence import Correspondence
from finsched.run.journal import Journal
from finsched.run.watching import watch
from finsched.testing.builders import NOW
from finsched.testing.runs import Story

from .fuzzing import contents, fuzz

AT = "2026-06-15T12:00:00+00:00"
RESTORE = {"sequence": None, "size_bytes": 0, "damaged": 0, "progress": None}
LETTERS: list[dict[str, Any]] = [
    {"kind": "started", "at": AT, "restore": RESTORE},
    {"kind": "progress", "at": AT, "progress": 0.5},
    {
        "kind": "committed",
        "at": AT,
        "sequence": 2,
        "size_bytes": 10,
        "progress": 0.5,
        "upload_seconds": 0.1,
    },
    {"kind": "uploading", "at": AT, "done_bytes": 1, "total_bytes": 2, "seconds": 0.5},
    {"kind": "notice", "at": AT},
    {"kind": "warning", "at": AT, "text": "odd"},
    {"kind": "alive", "at": AT},
    {"kind": "ended", "at": AT, "end": "finished", "detail": "", "exit_code": 0},
]
MOMENTS = st.none() | st.integers(-5000, 5000).map(lambda minutes: NOW + timedelta(minutes=minutes))
STATUSES = st.builds(
    InstanceStatus,
    id=st.just("i1"),
    state=st.sampled_from(InstanceState),
    billing_from=MOMENTS,
    ended_at=MOMENTS,
    reason=st.none() | st.sampled_from(EndReason),
    detail=st.text(max_size=30),
)


class Nothing(Prices):
    """A cloud that sells nothing."""

    def offers(self) -> Iterable[Offer]:
        return ()

    def terms(self) -> ProviderTerms:
        return ProviderTerms(provider="sim")


@dataclass
class Answering(Compute):
    """A cloud that gives the answer it was told to, and models nothing else."""

    statuses: Mapping[str, InstanceStatus]
    terminated: bool = False

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        raise NotImplementedError

    def find(self, token: str) -> Sequence[Instance]:
        return ()

    def poll(self, instance_ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        return self.statuses

    def terminate(self, instance_id: str) -> None:
        self.terminated = True


@fuzz(
    st.lists(st.one_of([contents(letter) for letter in LETTERS]), max_size=5),
    st.dictionaries(st.sampled_from(["i1", "i2", ""]), STATUSES, max_size=3),
)
def test_odd_letters_and_odd_statuses_never_stop_the_supervisor(
    bodies: list[bytes], statuses: dict[str, InstanceStatus]
) -> None:
    with tempfile.TemporaryDirectory() as top:
        ledger = Ledger(Path(top) / "ledger.sqlite")
        for record in Story().launched().records:
            ledger.append("r-1", record.event, record.at)
        store = Store(f"file://{top}/store")
        for number, body in enumerate(bodies, start=1):
            store.create(f"mailbox/000001/{number:08d}.json", body)
        cloud = Answering(statuses)
        provider = Provider(name="sim", prices=Nothing(), compute=cloud)
        journal, post = Journal(ledger, "r-1"), Correspondence(store, 1)
        for _ in range(3):
            if journal.run.attempts[0].live:
                watch(journal, journal.run.attempts[0], provider, post, wall_clock())

        [attempt] = journal.run.attempts
        status = statuses.get("i1")
        gone = status is not None and status.state is InstanceState.TERMINATED
        assert (attempt.state is AttemptState.ENDED) == gone
        warnings = [each for each in ledger.records("r-1") if isinstance(each.event, Warned)]
        assert len(warnings) <= len(bodies)
        assert ledger.run("r-1") == journal.run
        for point in journal.run.checkpoints:
            assert point.size_bytes >= 0
            assert point.progress is None or 0 <= point.progress <= 1


def test_whole_letters_are_all_understood() -> None:
    with tempfile.TemporaryDirectory() as top:
        ledger = Ledger(Path(top) / "ledger.sqlite")
        for record in Story().launched().records:
            ledger.append("r-1", record.event, record.at)
        store = Store(f"file://{top}/store")
        import json

        for number, letter in enumerate(LETTERS, start=1):
            store.create(f"mailbox/000001/{number:08d}.json", json.dumps(letter).encode())
        ended = InstanceStatus(id="i1", state=InstanceState.TERMINATED)
        journal, post = Journal(ledger, "r-1"), Correspondence(store, 1)
        provider = Provider(name="sim", prices=Nothing(), compute=Answering({"i1": replace(ended)}))
        watch(journal, journal.run.attempts[0], provider, post, wall_clock())
        texts = [
            each.event.text for each in ledger.records("r-1") if isinstance(each.event, Warned)
        ]
        assert texts == ["odd"]
        assert journal.run.attempts[0].end == "finished"
        ended_at = journal.run.attempts[0].ended_at
        assert ended_at
        assert datetime.now(UTC) - ended_at < timedelta(minutes=1)
