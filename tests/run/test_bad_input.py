"""Bad input through the real command line: words, an exit code, no traceback."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from finsched.cli import app
from finsched.ledger import Ledger
from finsched.model.event import Submitted, Warned
from finsched.testing.builders import NOW, job

from .conftest import Machine

pytestmark = pytest.mark.slow


class _Refusing(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"<Error><Code>NoSuchBucket</Code></Error>")

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def no_bucket() -> Iterator[str]:
    """An endpoint that answers as S3 does for a bucket that does not exist."""
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_run_that_cannot_be_read_hides_no_other(machine: Machine) -> None:
    ledger = Ledger(machine.state_dir / "ledger.sqlite")
    ledger.append("good-1", Submitted(job=job(), store_uri=""), NOW)
    ledger.append("bad-1", Warned(attempt=1, text="nothing before"), NOW)
    ledger.append("good-2", Submitted(job=job(), store_uri=""), NOW)
    listed = machine.document("runs")["runs"]
    assert [run["run"] for run in listed] == ["good-2", "good-1"]
    assert "run bad-1" in machine.errors
    machine.finsched("status", "bad-1", code=1)
    assert "run bad-1" in machine.errors


def test_a_ledger_deleted_under_a_run_ends_it_with_exit_1(machine: Machine) -> None:
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    for file in machine.state_dir.glob("ledger.sqlite*"):
        file.unlink()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert "deleted or replaced" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "store",
    ["http://x/y", "foo://x", "s3://", "s3:///folder", "file://folder/x", "://", "http://[/a"],
)
def test_a_store_of_an_unknown_kind_is_refused_in_a_line(machine: Machine, store: str) -> None:
    machine.finsched("launch", machine.job(), "--store", store, code=2)
    message, fix = machine.errors.splitlines()
    assert store in message
    assert "s3://bucket/folder" in fix
    assert not machine.document("runs")["runs"]


@pytest.mark.parametrize("workdir", ["", "workdir: work\n"])
def test_a_store_that_takes_nothing_is_found_out_before_the_run(
    machine: Machine, workdir: str
) -> None:
    job = machine.job()
    job.write_text(job.read_text().replace("workdir: work\n", workdir))
    (machine.folder / "file").write_text("where the store's folder should be")
    machine.finsched("launch", job, "--store", machine.folder / "file" / "store", code=1)
    assert "the run's store cannot be used: cannot open" in machine.errors
    assert not machine.document("runs")["runs"]


def test_a_bucket_that_is_not_there_is_found_out_before_the_run(
    machine: Machine, no_bucket: str
) -> None:
    machine.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    machine.environ |= {"AWS_ENDPOINT_URL": no_bucket, "AWS_ALLOW_HTTP": "true"}
    job = machine.job()
    job.write_text(job.read_text().replace("workdir: work\n", ""))
    machine.finsched("launch", job, "--store", "s3://no-such-bucket/runs", code=1)
    assert "cannot write to s3://no-such-bucket/runs/count-" in machine.errors
    assert not machine.document("runs")["runs"]


@pytest.mark.parametrize(
    "wrong",
    [
        "--speed=1e300",
        "--speed=inf",
        "--speed=nan",
        "--hazard=1e300",
        "--hazard=inf",
        "--hazard=nan",
        "--interruptions=1000000000",
        "--max-cost=inf",
        "--max-cost=nan",
        "--max-hourly=inf",
    ],
)
def test_a_number_beyond_all_sense_is_a_usage_error(wrong: str) -> None:
    ended = CliRunner().invoke(app(), ["launch", "job.yaml", "--rehearse", wrong])
    assert ended.exit_code == 2
    assert f"Invalid value for '{wrong.partition('=')[0]}'" in ended.output


@pytest.mark.parametrize("command", ["quote", "resume"])
def test_money_is_finite_wherever_it_is_given(command: str) -> None:
    ended = CliRunner().invoke(app(), [command, "job", "--max-cost=inf"])
    assert ended.exit_code == 2
    assert "not a finite number" in ended.output
