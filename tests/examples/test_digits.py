"""The example keeps its word: killed at any point and resumed, it ends with the same weights."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("examples")]

TRAIN = Path(__file__).parents[2] / "examples" / "digits" / "train.py"
EPOCHS = 4


@pytest.fixture(scope="module")
def uninterrupted() -> str:
    process = _start({})
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to stop"])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    end: signal.Signals, uninterrupted: str, tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    points = sorted(random.Random(seed).uniform(0.1, 0.9) for _ in range(2))
    environment = _contract(tmp_path)
    outputs = []
    for point in points:
        outputs.append(_interrupt(environment, point, end))
        environment["FINSCHED_RESUME_FROM"] = _keep(tmp_path)
    final = _start(environment)
    outputs.append(final.communicate(timeout=120)[0])

    assert final.returncode == 0
    assert outputs[-1].splitlines()[-1] == uninterrupted.splitlines()[-1]
    assert all(output.startswith("resumed in epoch") for output in outputs[1:])
    assert _epoch_lines("".join(outputs)) >= _epoch_lines(uninterrupted)
    assert float((tmp_path / "progress").read_text()) == 1


def test_a_run_that_is_told_to_stop_loses_no_batch(tmp_path: Path) -> None:
    environment = _contract(tmp_path) | {"FINSCHED_CHECKPOINT_EVERY": "3600"}
    stopped = _interrupt(environment, 0.3, signal.SIGTERM).splitlines()[-1]
    resumed = _start(environment | {"FINSCHED_RESUME_FROM": _keep(tmp_path)})
    first_line = resumed.stdout.readline() if resumed.stdout else ""
    resumed.kill()
    resumed.communicate()

    assert stopped.startswith("stopped in epoch")
    assert first_line.split()[1:] == stopped.split()[1:]


def test_the_checkpoint_directory_holds_one_whole_checkpoint(tmp_path: Path) -> None:
    _interrupt(_contract(tmp_path), 0.4, signal.SIGTERM)

    assert [file.name for file in (tmp_path / "checkpoint").iterdir()] == ["training.npz"]


def _contract(directory: Path) -> dict[str, str]:
    (directory / "checkpoint").mkdir()
    return {
        "FINSCHED_CHECKPOINT_DIR": str(directory / "checkpoint"),
        "FINSCHED_CHECKPOINT_EVERY": "0.05",
        "FINSCHED_PROGRESS": str(directory / "progress"),
        "FINSCHED_RESUME_FROM": "",
    }


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(TRAIN), "--epochs", str(EPOCHS)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def _interrupt(environment: dict[str, str], point: float, end: signal.Signals) -> str:
    Path(environment["FINSCHED_PROGRESS"]).unlink(missing_ok=True)
    process = _start(environment)
    deadline = time.monotonic() + 60
    while _progress(environment) < point:
        assert process.poll() is None, "the training ended before it could be interrupted"
        assert time.monotonic() < deadline, f"no progress beyond {_progress(environment)}"
        time.sleep(0.005)
    process.send_signal(end)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 0}[end]
    return output


def _progress(environment: dict[str, str]) -> float:
    try:
        return float(Path(environment["FINSCHED_PROGRESS"]).read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def _keep(directory: Path) -> str:
    """Set the checkpoint aside, as the node agent does when it commits one."""
    kept = directory / "committed"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(directory / "checkpoint", kept)
    return str(kept)


def _epoch_lines(output: str) -> set[str]:
    return {line for line in output.splitlines() if line.startswith("epoch")}
