"""`finsched check gcp` and `finsched sweep gcp`, as a person calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.ledger import Ledger
from finsched.model.event import AttemptEnded, Ended, Intended, Launched, Submitted
from finsched.model.run import AttemptEnd, Outcome
from finsched.run.home import installation
from finsched.testing.builders import job
from finsched.testing.runs import placement

from .conftest import Lab, launch_request, offer
from .gce import NODE_ACCOUNT, PROJECT

pytestmark = pytest.mark.slow

Finsched = Callable[..., Any]


@pytest.fixture
def finsched(lab: Lab, tmp_path: Path) -> Finsched:
    """Return what calls the command line and reads its JSON."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[gcp]\nproject = "{PROJECT}"\nservice_account = "{NODE_ACCOUNT}"\n'
        f'endpoint = "{lab.url}"\nregions = ["us-central1"]\n'
    )
    environ = {
        **os.environ,
        "FINSCHED_CONFIG": str(config),
        "FINSCHED_STATE_DIR": str(tmp_path / "state"),
        "FINSCHED_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONWARNINGS": "default",
    }

    def call(*arguments: str, code: int = 0) -> Any:
        command = [sys.executable, "-m", "finsched", *arguments, "--json"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    return call


def left_behind(lab: Lab, state: Path, run: str = "dead", nodes: int = 2) -> list[str]:
    """Launch a run's machines and end it in the ledger, which the machines do not hear."""
    began = datetime.now(UTC) - timedelta(hours=3)
    ledger = Ledger(state / "ledger.sqlite")
    ledger.append(run, Submitted(job=job(name=run), store_uri=(state / run).as_uri()), began)
    token, chosen = f"{run}-1", placement(offer(), nodes=nodes)
    ledger.append(run, Intended(attempt=1, token=token, provider="gcp", placement=chosen), began)
    compute = lab.provider().compute
    assert compute
    request = launch_request(token, run=run, installation=installation(state), nodes=nodes)
    ids = tuple(each.id for each in compute.launch(request))
    ledger.append(run, Launched(attempt=1, instance_ids=ids, billing_from=began), began)
    ledger.append(run, AttemptEnded(attempt=1, end=AttemptEnd.FINISHED), began)
    ledger.append(run, Ended(outcome=Outcome.FINISHED), began)
    ledger.close()
    return list(ids)


def test_a_check_says_that_all_is_well(finsched: Finsched) -> None:
    told = finsched("check", "gcp")
    findings = {each["name"]: each for each in told["findings"] if each["about"] == "gcp"}
    assert {each["verdict"] for each in findings.values()} <= {"ok", "unknown"}
    assert {"project", "permissions", "image", "network in us-central1"} <= findings.keys()


def test_a_check_fails_where_something_is_missing(lab: Lab, finsched: Finsched) -> None:
    lab.cloud.accounts.clear()
    told = finsched("check", "gcp", code=5)
    problems = [each for each in told["findings"] if each["verdict"] == "problem"]
    assert [each["name"] for each in problems] == ["service account"]
    assert problems[0]["fix"]


def test_a_sweep_finds_and_deletes_what_a_run_left(
    lab: Lab, finsched: Finsched, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    left_behind(lab, tmp_path / "state")
    lab.gce.add("disks", "us-central1-a", "a-persons", sizeGb="10", type="x")
    told = finsched("sweep", "gcp")
    found = [(each["kind"], each["run"]) for each in told["resources"]]
    assert sorted(found, key=str) == [
        ("disk", "dead"),
        ("disk", "dead"),
        ("firewall", "dead"),
        ("firewall", None),
        ("instance", "dead"),
        ("instance", "dead"),
    ]
    assert len(lab.instances()) == 2, "without --apply nothing changes"
    finsched("sweep", "gcp", "--apply")
    assert lab.instances() == []
    assert [name for _, name in lab.gce.resources["disks"]] == ["a-persons"]
    [shared] = lab.gce.resources["firewalls"].values()
    assert "denied" in shared, "the rule that closes the machines of all runs stays"
