"""The node agent as a zip file: the same bytes from the same sources, on any platform."""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_NODE = "finsched.node"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_RUN_A_MODULE = b"""import runpy
import sys

runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
_RUN_THE_LOADER = b"""from finsched.node.booting.loader import main

main()
"""
# What user data carries: enough to fetch the rest and to check it.
_LOADER = (
    "__init__",
    "identity.access",
    "clock",
    "booting.loader",
    "identity.metadata",
    "objects",
    "web.renewed",
    "web.request",
    "web.service",
    "web.connections",
)


@dataclass(frozen=True)
class Archive:
    """A zip file that Python can run."""

    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the content, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@lru_cache(maxsize=1)
def agent() -> Archive:
    """Return the whole node agent; its first argument is the module that is to run."""
    sources = dict(_sources(files(_NODE), ""))
    return _runnable(_RUN_A_MODULE, sources)


@lru_cache(maxsize=32)
def loader(more: frozenset[str]) -> Archive:
    """Return what fetches the agent and checks it; `more` are the modules that its plan needs."""
    wanted = {*_LOADER, *more}
    packages = {f"{name.partition('.')[0]}.__init__" for name in wanted if "." in name}
    names = (f"{name.replace('.', '/')}.py" for name in wanted | packages)
    sources = {name: files(_NODE).joinpath(name).read_bytes() for name in names}
    spare = {name: _without_words(source) for name, source in sources.items()}
    return _runnable(_RUN_THE_LOADER, spare)


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _without_words(source: bytes) -> bytes:
    """Leave out docstrings, comment lines and empty lines: user data has little room."""
    lines = source.decode().splitlines()
    dropped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is None:
            continue
        words = node.body[0]
        dropped.update(range(words.lineno - 1, words.end_lineno or words.lineno))
        if len(node.body) == 1 and not isinstance(node, ast.Module):
            dropped.remove(words.lineno - 1)
            lines[words.lineno - 1] = " " * words.col_offset + "pass"
    left = (line for number, line in enumerate(lines) if number not in dropped)
    return "\n".join(line for line in left if line.strip() and line.strip()[0] != "#").encode()


def _runnable(main: bytes, modules: Mapping[str, bytes]) -> Archive:
    """Pack modules of the node as a package of their own, without the rest of finsched."""
    sources = {f"finsched/node/{name}": source for name, source in modules.items()}
    return archive({"__main__.py": main, "finsched/__init__.py": b"", **sources})


def archive(contents: Mapping[str, bytes]) -> Archive:
    """Pack files by name: sorted, without times and owners, not compressed (compressors differ)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = 3  # Unix, also where it is packed elsewhere
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, contents[name])
    return Archive(packed.getvalue())
