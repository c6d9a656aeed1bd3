"""Real packages: each test lays out a distribution on disk and looks from a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finsched import plugins
from finsched.errors import NotConfigured, SpecError
from finsched.settings import load as load_settings

GOOD = """
from finsched.provider import Provider

class Prices:
    def offers(self):
        return ()
    def terms(self):
        raise NotImplementedError
    def accelerators(self):
        return ()

def provider(settings):
    return Provider(name="acme", prices=Prices())
"""

ASK = """
import sys
from pathlib import Path
from finsched import plugins, settings
from finsched.errors import FinschedError
here = settings.load({"FINSCHED_STATE_DIR": "/nowhere"})
print(",".join(plugins.names()), any(n.startswith("acme_") for n in sys.modules))
try:
    print(plugins.load("acme", here).name, "finsched_local" in sys.modules)
except FinschedError as error:
    print(type(error).__name__, error.message, "|", error.fix)
"""


def install(folder: Path, distribution: str, module: str, source: str, name: str = "acme") -> None:
    """Lay a distribution out as pip would."""
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    entry = f"[finsched.providers]\n{name} = {module}:provider\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")


def ask(folder: Path) -> list[str]:
    environ = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-W", "error", "-c", ASK]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_third_party_package_is_found_and_alone_imported(tmp_path: Path) -> None:
    install(tmp_path, "acme-gpus", "acme_gpus", GOOD)
    listed, loaded = ask(tmp_path)
    names, _, others_loaded = listed.partition(" ")
    assert {"acme", "local"} <= set(names.split(","))
    assert others_loaded == "False"
    assert loaded == "acme False"


def test_two_packages_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    install(tmp_path, "acme-gpus", "acme_gpus", GOOD)
    install(tmp_path, "acme-rival", "acme_rival", GOOD)
    _, refused = ask(tmp_path)
    assert refused == (
        "ProviderProblem the provider 'acme' is registered by acme-gpus and acme-rival"
        " | uninstall all but one of them"
    )


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise RuntimeError('half written')", "RuntimeError: half written"),
        ("import no_such_sdk", "ModuleNotFoundError: No module named 'no_such_sdk'"),
        ("x = 1", "AttributeError"),
        ("provider = 3", "TypeError"),
        ("def provider(settings): return settings", "did not hand over a provider"),
        (GOOD.replace('"acme"', '"other"'), "did not hand over a provider of that name"),
    ],
)
def test_a_broken_package_is_a_problem_not_a_traceback(
    tmp_path: Path, source: str, problem: str
) -> None:
    install(tmp_path, "acme-gpus", "acme_gpus", source)
    _, refused = ask(tmp_path)
    assert refused.startswith("ProviderProblem the provider 'acme' of acme-gpus is broken: ")
    assert problem in refused
    assert refused.endswith("| update or uninstall acme-gpus")


def test_what_a_provider_says_of_its_configuration_passes_through(tmp_path: Path) -> None:
    source = """
from finsched.errors import NotConfigured
def provider(settings):
    raise NotConfigured("ACME_TOKEN is not set", fix="export it")
"""
    install(tmp_path, "acme-gpus", "acme_gpus", source)
    assert ask(tmp_path)[1] == "NotConfigured ACME_TOKEN is not set | export it"


def test_an_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    settings = load_settings({"FINSCHED_STATE_DIR": str(tmp_path)})
    assert "local" in plugins.names()
    with pytest.raises(SpecError, match="no installed package provides 'loca'") as caught:
        plugins.load("loca", settings)
    assert caught.value.fix == "did you mean local?"


def test_a_price_list_is_no_place_to_launch_and_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAST_API_KEY", raising=False)
    here = load_settings({"FINSCHED_STATE_DIR": str(tmp_path)})
    assert "vast" not in plugins.names()
    assert {"aws", "vast"} <= set(plugins.priced_names())
    with pytest.raises(NotConfigured, match="VAST_API_KEY"):
        plugins.load("vast", here)
    with pytest.raises(NotConfigured, match="VAST_API_KEY"):
        plugins.load_prices("vast", here)


def test_a_cloud_without_an_account_still_tells_its_public_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    here = load_settings({"FINSCHED_STATE_DIR": str(tmp_path)})
    with pytest.raises(NotConfigured):
        plugins.load("azure", here)
    found = plugins.load_prices("azure", here)
    assert (found.name, found.compute) == ("azure", None)
    assert found.live_prices
