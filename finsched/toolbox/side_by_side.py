"""Runs slow questions at the same time and hands over each result as it comes.

The threads are daemons: whoever waits no longer may go, and the program may end, while a server
that never answers is still being asked. A thread pool of the standard library waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def as_answered(
    questions: Sequence[Callable[[], T]], at_once: int, *, name: str = "question"
) -> Iterator[T]:
    """Run every question, so many at once, and yield the results as they come.

    What a question raises is raised here.
    """
    waiting: SimpleQueue[Callable[[], T]] = SimpleQueue()
    told: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = SimpleQueue()
    for question in questions:
        waiting.put(question)

    def work() -> None:
        while not waiting.empty():
            question = waiting.get()
            try:
                told.put((question(), None))
            except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
                told.put((None, error))

    for number in range(min(at_once, len(questions))):
        threading.Thread(target=work, name=f"{name}-{number}", daemon=True).start()
    for _ in questions:
        result, error = told.get()
        if error is not None:
            raise error
        yield result  # type: ignore[misc]  # a result without an error
