"""The agent's directories on the machine, and how the job's own one is filled."""

from __future__ import annotations

import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from finsched.node.removal import remove_tree
from finsched.node.store import Store


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything below the directory of the node's document; `scratch` goes with the machine."""

    base: Path

    @property
    def scratch(self) -> Path:
        """What is of no use after the attempt."""
        return self.base / "scratch"

    @property
    def job(self) -> Path:
        """Where the job runs."""
        return self.scratch / "job"

    @property
    def temporary(self) -> Path:
        """The job's TMPDIR."""
        return self.scratch / "tmp"

    @property
    def restored(self) -> Path:
        """Where a checkpoint is downloaded to."""
        return self.scratch / "restored"

    @property
    def prefetched(self) -> Path:
        """Where a standby keeps the newest checkpoint."""
        return self.scratch / "prefetched"

    @property
    def staging(self) -> Path:
        """Links to the files of a checkpoint while it is uploaded."""
        return self.scratch / "staging"

    @property
    def progress(self) -> Path:
        """The file in which the job reports the fraction done."""
        return self.scratch / "progress"

    @property
    def checkpoint_every(self) -> Path:
        """The file in which the job reads how often to save."""
        return self.scratch / "checkpoint_every"

    @property
    def ready(self) -> Path:
        """Exists from the moment on at which a standby waits for its order."""
        return self.scratch / "ready"

    @property
    def started(self) -> Path:
        """Exists from the job's first moment on."""
        return self.scratch / "started"

    @property
    def committed(self) -> Path:
        """Exists from this attempt's first committed checkpoint on."""
        return self.scratch / "committed"

    @property
    def output(self) -> Path:
        """The job's redacted output."""
        return self.base / "job.log"

    def create(self) -> None:
        """Make the directories; an attempt never finds the files of another one."""
        for directory in (self.job, self.temporary, self.restored, self.prefetched):
            directory.mkdir(parents=True, mode=0o700)

    def clear(self) -> None:
        """Give the space of the job back; what it reported stays."""
        for directory in (
            self.job,
            self.temporary,
            self.restored,
            self.prefetched,
            self.staging,
        ):
            remove_tree(directory)


def make_empty(directory: Path) -> None:
    """Make a directory anew: an old checkpoint in a packed working directory is not this run's."""
    remove_tree(directory)
    directory.mkdir(parents=True)


def unpack(store: Store, key: str, into: Path) -> None:
    """Unpack the run's packed working directory; raises StoreError, OSError, tarfile.TarError."""
    with tempfile.TemporaryFile(dir=into.parent) as packed:
        for block in store.download(key):
            packed.write(block)
        packed.seek(0)
        with tarfile.open(fileobj=packed, mode="r:gz") as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(into, filter="data")
            else:  # Python before 3.11.4; the archive is our own
                archive.extractall(into)  # noqa: S202
