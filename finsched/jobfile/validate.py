"""A tree of YAML -> checked sections, with every problem at its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from pydantic import ValidationError

from finsched.jobfile.convert import contradictions
from finsched.jobfile.places import Places, wrong_places
from finsched.jobfile.problems import JobFileError, Problem, Wrong, nearest, shown
from finsched.jobfile.schema import SECTIONS, Job, Section
from finsched.jobfile.times import wrong_times
from finsched.jobfile.yaml_tree import Node, walk

Path = Sequence[str | int]

_SHAPES = {
    "model_type": ("is not a mapping", "write `key: value` lines below it"),
    "dict_type": ("is not a mapping", "write `key: value` lines below it"),
    "tuple_type": ("is not a list", "write `- ` items below it, or [a, b]"),
}

_OTHER_TOOLS_KEYS = {  # SkyPilot's and dstack's words for what stands elsewhere here
    "accelerators": "write gpu: H100:8 under resources",
    "use_spot": "write capacity: spot at the top level",
    "spot_policy": "write capacity: spot at the top level",
    "num_nodes": "write nodes: 2 under resources",
}


def validate(
    tree: Node,
    source: str,
    known_gpus: Mapping[str, str],
    known_clouds: Collection[str],
    known_places: Places,
    now: datetime,
) -> Job:
    """Return the checked job, or raise one JobFileError that lists all problems."""
    context = {"gpus": dict(known_gpus), "clouds": frozenset(known_clouds)}
    try:
        job = Job.model_validate(tree.plain(), context=context)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise JobFileError(source, [_problem(tree, detail) for detail in details]) from None
    misplaced = wrong_places(job, known_places) if known_places else ()
    wrongs = chain(contradictions(job), wrong_times(job, now), misplaced)
    if found := [problem_at(tree, path, wrong) for path, wrong in wrongs]:
        raise JobFileError(source, found)
    return job


def _problem(tree: Node, detail: Any) -> Problem:
    path = [step for step in detail["loc"] if step != "[key]"]
    if detail["type"] == "extra_forbidden":
        return _unknown_key(tree, path)
    if detail["type"] == "missing":
        return _missing_key(tree, path)
    return problem_at(tree, path, _wrong(tree, path, detail))


def _wrong(tree: Node, path: Path, detail: Any) -> Wrong:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, Wrong):
        return error
    node, _, left = walk(tree, path)
    if node.value is None and not left:
        return Wrong("has no value", "give it one or remove the key")
    what, fix = _SHAPES.get(detail["type"], (f"is not valid: {detail['msg']}", "correct it"))
    return Wrong(what, fix)


def problem_at(tree: Node, path: Path, wrong: Wrong) -> Problem:
    """Return the problem with what stands at `path`."""
    node, taken, left = walk(tree, path)
    # a key that is absent is still named, at the line of what should hold it
    absent = left[:1] if isinstance(node.value, dict) else []
    field = dotted(taken + absent)
    return Problem(line=node.line, column=node.column, field=field, what=wrong.what, fix=wrong.fix)


def _missing_key(tree: Node, path: Path) -> Problem:
    example = _section(path).model_fields[str(path[-1])].examples or ["…"]
    return problem_at(tree, path, Wrong("is missing", f"add {path[-1]}: {example[0]}"))


def _unknown_key(tree: Node, path: Path) -> Problem:
    key = str(path[-1])
    parent, taken, _ = walk(tree, path[:-1])
    line, column = parent.keys.get(key, (parent.line, parent.column))
    what, fix = f"{shown_path([*taken, key])} is not a key", _key_fix(key, path)
    return Problem(line=line, column=column, field="", what=what, fix=fix)


def _key_fix(key: str, path: Path) -> str:
    if key in _OTHER_TOOLS_KEYS:
        return _OTHER_TOOLS_KEYS[key]
    known = list(_section(path).model_fields)
    homes = [".".join(home) for home, section in SECTIONS.items() if key in section.model_fields]
    listed = f"the keys here are {', '.join(known)}"
    if homes:
        listed = f"it belongs under {homes[0]}" if homes[0] else "it belongs at the top level"
    return nearest(key, known, otherwise=listed)


def _section(path: Path) -> type[Section]:
    return SECTIONS[tuple(step for step in path[:-1] if isinstance(step, str))]


def shown_path(path: Path) -> str:
    """Return the dotted path, with an unprintable or long last key made safe."""
    text = dotted(path)
    return text if text.isprintable() and len(text) < 80 else shown(text)


def dotted(path: Path) -> str:
    """Return a path as people write it: `data.inputs[0].size`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")
