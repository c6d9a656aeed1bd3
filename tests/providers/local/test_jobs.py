"""Real jobs on real machines: every way to end, and what jobs do to get in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.node.checkpoints.commit_log import CommitLog

pytestmark = pytest.mark.slow

COUNTER = r"""python - <<'EOF'
import json, os, signal, sys, time
folder, resume = os.environ["FINSCHED_CHECKPOINT_DIR"], os.environ["FINSCHED_RESUME_FROM"]
steps = json.load(open(resume + "/state.json"))["steps"] if resume else 0
print("starting at", steps, flush=True)
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
def save():
    with open(folder + "/state.tmp", "w") as file:
        json.dump({"steps": steps}, file)
    os.replace(folder + "/state.tmp", folder + "/state.json")
while steps < LAST and not asked:
    time.sleep(0.02)
    steps += 1
    with open(os.environ["FINSCHED_PROGRESS"] + ".tmp", "w") as file:
        file.write(str(steps / LAST))
    os.replace(os.environ["FINSCHED_PROGRESS"] + ".tmp", os.environ["FINSCHED_PROGRESS"])
    if steps % 20 == 0:
        save()
save()
print("saved at", steps, flush=True)
EOF
"""


UNTIL_COMMITTED = "while [ ! -e ../committed ]; do sleep 0.05; done; "


def counter(last: int = 40) -> str:
    return COUNTER.replace("LAST", str(last))


def steps(cloud: Any) -> int:
    return int(json.loads(cloud.committed("state.json"))["steps"])


def taken_back(*, at_progress: float | None, notice: float, after: float = 30) -> dict[str, Any]:
    plan = {"at_progress": at_progress, "after_seconds": after, "notice_seconds": notice}
    return {"interruption": plan}


def test_a_job_finishes_and_its_last_save_is_committed(cloud: Any) -> None:
    started = time.time()
    status, ended = cloud.run(counter())
    assert (status.state, status.reason) == ("terminated", "ended_itself")
    assert (ended["end"], ended["exit_code"]) == ("finished", 0)
    assert steps(cloud) == 40
    assert cloud.messages("progress")[-1]["progress"] == 1.0
    job_started = datetime.fromisoformat(cloud.messages("started")[0]["at"]).timestamp()
    print(f"launch to job start: {job_started - started:.2f} s")
    assert not (cloud.folder_of(cloud.instances[0]) / "scratch").exists()


def test_interrupted_with_notice_it_resumes_where_the_notice_came(cloud: Any) -> None:
    status, ended = cloud.run(counter(80), hints=taken_back(at_progress=0.3, notice=5))
    assert (status.reason, ended["end"]) == ("interrupted", "interrupted")
    saved = steps(cloud)
    assert 24 <= saved < 80
    assert cloud.messages("notice")[0]["ends_at"]
    _, ended = cloud.run(counter(80), attempt=2)
    assert ended["end"] == "finished"
    assert f"starting at {saved}" in cloud.output(cloud.instances[1])
    restored = cloud.messages("started", attempt=2)[0]["restore"]
    assert restored["sequence"] >= 2
    assert restored["damaged"] == 0
    assert steps(cloud) == 80


def test_interrupted_without_notice_it_resumes_from_the_last_commit(cloud: Any) -> None:
    status, ended = cloud.run(counter(60), hints=taken_back(at_progress=0.9, notice=0))
    assert (status.reason, ended) == ("interrupted", {})
    saved = steps(cloud)
    assert saved in {20, 40}
    _, ended = cloud.run(counter(60), attempt=2)
    assert f"starting at {saved}" in cloud.output(cloud.instances[1])
    assert (ended["end"], steps(cloud)) == ("finished", 60)


def test_a_job_without_progress_is_taken_back_by_time(cloud: Any) -> None:
    hints = taken_back(at_progress=None, notice=0, after=0.3)
    status, _ = cloud.run("sleep 30", hints=hints, checkpoint=None)
    assert status.reason == "interrupted"


def test_a_failing_command_is_the_jobs_failure(cloud: Any) -> None:
    status, ended = cloud.run("echo before; exit 3")
    assert (status.reason, ended["end"], ended["exit_code"]) == ("ended_itself", "job_failed", 3)
    assert cloud.output(cloud.instances[0]) == "before\n"


def test_a_failing_setup_is_the_jobs_failure_and_run_never_starts(cloud: Any) -> None:
    _, ended = cloud.run("echo never", setup="echo preparing; false")
    assert (ended["end"], ended["detail"]) == ("job_failed", "setup exited with 1")
    assert cloud.output(cloud.instances[0]) == "preparing\n"
    assert cloud.messages("setup")
    assert not cloud.messages("started")


def test_a_job_that_ignores_the_signal_is_killed_and_its_save_at_rest_is_kept(cloud: Any) -> None:
    ignoring = (
        "trap '' TERM; echo state > $FINSCHED_CHECKPOINT_DIR/a; echo 0.96 > $FINSCHED_PROGRESS;"
        " sleep 60; echo no; sleep 60"
    )
    rarely = {"path": "ckpt", "every_seconds": 600}  # nothing is kept before the notice
    hints = taken_back(at_progress=0.5, notice=3)
    status, ended = cloud.run(ignoring, hints=hints, checkpoint=rarely)
    assert (status.reason, ended["end"]) == ("interrupted", "interrupted")
    assert ended["exit_code"] == -signal.SIGKILL
    assert cloud.committed("a") == b"state\n"


def test_a_job_cut_off_in_the_middle_of_a_save_commits_nothing_torn(cloud: Any) -> None:
    writing = r"""
python - <<'EOF'
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(os.environ["FINSCHED_CHECKPOINT_DIR"] + "/weights", "w") as file:
    open(os.environ["FINSCHED_PROGRESS"], "w").write("0.5")
    while True:
        file.write("torn"); file.flush(); time.sleep(0.01)
EOF"""
    whole = f"echo whole > $FINSCHED_CHECKPOINT_DIR/weights; {UNTIL_COMMITTED}"
    _, ended = cloud.run(whole + writing, hints=taken_back(at_progress=0.5, notice=3))
    assert ended["end"] == "interrupted"
    assert cloud.committed("weights") == b"whole\n"
    assert len(cloud.commits()) == 1


def test_the_shell_waits_for_its_program_to_save(cloud: Any) -> None:
    slow = r"""echo first
python - <<'EOF'
import os, signal, sys, time
def save(*_):
    time.sleep(0.5)
    open(os.environ["FINSCHED_CHECKPOINT_DIR"] + "/late", "w").write("late")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
open(os.environ["FINSCHED_PROGRESS"], "w").write("0.96")
time.sleep(60)
EOF
echo not after the signal"""
    _, ended = cloud.run(slow, hints=taken_back(at_progress=0.5, notice=10))
    assert (ended["end"], ended["exit_code"]) == ("interrupted", 0)
    assert cloud.committed("late") == b"late"
    assert cloud.output(cloud.instances[0]) == "first\n"


def test_a_program_in_the_background_may_save_after_its_shell_is_gone(cloud: Any) -> None:
    slow = r"""python - <<'EOF' &
import os, signal, sys, time
def save(*_):
    time.sleep(0.5)
    open(os.environ["FINSCHED_CHECKPOINT_DIR"] + "/late", "w").write("late")
    time.sleep(0.3)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
open(os.environ["FINSCHED_PROGRESS"], "w").write("0.96")
time.sleep(60)
EOF
wait"""
    _, ended = cloud.run(slow, hints=taken_back(at_progress=0.5, notice=10))
    assert ended["end"] == "interrupted"
    assert cloud.committed("late") == b"late"


DAEMON = r"""python - <<'EOF'
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        open("daemon.pid", "w").write(str(os.getpid()))
        time.sleep(100)
    os._exit(0)
while not os.path.exists("daemon.pid"):
    time.sleep(0.01)
EOF
"""


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def daemon_of(cloud: Any, instance: Any, eventually: Any) -> int:
    file = cloud.folder_of(instance) / "scratch/job/daemon.pid"
    eventually(lambda: file.exists() and file.read_text())
    return int(file.read_text())


def test_a_daemon_that_the_job_leaves_behind_ends_with_it(cloud: Any) -> None:
    status, ended = cloud.run(DAEMON + "cat daemon.pid")
    assert (status.reason, ended["end"]) == ("ended_itself", "finished")
    assert not alive(int(cloud.output(cloud.instances[0])))


@pytest.mark.parametrize(
    "how", ["terminate", "kill the machine", "kill the agent", "kill both", "freeze the agent"]
)
def test_nothing_outlives_an_instance_however_it_ends(
    cloud: Any, eventually: Any, how: str
) -> None:
    stubborn = DAEMON + "(trap '' TERM HUP INT; cd /; exec env -u PATH /bin/sleep 100) & sleep 100"
    instance = cloud.launch(stubborn)
    daemon = daemon_of(cloud, instance, eventually)
    machine, agent = machine_and_agent(cloud, instance)
    if how == "terminate":
        cloud.compute.terminate(instance.id)
    if how in {"kill the agent", "kill both"}:
        os.kill(agent, signal.SIGKILL)
    if how == "freeze the agent":  # it does not hear that the machine dies
        os.kill(agent, signal.SIGSTOP)
    if how in {"kill the machine", "kill both", "freeze the agent"}:
        os.kill(machine, signal.SIGKILL)
    if how == "kill the machine":  # the agent cleans up, without anybody asking for the status
        eventually(lambda: not alive(daemon))
    status = cloud.wait_until_ended(instance)
    assert not alive(daemon)
    cloud.require_nothing_left(instance)
    assert status.reason == ("terminated_by_us" if how == "terminate" else "failed")
    assert status.ended_at is not None


def test_a_killed_machine_is_billed_until_its_last_sign_of_life(
    cloud: Any, eventually: Any
) -> None:
    instance = cloud.launch("while :; do sleep 0.05; done")
    eventually(lambda: cloud.messages("started"))
    lock = cloud.folder_of(instance) / "lock"
    first = lock.stat().st_mtime
    eventually(lambda: lock.stat().st_mtime > first)
    for pid in machine_and_agent(cloud, instance):
        os.kill(pid, signal.SIGKILL)
    killed_at = datetime.now(UTC)
    last = datetime.fromtimestamp(lock.stat().st_mtime, UTC)
    time.sleep(0.5)  # nobody looks
    ended_at = cloud.wait_until_ended(instance).ended_at
    assert last <= ended_at <= killed_at
    assert cloud.status(instance).ended_at == ended_at


@pytest.mark.parametrize("relaunched", [False, True])
def test_a_machine_whose_folder_is_removed_ends_with_all_its_processes(
    cloud: Any, eventually: Any, relaunched: bool
) -> None:
    instance = cloud.launch(DAEMON + "sleep 100")
    daemon_of(cloud, instance, eventually)
    pids = cloud.living(instance)
    subprocess.run(["rm", "-rf", cloud.folder_of(instance)], check=True)
    if relaunched:  # the same id: the old machine must not take the new folder for its own
        cloud.launch("sleep 100", token="r1-1", attempt=2)
    else:
        cloud.instances.remove(instance)
        assert cloud.compute.poll([instance.id]) == {}
    eventually(lambda: not any(alive(pid) for pid in pids))
    if relaunched:
        eventually(lambda: cloud.status(instance).state == "running")
    else:
        cloud.require_nothing_left(instance)
        assert not cloud.folder_of(instance).exists()


def machine_and_agent(cloud: Any, instance: Any) -> tuple[int, int]:
    lines = {pid: command_line(pid) for pid in cloud.living(instance)}
    [machine] = [pid for pid, line in lines.items() if "finsched_local.machine" in line]
    [agent] = [pid for pid, line in lines.items() if "finsched.node" in line]
    return machine, agent


def test_launches_at_the_same_moment_start_one_machine_process(cloud: Any, eventually: Any) -> None:
    request = cloud.request("sleep 60")
    with ThreadPoolExecutor(8) as threads:
        launches = list(threads.map(cloud.compute.launch, [request] * 8))
    cloud.instances.append(launches[0][0])
    eventually(lambda: cloud.messages("started"))
    machine_and_agent(cloud, launches[0][0])  # exactly one of each
    assert not cloud.messages("ended")


def test_an_order_to_stop_checkpoints_first(cloud: Any, eventually: Any) -> None:
    instance = cloud.launch(counter(2000))
    eventually(cloud.commits)
    cloud.orders().stop("the user asked")
    cloud.wait_until_ended(instance)
    [ended] = cloud.messages("ended")
    assert (ended["end"], ended["detail"]) == ("stopped", "the user asked")
    assert f"saved at {steps(cloud)}" in cloud.output(instance)


def test_a_lease_that_nobody_renews_ends_the_machine(cloud: Any) -> None:
    status, ended = cloud.run(counter(2000), lease_seconds=3)
    assert (status.reason, ended["end"]) == ("ended_itself", "lease_expired")
    assert f"saved at {steps(cloud)}" in cloud.output(cloud.instances[0])


def test_a_renewed_lease_keeps_the_job_going(cloud: Any) -> None:
    instance = cloud.launch(counter(100), lease_seconds=1.0)
    cloud.orders().extend_lease(datetime.now(UTC) + timedelta(seconds=30))
    cloud.wait_until_ended(instance)
    assert cloud.messages("ended")[0]["end"] == "finished"


@pytest.mark.parametrize("reason", ["budget", "deadline"])
def test_a_limit_ends_the_machine_before_its_moment(cloud: Any, reason: str) -> None:
    at = datetime.now(UTC) + timedelta(seconds=6)
    stop_at = [{"at": at.isoformat(), "reason": reason}]
    status, ended = cloud.run(counter(2000), stop_at=stop_at)
    assert (ended["end"], ended["detail"]) == ("limit", reason)
    assert status.ended_at < at
    assert f"saved at {steps(cloud)}" in cloud.output(cloud.instances[0])


def test_a_signalled_job_that_was_done_has_finished(cloud: Any, eventually: Any) -> None:
    done = "echo 1 > $FINSCHED_PROGRESS; echo x > $FINSCHED_CHECKPOINT_DIR/a; trap 'exit 0' TERM; "
    instance = cloud.launch(done + "while :; do sleep 0.05; done")
    eventually(lambda: cloud.messages("progress"))
    cloud.orders().stop("enough")
    cloud.wait_until_ended(instance)
    assert cloud.messages("ended")[0]["end"] == "finished"
    assert cloud.commits()


def test_an_overtaken_machine_kills_its_job_and_commits_nothing(
    cloud: Any, eventually: Any
) -> None:
    zombie = cloud.launch(counter(2000))
    eventually(cloud.commits)
    successor = cloud.launch("sleep 60", attempt=2)
    cloud.wait_until_ended(zombie)
    assert cloud.messages("ended")[0]["end"] == "fenced"
    entries = CommitLog(cloud.store).entries()
    assert [entry.attempt for entry in entries] == [1] * (len(entries) - 1) + [2]
    assert cloud.status(successor).state == "running"


def test_the_same_attempt_never_opens_twice(cloud: Any, eventually: Any) -> None:
    cloud.launch("sleep 60")
    eventually(lambda: cloud.messages("started"))
    _, ended = cloud.run("touch never", token="another machine for the same attempt")
    assert ended["end"] == "fenced"


def test_a_checkpoint_cut_in_half_in_the_store_falls_back_and_says_so(cloud: Any) -> None:
    two = "echo older > ckpt/a; " + UNTIL_COMMITTED + "echo newer > ckpt/a"
    cloud.run(two)
    assert cloud.committed("a") == b"newer\n"
    part = cloud.folder / "store" / cloud.commits()[-1].files[0].key
    part.write_bytes(part.read_bytes()[:3])
    _, ended = cloud.run("cat $FINSCHED_RESUME_FROM/a", attempt=2)
    assert ended["end"] == "finished"
    assert cloud.output(cloud.instances[1]) == "older\n"
    assert cloud.messages("started", attempt=2)[0]["restore"]["damaged"] == 1
    assert "falling back" in cloud.messages("warning", attempt=2)[0]["text"]


def test_secrets_reach_the_job_and_nothing_else(cloud: Any) -> None:
    canary = "canary-7f3a9b-value"
    show = 'sleep 0.5; test -n "$HF_TOKEN" && echo $HF_TOKEN | tr a-z A-Z; echo it is $HF_TOKEN'
    instance = cloud.launch(show, secrets={"HF_TOKEN": canary}, setup="env | grep -c HF_TOKEN")
    lines = []
    while cloud.status(instance).state != "terminated":
        lines += [line for pid in cloud.living(instance) if (line := command_line(pid))]
    assert lines
    assert canary not in "".join(lines)
    output = cloud.output(instance)
    assert output == f"1\n{canary.upper()}\nit is ***\n"
    for root in (cloud.folder, Path("/tmp") / f"finsched-{os.getuid()}"):
        holding = subprocess.run(
            ["grep", "-rl", canary, str(root)], capture_output=True, text=True, check=False
        )
        assert holding.stdout == ""


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_the_jobs_environment_is_small(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.setenv(name, "of the agent")
    names = "python -c 'import os; print(*sorted(os.environ))'"
    cloud.run(names, env={"AWS_REGION": "declared"}, secrets={"AWS_SECRET_ACCESS_KEY": "declared"})
    given = set(cloud.output(cloud.instances[0]).split())
    ours = {
        "FINSCHED_ATTEMPT",
        "FINSCHED_CHECKPOINT_DIR",
        "FINSCHED_CHECKPOINT_EVERY",
        "FINSCHED_CHECKPOINT_EVERY_FILE",
        "FINSCHED_INSTANCE",
        "FINSCHED_PROGRESS",
        "FINSCHED_RESUME_FROM",
        "FINSCHED_RUN",
        "MASTER_ADDR",
        "MASTER_PORT",
        "NNODES",
        "NODE_RANK",
    }
    of_the_shell = {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}
    declared = {"AWS_REGION", "AWS_SECRET_ACCESS_KEY"}
    assert given - of_the_shell == ours | declared | {"HOME", "LANG", "PATH", "TMPDIR"}


def test_the_job_finds_nothing_of_the_callers_in_the_processes_above_it(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RUNPOD_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "canary-of-the-caller")
    cloud.run("cat /proc/$PPID/environ /proc/$(cut -d' ' -f4 /proc/$PPID/stat)/environ")
    seen = cloud.output(cloud.instances[0])
    assert "canary" not in seen
    assert seen.count("PATH=") >= 2 if os.geteuid() == 0 else "PATH=" not in seen


def test_the_job_runs_in_its_unpacked_workdir_with_our_python(cloud: Any, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys; print(sys.executable)")
    packed = tmp_path / "workdir.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tmp_path / "train.py", "src/train.py")
    cloud.store.upload("workdir/abc.tar.gz", [packed.read_bytes()])
    cloud.run("python src/train.py", workdir_key="workdir/abc.tar.gz")
    assert cloud.output(cloud.instances[0]).strip().startswith(str(Path(sys.executable).parent))


def test_an_old_checkpoint_in_the_workdir_is_not_taken_for_the_runs_own(
    cloud: Any, tmp_path: Path
) -> None:
    (tmp_path / "old.bin").write_text("of another day")
    packed = tmp_path / "workdir.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tmp_path / "old.bin", "ckpt/old.bin")
    cloud.store.upload("workdir/abc.tar.gz", [packed.read_bytes()])
    _, ended = cloud.run("ls -A ckpt; sleep 0.5", workdir_key="workdir/abc.tar.gz")
    assert ended["end"] == "finished"
    assert cloud.output(cloud.instances[0]) == ""
    assert cloud.commits() == []


def test_a_damaged_workdir_is_the_nodes_failure(cloud: Any) -> None:
    cloud.store.upload("workdir/abc.tar.gz", [b"\x1f\x8b\x08 not an archive"])
    status, ended = cloud.run("true", workdir_key="workdir/abc.tar.gz")
    assert (status.reason, ended["end"]) == ("failed", "node_failed")


def test_a_missing_workdir_is_the_nodes_failure(cloud: Any) -> None:
    status, ended = cloud.run("true", workdir_key="workdir/none.tar.gz")
    assert (status.reason, ended["end"]) == ("failed", "node_failed")


def test_a_job_that_fills_the_disk_ends_and_its_last_commit_is_kept(tiny_cloud: Any) -> None:
    fill = r"""
head -c 9000000 /dev/zero > ckpt/b || exit 9"""
    keep = f"head -c 100000 /dev/zero > ckpt/a; {UNTIL_COMMITTED}"
    status, ended = tiny_cloud.run(keep + fill)
    assert (status.reason, ended["end"], ended["exit_code"]) == ("ended_itself", "job_failed", 9)
    assert [file.name for file in tiny_cloud.commits()[-1].files] == ["a"]
    _, ended = tiny_cloud.run("wc -c < $FINSCHED_RESUME_FROM/a", attempt=2)
    assert ended["end"] == "finished"
    assert tiny_cloud.output(tiny_cloud.instances[1]).strip() == "100000"


def test_folders_and_files_are_for_their_owner_only(cloud: Any, eventually: Any) -> None:
    instance = cloud.launch("sleep 60")
    eventually(lambda: cloud.messages("started"))
    folder = cloud.folder_of(instance)
    modes = {path: path.stat().st_mode & 0o077 for path in [folder, *folder.iterdir()]}
    assert set(modes.values()) == {0}, modes
