"""What of the caller's environment a machine gets: its job may look into all of it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

_NAMES = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
_PREFIXES = ("LC_", "PYTHON", "SSL_CERT")
_NAMES_FOR_A_REMOTE_STORE = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
_PREFIXES_FOR_A_REMOTE_STORE = ("AWS_", "AZURE_", "GOOGLE_")


def machine_environment(environment: Mapping[str, str], store_uri: str) -> dict[str, str]:
    """Return what the interpreter needs, and what the agent needs to reach a remote store."""
    remote = urlsplit(store_uri).scheme != "file"
    return {
        name: value
        for name, value in environment.items()
        if _for_python(name) or (remote and _for_a_store(name))
    }


def _for_python(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)


def _for_a_store(name: str) -> bool:
    return name.upper() in _NAMES_FOR_A_REMOTE_STORE or name.startswith(
        _PREFIXES_FOR_A_REMOTE_STORE
    )
