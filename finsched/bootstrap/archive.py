"""The node agent as a zip file: the same bytes from the same sources, on any platform."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

_NODE = "finsched.node"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_RUN_A_MODULE = b"""import runpy
import sys

runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
_RUN_THE_LOADER = b"""from finsched.node.loader import main

main()
"""
# What user data carries: enough to fetch the rest and to check it.
_LOADER = (
    "__init__",
    "aws",
    "clock",
    "credentials",
    "loader",
    "metadata",
    "objects",
    "sigv4",
    "web",
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
    names = (file.name for file in files(_NODE).iterdir())
    return _runnable(_RUN_A_MODULE, [name for name in names if name.endswith(".py")])


@lru_cache(maxsize=1)
def loader() -> Archive:
    """Return what fetches the agent and checks it."""
    return _runnable(_RUN_THE_LOADER, [f"{name}.py" for name in _LOADER])


def _runnable(main: bytes, modules: Iterable[str]) -> Archive:
    """Pack modules of the node as a package of their own, without the rest of finsched."""
    sources = {
        f"finsched/node/{name}": files(_NODE).joinpath(name).read_bytes() for name in modules
    }
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
