"""People are told through real HTTP; an address that fails, hangs or is gone hurts no run."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from finsched.decide.live.notifications import Notification
from finsched.errors import SpecError
from finsched.ledger import Ledger
from finsched.model.event import Event, Warned
from finsched.model.notification import About
from finsched.model.run import AttemptEnd, WarningCause
from finsched.observe import address
from finsched.observe.notifier import Notifier, notified
from finsched.observe.outbox import Outbox
from finsched.run.journal import Journal
from finsched.settings import Settings, load, notify_urls
from finsched.settings_notify import NotifySettings
from finsched.testing.builders import NOW
from finsched.testing.runs import Story
from finsched.testing.web import Reply, Site, served

pytest.importorskip("apprise", reason="the extra `notify` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # the library's own

FINE = Reply(document={"ok": True})
TOKEN = "s3cr3t-t0ken"
QUICK_SECONDS = 5.0  # to hand over anything, on a very busy machine; what hangs does so for 60


def url(site: Site) -> str:
    return f"{site.address.replace('http', 'json')}/{TOKEN}"


class Place:
    """One run in a ledger, and whom it tells."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.settings = Settings(state_dir=folder, cache_dir=folder, store="")
        self._environ = monkeypatch
        for record in Story().launched().records:
            self.ledger.append("r-1", record.event, record.at)

    def tell(self, *urls: str, events: list[Event], looks: int = 0, within: float = 60.0) -> float:
        """Let events happen; return the seconds that the run was held up."""
        self._environ.setenv("FINSCHED_NOTIFY_URLS", " ".join(urls))
        with notified(self.settings, self.ledger) as notifier:
            journal = Journal(self.ledger, "r-1", notifier)
            began = time.monotonic()
            for event in events:
                journal.record(event, NOW)
            held_up = time.monotonic() - began
            for _ in range(looks):
                time.sleep(within / looks)
                journal.looked(NOW)
                journal.catch_up()
        return held_up

    def warnings(self) -> list[Warned]:
        events = (record.event for record in self.ledger.records("r-1"))
        return [event for event in events if isinstance(event, Warned)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def ends() -> list[Event]:
    story = Story().launched().ended(AttemptEnd.INTERRUPTED).finished()
    return [record.event for record in story.records[-2:]]


def test_a_webhook_gets_json(place: Place) -> None:
    with served(lambda _: FINE) as site:
        assert place.tell(url(site), events=ends()) < QUICK_SECONDS
    first, last = site.calls
    assert first.method == "POST"
    assert first.path == f"/{TOKEN}"
    assert first.headers["content-type"] == "application/json"
    assert first.json["title"] == "job: lost attempt 1"
    assert "the provider took the machine back" in first.json["message"]
    assert (first.json["type"], last.json["type"]) == ("warning", "success")
    assert not place.warnings()


def test_one_that_fails_at_first_is_asked_again(place: Place) -> None:
    replies = [Reply(document={}, status=503), Reply(), FINE, FINE]
    with served(lambda _: replies.pop(0)) as site:
        place.tell(url(site), events=ends())
    assert len(site.calls) == 4
    assert not place.warnings()


def test_one_that_refuses_is_told_once_and_nobody_waits(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(lambda _: Reply(document={}, status=500)) as site:
        held_up = place.tell(url(site), events=ends(), looks=8, within=4)
    assert held_up < QUICK_SECONDS
    [warning] = place.warnings()
    assert warning.cause is WarningCause.NOTIFIER
    assert "address 1 (json): it did not take it, tried 3 times" in warning.text
    said = capfd.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith("finsched: r-1: a notification was not sent to address 1 (json)")
    assert TOKEN not in said.err + said.out + warning.text
    assert "127.0.0.1" not in said.err + warning.text


def test_one_that_hangs_holds_up_neither_the_run_nor_the_others(place: Place) -> None:
    with served(lambda _: replace(FINE, wait_seconds=60)) as hung, served(lambda _: FINE) as well:
        began = time.monotonic()
        held_up = place.tell(url(hung), url(well), events=ends() * 40)
        ended_after = time.monotonic() - began
    assert held_up < 5 * QUICK_SECONDS  # of 80 durable rows
    assert ended_after - held_up < 30
    assert len(well.calls) == 80
    assert {warning.text.partition(":")[0] for warning in place.warnings()} == {
        "a notification was not sent to address 1 (json)"
    }


SEND_AND_LEAVE = """
import sys, threading
from finsched.decide.live.notifications import Notification
from finsched.model.notification import About
from finsched.observe.address import sender

note = Notification(about=About.END, run="r-1", title="job: finished", text="done")
threading.Thread(target=sender(sys.argv[1]), args=[note], daemon=True).start()
sys.stdin.readline()  # until the server has been asked
"""


def test_one_that_answers_for_ever_does_not_hold_up_the_end_of_the_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"json://127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-c", SEND_AND_LEAVE, address]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                assert program.stdin
                program.stdin.close()
                assert ends_while_fed(program, connection)


def ends_while_fed(program: subprocess.Popen[bytes], connection: socket.socket) -> bool:
    """Feed it a byte a moment: no silence is long enough to end its wait."""
    give_up_at = time.monotonic() + 60
    while program.poll() is None and time.monotonic() < give_up_at:
        with suppress(ConnectionError):
            connection.sendall(b"x")
        time.sleep(0.2)
    program.kill()
    return time.monotonic() < give_up_at


def test_one_that_is_gone_is_told_of_and_the_run_goes_on(place: Place) -> None:
    with served(lambda _: FINE) as site:
        pass
    place.tell(url(site), events=ends()[-1:])
    assert len(place.warnings()) == 1
    assert place.ledger.run("r-1").outcome == "finished"


def test_only_what_is_wanted_is_sent(place: Place) -> None:
    place.settings = replace(place.settings, notify=NotifySettings(about=(About.END,)))
    with served(lambda _: FINE) as site:
        place.tell(url(site), events=ends())
    assert [call.json["title"] for call in site.calls] == ["job: finished"]


@pytest.mark.parametrize("wrong", ["nonsense", f"nobody://{TOKEN}", f"json://:{TOKEN}:::"])
def test_an_address_that_is_none_is_named_by_its_number(
    place: Place, wrong: str, capfd: pytest.CaptureFixture[str]
) -> None:
    place.tell(wrong, events=ends())
    [warning] = place.warnings()
    assert "address 1" in warning.text
    assert TOKEN not in capfd.readouterr().err + warning.text


def test_nobody_to_tell_is_no_work(place: Place) -> None:
    place.tell(events=ends())
    assert not place.warnings()


# --- whatever the library does -----------------------------------------------------------------


def outbox(send: Callable[[Notification], bool]) -> Outbox:
    return Outbox("address 1 (test)", lambda: send)


@pytest.mark.parametrize("error", [RuntimeError(TOKEN), MemoryError(), KeyError(TOKEN)])
def test_whatever_a_library_raises_stays_in_its_thread(place: Place, error: Exception) -> None:
    def explode(_: Notification) -> bool:
        raise error

    notifier = Notifier([outbox(explode)], frozenset(About), place.ledger)
    journal = Journal(place.ledger, "r-1", notifier)
    journal.record(ends()[-1], NOW)
    notifier.close()
    [warning] = place.warnings()
    assert TOKEN not in warning.text


def test_what_does_not_fit_is_counted_as_failed_and_nothing_is_sent_twice(place: Place) -> None:
    gate, sent = threading.Event(), []

    def slow(notification: Notification) -> bool:
        gate.wait(20)
        sent.append(notification)
        return True

    box = outbox(slow)
    given = [
        Notification(about=About.END, run=f"r-{number}", title="", text="") for number in range(300)
    ]
    for notification in given:
        box.put(notification)
    refused = [notification for notification, _ in box.failed()]
    gate.set()
    assert box.wait(time.monotonic() + 20)
    assert sorted(sent + refused, key=given.index) == given
    assert sorted(sent, key=given.index) == sent
    assert 199 <= len(refused) <= 200
    assert not box.failed()


def test_many_runs_in_many_threads_share_a_notifier(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    sent: list[Notification] = []
    notifier = Notifier([outbox(lambda each: not sent.append(each))], frozenset(About), ledger)

    def run(name: str) -> None:
        for record in Story().launched().records:
            ledger.append(name, record.event, record.at)
        journal = Journal(ledger, name, notifier)
        for event in ends():
            journal.record(event, NOW)
            journal.looked(NOW)

    threads = [threading.Thread(target=run, args=(f"r-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notifier.close()
    assert sorted(each.run for each in sent) == sorted([f"r-{n}" for n in range(8)] * 2)


def test_a_broken_ledger_is_no_concern_of_a_notifier(place: Place) -> None:
    notifier = Notifier([outbox(lambda _: False)], frozenset(About), place.ledger)
    story = Story().launched().finished()
    notifier.heard(story.run, story.records[-1])
    place.ledger.path.unlink()
    notifier.close()


# --- the settings ------------------------------------------------------------------------------


def settings_with(tmp_path: Path, text: str) -> Settings:
    config = tmp_path / "config.toml"
    config.write_text(text)
    return load({"FINSCHED_CONFIG": str(config)})


def test_addresses_are_read_from_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(f"# mine\n\njson://a/{TOKEN}\n  slack://b  \n")
    chosen = settings_with(tmp_path, f'notify = {{urls_file = "{file}", about = ["end"]}}')
    for mode in (0o644, 0o640, 0o606):
        file.chmod(mode)
        with pytest.raises(SpecError, match="owner alone") as caught:
            notify_urls(chosen, {})
        assert "chmod 600" in str(caught.value.fix)
    file.chmod(0o600)
    urls = notify_urls(chosen, {})
    assert urls == (f"json://a/{TOKEN}", "slack://b")
    assert TOKEN not in repr(urls) + repr(chosen)
    assert notify_urls(chosen, {"FINSCHED_NOTIFY_URLS": "json://c"}) == ("json://c",)
    assert notify_urls(chosen, {"FINSCHED_NOTIFY_URLS": ""}) == ()


@pytest.mark.parametrize("content", [None, b"json://\xff"], ids=["missing", "no text"])
def test_a_file_that_cannot_be_read_is_said_and_stops_nothing(
    place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "urls"
    if content:
        file.touch(0o600)
        file.write_bytes(content)
    place.settings = replace(place.settings, notify=NotifySettings(urls_file=file))
    with notified(place.settings, place.ledger) as notifier:
        assert notifier is None
    assert "nobody is notified: notify.urls_file" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('notify = "json://x"', "is not a table"),
        ('notify = {urls = ["json://x"]}', "has no urls"),
        ('notify = {about = ["all"]}', "has no 'all'"),
        ("notify = {about = 3}", "is not a list"),
        ("notify = {urls_file = 3}", "is not a text"),
    ],
)
def test_a_wrong_setting_is_explained(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError, match=f"notify {said}"):
        settings_with(tmp_path, text)


def test_the_library_is_loaded_for_the_first_notification_only(place: Place) -> None:
    assert address.is_installed()
    assert address.service(f"https://x/{TOKEN}") == "https"
    assert address.service(TOKEN) == "without a scheme"
