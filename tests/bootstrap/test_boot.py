"""User data, really run: a machine boots the real agent from S3, works, and switches itself off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.bootstrap.user_data import user_data
from finsched.node.clock import utc_now

from .conftest import Cloud

pytestmark = pytest.mark.slow

COUNTS = r"""
n=$(cat "$FINSCHED_RESUME_FROM/n" 2>/dev/null || echo 0)
echo "from $n on $(python3 -c 'import sys; print(sys.version_info[:2])')"
trap 'exit 0' TERM
while [ $n -lt LAST ]; do
  n=$((n + 1)); sleep 0.5
  echo $n > "$FINSCHED_CHECKPOINT_DIR/n.tmp"
  mv "$FINSCHED_CHECKPOINT_DIR/n.tmp" "$FINSCHED_CHECKPOINT_DIR/n"
done"""


def test_a_machine_boots_works_and_switches_itself_off(cloud: Cloud) -> None:
    command = 'umask; pwd; echo hello $FINSCHED_RUN > "$FINSCHED_CHECKPOINT_DIR/said"'
    machine = cloud.launch(command)
    machine.wait_until_off()
    [ended] = cloud.messages(1, "ended")
    assert ended["end"] == "finished", ended
    assert cloud.output(1) == f"0022\n{machine.files}/scratch/job\n"
    assert machine.files.stat().st_mode & 0o777 == 0o700
    [commit] = cloud.commits()
    assert cloud.store.get(commit.files[0].key) == b"hello r1\n"
    assert machine.shutdowns == ["-P +15", "-P +15", "-P now"]
    assert not [key for key in cloud.store.list("node") if key.key.endswith("log")]


def test_an_interrupted_machine_is_followed_by_one_that_resumes(
    cloud: Cloud, eventually: Any
) -> None:
    first = cloud.launch(COUNTS.replace("LAST", "100000"))
    eventually(cloud.commits)
    first.give_notice(20)
    first.wait_until_off()
    [ended] = cloud.messages(1, "ended")
    assert ended["end"] == "interrupted"
    assert first.shutdowns[-1] == "-P now", "it ends before it is taken"
    saved = int(cloud.store.get(cloud.commits()[-1].files[0].key))
    second = cloud.launch(COUNTS.replace("LAST", str(saved + 3)), attempt=2)
    second.wait_until_off()
    assert cloud.messages(2, "ended")[0]["end"] == "finished"
    assert f"from {saved} on {cloud.python_version}" in cloud.output(2)
    assert int(cloud.store.get(cloud.commits()[-1].files[0].key)) == saved + 3


def test_a_machine_that_vanishes_leaves_what_it_has_committed(
    cloud: Cloud, eventually: Any
) -> None:
    first = cloud.launch(COUNTS.replace("LAST", "100000"))
    eventually(lambda: len(cloud.commits()) >= 2)
    first.vanish()
    assert not cloud.messages(1, "ended")
    saved = int(cloud.store.get(cloud.commits()[-1].files[0].key))
    cloud.launch(COUNTS.replace("LAST", str(saved + 1)), attempt=2).wait_until_off()
    assert f"from {saved} " in cloud.output(2)


def test_commits_are_create_only_in_s3(cloud: Cloud) -> None:
    cloud.launch('echo x > "$FINSCHED_CHECKPOINT_DIR/x"').wait_until_off()
    assert cloud.commits()
    assert not cloud.store.create("log/00000001.json", b"another")


@pytest.mark.parametrize("which", ["artefact", "config"])
def test_what_was_tampered_with_does_not_run(cloud: Cloud, which: str) -> None:
    plan = cloud.plan(cloud.config("touch $HOME/ran"))
    fetched = getattr(plan, which)
    key = fetched.path.partition("/runs/r1/")[2]
    content = cloud.store.get(key)
    cloud.store.upload(key, [content.replace(b"run", b"fun")])
    machine = cloud.boot(user_data(plan))
    machine.wait_until_off()
    assert machine.shutdowns[-1] == "-P now"
    assert "is not what was launched" in machine.log
    assert "is not what was launched" in cloud.store.get("node/log").decode()
    assert not cloud.store.list("log"), "the agent did not run"


def test_a_machine_that_cannot_fetch_switches_itself_off(cloud: Cloud) -> None:
    plan = cloud.plan(cloud.config("true"))
    gone = replace(plan.artefact, path=plan.artefact.path + "x")
    script = user_data(replace(plan, artefact=gone))
    machine = cloud.boot(script.replace('"pause_seconds": 5.0', '"pause_seconds": 0.01'))
    machine.wait_until_off()
    assert machine.shutdowns == ["-P +15", "-P now"]
    assert "404 NoSuchKey" in machine.log


def test_an_image_without_python_ends_at_once(cloud: Cloud, tmp_path: Path) -> None:
    (programs := tmp_path / "programs").mkdir()
    for name in ("base64", "cat", "chmod", "gunzip", "gzip", "mkdir", "sh"):
        (programs / name).symlink_to(shutil.which(name) or name)
    script = user_data(cloud.plan(cloud.config("true")))
    machine = cloud.boot(script, python=None, path=str(programs))
    machine.wait_until_off()
    assert machine.shutdowns == ["-P +15", "-P now"]
    assert machine.log == "this image has no python3"


def test_under_systemd_the_node_is_a_unit_of_its_own(cloud: Cloud) -> None:
    script = user_data(cloud.plan(cloud.config("echo x")))
    machine = cloud.boot(script, systemd=True)
    machine.wait_until_off()
    assert cloud.messages(1, "ended")[0]["end"] == "finished"
    unit = (machine.folder / "unit").read_text().splitlines()
    assert {"--unit=finsched-node", "KillMode=mixed", f"WorkingDirectory={machine.files}"} <= {
        *unit
    }


def test_a_shutdown_of_the_operating_system_saves_the_work(cloud: Cloud, eventually: Any) -> None:
    machine = cloud.launch(COUNTS.replace("LAST", "100000"))
    eventually(cloud.commits)
    agent = int(machine.log.rpartition("process ")[2].split()[0])
    os.kill(int(Path(f"/proc/{agent}/stat").read_text().split()[3]), signal.SIGTERM)
    machine.wait_until_off()
    assert cloud.messages(1, "ended")[0]["end"] == "interrupted"


def test_no_machine_outlives_its_last_moment(cloud: Cloud) -> None:
    """The agent would go on for two minutes: whatever holds it up, the machine ends."""
    plan = cloud.plan(cloud.config("sleep 1000"), end_at=utc_now() + timedelta(seconds=4))
    machine = cloud.boot(user_data(plan))
    machine.wait_until_off()
    assert machine.shutdowns == ["-P +15", "-P +1", "-P now"]
    assert "has not ended in time" in cloud.store.get("node/log").decode()


def test_a_machine_that_starts_again_switches_itself_off(cloud: Cloud) -> None:
    """cloud-init runs user data once: after a restart nothing would end the machine."""
    machine = cloud.launch("true")
    machine.wait_until_off()
    later = machine.folder / "disk/var/lib/cloud/scripts/per-boot/finsched"
    subprocess.run([later], env={"PATH": f"{machine.folder}/bin"}, check=True)
    assert machine.shutdowns[-2:] == ["-P now", "-P now"]


def test_no_secret_and_no_command_is_in_user_data(cloud: Cloud) -> None:
    config = cloud.config("echo canary-command", env={"KEY": "canary-env"})
    assert "canary" not in user_data(cloud.plan(config))
