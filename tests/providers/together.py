"""Several clouds at once, each as it is on some day: well, dead, slow or lying.

Azure, Lambda, RunPod and Vast.ai are servers on this machine that tell the recorded answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.testing.web import Answers, Asked, Reply, Site, served

from .azure.prices_lab import Lab

HERE = Path(__file__).parent
KEYS = {"LAMBDA_API_KEY": "lambda-key", "RUNPOD_API_KEY": "runpod-key", "VAST_API_KEY": "vast-key"}
NAMES = ("azure", "lambda", "runpod", "vast")
SLOW_SECONDS = 30.0
LIE = 0.01
_DEAD = Reply()


@dataclass(frozen=True)
class Together:
    """The servers by provider."""

    sites: dict[str, Site]

    def settings(self) -> str:
        """The settings of a user who asks these four and nobody else."""
        listed = ", ".join(f'"{name}"' for name in NAMES)
        tables = (f'[{name}]\nprices_url = "{site.address}"\n' for name, site in self.sites.items())
        return f"providers = [{listed}]\n" + "".join(tables)

    def die(self, name: str) -> None:
        self.sites[name].answer = lambda _: _DEAD

    def slow_down(self, name: str) -> None:
        told = self.sites[name].answer

        def late(asked: Asked) -> Reply:
            return Reply(document=told(asked).document, wait_seconds=SLOW_SECONDS)

        self.sites[name].answer = late

    def lie(self) -> None:
        """RunPod tells a hundredth of every price."""
        self.sites["runpod"].answer = lambda _: Reply(document=_runpod(LIE))


@contextmanager
def together() -> Iterator[Together]:
    """Serve all four, all well."""
    answers: dict[str, Answers] = {
        "azure": Lab(page=100),
        "lambda": lambda _: Reply(document=_answers("lambda", "instance-types")),
        "runpod": lambda _: Reply(document=_runpod(1.0)),
        "vast": lambda _: Reply(document=_answers("vast", "asks")),
    }
    with ExitStack() as stack:
        yield Together({name: stack.enter_context(served(each)) for name, each in answers.items()})


def _answers(provider: str, name: str) -> Any:
    return json.loads((HERE / provider / "answers" / f"{name}.json").read_text("utf-8"))


def _runpod(factor: float) -> Any:
    document = _answers("runpod", "gpu-types")
    for told in document["data"]["gpuTypes"]:
        prices = {key: value for key, value in told.items() if key.endswith("Price") and value}
        told.update({key: value * factor for key, value in prices.items()})
    return document
