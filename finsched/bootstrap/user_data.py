"""User data: the shell script that a fresh machine runs as root, with nothing secret in it."""

from __future__ import annotations

import base64
import gzip
import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from finsched.bootstrap.archive import loader
from finsched.errors import InvalidRequest

MOST_BYTES = 16 << 10  # EC2's limit, before it is encoded for the API
_FETCH_AGAIN_AFTER_SECONDS = 5.0

# The first line after the comments makes the end certain, before anything can go wrong. The script
# for later boots ends a machine that was restarted: cloud-init would not start the agent again.
_SCRIPT = """\
#!/bin/bash
# finsched: brings the node agent onto this machine. docs/explanation/node-bootstrap.md explains it.
shutdown -P +15
umask 077
root=${FINSCHED_ROOT:-}
later=$root/var/lib/cloud/scripts/per-boot
folder=$root/var/lib/finsched
mkdir -p "$later" "$folder" && cd "$folder" || { shutdown -P now; exit 1; }
printf '#!/bin/sh\\nshutdown -P now\\n' > "$later/finsched" && chmod 700 "$later/finsched"
exec >> boot.log 2>&1
base64 -d <<'END' | gunzip > loader.zip
LOADER
END
cat > plan.json <<'END'
PLAN
END
umask 022
export HOME=${HOME:-/root} PATH
run=("$(command -v python3)" -I -S "$PWD/loader.zip" "$PWD/plan.json")
unit=(systemd-run --unit=finsched-node --setenv=HOME="$HOME" --setenv=PATH="$PATH"
  -p WorkingDirectory="$PWD" -p StandardOutput=append:"$PWD/boot.log"
  -p StandardError=append:"$PWD/boot.log" -p KillMode=mixed -p TimeoutStopSec=110
  -p LimitNOFILE=1048576 -p LimitMEMLOCK=infinity -p TasksMax=infinity)
if [ -z "${run[0]}" ]; then echo "this image has no python3"; shutdown -P now; exit 1; fi
if [ -d "$root/run/systemd/system" ] && "${unit[@]}" "${run[@]}"; then exit 0; fi
setsid nohup "${run[@]}" < /dev/null &
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An object that the machine fetches: its path at the store's address, and what it must be."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretParameter:
    """Where the machine finds the secrets of its job; the only reader also deletes them."""

    region: str
    name: str
    only_reader: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that the machine is told; everybody who may describe it can read this.

    `address` and `region` are those of the run's store. By `end_at` it is off, whatever happens.
    """

    address: str
    region: str
    artefact: Fetched
    config: Fetched
    log_path: str
    secrets: SecretParameter | None = None
    end_at: datetime | None = None


def user_data(plan: Plan) -> str:
    """Return the script; raises InvalidRequest where it is longer than a cloud takes."""
    script = _SCRIPT.replace("LOADER", _loader_text()).replace("PLAN", _plan_text(plan))
    if (size := len(script.encode())) > MOST_BYTES:
        raise InvalidRequest(
            f"the user data of the machine has {size} bytes, more than {MOST_BYTES}",
            fix="choose a shorter path for the run's store",
        )
    return script


def _loader_text() -> str:
    packed = gzip.compress(loader().content, 9, mtime=0)
    return "\n".join(textwrap.wrap(base64.b64encode(packed).decode(), 100))


def _plan_text(plan: Plan) -> str:
    """Return one line of ASCII: it cannot end the document that it stands in."""
    document: Mapping[str, Any] = {
        **asdict(plan),
        "end_at": plan.end_at.isoformat() if plan.end_at else None,
        "pause_seconds": _FETCH_AGAIN_AFTER_SECONDS,
    }
    return json.dumps(document, sort_keys=True)
