"""A command's side of the socket: what it makes of a process that dies, hangs or is overrun."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finsched.api import hosting
from finsched.errors import MachineProblem
from finsched.host.client import Client
from finsched.host.place import Place
from finsched.host.wire import Document, receive, send
from finsched.run.home import open_ledger

from .conftest import Home

ABOUT: Document = {"finsched": "1.0", "pid": 4711}
NO_RUNS: Document = {**ABOUT, "answer": {"runs": []}}
DIES: Document = {}


@contextmanager
def answering(state_dir: Path, answer: Callable[[Document], Document]) -> Iterator[list[Document]]:
    """A process that answers; where it has nothing to say it ends within its answer."""
    asked: list[Document] = []
    listening = Place.of(state_dir).listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked.append(receive(connection))
                if said := answer(asked[-1]):
                    send(connection, said)

    thread = threading.Thread(target=serve)
    thread.start()
    yield asked
    listening.shutdown(2)
    listening.close()
    thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finsched.host.client.SECONDS", 0.2)
    monkeypatch.setattr("finsched.host.client._START_SECONDS", 0.6)


def test_a_process_that_dies_within_its_answer_is_asked_again(tmp_path: Path) -> None:
    answers = iter([DIES, DIES, NO_RUNS])
    with answering(tmp_path, lambda _: next(answers)) as asked:
        Client(tmp_path).hold("run-1", {}, priority=0)
    assert [each["do"] for each in asked] == ["hold"] * 3


def test_who_comes_when_too_many_ask_at_once_is_patient(tmp_path: Path) -> None:
    place = Place.of(tmp_path)
    with place.listen() as listening:
        listening.listen(0)
        early = place.connect(5)
        told: list[Document] = []
        late = threading.Thread(target=lambda: told.append(Client(tmp_path).start()))
        with pytest.raises(BlockingIOError):
            place.connect(5)
        late.start()
        listening.accept()[0].close()
        early.close()
        connection, _ = listening.accept()
        with connection:
            receive(connection)
            send(connection, NO_RUNS)
        late.join()
    assert told[0]["pid"] == 4711


@pytest.mark.usefixtures("impatient")
def test_a_process_that_hangs_is_named_and_how_to_get_rid_of_it(tmp_path: Path) -> None:
    with Place.of(tmp_path).listen(), pytest.raises(MachineProblem) as caught:
        Client(tmp_path).listing()
    assert f"process {os.getpid()} that holds runs does not answer" in caught.value.message
    assert f"kill -9 {os.getpid()}" in str(caught.value.fix)


def test_the_queue_says_that_its_process_is_of_another_version(home: Home) -> None:
    nothing = dict.fromkeys(("since", "provider", "held_by"))
    a_run = {"run": "r", "state": "carried", "priority": 0, **nothing}
    with answering(home.state_dir, lambda _: {**ABOUT, "answer": {"runs": [a_run]}}):
        told = home.finsched("queue")
    assert "held by process 4711, finsched 1.0" in told
    assert "`kill 4711`" in told


@pytest.mark.usefixtures("impatient")
def test_a_launch_that_could_not_be_handed_over_names_its_run(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    said = {"list": NO_RUNS, "hold": DIES}
    answers = answering(home.state_dir, lambda request: said[request["do"]])
    with answers, pytest.raises(MachineProblem) as caught:
        hosting.launch(home.job())
    (run_id,) = open_ledger(home.state_dir).run_ids()
    assert run_id in caught.value.message
    assert f"finsched resume {run_id} --detach" in str(caught.value.fix)
