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
from finsched.bootstrap.place import ENDINGS, MOST_BYTES, Place
from finsched.errors import InvalidRequest

_FETCH_AGAIN_AFTER_SECONDS = 5.0


def _identity(*modules: str) -> frozenset[str]:
    return frozenset(f"identity.{module}" for module in modules)


_KEYS_OF_AWS = _identity("aws", "credentials", "sigv4")
_FEDERATION = {
    "s3": _identity("to_aws", "identity_token"),
    "gs": _identity("to_google", "identity_token"),
    "az": _identity("to_entra", "identity_token"),
}
_DEPARTURE = _identity("azure", "bearer", "gcp") | {"booting.departure"}

# The first line after the comments makes the end certain, before anything can go wrong. A machine
# that was restarted ends: some clouds run this script again, others the one for later boots.
_SCRIPT = """\
#!/bin/bash
# finsched: brings the node agent onto this machine. docs/explanation/node-bootstrap.md explains it.
shutdown -P +15
umask 077
root=${FINSCHED_ROOT:-}
later=$root/var/lib/cloud/scripts/per-boot
folder=$root/var/lib/finsched
end="python3 -I -S '$folder/loader.zip' '$folder/plan.json' end || shutdown -P now"
if [ -e "$folder/plan.json" ]; then eval "$end"; exit 1; fi
mkdir -p "$later" "$folder" && cd "$folder" || { shutdown -P now; exit 1; }
printf '#!/bin/sh\\n%s\\n' "$end" > "$later/finsched" && chmod 700 "$later/finsched"
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
class Plan:
    """All that the machine is told; everybody who may describe it can read this.

    `scheme`, `address` and `region` are those of the run's store, `access` says who the machine is
    there. `secrets` say where they are. By `end_at` it is off, whatever happens.
    """

    place: Place
    scheme: str
    address: str
    region: str
    access: Mapping[str, Any]
    artefact: Fetched
    config: Fetched
    log_path: str
    secrets: Mapping[str, Any] | None = None
    end_at: datetime | None = None


def user_data(plan: Plan) -> str:
    """Return the script; raises InvalidRequest where it is longer than the cloud takes."""
    script = _SCRIPT.replace("LOADER", _loader_text(plan)).replace("PLAN", _plan_text(plan))
    most = MOST_BYTES[plan.place.cloud]
    if (size := len(script.encode())) > most:
        raise InvalidRequest(
            f"the user data of the machine has {size} bytes, more than {most}",
            fix="choose a shorter path for the run's store, or fewer and shorter secrets",
        )
    return script


def _loader_text(plan: Plan) -> str:
    packed = gzip.compress(loader(_modules(plan)).content, 9, mtime=0)
    return "\n".join(textwrap.wrap(base64.b64encode(packed).decode(), 100))


def _modules(plan: Plan) -> frozenset[str]:
    """Return what this machine's loader needs to reach the store, and to end the machine."""
    cloud = _KEYS_OF_AWS if plan.place.cloud == "aws" else _identity(plan.place.cloud, "bearer")
    store = _KEYS_OF_AWS if plan.scheme == "s3" else _identity("bearer")
    way = {"federation": _FEDERATION[plan.scheme], "lent": _identity("lent", "credentials")}
    ending = _DEPARTURE if ENDINGS[type(plan.place.ending)] != "power_off" else frozenset()
    return frozenset({*cloud, *store, *way.get(plan.access["by"], ()), *ending})


def _plan_text(plan: Plan) -> str:
    """Return one line of ASCII: it cannot end the document that it stands in."""
    place = plan.place
    document: Mapping[str, Any] = {
        "access": plan.access,
        "address": plan.address,
        "artefact": asdict(plan.artefact),
        "cloud": place.cloud,
        "config": asdict(plan.config),
        "end_at": plan.end_at.isoformat() if plan.end_at else None,
        "ending": {"by": ENDINGS[type(place.ending)], **asdict(place.ending)},
        "identity": place.identity,
        "log_path": plan.log_path,
        "node_rank": place.node_rank,
        "pause_seconds": _FETCH_AGAIN_AFTER_SECONDS,
        "region": plan.region,
        "scheme": plan.scheme,
        "secrets": plan.secrets,
    }
    return json.dumps(document, sort_keys=True)
