"""A provider package of somebody else, installed beside finsched, is quoted and launchable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ACME = """
from datetime import date
from finsched.model.evidence import Evidence, Quality
from finsched.model.market import CapacityType, InstanceType, Offer, ProviderTerms, Tier
from finsched.provider import Provider

class Prices:
    def offers(self):
        machine = InstanceType(provider="acme", name="one-h100", gpu="H100", gpu_count=1)
        evidence = Evidence(what="price", source="acme API", quality=Quality.LIVE)
        yield Offer(machine, "us-1", "", CapacityType.ON_DEMAND, Tier.STANDARD, 0.25, evidence)

    def terms(self):
        return ProviderTerms(provider="acme")

    def accelerators(self):
        return ()

def provider(settings):
    return Provider(name="acme", prices=Prices())
"""

JOB = """
resources: {gpu: "H100:1"}
work: {hours: 10}
run: python train.py
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "acme_gpus.py").write_text(ACME)
    info = tmp_path / "acme_gpus-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-gpus\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[finsched.providers]\nacme = acme_gpus:provider\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path), "FINSCHED_STATE_DIR": str(tmp_path / "s")}


def quoted(folder: Path, environ: dict[str, str], more: str = "") -> list[dict[str, object]]:
    path = folder / "job.yaml"
    path.write_text(JOB + more)
    command = [sys.executable, "-m", "finsched", "quote", str(path), "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)["quotes"]
    return found


def test_its_offers_are_compared_with_the_catalogs(tmp_path: Path, environ: dict[str, str]) -> None:
    best = quoted(tmp_path, environ)[0]
    assert (best["provider"], best["price_usd_per_hour"]) == ("acme", 0.25)


def test_a_job_may_name_it(tmp_path: Path, environ: dict[str, str]) -> None:
    quotes = quoted(tmp_path, environ, "where: {clouds: [acme]}\n")
    assert [quote["provider"] for quote in quotes] == ["acme"]
