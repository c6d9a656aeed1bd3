"""What every command prints with --json is what its published schema says."""

import json

import jsonschema
import pytest

from .conftest import Machine
from .test_rehearsal import gpu_job

pytestmark = pytest.mark.slow


@pytest.fixture
def machine_with_a_run(machine: Machine) -> Machine:
    job = gpu_job(machine, STEPS="120")
    document = machine.document("launch", job, "--rehearse", "--interruptions", "1", "--seed", "5")
    check(machine, "launch", document)
    return machine


def check(machine: Machine, name: str, document: object) -> None:
    schema = json.loads(machine.finsched("schema", name))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())


def test_every_document_is_as_published(machine_with_a_run: Machine) -> None:
    machine = machine_with_a_run
    for name, arguments in {
        "status": [],
        "report": [],
        "runs": [],
        "gpus": [],
        "validate": [machine.folder / "job.yaml"],
        "quote": [machine.folder / "job.yaml"],
    }.items():
        check(machine, name, machine.document(name, *arguments))
    check(machine, "gpus", machine.document("gpus", "H100"))


def test_a_wrong_job_file_is_a_document_too(machine: Machine) -> None:
    path = machine.folder / "wrong.yaml"
    path.write_text("run: x\nresources: {gpuu: 1}\n")
    check(machine, "validate", machine.document("validate", path, code=2))
