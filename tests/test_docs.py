"""The documents are true: their commands are run, their links lead somewhere, their words match."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

import finsched.model
from finsched import quoting, settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    language: str
    file: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*match.groups(default="")) for match in FENCE.finditer(page.read_text())]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user with an empty home, and finsched on the path."""
    (tmp_path / "home").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    summary = str(tmp_path / "summary.md")
    own = {"HOME": str(tmp_path / "home"), "PATH": path, "GITHUB_STEP_SUMMARY": summary}
    return {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ} | own


def shell(
    script: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


# --- every page --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target.split("#")[0] for target in LINK.findall(page.read_text())]
    missing = [
        target
        for target in targets
        if target and "://" not in target and not (page.parent / target).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_python_blocks_are_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_job_files_are_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        document = yaml.safe_load(block.text) if block.language == "yaml" else None
        if isinstance(document, dict) and {"resources", "run"} <= document.keys():
            job = tmp_path / "job.yaml"
            job.write_text(block.text)
            quoting.read_job(job, settings.load({"FINSCHED_CACHE_DIR": str(tmp_path)}))


# --- the glossary ------------------------------------------------------------------------------


def glossary() -> dict[str, str]:
    text = (DOCS / "reference" / "glossary.md").read_text()
    rows = re.findall(r"^\| ([A-Z][\w ]+) \| (.+) \|$", text, re.MULTILINE)
    return {word: meaning for word, meaning in rows if word != "Word"}


def model_classes() -> Iterator[tuple[str, type]]:
    modules = [
        importlib.import_module(f"finsched.model.{found.name}")
        for found in pkgutil.iter_modules(finsched.model.__path__)
    ]
    for module in [*modules, importlib.import_module("finsched.provider")]:
        for name, member in inspect.getmembers(module, inspect.isclass):
            if member.__module__ == module.__name__:
                yield name, member


def test_the_glossary_says_what_the_docstrings_say() -> None:
    meanings = glossary()
    words = {word: "".join(part.capitalize() for part in word.split()) for word in meanings}
    classes = dict(model_classes())
    compared = {word: classes[name] for word, name in words.items() if name in classes}
    different = {
        word: inspect.getdoc(cls)
        for word, cls in compared.items()
        if not " ".join((inspect.getdoc(cls) or "").split()).startswith(meanings[word])
    }
    assert not different
    assert len(compared) > 20


def test_the_glossary_is_in_order() -> None:
    assert list(glossary()) == sorted(glossary(), key=str.lower)


# --- continuous integration --------------------------------------------------------------------

CI_JOB = """
name: ci
resources: {cpus: 1}
work: {hours: 1}
checkpoint: {path: ckpt, size: 1MB, save_time: 1s}
workdir: .
run: python count.py
"""


def github_scripts() -> dict[str, str]:
    [recipe] = blocks(DOCS / "how-to" / "ci-github-actions.md")
    jobs = yaml.safe_load(recipe.text)["jobs"].values()
    return {step["name"]: step["run"] for job in jobs for step in job["steps"] if "run" in step}


def gitlab_scripts() -> dict[str, list[str]]:
    recipe = blocks(DOCS / "how-to" / "ci-gitlab.md")[0]
    jobs = yaml.safe_load(recipe.text)
    return {name: job["script"] for name, job in jobs.items() if "script" in job}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's repository: a job file and the job of the tutorial."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "job.yaml").write_text(CI_JOB)
    _write_files(DOCS / "tutorial" / "first-rehearsal.md", folder, only="count.py")
    return folder


def commands(page: Path) -> list[str]:
    """Every line of shell of a page."""
    return [
        line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()
    ]


def _write_files(page: Path, folder: Path, only: str = "") -> None:
    for block in blocks(page):
        if block.file and only in ("", block.file):
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)


def _assert_artifacts(folder: Path) -> None:
    quote, rehearsal, run = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("quote", "rehearsal", "run")
    )
    assert {document["schema_version"] for document in (quote, rehearsal, run)} == {1}
    assert 0 < quote["quotes"][0]["cost"]["total_usd"] <= 100
    assert rehearsal["verdict"]["passed"] is True
    assert run["outcome"] == "finished"
    assert {attempt["provider"] for attempt in run["account"]["attempts"]} == {"local"}


def quote_winner(folder: Path) -> str:
    name: str = json.loads((folder / "quote.json").read_text())["quotes"][0]["instance_type"]
    return name


def test_no_page_installs_what_is_not_on_pypi() -> None:
    promise = re.compile(r"pip install ['\"]?finsched\b")
    guides = [*(DOCS / "how-to").glob("*.md"), *(DOCS / "tutorial").glob("*.md"), DOCS / "index.md"]
    assert not [page.name for page in guides if promise.search(page.read_text())]


@pytest.mark.slow
def test_the_github_recipe_works(repository: Path, environment: dict[str, str]) -> None:
    scripts = github_scripts()
    assert "pip install" in scripts.pop("Install")
    for name, script in scripts.items():
        done = shell(script, repository, environment)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    _assert_artifacts(repository)
    assert quote_winner(repository) in Path(environment["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.mark.slow
def test_the_gitlab_recipe_works(repository: Path, environment: dict[str, str]) -> None:
    for name, script in gitlab_scripts().items():
        done = shell("\n".join(script), repository, environment)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    _assert_artifacts(repository)


@pytest.mark.slow
def test_the_gate_stops_a_training_that_costs_too_much(
    repository: Path, environment: dict[str, str]
) -> None:
    job = repository / "job.yaml"
    job.write_text(
        job.read_text().replace("{cpus: 1}", "{gpu: H100:8}").replace("hours: 1", "hours: 500")
    )
    gate = github_scripts()["Refuse a training that costs too much"]
    done = shell(gate, repository, environment)
    quote = json.loads((repository / "quote.json").read_text())

    assert done.returncode == 4
    assert quote["quotes"] == []
    assert "max_cost" in {rejection["code"] for rejection in quote["rejections"]}
    assert "over max_cost" in done.stderr


# --- the tutorial and the provider -------------------------------------------------------------


@pytest.mark.slow
def test_the_tutorial_works(tmp_path: Path, environment: dict[str, str]) -> None:
    page = DOCS / "tutorial" / "first-rehearsal.md"
    folder = tmp_path / "tutorial"
    folder.mkdir()
    _write_files(page, folder)
    script = "\n".join(block.text for block in blocks(page) if block.language == "sh")
    done = shell(script, folder, environment)

    assert done.returncode == 0, (done.stdout, done.stderr)
    starts = [int(step) for step in re.findall(r"^starting at (\d+)", done.stdout, re.MULTILINE)]
    assert len(starts) == 3
    assert 0 < starts[-1] < 200
    assert "leaving at 200" in done.stdout


@pytest.mark.slow
def test_a_job_that_does_not_resume_fails_the_rehearsal(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "tutorial"
    folder.mkdir()
    _write_files(DOCS / "tutorial" / "first-rehearsal.md", folder)
    job = folder / "count.py"
    job.write_text(job.read_text().replace("if resume_from else 0", "if False else 0"))
    done = shell("finsched launch job.yaml --rehearse --json", folder, environment)
    document: dict[str, Any] = json.loads(done.stdout)

    assert done.returncode == 6
    assert document["verdict"]["passed"] is False


@pytest.mark.slow
def test_the_resumable_job_ends_alike_with_and_without_interruptions(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    page = DOCS / "how-to" / "make-your-job-resumable.md"
    folder = tmp_path / "resumable"
    folder.mkdir()
    _write_files(page, folder)
    [alone, rehearsal, logs] = commands(page)[:3]
    assert alone == "python train.py"
    uninterrupted = shell(alone, folder, environment).stdout
    rehearsed = shell(f"{rehearsal} --json", folder, environment)
    verdict = json.loads(rehearsed.stdout)["verdict"]
    printed = shell(logs, folder, environment).stdout

    assert verdict["passed"], (verdict, rehearsed.stderr)
    assert verdict["interruptions"] == 2
    assert printed.count("starting at batch") == 3
    assert printed.splitlines()[-1] == uninterrupted.splitlines()[-1]
    assert uninterrupted.splitlines()[-1].startswith("slope ")


@pytest.mark.slow
def test_the_provider_of_the_how_to_conforms(tmp_path: Path, environment: dict[str, str]) -> None:
    _write_files(DOCS / "how-to" / "add-a-provider.md", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = f"{sys.executable} -m pytest -q -p no:cacheprovider test_acme.py"
    done = shell(command, tmp_path, environment)

    assert done.returncode == 0, done.stdout
    assert re.search(r"[3-9] passed", done.stdout), done.stdout
