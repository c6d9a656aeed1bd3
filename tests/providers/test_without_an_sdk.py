"""Where a cloud's libraries are not installed, its provider says how to get them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT = """
import importlib, sys
sys.path += sys.argv[2:]
from finsched.errors import NotConfigured
try:
    importlib.import_module("finsched_" + sys.argv[1]).provider(None)
except NotConfigured as problem:
    print(problem.message, "|", problem.fix)
"""


@pytest.mark.parametrize(
    ("name", "library"),
    [("aws", "boto3"), ("azure", "azure-identity"), ("gcp", "google-cloud-compute")],
)
def test_it_says_how_to_get_them(name: str, library: str) -> None:
    command = [sys.executable, "-S", "-c", WITHOUT, name, str(ROOT), str(ROOT / "providers")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = f"{name} needs {library} | pip install 'finsched[{name}]'\n"
    assert done.stdout == expected, done.stderr
