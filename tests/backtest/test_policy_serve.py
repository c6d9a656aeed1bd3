"""`finsched policy-serve` as another program meets it."""

from __future__ import annotations

import json
import subprocess
import sys

JOB = {
    "type": "reset",
    "id": "job",
    "gap_s": 600,
    "deadline_s": 216000,
    "work_s": 172800,
    "changeover_s": 720,
    "od_price": 1.0,
    "egress": 0.1,
    "history": [],
    "pools": [{"id": "pool0", "region": "us-west-2", "spot_price": 0.3}],
}
SITUATION = {
    "type": "decide",
    "t_s": 0,
    "time_left_s": 216000,
    "work_left_s": 172800,
    "placement": "idle",
    "pool": None,
    "changeover_left_s": 0,
    "data_region": None,
    "available": [True],
    "preempted": False,
    "cost": 0.0,
    "restarts": 0,
}
LAST_MOMENT = SITUATION | {"time_left_s": 174000}
HEAVY = "[m for m in ('numpy', 'rich.console') if m in sys.modules]"


def serve(lines: list[dict[str, object]], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from finsched.cli import main; main()", "policy-serve"]
    said = "".join(json.dumps(line) + "\n" for line in lines)
    return subprocess.run(
        [*command, *options], input=said, capture_output=True, text=True, check=False
    )


def test_one_answer_for_every_decision_and_none_for_a_job() -> None:
    done = serve([JOB, SITUATION, LAST_MOMENT, JOB, SITUATION], "--json-lines")
    answers = [json.loads(line)["action"] for line in done.stdout.splitlines()]
    assert (answers, done.returncode) == ([0, "on_demand", 0], 0)


def test_a_decision_before_any_job_is_refused() -> None:
    done = serve([SITUATION], "--json-lines", "--policy", "greedy")
    assert (done.returncode, "send the job first" in done.stderr) == (2, True)


def test_only_the_adaptive_policy_loads_numpy() -> None:
    program = (
        "import sys; from finsched.cli import main\n"
        "from finsched.backtest.wire import Session\n"
        "from finsched.decide.spot.policies import named\n"
        f"Session(named('greedy')).answer({json.dumps(json.dumps(JOB))}); print({HEAVY})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
