"""Train a neural network on scikit-learn's digits; it may be killed at any batch and resumed.

All that the training knows is in `Training`, and all of that is in the checkpoint: a run that
was interrupted ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

LAYER_SIZES = (64, 256, 128, 10)
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
NOISE = 0.1
TEST_IMAGES = 360

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass
class Training:
    """The whole state of the training between two batches."""

    weights: Floats  # of every layer, in one vector
    mean: Floats  # Adam's first moment
    variance: Floats  # Adam's second moment
    order: Integers  # this epoch's permutation of the images
    rng: np.random.Generator
    epoch: int = 0
    batch: int = 0
    loss: float = 0.0  # summed over this epoch's batches


def main() -> None:
    """Train from the start or from a checkpoint, to the end or to a signal."""
    epochs = parse_epochs()
    (images, labels), test = load_images()
    training = restore() or begin(len(images))
    batches = len(images) // BATCH_SIZE
    checkpoint = Checkpoint()
    while training.epoch < epochs:
        train_one_batch(training, images, labels)
        if training.batch == batches:
            finish_epoch(training, batches, *test)
        done = (training.epoch + training.batch / batches) / epochs
        checkpoint.after_batch(training, done)
    print(f"weights sha256 {hashlib.sha256(training.weights.tobytes()).hexdigest()}")


def parse_epochs() -> int:
    """Read the one setting from the command line."""
    parser = argparse.ArgumentParser(description="Train a neural network on images of digits.")
    parser.add_argument("--epochs", type=int, default=75)
    epochs: int = parser.parse_args().epochs
    return epochs


# --- saving and resuming: the contract with finsched -------------------------------------------


class Checkpoint:
    """Saves when it is time to, and when the machine is about to be taken away."""

    def __init__(self) -> None:
        self.directory = os.environ.get("FINSCHED_CHECKPOINT_DIR")
        self.every_seconds = float(os.environ.get("FINSCHED_CHECKPOINT_EVERY") or 60)
        self.every_file = os.environ.get("FINSCHED_CHECKPOINT_EVERY_FILE")
        self.progress_file = os.environ.get("FINSCHED_PROGRESS")
        self.saved_at = time.monotonic()
        self.told_to_stop = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        """Remember the signal; the batch that is being trained ends first."""
        self.told_to_stop = True

    def interval_seconds(self) -> float:
        """The interval as it is now: it grows with the age of the machine."""
        return float(Path(self.every_file).read_text()) if self.every_file else self.every_seconds

    def after_batch(self, training: Training, done: float) -> None:
        """Report and save if it is time; leave if we were told to."""
        stop = self.told_to_stop  # read once: the signal may come between any two lines
        due = time.monotonic() - self.saved_at >= self.interval_seconds()
        if self.progress_file:
            partial = Path(f"{self.progress_file}.partial")
            partial.write_text(f"{done:.6f}\n")
            partial.replace(self.progress_file)
        if self.directory and (due or stop or done == 1):
            save(training, Path(self.directory))
            self.saved_at = time.monotonic()
        if stop and done < 1:
            print(f"stopped in epoch {training.epoch + 1} at batch {training.batch}", flush=True)
            sys.exit(0)  # after a signal, 0 says that the last save is whole


def save(training: Training, directory: Path) -> None:
    """Replace the checkpoint in one step: who reads it sees the old one or the new one, whole."""
    state = vars(training) | {"rng": json.dumps(training.rng.bit_generator.state)}
    partial = directory / ".training.npz.partial"
    with partial.open("wb") as file:
        np.savez(file, **state)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(directory / "training.npz")


def restore() -> Training | None:
    """Read the checkpoint to resume from, if there is one."""
    directory = os.environ.get("FINSCHED_RESUME_FROM")
    if not directory:
        return None
    with np.load(Path(directory) / "training.npz") as file:
        state = {name: file[name] if file[name].ndim else file[name].item() for name in file}
    rng = np.random.default_rng()
    rng.bit_generator.state = json.loads(state.pop("rng"))
    training = Training(**state, rng=rng)
    print(f"resumed in epoch {training.epoch + 1} at batch {training.batch}", flush=True)
    return training


# --- the training itself ------------------------------------------------------------------------


def load_images() -> tuple[tuple[Floats, Integers], tuple[Floats, Integers]]:
    """Return training and test images, the former also shifted by a pixel in every direction."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    padded = np.pad(images[TEST_IMAGES:].reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, y : y + 8, x : x + 8].reshape(-1, 64) for y in range(3) for x in range(3)]
    training = np.concatenate(shifted), np.tile(labels[TEST_IMAGES:], len(shifted))
    return training, (images[:TEST_IMAGES], labels[:TEST_IMAGES])


def begin(image_count: int) -> Training:
    """Return a new training with random weights, always the same ones."""
    rng = np.random.default_rng(seed=0)
    size = sum((inputs + 1) * outputs for inputs, outputs in pairwise(LAYER_SIZES))
    weights = np.zeros(size)
    for matrix, _ in layers(weights):
        matrix[:] = rng.normal(0, np.sqrt(2 / len(matrix)), matrix.shape)
    order = rng.permutation(image_count)
    return Training(weights, np.zeros(size), np.zeros(size), order, rng)


def train_one_batch(training: Training, images: Floats, labels: Integers) -> None:
    """Take one step of Adam (Kingma and Ba 2015) on the next batch."""
    start = training.batch * BATCH_SIZE
    chosen = training.order[start : start + BATCH_SIZE]
    noisy = images[chosen] + training.rng.normal(0, NOISE, (BATCH_SIZE, images.shape[1]))
    loss, gradient = loss_and_gradient(training.weights, noisy, labels[chosen])
    step = training.epoch * (len(images) // BATCH_SIZE) + training.batch + 1
    training.mean += 0.1 * (gradient - training.mean)
    training.variance += 0.001 * (gradient**2 - training.variance)
    rate = LEARNING_RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    training.weights -= rate * training.mean / (np.sqrt(training.variance) + 1e-8)
    training.loss += loss
    training.batch += 1


def finish_epoch(training: Training, batches: int, images: Floats, labels: Integers) -> None:
    """Print how good the network is and shuffle the images for the next epoch."""
    predicted = activations(training.weights, images)[-1].argmax(axis=1)
    accuracy = (predicted == labels).mean()
    loss = training.loss / batches
    print(f"epoch {training.epoch + 1:3}  loss {loss:.4f}  accuracy {accuracy:.1%}", flush=True)
    training.order = training.rng.permutation(len(training.order))
    training.epoch, training.batch, training.loss = training.epoch + 1, 0, 0.0


def layers(weights: Floats) -> list[tuple[Floats, Floats]]:
    """Return the matrix and the bias of every layer, as views of the one vector."""
    views = []
    for inputs, outputs in pairwise(LAYER_SIZES):
        matrix, bias, weights = np.split(weights, [inputs * outputs, (inputs + 1) * outputs])
        views.append((matrix.reshape(inputs, outputs), bias))
    return views


def activations(weights: Floats, images: Floats) -> list[Floats]:
    """Return the input of every layer and, last, the scores of the ten digits."""
    values = [images]
    for matrix, bias in layers(weights):
        values.append(np.maximum(values[-1], 0) @ matrix + bias)
    return values


def loss_and_gradient(weights: Floats, images: Floats, labels: Integers) -> tuple[float, Floats]:
    """Return the mean cross-entropy and its gradient by backpropagation."""
    *values, scores = activations(weights, images)
    likelihood = np.exp(scores - scores.max(axis=1, keepdims=True))
    likelihood /= likelihood.sum(axis=1, keepdims=True)
    truth = np.eye(scores.shape[1])[labels]
    loss = -np.log((likelihood * truth).sum(axis=1)).mean()
    delta = (likelihood - truth) / len(labels)
    gradient = np.empty_like(weights)
    backwards = zip(values[::-1], layers(weights)[::-1], layers(gradient)[::-1], strict=True)
    for value, (matrix, _), (matrix_gradient, bias_gradient) in backwards:
        matrix_gradient[:] = np.maximum(value, 0).T @ delta
        bias_gradient[:] = delta.sum(axis=0)
        delta = (delta @ matrix.T) * (value > 0)
    return float(loss), gradient


if __name__ == "__main__":
    main()
