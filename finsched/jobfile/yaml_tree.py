"""YAML text -> a tree of text, lists and mappings that knows its lines.

Built straight from parser events: no tag ever constructs an object, every scalar stays the text
that the user typed (`no`, `1.10` and `010` mean what they say), and size is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from finsched.jobfile.problems import JobFileError, Problem, shown

MAX_NODES = 20_000
MAX_DEPTH = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_QUOTE_IT = "put the value in quotes"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands; `value` is text, None, a list or a dict of nodes."""

    value: str | list[Node] | dict[str, Node] | None
    line: int
    column: int
    keys: dict[str, tuple[int, int]]
    size: int

    def plain(self) -> Any:
        """Return the value without its places."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value

    def child(self, step: str | int) -> Node | None:
        """Return the entry or item at `step`, or None where there is none."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None


def read_tree(text: str, source: str) -> Node:
    """Return the mapping that `text` holds; anything else is a JobFileError."""
    try:
        root = _Composer(text, source).document()
    except yaml.YAMLError as error:
        raise JobFileError(source, [_syntax_problem(error)]) from error
    except UnicodeEncodeError as error:
        problem = _problem(1, 1, "holds characters that are not Unicode", "save it as UTF-8")
        raise JobFileError(source, [problem]) from error
    if root is None or root.value is None:
        raise JobFileError(source, [_problem(0, 0, "the file is empty", "write resources and run")])
    if not isinstance(root.value, dict):
        what = "the file is not a mapping of keys to values"
        raise JobFileError(source, [_problem(root.line, root.column, what, "write `key: value`")])
    return root


class _Composer:
    """Turns the events of one document into nodes, counting what aliases expand to."""

    def __init__(self, text: str, source: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._source = source
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def document(self) -> Node | None:
        root = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._error(event, "a second document starts here", "keep one job a file")
                root = self._node(next(self._events), depth=1)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            raise self._error(event, f"{shown(event.tag)} is read as a YAML tag", _QUOTE_IT)
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        self._count(event, 1)
        before = self._nodes
        value, keys = self._value(event, depth)
        line, column = _place(event)
        node = Node(value, line, column, keys, 1 + self._nodes - before)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _value(self, event: Any, depth: int) -> tuple[Any, dict[str, tuple[int, int]]]:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(depth), {}
        if "\0" in event.value:
            raise self._error(event, "a text holds a NUL character", "remove it")
        return (event.value if event.style or event.value not in _NULLS else None), {}

    def _sequence(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> tuple[dict[str, Node], dict[str, tuple[int, int]]]:
        entries: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, keys)
            keys[key] = _place(event)
            entries[key] = self._node(next(self._events), depth + 1)
        return entries, keys

    def _key(self, event: Any, seen: dict[str, tuple[int, int]]) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise self._error(event, "a key must be plain text", "write `key: value`")
        key = str(event.value)
        if key == "<<":
            raise self._error(event, "merge keys (<<) are not supported", "write the keys out")
        if key in seen:
            what = f"the key {shown(key)} is written twice, first on line {seen[key][0]}"
            raise self._error(event, what, "keep one of them")
        return key

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            what = f"the alias *{event.anchor} stands for nothing above it"
            raise self._error(event, what, f"define &{event.anchor} first, or quote the value")
        self._count(event, node.size)
        return node

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            what = f"the file expands to more than {MAX_NODES:,} values"
            raise self._error(event, what, "remove the aliases (*name) that repeat each other")

    def _error(self, event: Any, what: str, fix: str) -> JobFileError:
        return JobFileError(self._source, [_problem(*_place(event), what, fix)])


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _problem(line: int, column: int, what: str, fix: str) -> Problem:
    return Problem(line=line, column=column, field="", what=what, fix=fix)


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = getattr(error, "problem", None) or "it holds a control character"
    context = getattr(error, "context", None)
    return _problem(line, column, f"not YAML: {what}", _syntax_fix(what, context or ""))


def _syntax_fix(what: str, context: str) -> str:
    if "tag" in context:
        return 'put values that start with ! in quotes, such as "!us-gov-*"'
    if "alias" in context or "anchor" in context:
        return 'put values that start with * or & in quotes, such as "*"'
    if "cannot start any token" in what:
        return "indent with spaces, not tabs, and quote values that start with a special character"
    if "mapping values are not allowed" in what:
        return "check the indentation, and quote values that hold a colon and a space"
    return "check the indentation, the quotes and the brackets around there"


def walk(root: Node, path: Sequence[str | int]) -> tuple[Node, list[str | int], list[str | int]]:
    """Return the deepest node on `path`, the steps that lead to it and those that are left.

    An index into what is not a list is skipped: one value may stand for a list of one.
    """
    node, left = root, list(path)
    taken: list[str | int] = []
    while left:
        inner = node.child(left[0])
        if inner is not None:
            node = inner
            taken.append(left[0])
        elif isinstance(left[0], str) or isinstance(node.value, list):
            break
        left.pop(0)
    return node, taken, left
