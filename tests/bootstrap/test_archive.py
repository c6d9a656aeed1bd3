"""The archives and the script: the same bytes everywhere, for the oldest Python, within limits."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched import node
from finsched.bootstrap import archive
from finsched.bootstrap.access import (
    AccessRules,
    AwsRole,
    EntraApplication,
    GoogleIdentity,
    access_document,
)
from finsched.bootstrap.delivery import latest_end
from finsched.bootstrap.place import (
    MOST_BYTES,
    DeleteInstance,
    DeleteVirtualMachine,
    Place,
    PowerOff,
)
from finsched.bootstrap.user_data import Fetched, Plan, user_data
from finsched.errors import InvalidRequest

FOLDER = Path(node.__file__).parent
SOURCES = sorted(FOLDER.rglob("*.py"))


def plan(path: str = "/runs/r1/node/x.zip") -> Plan:
    fetched = Fetched(path=path, sha256="0" * 64)
    return Plan(
        place=Place(cloud="aws"),
        scheme="s3",
        access={"cloud": "aws", "by": "own"},
        address="https://bucket.s3.eu-west-1.amazonaws.com",
        region="eu-west-1",
        artefact=fetched,
        config=fetched,
        log_path="/runs/r1/node/000001.log",
        end_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


def test_the_same_sources_are_the_same_bytes() -> None:
    files = {"b": b"2", "a": b"1"}
    assert archive.archive(files) == archive.archive(dict(sorted(files.items())))
    assert archive.archive(files).sha256 != archive.archive({"a": b"1"}).sha256
    here = archive.agent().sha256
    ask = "from finsched.bootstrap import archive; print(archive.agent().sha256)"
    there = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_user_data_carries_the_same_program_without_its_words() -> None:
    content = archive.loader(frozenset({"identity.aws", "identity.sigv4"})).content
    packed = zipfile.ZipFile(BytesIO(content))
    for name in packed.namelist():
        if name.startswith("finsched/node/") and not name.endswith("__init__.py"):
            source = (FOLDER / name.removeprefix("finsched/node/")).read_text()
            assert ast.dump(wordless(source)) == ast.dump(wordless(packed.read(name).decode()))


def wordless(source: str) -> ast.Module:
    """The tree of a module without docstrings; a body of nothing else is `pass`."""
    tree = ast.parse(source)
    for each in ast.walk(tree):
        with_words = isinstance(each, ast.Module | ast.ClassDef | ast.FunctionDef)
        if with_words and ast.get_docstring(each):
            del each.body[0]
            each.body = each.body or [ast.Pass()]
    return tree


def test_the_agent_is_complete() -> None:
    packed = zipfile.ZipFile(BytesIO(archive.agent().content))
    modules = {f"finsched/node/{source.relative_to(FOLDER)}" for source in SOURCES}
    assert set(packed.namelist()) == modules | {"__main__.py", "finsched/__init__.py"}
    assert packed.read("finsched/node/agent.py") == (FOLDER / "agent.py").read_bytes()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_node_is_written_for_python_3_10_and_its_standard_library(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 10))
    imported = {
        (name.name if isinstance(each, ast.Import) else each.module or "").split(".")[0]
        for each in ast.walk(tree)
        if isinstance(each, ast.Import | ast.ImportFrom)
        for name in each.names
    }
    others = {"obstore", "boto3", "azure"} if source.name == "remote.py" else set()
    newer = {"tomllib", "wsgiref"}
    assert imported <= (sys.stdlib_module_names - newer) | {"finsched"} | others


def test_user_data_leaves_room_and_is_refused_where_it_has_none() -> None:
    most = MOST_BYTES["aws"]
    assert len(user_data(plan()).encode()) < 0.75 * most
    with pytest.raises(InvalidRequest, match="user data"):
        user_data(plan("/" + "x" * most))


RULES = {
    "s3": AwsRole(role_arn="arn:aws:iam::123456789012:role/finsched-node"),
    "gs": GoogleIdentity(
        provider="//iam.googleapis.com/projects/123456789012/locations/global"
        "/workloadIdentityPools/finsched/providers/aws-nodes",
        service_account="finsched-node@acme-research-project.iam.gserviceaccount.com",
        audience="api://00000000-0000-0000-0000-000000000000",
    ),
    "az": EntraApplication(tenant_id="0" * 36, client_id="0" * 36),
}


@pytest.mark.parametrize("scheme", RULES)
@pytest.mark.parametrize("cloud", MOST_BYTES)
def test_user_data_has_room_for_every_way_to_a_store(cloud: str, scheme: str) -> None:
    access = access_document(AccessRules(**RULES), cloud, "0" * 36, "ap-southeast-2", scheme)
    endings = {"aws": PowerOff(), "gcp": DeleteInstance(), "azure": DeleteVirtualMachine()}
    place = Place(cloud=cloud, ending=endings[cloud], identity="0" * 36)
    key = "/acme-checkpoints-of-the-lab/runs/" + "x" * 64
    long = replace(plan(key), place=place, scheme=scheme, access=access)
    assert len(user_data(long).encode()) < 0.97 * MOST_BYTES[cloud]


@given(st.text(max_size=60))
def test_nothing_in_a_plan_leaves_its_document(path: str) -> None:
    script = user_data(plan(path))
    [start] = [
        i for i, line in enumerate(script.splitlines()) if line.startswith("cat > plan.json")
    ]
    document, end = script.splitlines()[start + 1 : start + 3]
    assert document.startswith("{")
    assert document.isascii()
    assert end == "END"


def test_bash_understands_the_script() -> None:
    command = ["bash", "-n"]
    subprocess.run(command, input=user_data(plan()), text=True, check=True)


def test_the_end_of_a_machine_follows_its_earliest_limit() -> None:
    stops = [{"at": "2026-03-01T12:00:00+00:00", "reason": "deadline"}]
    stops.append({"at": "2026-03-01T11:00:00Z", "reason": "budget"})
    config = {"stop_at": stops, "reserve_seconds": 60.0}
    assert latest_end(config) == datetime(2026, 3, 1, 11, 3, tzinfo=UTC)
    assert latest_end({}) is None
