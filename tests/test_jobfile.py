from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched import jobfile
from finsched.errors import ExitCode, SpecError
from finsched.jobfile.schema import SECTIONS, Section
from finsched.model.job import (
    Budget,
    CapacityPreference,
    CheckpointSpec,
    Dataset,
    GpuRequest,
    JobSpec,
    Requirements,
    Where,
    Work,
)
from finsched.model.market import Location

GPUS = {"a10080gb": "A100-80GB", "a100": "A100", "h100": "H100", "h100sxm": "H100", "l4": "L4"}
CLOUDS = ("aws", "gcp", "azure", "lambda", "local")
REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "job-yaml.md"
CANARY = "hunter2-canary"

DESIGN = """\
name: llama-3-8b-lora
resources:
  gpu: [A100-80GB:8, H100:8]
  memory: 256GiB
  cpus: 32
  disk: 500GiB
  nodes: 1
where:
  clouds: [aws, gcp, azure, lambda]
  regions: [us-*, eu-*, "!us-gov-*"]
  residency: [eu]
capacity: auto
work:
  hours: 40
  reference: A100-80GB
  speedup: {H100: 2.2}
deadline: 72h
data:
  inputs:  [{uri: s3://acme-lake/tokens, region: aws/us-east-1, size: 500GB, reads: 1}]
  outputs: [{uri: s3://acme-models/llama, region: aws/us-east-1, size: 20GB}]
checkpoint: {path: ckpt, uri: s3://acme-ckpt/llama, size: 16GB, save_time: 60s, every: auto, \
signal: SIGTERM}
budget: {max_cost: 300, max_hourly: 15, max_interruptions: 5}
tags: {project: customer-chatbot, model: llama-3-8b}
env: {HF_HOME: /data/hf}
secrets: [HF_TOKEN]
workdir: .
setup: pip install -r requirements.txt
run: python train.py
"""


def parse(text: str) -> JobSpec:
    return jobfile.parse(text, source="job.yaml", known_gpus=GPUS, known_clouds=CLOUDS)


def job(extra: str = "", resources: str = "{gpu: 'H100:8'}") -> JobSpec:
    return parse(f"resources: {resources}\nrun: python train.py\n{extra}")


def problems(text: str) -> list[jobfile.Problem]:
    with pytest.raises(jobfile.JobFileError) as caught:
        parse(text)
    assert caught.value.exit_code is ExitCode.BAD_SPEC
    return list(caught.value.problems)


def test_the_design_example_is_understood_whole() -> None:
    us_east_1 = Location("aws", "us-east-1")
    assert parse(DESIGN) == JobSpec(
        name="llama-3-8b-lora",
        run="python train.py",
        setup="pip install -r requirements.txt",
        workdir=".",
        requirements=Requirements(
            gpus=(GpuRequest(name="A100-80GB", count=8), GpuRequest(name="H100", count=8)),
            memory_gib=256.0,
            vcpus=32.0,
            disk_gb=536.870912,
            nodes=1,
        ),
        where=Where(
            clouds=("aws", "gcp", "azure", "lambda"),
            regions=("us-*", "eu-*", "!us-gov-*"),
            residency=("eu",),
        ),
        capacity=CapacityPreference.AUTO,
        work=Work(hours=40.0, reference="A100-80GB", speedup={"H100": 2.2}),
        deadline=timedelta(hours=72),
        inputs=(Dataset(uri="s3://acme-lake/tokens", location=us_east_1, size_gb=500.0),),
        outputs=(Dataset(uri="s3://acme-models/llama", location=us_east_1, size_gb=20.0),),
        checkpoint=CheckpointSpec(
            path="ckpt",
            uri="s3://acme-ckpt/llama",
            location=Location("aws", ""),
            size_gb=16.0,
            save_time=timedelta(minutes=1),
            every=None,
            signal="SIGTERM",
        ),
        budget=Budget(max_cost_usd=300.0, max_hourly_usd=15.0, max_interruptions=5),
        tags={"project": "customer-chatbot", "model": "llama-3-8b"},
        env={"HF_HOME": "/data/hf"},
        secrets=("HF_TOKEN",),
    )


def test_how_many_checkpoints_are_kept() -> None:
    assert job("checkpoint: {keep: 5}").checkpoint == CheckpointSpec(keep=5)


def test_only_resources_and_run_are_required() -> None:
    assert parse("resources: {}\nrun: make") == JobSpec(
        name="job", run="make", requirements=Requirements()
    )


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("H100", [GpuRequest(name="H100", count=1)]),
        ("h100-sxm:4", [GpuRequest(name="H100", count=4)]),
        ("a100 80gb:2", [GpuRequest(name="A100-80GB", count=2)]),
        ("{memory: 40GiB, count: 8}", [GpuRequest(memory_gib=40.0, count=8)]),
        ("{name: L4, count: 2}", [GpuRequest(name="L4", count=2)]),
        ("[L4, {memory: 80GB}]", [GpuRequest(name="L4", count=1), None]),
    ],
)
def test_gpus_by_name_alias_list_and_memory(gpu: str, expected: list[GpuRequest | None]) -> None:
    requests = job(resources=f"{{gpu: {gpu}}}").requirements.gpus
    by_memory = GpuRequest(memory_gib=80e9 / 2**30, count=1)
    assert list(requests) == [request or by_memory for request in expected]


def test_a_scalar_is_the_text_that_was_typed() -> None:
    spec = job("tags: {release: 1.10, answer: no, zip: 010}\nenv: {DEBUG: true, EMPTY: ''}")
    assert spec.tags == {"release": "1.10", "answer": "no", "zip": "010"}
    assert spec.env == {"DEBUG": "true", "EMPTY": ""}


def test_on_demand_may_be_written_with_a_dash() -> None:
    assert job("capacity: on-demand").capacity is CapacityPreference.ON_DEMAND
    assert job("capacity: on_demand").capacity is CapacityPreference.ON_DEMAND


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("resources: {gpu: 8xH100}\nrun: make", "write H100:8"),
        ("resources: {gpu: 'h100 x 4'}\nrun: make", "write H100:4"),
        ("resources: {gpu: 2x A100-80GB}\nrun: make", "write A100-80GB:2"),
        ("resources: {gpu: 8xH1000}\nrun: make", "did you mean H100?"),
        ("resources: {accelerators: 'H100:8'}\nrun: make", "write gpu: H100:8 under resources"),
        ("resources: {use_spot: true}\nrun: make", "write capacity: spot at the top level"),
        ("resources: {}\nnum_nodes: 2\nrun: make", "write nodes: 2 under resources"),
    ],
)
def test_the_spelling_of_other_tools_is_translated(text: str, fix: str) -> None:
    (problem,) = problems(text)
    assert problem.fix == fix


def test_one_value_may_stand_for_a_list() -> None:
    spec = job("where: {clouds: aws, regions: us-*, residency: EU}\nsecrets: HF_TOKEN")
    assert spec.where == Where(clouds=("aws",), regions=("us-*",), residency=("eu",))
    assert spec.secrets == ("HF_TOKEN",)


def test_a_deadline_may_be_a_moment() -> None:
    assert job("deadline: 2026-12-31T18:00:00Z").deadline == datetime(2026, 12, 31, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("s3://a/b", Location("aws", "")),
        ("gs://a/b", Location("gcp", "")),
        ("az://a/b", Location("azure", "")),
        ("file:///data", Location("local", "")),
        ("/data", Location("local", "")),
        ("data/train", Location("local", "")),
        ("https://example.org/data", None),
        ("hf://datasets/x", None),
    ],
)
def test_the_scheme_says_the_provider_where_no_region_does(
    uri: str, location: Location | None
) -> None:
    spec = job(f"data: {{inputs: [{{uri: '{uri}', size: 1TB}}]}}")
    assert spec.inputs == (Dataset(uri=uri, location=location, size_gb=1000.0),)
    assert job(f"checkpoint: {{uri: '{uri}'}}").checkpoint == CheckpointSpec(
        uri=uri, location=location
    )


def test_work_on_the_only_gpu_needs_no_reference() -> None:
    assert job("work: {hours: 4}").work == Work(hours=4.0, reference="H100")
    assert job("work: {hours: 4}", resources="{cpus: 4}").work == Work(hours=4.0)


def test_anchors_and_aliases_are_allowed() -> None:
    spec = job("env: {A: &x value, B: *x}")
    assert spec.env == {"A": "value", "B": "value"}


@pytest.mark.parametrize(
    ("line", "field", "what", "fix"),
    [
        ("resourcess: 1", "", "resourcess is not a key", "did you mean resources?"),
        ("gpu: H100", "", "gpu is not a key", "it belongs under resources"),
        ("max_cost: 3", "", "max_cost is not a key", "it belongs under budget"),
        ("zzz: 1", "", "zzz is not a key", "the keys here are name, resources"),
        ("where: {cloud: aws}", "", "where.cloud is not a key", "did you mean clouds?"),
        ("where: {clouds: [asw]}", "where.clouds[0]", "not a provider", "did you mean aws?"),
        ("where: {clouds: asw}", "where.clouds", "not a provider", "did you mean aws?"),
        ("where: [aws]", "where", "is not a mapping", "key: value"),
        ("where:", "where", "has no value", "remove the key"),
        ("where: {regions: ['a/b']}", "where.regions[0]", "not a pattern", "us-*"),
        ("where: {residency: [e1]}", "where.residency[0]", "not an area", "eu"),
        ("capacity: ondemand", "capacity", "is 'ondemand'", "did you mean on_demand?"),
        ("name: My Job", "name", "lower-case", "write my-job"),
        ("work: {reference: H100}", "work.hours", "is missing", "add hours: 40"),
        ("work: {hours: 0}", "work.hours", "is 0", "above 0"),
        ("work: {hours: .inf}", "work.hours", "not a number", "0.5"),
        ("work: {hours: 4, reference: H10}", "work.reference", "not a known GPU", "mean H100?"),
        ("work: {hours: 4, speedup: {L4: -1}}", "work.speedup.L4", "is -1", "above 0"),
        ("deadline: 2026-12-31T18:00:00", "deadline", "no time zone", "2026-12-31T18:00:00Z"),
        ("deadline: soon", "deadline", "not a duration", "72h"),
        ("data: {inputs: {uri: a}}", "data.inputs", "is not a list", "- "),
        ("data: {inputs: [{uri: s3://a}]}", "data.inputs[0].size", "is missing", "500GB"),
        ("data: {inputs: [{uri: 's3://', size: 1GB}]}", "data.inputs[0].uri", "bucket", "s3://"),
        (
            "data: {outputs: [{uri: s3://a, size: 1GB, reads: 2}]}",
            "",
            "data.outputs[0].reads is not a key",
            "it belongs under data.inputs",
        ),
        (
            "data: {inputs: [{uri: s3://a, size: 1GB, region: us-east-1}]}",
            "data.inputs[0].region",
            "does not say the provider",
            "aws/us-east-1",
        ),
        ("checkpoint: {path: /ckpt}", "checkpoint.path", "inside of the workdir", "ckpt"),
        ("checkpoint: {path: a/../../b}", "checkpoint.path", "inside of the workdir", "ckpt"),
        ("checkpoint: {path: .}", "checkpoint.path", "inside of the workdir", "ckpt"),
        ("checkpoint: {keep: 0}", "checkpoint.keep", "0", ""),
        ("checkpoint: {signal: TERM}", "checkpoint.signal", "not a signal", "mean SIGTERM?"),
        ("checkpoint: {signal: SIGKILL}", "checkpoint.signal", "no job can catch", "SIGUSR1"),
        ("checkpoint: {every: 0s}", "checkpoint.every", "too short", "30m"),
        ("budget: {max_cost: -1}", "budget.max_cost", "cannot be negative", "300"),
        ("budget: {max_cost: 300 EUR}", "budget.max_cost", "money is in USD", "convert"),
        ("budget: {max_interruptions: 1.5}", "budget.max_interruptions", "whole number", "0"),
        ("tags: {finsched-run: a}", "tags.finsched-run", "reserved", "another name"),
        ("tags: {a: [b]}", "tags.a", "is a list", "one value"),
        ("env: {1A: b}", "env.1A", "not the name of a variable", "letters"),
        ("env: {FINSCHED_RUN: b}", "env.FINSCHED_RUN", "reserved", "remove it"),
        ("env: {A: }", "env.A", "has no value", "remove the key"),
        ("secrets: [FINSCHED_X]", "secrets[0]", "reserved", "another name"),
        ("secrets: [A]\nenv: {A: b}", "secrets[0]", "(A) is also in env", "remove it from env"),
        ("setup: [a]", "setup", "is a list", "one value"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_its_fix(
    line: str, field: str, what: str, fix: str
) -> None:
    found = problems(f"resources: {{gpu: H100}}\nrun: make\n{line}\n")
    problem = found[0]
    assert problem.line == 3
    assert problem.column >= 1
    assert problem.field == field
    assert what in problem.sentence
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("resources", "field", "what", "fix"),
    [
        ("{gpuu: H100}", "", "resources.gpuu is not a key", "did you mean gpu?"),
        ("{gpu: H1000}", "resources.gpu", "'H1000' is not a known GPU", "did you mean H100?"),
        ("{gpu: [L4, XYZZY:2]}", "resources.gpu[1]", "not a known GPU", "finsched gpus"),
        ("{gpu: 'H100:0'}", "resources.gpu", "is 0", "from 1 to 128"),
        ("{gpu: 'H100:x'}", "resources.gpu", "not a whole number", "1 or more"),
        ("{gpu: {H100: 8}}", "resources.gpu", "without name, memory or count", "write H100:8"),
        ("{gpu: {count: 8}}", "resources.gpu", "either a name or a memory", "H100:8"),
        ("{gpu: {memory: 40, count: 8}}", "resources.gpu.memory", "needs a unit", "40GiB"),
        ("{gpu: }", "resources.gpu", "has no value", "remove the key"),
        ("{memory: 256}", "resources.memory", "needs a unit", "256GiB"),
        ("{memory: 999PiB}", "resources.memory", "more than 100TiB", "check the unit"),
        ("{disk: 500Gb}", "resources.disk", "means bits", "500GB"),
        ("{cpus: many}", "resources.cpus", "not a number", "0.5"),
        ("{nodes: 0}", "resources.nodes", "is 0", "from 1 to"),
        ("7", "resources", "is not a mapping", "key: value"),
    ],
)
def test_a_mistake_in_resources(resources: str, field: str, what: str, fix: str) -> None:
    problem = problems(f"run: make\nresources: {resources}\n")[0]
    assert problem.line == 2
    assert what in problem.sentence
    assert fix in problem.fix
    assert problem.field == field


def test_a_secret_with_a_value_is_told_apart_from_a_bad_name() -> None:
    found = problems("resources: {}\nrun: make\nsecrets: [TOKEN=x, a-b]\n")
    assert [p.what for p in found] == ["holds a value", "is not the name of a variable"]


def test_all_problems_come_in_one_go_in_the_order_of_lines() -> None:
    text = "resources: {gpu: H1OO}\nwhere: {clouds: [asw]}\nbudget: {max_cost: 3 EUR}\n"
    with pytest.raises(SpecError) as caught:
        parse(text)
    lines = caught.value.message.splitlines()
    assert lines[0] == "job.yaml has 4 problems:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "line 1",
        "line 1",
        "line 2",
        "line 3",
    ]
    assert "line 2: where.clouds[0] 'asw' is not a provider; did you mean aws?" in lines[3]


def test_one_problem_has_file_line_column_and_fix() -> None:
    with pytest.raises(SpecError) as caught:
        parse("resources:\n  gpuu: H100\nrun: make\n")
    assert caught.value.message == "job.yaml, line 2, column 3: resources.gpuu is not a key"
    assert caught.value.fix == "did you mean gpu?"


def test_hours_of_several_gpus_need_a_reference() -> None:
    found = problems("resources: {gpu: [L4, H100]}\nrun: make\nwork: {hours: 4}\n")
    assert [(p.line, p.field) for p in found] == [(3, "work.reference")]
    found = problems("resources: {}\nrun: make\nwork: {hours: 4, reference: L4}\n")
    assert "resources asks for none" in found[0].sentence


@pytest.mark.parametrize(
    "line",
    [
        f"secrets: [TOKEN={CANARY}]",
        f"secrets: ['{CANARY}']",
        f"secrets: {{TOKEN: {CANARY}}}",
        f"secrets: [{{TOKEN: {CANARY}}}]",
        f"secrets: TOKEN={CANARY}",
        f"env: {{TOKEN: [{CANARY}]}}",
        f"checkpoint: {{uri: 's3://key:{CANARY}@bucket/x'}}",
        f"data: {{inputs: [{{uri: 'https://u:{CANARY}@host/x', size: 1GB}}]}}",
    ],
)
def test_what_may_be_secret_is_never_shown(line: str) -> None:
    with pytest.raises(SpecError) as caught:
        job(line)
    assert CANARY not in f"{caught.value} {caught.value.fix} {caught.value!r}"
    assert "line 3" in caught.value.message


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("", "the file is empty", "resources and run"),
        ("# nothing\n", "the file is empty", "resources and run"),
        ("- a", "not a mapping", "key: value"),
        ("just text", "not a mapping", "key: value"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' is written twice, first on line 1", "one"),
        ("a: 1\n---\nb: 2", "line 2, column 1: a second document", "one job a file"),
        ("a: [", "not YAML", "brackets"),
        ("a: b: c", "line 1, column 5: not YAML: mapping values are not allowed", "indentation"),
        ("a:\n\tb: c", "line 2, column 1: not YAML", "spaces, not tabs"),
        ("a: [*]", "not YAML", 'such as "*"'),
        ("a: *b", "the alias *b stands for nothing above it", "define &b"),
        ("a: &x [*x]", "the alias *x stands for nothing", "define &x"),
        ("a: [!us-gov-*, b]", "is read as a YAML tag", "quotes"),
        ("a: !!python/object/apply:os.system [ls]", "is read as a YAML tag", "quotes"),
        ("[a]: b", "a key must be plain text", "key: value"),
        ("<<: {a: b}", "merge keys (<<) are not supported", "write the keys out"),
        ("a: " + "[" * 21 + "]" * 21, "nested deeper than 20", "flatten"),
        ('a: "\\0"', "NUL", "remove it"),
        ("a: \x01", "control character", "around there"),
        ("a: \ud800", "not Unicode", "UTF-8"),
    ],
)
def test_what_is_not_a_document_is_one_clear_message(text: str, what: str, fix: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert what in caught.value.message
    assert fix in str(caught.value.fix)


def test_billion_laughs_is_one_clear_message() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(SpecError, match="expands to more than 20,000 values") as caught:
        parse("\n".join(lines))
    assert "line 5" in caught.value.message


def test_a_file_is_named_after_itself_and_its_workdir_is_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "Fine Tune_2.yaml"
    path.write_text("resources: {}\nrun: make\nworkdir: src\n", encoding="utf-8")
    with pytest.raises(SpecError, match="line 3, column 10: workdir is 'src', which is not a"):
        jobfile.read(path, known_gpus=GPUS)
    (tmp_path / "src").mkdir()
    spec = jobfile.read(path, known_gpus=GPUS)
    assert spec.name == "fine-tune-2"
    assert spec.workdir == str(tmp_path.resolve() / "src")


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xef\xbb\xbfresources: {}\r\nrun: make\r\n")
    assert jobfile.read(path, known_gpus=GPUS).run == "make"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        jobfile.read(tmp_path / "none.yaml", known_gpus=GPUS)
    with pytest.raises(SpecError, match="is a directory"):
        jobfile.read(tmp_path, known_gpus=GPUS)
    with pytest.raises(SpecError, match="cannot be read"):
        jobfile.read(tmp_path / ("x" * 300), known_gpus=GPUS)
    with pytest.raises(SpecError, match="cannot be read"):
        jobfile.read(Path("a\0b"), known_gpus=GPUS)
    with pytest.raises(SpecError, match="larger than 1 MiB"):
        jobfile.read(Path("/dev/zero"), known_gpus=GPUS)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"run: make\nname: caf\xe9\n")
    with pytest.raises(SpecError, match="line 2, column 10: the file is not UTF-8"):
        jobfile.read(latin, known_gpus=GPUS)


def test_documents_are_json_and_lossless() -> None:
    for spec in (parse(DESIGN), job("deadline: 2026-12-31T18:00:00Z"), job()):
        text = json.dumps(jobfile.to_document(spec), allow_nan=False)
        assert jobfile.from_document(json.loads(text)) == spec


WORDS = st.sampled_from(
    [
        "resources",
        "gpu",
        "run",
        "name",
        "where",
        "clouds",
        "regions",
        "work",
        "hours",
        "reference",
        "data",
        "inputs",
        "uri",
        "size",
        "checkpoint",
        "every",
        "budget",
        "max_cost",
        "tags",
        "env",
        "secrets",
        "deadline",
        "workdir",
        "capacity",
        "nodes",
        "memory",
        "H100",
        "H100:8",
        "A100-80GB",
        "40GiB",
        "500GB",
        "72h",
        "30m",
        "auto",
        "spot",
        "300",
        "-1",
        "0",
        "nan",
        ".inf",
        "~",
        "null",
        "true",
        "no",
        "$3",
        "s3://a/b",
        "aws/us-east-1",
        "2026-01-01T00:00:00Z",
        "us-*",
        "!x",
        "&a",
        "*a",
        "<<",
    ]
)
BITS = WORDS | st.sampled_from(
    [": ", ":\n  ", "\n", "\n  ", "\n    - ", "[", "]", "{", "}", ", ", '"', "'", "|\n", "#", "\t"]
)


@settings(max_examples=300)
@given(st.lists(BITS, max_size=40).map("".join) | st.text(max_size=40))
def test_yaml_like_noise_is_a_job_or_a_spec_error(text: str) -> None:
    check_fuzz(text)


@settings(max_examples=200)
@given(st.integers(0, len(DESIGN) - 1), st.integers(0, 12), BITS)
def test_a_damaged_job_is_a_job_or_a_spec_error(at: int, cut: int, put: str) -> None:
    check_fuzz(DESIGN[:at] + put + DESIGN[at + cut :])


def check_fuzz(text: str) -> None:
    try:
        spec = parse(text)
    except SpecError:
        return
    assert jobfile.from_document(jobfile.to_document(spec)) == spec


def test_every_section_is_in_the_table_of_sections() -> None:
    assert set(SECTIONS.values()) == set(Section.__subclasses__()) | {SECTIONS["data", "inputs"]}


def test_every_key_is_documented() -> None:
    reference = REFERENCE.read_text(encoding="utf-8")
    keys = {
        ".".join((*path, key)) for path, section in SECTIONS.items() for key in section.model_fields
    }
    assert [key for key in sorted(keys) if f"| `{key}` |" not in reference] == []
