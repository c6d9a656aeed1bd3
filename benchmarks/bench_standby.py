"""Time to the job's first second: a cold start against a standby that gets the order to go.

Run: `python benchmarks/bench_standby.py`. Machines are processes here, so their boot takes less
than a second; a cloud's boot takes minutes and would be saved as well.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finsched.node.mail.mailbox import read_messages
from finsched.node.mail.orders import OrderBook
from finsched.node.store import Store
from finsched.provider import Instance, InstanceState, LaunchRequest
from finsched_local import provider as local_provider

CHECKPOINT_MB = 400
SETUP_SECONDS = 4.0
ROUNDS = 5
PATIENCE_SECONDS = 120.0
SAVE = f"""
for part in 1 2 3 4; do
  head -c {CHECKPOINT_MB * 1_000_000 // 4} /dev/urandom > $FINSCHED_CHECKPOINT_DIR/part-$part
done"""


@dataclass(frozen=True)
class Settings:
    """What the local provider needs."""

    state_dir: Path
    local_price_usd_per_hour: float = 0.0


class Bench:
    """One run's attempts on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uri = f"file://{folder}/store"
        self._store = Store(self._uri)
        self._provider = local_provider(Settings(folder / "state"))
        assert self._provider.compute
        self._compute = self._provider.compute
        self._attempt = 0

    def save(self) -> None:
        """Run a job that leaves the checkpoint."""
        self._wait_until_ended(self._launch(SAVE))

    def cold(self) -> float:
        """Seconds from the launch of a new machine to the job's first second."""
        began = time.time()
        instance = self._launch("true", setup=f"sleep {SETUP_SECONDS}")
        self._wait_until_ended(instance)
        return self._said_at("started") - began

    def standby(self) -> float:
        """Seconds from the order to go to the job's first second, with all of it staged."""
        return self._go(self._stand_by())

    def overtaken_standby(self) -> float:
        """The same where the working machine ends with a save in which every file has changed."""
        last_save = self._folder / f"save-{self._attempt}"
        working = self._launch(f"while [ ! -e {last_save} ]; do sleep 0.1; done; {SAVE}")
        _wait_for(lambda: self._messages("started"))
        instance = self._stand_by()
        last_save.touch()
        self._wait_until_ended(working)
        return self._go(instance)

    def _stand_by(self) -> Instance:
        instance = self._launch("true", setup=f"sleep {SETUP_SECONDS}", standby=True)
        _wait_for(lambda: self._messages("ready"))
        return instance

    def _go(self, instance: Instance) -> float:
        began = time.time()
        OrderBook(self._store, self._attempt).go()
        self._wait_until_ended(instance)
        return self._said_at("started") - began

    def _launch(self, command: str, **config: Any) -> Instance:
        self._attempt += 1
        document = {
            "run": "bench",
            "attempt": self._attempt,
            "store_uri": self._uri,
            "run_command": command,
            "lease_seconds": PATIENCE_SECONDS,
            "poll_seconds": 0.1,
            "checkpoint": {"path": "ckpt", "every_seconds": 60},
            **config,
        }
        request = LaunchRequest(
            token=f"bench-{self._attempt}",
            installation="bench",
            run="bench",
            attempt=self._attempt,
            offer=next(iter(self._provider.prices.offers())),
            nodes=1,
            node_config=document,
        )
        return self._compute.launch(request)[0]

    def _wait_until_ended(self, instance: Instance) -> None:
        def ended() -> bool:
            status = self._compute.poll([instance.id])[instance.id]
            return status.state is InstanceState.TERMINATED

        _wait_for(ended)

    def _messages(self, kind: str) -> list[Any]:
        messages = read_messages(self._store, self._attempt)
        return [message.document for message in messages if message.kind == kind]

    def _said_at(self, kind: str) -> float:
        [message] = self._messages(kind)
        return datetime.fromisoformat(message["at"]).astimezone(UTC).timestamp()


def _wait_for(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.05)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.save()
        rounds = [(bench.cold(), bench.standby(), bench.overtaken_standby()) for _ in range(ROUNDS)]
    print(
        f"to the job's first second, with a checkpoint of {CHECKPOINT_MB} MB and a setup of "
        f"{SETUP_SECONDS:g} s, medians of {ROUNDS} rounds:"
    )
    cold = statistics.median(times[0] for times in rounds)
    print(f"cold start                                     {cold:6.2f} s")
    for column, name in ((1, "standby, all staged"), (2, "standby, and then every file changed")):
        seconds = statistics.median(times[column] for times in rounds)
        ratio = statistics.median(times[0] / times[column] for times in rounds)
        print(f"{name:<46} {seconds:6.2f} s, {ratio:.1f} x faster")


if __name__ == "__main__":
    main()
