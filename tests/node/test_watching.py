"""What the agent hears from outside: notices, orders, its own document, and what it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from finsched.node.checkpoints.cadence import Cadence
from finsched.node.clock import utc_now
from finsched.node.config import CheckpointConfig, ConfigError, NodeConfig
from finsched.node.ending import Cause, End, Watch
from finsched.node.mail.mailbox import Mailbox, read_messages
from finsched.node.mail.orders import OrderBook, Orders
from finsched.node.notices.told import InterruptionNotice, RebalanceHint
from finsched.node.notices.watch import NoticeWatch
from finsched.node.store import Store

MINIMAL: dict[str, Any] = {
    "run": "r1",
    "attempt": 1,
    "store_uri": "file:///nowhere",
    "run_command": "true",
    "lease_seconds": 60,
}


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.01)


def test_a_document_is_read_with_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    stop = {"at": "2026-03-01T10:00:00Z", "reason": "budget"}
    checkpoint = {"path": "ckpt", "every_seconds": 60}
    path.write_text(json.dumps({**MINIMAL, "stop_at": [stop], "checkpoint": checkpoint}))
    config = NodeConfig.read(path)
    assert config.checkpoint == CheckpointConfig(path="ckpt", cadence=Cadence.read(60))
    assert (config.checkpoint.signal, config.checkpoint.keep) == ("SIGTERM", 2)
    assert config.stop_at[0].at == datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"bogus": 1},
        {"stop_at": [{"at": "tomorrow", "reason": "budget"}]},
        {"checkpoint": {"path": "/etc", "every_seconds": 1}},
        {"checkpoint": {"path": "../up", "every_seconds": 1}},
        {"checkpoint": {"path": ".", "every_seconds": 1}},
        {"checkpoint": {"path": "a", "every_seconds": 0}},
        {"checkpoint": {"path": "a", "every_seconds": [{"age_seconds": 0}]}},
        {"checkpoint": {"path": "a"}},
        {"checkpoint": {"path": "a", "every_seconds": 1, "signal": "SIGNAL"}},
    ],
)
def test_a_wrong_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        NodeConfig.from_document({**MINIMAL, **change})


class Endpoint(BaseHTTPRequestHandler):
    """An IMDSv2 that first has nothing to say."""

    body: str | None = None
    asked_without_token = False

    def do_PUT(self) -> None:
        self._answer(200, "token-1")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "token-1":
            Endpoint.asked_without_token = True
        self._answer(404 if self.body is None else 200, self.body or "")

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.mark.parametrize(
    ("body", "ends_at"),
    [
        (
            '{"action": "terminate", "time": "2026-03-01T10:00:00Z"}',
            datetime(2026, 3, 1, 10, tzinfo=UTC),
        ),
        ('{"action": "stop"}', None),
        ("not JSON", None),
    ],
)
def test_a_notice_is_seen_when_it_comes(body: str, ends_at: datetime | None) -> None:
    Endpoint.body, Endpoint.asked_without_token = None, False
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        watch = NoticeWatch(f"http://127.0.0.1:{server.server_port}", poll_seconds=0.01)
        time.sleep(0.1)
        assert watch.notice is None
        Endpoint.body = body
        wait_for(lambda: watch.notice)
        server.shutdown()
    assert watch.notice == InterruptionNotice(ends_at)
    assert not Endpoint.asked_without_token


class HintingEndpoint(Endpoint):
    """It recommends to leave, and says nothing of an end."""

    recommendation: str | None = None

    def do_GET(self) -> None:
        asked_for_hint = self.path.endswith("/events/recommendations/rebalance")
        body = self.recommendation if asked_for_hint else self.body
        self._answer(404 if body is None else 200, body or "")


def test_a_hint_is_seen_and_a_notice_after_it() -> None:
    Endpoint.body, HintingEndpoint.recommendation = None, None
    with ThreadingHTTPServer(("127.0.0.1", 0), HintingEndpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        watch = NoticeWatch(f"http://127.0.0.1:{server.server_port}", poll_seconds=0.01)
        time.sleep(0.1)
        assert watch.hint is None
        HintingEndpoint.recommendation = '{"noticeTime": "2026-03-01T10:00:00Z"}'
        wait_for(lambda: watch.hint)
        assert watch.notice is None
        Endpoint.body = '{"action": "terminate"}'
        wait_for(lambda: watch.notice)
        server.shutdown()
    assert watch.hint == RebalanceHint(datetime(2026, 3, 1, 10, tzinfo=UTC))


class SlowEndpoint(Endpoint):
    """It thinks before it says that there is nothing."""

    asked, may_answer = Event(), Event()

    def do_GET(self) -> None:
        self.asked.set()
        self.may_answer.wait(5)
        super().do_GET()


def test_a_signal_while_the_endpoint_is_asked_is_not_lost() -> None:
    Endpoint.body = None
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowEndpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        watch = NoticeWatch(f"http://127.0.0.1:{server.server_port}", poll_seconds=0.01)
        assert SlowEndpoint.asked.wait(5)
        watch.notice = InterruptionNotice(None)  # as the signal handler does
        SlowEndpoint.may_answer.set()
        time.sleep(0.1)
        server.shutdown()
    assert watch.notice == InterruptionNotice(None)


def test_an_endpoint_that_does_not_answer_changes_nothing() -> None:
    watch = NoticeWatch("http://127.0.0.1:9", poll_seconds=0.01)
    time.sleep(0.1)
    assert watch.notice is None
    watch.close()


def watch_on(store: Store, **changes: Any) -> Watch:
    config = NodeConfig.from_document({**MINIMAL, "reserve_seconds": 5, **changes})
    orders = Orders(store, 1, lease_seconds=config.lease_seconds, poll_seconds=0.01)
    return Watch(config, NoticeWatch(None, poll_seconds=1), orders)


def test_nothing_asks_for_the_end_without_a_reason(store: Store) -> None:
    later = (utc_now() + timedelta(seconds=6)).isoformat()
    watch = watch_on(store, stop_at=[{"at": later, "reason": "budget"}])
    assert watch.cause() is None
    watch.close()


def test_an_order_to_go_is_heard(store: Store) -> None:
    watch = watch_on(store)
    OrderBook(store, 1).go()
    wait_for(lambda: watch.orders.go)
    assert watch.cause() is None
    watch.close()


def test_the_lease_is_extended_and_never_shortened(store: Store) -> None:
    watch = watch_on(store, lease_seconds=0)
    cause = watch.cause()
    assert cause is not None
    assert cause.end is End.LEASE_EXPIRED
    book = OrderBook(store, 1)
    until = utc_now() + timedelta(seconds=60)
    book.extend_lease(until)
    book.extend_lease(until - timedelta(seconds=30))
    wait_for(lambda: watch.cause() is None)
    time.sleep(0.05)
    assert watch.orders.lease_until == until
    watch.close()


def test_an_order_that_cannot_be_read_is_passed_over(store: Store) -> None:
    watch = watch_on(store)
    store.create("orders/000001/00000001.json", b"not JSON")
    OrderBook(store, 1).stop("enough")
    wait_for(watch.cause)
    cause = watch.cause()
    assert cause is not None
    assert (cause.end, cause.detail) == (End.STOPPED, "enough")
    watch.close()


def test_the_stop_begins_a_reserve_before_the_limit(store: Store) -> None:
    stops = [
        {"at": (utc_now() + timedelta(seconds=50)).isoformat(), "reason": "deadline"},
        {"at": (utc_now() + timedelta(seconds=4)).isoformat(), "reason": "budget"},
    ]
    watch = watch_on(store, stop_at=stops)
    cause = watch.cause()
    assert cause is not None
    assert (cause.end, cause.detail) == (End.LIMIT, "budget")
    assert cause.ends_at == watch.config.stop_at[1].at
    watch.close()


@pytest.mark.parametrize(
    ("upload_seconds", "left_for_upload"), [(0.0, 0.2), (10.0, 15.0), (1000.0, 60.0)]
)
def test_the_job_is_killed_early_enough_to_send_its_checkpoint(
    upload_seconds: float, left_for_upload: float
) -> None:
    cause = Cause(end=End.INTERRUPTED, ends_at=utc_now() + timedelta(seconds=120))
    left = (cause.ends_at - cause.kill_at(upload_seconds)).total_seconds()
    assert left == pytest.approx(left_for_upload, abs=0.1)


def test_messages_wait_for_the_store_and_keep_their_order(tiny_disk: Path) -> None:
    filler = tiny_disk / "filler"
    filler.write_bytes(b"")
    store = Store(f"file://{tiny_disk}/store")
    mailbox = Mailbox(store, 1)
    with filler.open("wb", buffering=0) as file:
        fill(file)
    mailbox.post("started")
    for fraction in (0.1, 0.2, 0.3):
        time.sleep(0.02)
        mailbox.post("progress", progress=fraction)
    assert not mailbox.close(timeout_seconds=0.3)
    assert read_messages(store, 1) == []
    filler.unlink()
    assert mailbox.close(timeout_seconds=5)
    first, second = read_messages(store, 1)
    assert (first.kind, second.kind) == ("started", "progress")
    assert second.document["progress"] == 0.3
    assert read_messages(store, 1, after=1) == [second]


def fill(file: Any) -> None:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        return
