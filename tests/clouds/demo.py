"""`make demo-clouds`: one job over three emulated clouds, as a person sees it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .test_three_clouds import (
    assert_nothing_is_left,
    assert_same_weights,
    leave_a_region_of_azure,
    leave_aws,
    leave_google,
)
from .world import World, world


def main() -> int:
    """Quote, launch, take machine after machine away, account, and look for what is left."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder) / "world") as three:
        show(three, "quote", "job.yaml", "--top", "4")
        tell("launch job.yaml")
        launch = three.user.start("launch", three.job_file)
        follow(launch)
        leave_aws(three)
        leave_google(three)
        leave_a_region_of_azure(three)
        status = launch.wait()
        show(three, "report")
        assert_same_weights(three)
        assert_nothing_is_left(three)
        print("\nThe weights are those of a run that nobody interrupted, bit for bit.")
        print("Nothing is left at AWS, Google Cloud and Azure.")
    return status


def show(three: World, *words: str) -> None:
    tell(" ".join(words))
    arguments = [three.job_file if word == "job.yaml" else word for word in words]
    subprocess.run(three.user.command(*arguments), env=three.user.whole_environment, check=True)


def tell(words: str) -> None:
    print(f"\n$ finsched {words}\n", flush=True)


def follow(launch: subprocess.Popen[str]) -> None:
    """Copy what a command tells, in a thread of its own."""
    import threading

    def copy() -> None:
        assert launch.stderr
        for line in launch.stderr:
            print(line, end="", flush=True)

    threading.Thread(target=copy, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
