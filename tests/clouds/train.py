"""Fits a line by gradient descent: the same weights, bit for bit, however often it resumes."""

import hashlib
import json
import os
import pathlib
import random
import signal
import sys
import time

STEPS = int(os.environ.get("STEPS", "600"))
PACE = float(os.environ.get("PACE", "0.05"))
folder = pathlib.Path(os.environ["FINSCHED_CHECKPOINT_DIR"])
resume = os.environ["FINSCHED_RESUME_FROM"]
every = float(os.environ["FINSCHED_CHECKPOINT_EVERY"])
signalled = []


def restored():
    if not resume:
        return 0, [0.0] * 8, random.Random(7)
    state = json.loads((pathlib.Path(resume) / "state.json").read_text())
    dice = random.Random()
    version, inner, gauss = state["dice"]
    dice.setstate((version, tuple(inner), gauss))
    return state["step"], state["weights"], dice


def save():
    state = {"step": step, "weights": weights, "dice": dice.getstate()}
    part = folder / "state.json.tmp"
    part.write_text(json.dumps(state))
    part.replace(folder / "state.json")
    (folder / "pad.bin").write_bytes(random.Random(step).randbytes(240_000))


signal.signal(signal.SIGTERM, lambda number, _: signalled.append(number))
step, weights, dice = restored()
print(f"from {step}", flush=True)
saved = time.monotonic()
while step < STEPS and not signalled:
    time.sleep(PACE)
    inputs = [dice.gauss(0.0, 1.0) for _ in weights]
    error = sum(w * x for w, x in zip(weights, inputs, strict=True)) - sum(inputs) / 3.0
    weights = [w - 0.01 * error * x for w, x in zip(weights, inputs, strict=True)]
    step += 1
    pathlib.Path(os.environ["FINSCHED_PROGRESS"]).write_text(str(step / STEPS))
    if time.monotonic() - saved >= every:
        save()
        saved = time.monotonic()
save()
if signalled:
    sys.exit(0)
print("weights", hashlib.sha256(json.dumps(weights).encode()).hexdigest(), flush=True)
