"""The wheel holds what is ours, works away from the checkout, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

ROOT = Path(__file__).parents[1]

# Leaves the checkout out: only the installed wheel and the libraries of this environment count.
AWAY_FROM_THE_CHECKOUT = """
import sys
sys.path = [sys.argv.pop(1)] + [entry for entry in sys.path if not entry.startswith({root!r})
                                or "site-packages" in entry]
"""

ASK = """
import json
from importlib.metadata import distribution
from importlib.resources import files
import finsched, finsched_aws, finsched_catalogs, finsched_local
ours = (finsched, finsched_aws, finsched_catalogs, finsched_local)
modules = [module.__file__ for module in ours]
entry_points = distribution("finsched").entry_points.select(group="finsched.providers")
tables = files("finsched_catalogs")
print(json.dumps({
    "modules": modules,
    "providers": sorted({entry.name for entry in entry_points}),
    "gpus": tables.joinpath("gpus.csv").read_text().splitlines()[0],
    "offers": len(list(tables.joinpath("offers").iterdir())),
}))
"""

RUN = """
import sys
from finsched.cli import main
sys.argv[0] = "finsched"
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    [built] = folder.glob("finsched-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _python(code: str, installed: Path, folder: Path, *arguments: str) -> str:
    script = AWAY_FROM_THE_CHECKOUT.format(root=str(ROOT)) + code
    command = [sys.executable, "-I", "-c", script, str(installed), *arguments]
    own = {"FINSCHED_CACHE_DIR": str(folder / "cache"), "FINSCHED_STATE_DIR": str(folder / "state")}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_top_level_name_is_ours(installed: Path) -> None:
    names = {entry.name for entry in installed.iterdir()} - {"bin"}
    assert names
    assert all(name.startswith("finsched") for name in names), names


def test_the_wheel_holds_no_tests_and_no_leftovers(installed: Path) -> None:
    files = {file.relative_to(installed).as_posix() for file in installed.rglob("*")}
    assert not [name for name in files if "/tests" in name or name.endswith((".db", ".sqlite"))]
    typed = {name for name in files if name.endswith("/py.typed")}
    packages = ("finsched", "finsched_aws", "finsched_catalogs", "finsched_local")
    assert {f"{package}/py.typed" for package in packages} <= typed
    assert any(name.endswith("licenses/LICENSE") for name in files)


def test_packages_providers_and_catalogs_come_from_the_wheel(
    installed: Path, tmp_path: Path
) -> None:
    answer = json.loads(_python(ASK, installed, tmp_path))
    assert all(module.startswith(str(installed)) for module in answer["modules"])
    assert {"aws", "local"} <= set(answer["providers"])
    assert answer["gpus"].startswith("name,")
    assert answer["offers"] > 20


def test_the_command_line_works_from_another_directory(installed: Path, tmp_path: Path) -> None:
    assert "quote" in _python(RUN, installed, tmp_path, "--help")
    job = ROOT / "examples" / "digits" / "job.yaml"
    document = json.loads(_python(RUN, installed, tmp_path, "quote", str(job), "--json"))
    assert len(document["quotes"]) > 20
