"""The Python API of metrics: the runs of this installation as OpenMetrics, once or served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from finsched import settings
from finsched.observe.held import HeldRuns
from finsched.observe.metrics_server import MetricsServer, address
from finsched.observe.open_metrics import exposition
from finsched.run.home import open_ledger
from finsched.run.present import present_moment


def metrics() -> str:
    """Return the metrics of the real runs that go on, or ended less than an hour ago."""
    return _source()()


def server(where: str) -> MetricsServer:
    """Return a server of the metrics at `host:port`, which listens and does not serve yet."""
    return MetricsServer(*address(where), _source())


def _source() -> Callable[[], str]:
    held = HeldRuns(open_ledger(settings.load().state_dir))
    return lambda: exposition([(run, present_moment(run)) for run in held.look(datetime.now(UTC))])
