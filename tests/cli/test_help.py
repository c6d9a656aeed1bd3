"""`finsched --help` and `--version`: short, without the noise of types."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
import typer.main

from finsched.cli import app

COMMANDS = sorted(getattr(typer.main.get_command(app()), "commands", {}))


def finsched(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "finsched", *arguments], capture_output=True, text=True, check=True
    ).stdout


def test_the_version_is_the_installed_one() -> None:
    assert finsched("--version") == f"finsched {version('finsched')}\n"


def test_the_help_says_where_to_start() -> None:
    assert "Start here" in finsched("--help")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_names_units_and_no_types_of_ours(command: str) -> None:
    text = finsched(*command.split(), "--help")
    for noise in ("<bool>", "range>", "<int>", "<float>", "{job}", "[run]", "[name]"):
        assert noise not in text
