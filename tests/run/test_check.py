"""`finsched check` on this computer: what is well is ok, what would fail a launch is a problem."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched.ledger import Ledger
from finsched.model.job import Where
from finsched.model.run import Outcome
from finsched.node.objects import Objects, StoredObject, StoreError
from finsched.node.store import Store
from finsched.provider import Quota, Verdict
from finsched.run.checking import judged_quotas, reach_of_store, store_works, try_store
from finsched.testing.builders import job
from finsched_local.checks import LocalChecks

from .conftest import Machine

CLOUD_JOB = """
name: cloudy
resources: {gpu: H100:8}
work: {hours: 1}
checkpoint: {path: ckpt, size: 1GB, save_time: 10s}
run: python train.py
"""


def verdicts(document: Any) -> dict[str, str]:
    return {f"{each['about']}: {each['name']}": each["verdict"] for each in document["findings"]}


def problems(document: Any) -> dict[str, Any]:
    return {each["name"]: each for each in document["findings"] if each["verdict"] == "problem"}


def test_a_folder_is_no_store_for_machines_of_a_cloud() -> None:
    folder, bucket = "file:///srv/runs/runs", "s3://acme/runs"
    here = job(where=Where(clouds=("local",)))
    [hint] = reach_of_store("aws", folder, None)
    [told] = reach_of_store("aws", folder, job(where=Where(clouds=("aws", "local"))))
    assert (hint.verdict, told.verdict) == (Verdict.UNKNOWN, Verdict.PROBLEM)
    assert "s3://" in told.fix
    assert not list(reach_of_store("aws", folder, here))
    assert not list(reach_of_store("aws", bucket, job()))


# --- the whole command ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_computer_that_can_launch_has_no_problem(machine: Machine) -> None:
    machine.environ.update(without_aws(machine.folder))
    document = machine.document("check", "local", machine.job())
    assert document["passed"]
    assert set(verdicts(document).values()) == {"ok"}
    assert {each["about"] for each in document["findings"]} == {
        "this computer",
        "store",
        "local",
        "job",
    }
    assert not list((machine.state_dir / "store").rglob("check/*"))
    schema = json.loads(machine.finsched("schema", "check"))
    jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.slow
def test_a_provider_that_nobody_asked_for_is_no_problem_and_one_that_is_named_is(
    machine: Machine,
) -> None:
    machine.environ.update(without_aws(machine.folder))
    assert verdicts(machine.document("check"))["aws: set up"] == "unknown"
    named = machine.document("check", "aws", code=5)
    assert "aws configure" in problems(named)["set up"]["fix"]
    assert "1 problem" in machine.finsched("check", "aws", code=5)


@pytest.mark.slow
def test_addresses_of_notifications_are_read_and_told_nothing(machine: Machine) -> None:
    machine.environ.update(without_aws(machine.folder))
    machine.environ["FINSCHED_NOTIFY_URLS"] = "json://127.0.0.1:1/canary nonsense:canary"
    document = machine.document("check", "local", code=5)
    told = {name: verdict for name, verdict in verdicts(document).items() if "notif" in name}
    assert told == {
        "notifications: address 1 (json)": "ok",
        "notifications: address 2 (nonsense)": "problem",
    }
    assert "canary" not in json.dumps(document)


@pytest.mark.slow
def test_a_store_without_credentials_is_told_in_words(machine: Machine) -> None:
    machine.environ.update(without_aws(machine.folder))
    machine.environ["AWS_METADATA_ENDPOINT"] = "http://127.0.0.1:1"
    machine.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    machine.settings('store = "s3://acme-ckpt/runs"')
    document = machine.document("check", "local", code=5)
    detail = problems(document)["write"]["detail"]
    assert detail == (
        "cannot write to s3://acme-ckpt/runs: no credentials for it are configured here"
    )


@pytest.mark.slow
def test_a_job_that_would_not_be_launched_is_a_problem(machine: Machine) -> None:
    machine.environ.update(without_aws(machine.folder))
    machine.settings('required_tags = ["team"]')
    path = machine.folder / "cloudy.yaml"
    path.write_text(CLOUD_JOB + "secrets: [NOT_SET]\n")
    found = [
        each
        for each in machine.document("check", "local", path, code=5)["findings"]
        if each["verdict"] == "problem"
    ]
    assert {each["name"] for each in found} == {"secrets", "placement"}
    details = " ".join(each["detail"] for each in found)
    assert "NOT_SET" in details
    assert "team" in details
    assert all(each["fix"] for each in found)


@pytest.mark.slow
def test_settings_that_cannot_be_read_are_a_finding(machine: Machine) -> None:
    machine.settings("stoer = 1")
    document = machine.document("check", code=5)
    assert "did you mean store" in problems(document)["settings"]["fix"]


@pytest.mark.slow
def test_a_wrong_job_file_and_an_unknown_provider_are_refused(machine: Machine) -> None:
    wrong = machine.folder / "wrong.yaml"
    wrong.write_text("run: x\n")
    machine.finsched("check", wrong, code=2)
    machine.finsched("check", "nimbus", code=2)
    machine.finsched("check", "a.yaml", "b.yaml", code=2)


@pytest.mark.slow
def test_a_damaged_ledger_an_open_state_directory_and_a_dead_store_are_problems(
    machine: Machine,
) -> None:
    machine.settings('store = "file:///proc/nowhere"')
    machine.state_dir.mkdir()
    machine.state_dir.chmod(0o755)
    (machine.state_dir / "ledger.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    found = problems(machine.document("check", "local", code=5))
    assert set(found) == {"state directory", "ledger", "write"}
    assert "chmod 700" in found["state directory"]["fix"]


@pytest.mark.slow
def test_a_ledger_of_a_newer_finsched_is_a_problem(machine: Machine) -> None:
    ledger = Ledger(machine.state_dir / "ledger.sqlite")
    ledger.close()
    with sqlite3.connect(machine.state_dir / "ledger.sqlite") as connection:
        connection.execute(
            "INSERT INTO events (run, at, kind, body) VALUES ('r', 'now', 'Unheard', '{}')"
        )
    connection.close()
    assert "Unheard" in problems(machine.document("check", "local", code=5))["ledger"]["detail"]


@pytest.mark.slow
def test_a_live_smoke_says_its_price_launches_and_leaves_nothing(machine: Machine) -> None:
    machine.environ.update(without_aws(machine.folder))
    machine.settings("local_price_usd_per_hour = 3.0")
    document = machine.document("check", "local", "--live-smoke", "--yes")
    assert "at most $1.00" in machine.errors
    assert machine.errors.index("at most") < machine.errors.index("submitted")
    assert document["findings"][-1]["name"] == "live smoke"
    assert document["passed"]
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    assert run.job.budget.max_cost_usd == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["local"], 2), (["--yes"], 2), (["local", "aws", "--yes"], 2), (["aws", "--yes"], 5)],
    ids=["nobody can be asked", "no provider", "two providers", "a provider with a problem"],
)
def test_a_live_smoke_buys_nothing_without_a_clear_word(
    machine: Machine, arguments: list[str], code: int
) -> None:
    machine.environ.update(without_aws(machine.folder))
    machine.finsched("check", *arguments, "--live-smoke", code=code)
    assert not (machine.state_dir / "local").exists()


def without_aws(folder: Path) -> Mapping[str, str]:
    """An environment in which nobody has set AWS up."""
    found = {name: "" for name in os.environ if name.startswith("AWS_")}
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    return {**found, **{name: str(folder / "none") for name in files}}


# --- the store -----------------------------------------------------------------------------------


class Careless:
    """A store that forgets one promise: it overwrites, garbles, or does not delete."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._held: dict[str, bytes] = {}

    def create(self, key: str, content: bytes) -> bool:
        if self._fault == "refuses":
            raise StoreError("no")
        if key in self._held and self._fault != "overwrites":
            return False
        self._held[key] = content
        return True

    def get(self, key: str) -> bytes:
        return b"?" if self._fault == "garbles" else self._held[key]

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        return []

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        raise NotImplementedError

    def download(self, key: str) -> Iterator[bytes]:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        if self._fault == "keeps":
            raise StoreError("no permission")
        del self._held[key]


def careless(fault: str) -> Store:
    def opened(uri: str, options: Mapping[str, Any]) -> Objects:
        return Careless(fault)

    return Store("mem://x", opener=opened)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("none", set()),
        ("overwrites", {"create once"}),
        ("garbles", {"read", "create once"}),
        ("keeps", {"use"}),
        ("refuses", {"write"}),
    ],
)
def test_a_store_that_breaks_a_promise_is_found_out(fault: str, problem: set[str]) -> None:
    found = list(try_store(careless(fault)))
    assert {each.name for each in found if each.verdict is Verdict.PROBLEM} == problem


def test_a_folder_is_a_store_and_keeps_nothing_of_the_probe(tmp_path: Path) -> None:
    found = list(store_works(tmp_path.as_uri()))
    assert {each.verdict for each in found} == {Verdict.OK}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def quota(have: float) -> Quota:
    return Quota(name="P spot", code="L-1", region="r", unit="vCPU", have=have, need=96.0)


@pytest.mark.parametrize(
    ("quotas", "verdicts"),
    [
        ([quota(96)], ["ok"]),
        ([quota(95)], ["problem"]),
        ([None], ["unknown"]),
        ([quota(0), quota(8)], ["problem", "problem"]),
        ([quota(0), quota(192)], ["unknown", "ok"]),
        ([quota(0), None], ["unknown", "unknown"]),
        ([], []),
    ],
)
def test_a_quota_is_a_problem_where_no_offer_has_one(
    quotas: list[Quota | None], verdicts: list[str]
) -> None:
    found = list(judged_quotas({f"offer {n}": each for n, each in enumerate(quotas)}))
    assert [each.verdict for each in found] == verdicts
    short = [each for each, asked in zip(found, quotas, strict=True) if asked and asked.have < 96]
    assert all("L-1" in each.fix for each in short)


def test_this_computer_holds_locks_and_leaves_no_file(tmp_path: Path) -> None:
    found = {each.name: each for each in LocalChecks(tmp_path / "local").run(None)}
    assert found["locks"].verdict is Verdict.OK
    assert found["process tree"].verdict is Verdict.OK
    assert not list((tmp_path / "local").iterdir())
