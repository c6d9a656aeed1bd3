"""The layout of the repository: packages, sizes, imports and words that no linter checks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer.main

from finsched.cli import app

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    file
    for folder in ("finsched", "providers", "catalogs", "tools", "examples", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
)
PROVIDERS = sorted(folder.name for folder in (ROOT / "providers").glob("finsched_*"))
MODULE_LINES = 400
FUNCTION_LINES = 60


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 50
    assert "finsched_local" in PROVIDERS


@pytest.mark.parametrize("package", PROVIDERS)
def test_every_provider_folder_is_registered(package: str) -> None:
    name = package.removeprefix("finsched_")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = project["entry-points"]
    [group] = {
        group for group, declared in groups.items() if declared.get(name) == f"{package}:provider"
    } or {"add it to pyproject.toml"}
    installed = {entry.name for entry in entry_points(group=group)}
    assert name in installed, "install again: pip install --editable ."


@pytest.mark.parametrize("package", PROVIDERS)
def test_every_provider_has_a_conformance_test(package: str) -> None:
    folder = ROOT / "tests" / "providers" / package.removeprefix("finsched_")
    bases = {
        base
        for file in folder.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        for base in map(ast.unparse, node.bases)
    }
    assert any(base.endswith("ProviderConformance") for base in bases), f"none in {folder.name}"


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_modules_are_short(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= MODULE_LINES, f"{lines} lines: it holds more than one idea"


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_functions_are_short(file: Path) -> None:
    long = [
        f"{node.name} has {length} lines"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long


@pytest.mark.parametrize("file", sorted((ROOT / "finsched" / "decide").rglob("*.py")), ids=_name)
def test_decide_asks_for_no_time_and_writes_nothing(file: Path) -> None:
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
    }
    impure = {"print", "open", "input", "datetime.now", "datetime.utcnow", "date.today"}
    assert not calls & impure


# --- what is loaded when ----------------------------------------------------------------------

LIGHT = """
import runpy, sys
sys.argv = ["finsched", *{arguments!r}]
try:
    {action}
except SystemExit as end:
    assert not end.code, end.code
heavy = {heavy!r}
print([name for name in sys.modules if name.split(".")[0] in heavy], file=sys.stderr)
"""
SDKS = {"boto3", "botocore", "google", "azure", "sky"}
NEVER_FOR_HELP = {"numpy", "pydantic", "yaml", "obstore", "sklearn", *SDKS, *PROVIDERS}


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("import finsched", []),
        ("import finsched.cli", []),
        ("import finsched.cli; finsched.cli.main()", ["--help"]),
    ],
    ids=["the package", "the command line", "finsched --help"],
)
def test_nothing_heavy_is_loaded_by(action: str, arguments: list[str]) -> None:
    script = LIGHT.format(action=action, arguments=arguments, heavy=sorted(NEVER_FOR_HELP))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_a_quote_loads_no_sdk_and_no_numpy() -> None:
    """It asks the installed clouds whether they are set up here, which takes no SDK."""
    job = str(ROOT / "examples" / "digits" / "job.yaml")
    heavy = {"numpy", "obstore", "finsched_local", *SDKS}
    script = LIGHT.format(
        action="import finsched.cli; finsched.cli.main()",
        arguments=["quote", job, "--json"],
        heavy=sorted(heavy),
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr.strip() == "[]"


# --- what the repository says ------------------------------------------------------------------


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_file_names_the_machine_it_was_made_on() -> None:
    machine = re.compile(r"(?<![\w.])/(?:home/\w|root/|work/|Users/\w|tmp/\w+/)")
    found = [
        f"{_name(file)}: {match.group()}"
        for file in _tracked()
        if file != Path(__file__) and file.is_file()
        for match in machine.finditer(file.read_text(errors="replace"))
    ]
    assert not found


def test_every_command_and_option_is_in_the_reference() -> None:
    commands = getattr(typer.main.get_command(app()), "commands", {})
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text()
    sections = dict(
        re.findall(r"^## finsched ([\w-]+)\n(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
    )
    sections["quote"] += (ROOT / "docs" / "reference" / "cli-quote.md").read_text()
    missing = [
        f"{name} {option}"
        for name, command in commands.items()
        for option in _options(command)
        if f"`{option}" not in sections[name]
    ]
    assert sections.keys() == commands.keys()
    assert not missing


def _options(command: Any) -> Iterator[str]:
    for part in getattr(command, "commands", {}).values():
        yield from _options(part)
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            yield from parameter.opts
