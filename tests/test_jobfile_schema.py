"""The JSON Schema for editors agrees with the parser on what is a job."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from finsched import jobfile

GPUS = {"a10080gb": "A100-80GB", "h100": "H100", "l4": "L4"}
REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "job-yaml.md"
SCHEMA = jobfile.json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def documented() -> str:
    """The example of the reference page."""
    return REFERENCE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]


def test_it_is_valid_draft_2020_12_and_says_so() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_documented_example_passes_both() -> None:
    VALIDATOR.validate(yaml.safe_load(documented()))
    assert jobfile.parse(documented(), source="job.yaml", known_gpus=GPUS).budget.max_cost_usd


def test_every_key_has_a_description() -> None:
    sections = [SCHEMA, *SCHEMA["$defs"].values()]
    properties = [item for section in sections for item in section["properties"].items()]
    assert [name for name, schema in properties if not schema.get("description")] == []


@pytest.mark.parametrize(
    ("path", "value", "valid"),
    [
        (("resources", "gpu"), "H100", True),
        (("resources", "gpu"), {"memory": "40GiB", "count": 8}, True),
        (("resources", "gpu"), ["L4:1", {"name": "H100", "count": 2}], True),
        (("resources", "gpu"), {"count": "x"}, False),
        (("resources", "gpuu"), "H100", False),
        (("resources", "memory"), "256GB", True),
        (("resources", "memory"), 256, False),
        (("resources", "memory"), "500Gb", False),
        (("resources", "nodes"), 0, False),
        (("resources", "cpus"), 0.5, True),
        (("where", "clouds"), "aws", True),
        (("capacity",), "on_demand", True),
        (("capacity",), "on-demand", True),
        (("capacity",), "ondemand", False),
        (("deadline",), "1d12h", True),
        (("deadline",), "2026-12-31T18:00:00Z", True),
        (("start",), {"after": "8h", "before": "24h"}, True),
        (("start",), {"before": "2099-12-31T18:00:00Z"}, True),
        (("start",), {}, False),
        (("start",), "8h", False),
        (("scavenge_below",), 1.2, True),
        (("scavenge_below",), "$1.20", True),
        (("scavenge_below",), 0, False),
        (("work", "hours"), -1, False),
        (("work", "speedup"), {"H100": 2}, True),
        (("checkpoint", "every"), "30m", True),
        (("checkpoint", "every"), "often", False),
        (("budget", "max_cost"), "$1,300", True),
        (("budget", "max_cost"), "300 EUR", False),
        (("budget", "max_cost"), -3, False),
        (("tags",), {"release": 1.1}, True),
        (("env",), {"FINSCHED_RUN": "x"}, False),
        (("secrets",), ["A=b"], False),
        (("secrets",), "A", True),
        (("name",), "My Job", False),
        (("run",), "", False),
        (("where",), None, False),
    ],
)
def test_editor_and_parser_agree(path: tuple[str, ...], value: Any, *, valid: bool) -> None:
    document = copy.deepcopy(yaml.safe_load(documented()))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    text = yaml.safe_dump(document)
    assert VALIDATOR.is_valid(document) is valid
    if valid:
        jobfile.parse(text, source="job.yaml", known_gpus=GPUS)
    else:
        with pytest.raises(jobfile.JobFileError):
            jobfile.parse(text, source="job.yaml", known_gpus=GPUS)
