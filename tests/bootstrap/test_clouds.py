"""Machines of three clouds boot from what `prepare` makes, reach a store, end themselves."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from finsched.bootstrap.access import AccessRules, AwsRole, EntraApplication, GoogleIdentity
from finsched.bootstrap.place import DeleteInstance, DeleteVirtualMachine, Place
from finsched.bootstrap.prepare import forget, prepare
from finsched.errors import NotConfigured
from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.job.output import read_output
from finsched.node.mail.mailbox import read_messages
from finsched.node.store import Store
from finsched.provider import LaunchRequest
from finsched.testing.builders import offer
from finsched.testing.machine import NAMES, EmulatedMachine, Host
from finsched.testing.metadata import metadata_of
from tests.object_stores import S3Lab

from ..node.cloud_labs import NODE_TOKEN, FakeLab, az_lab, gs_lab  # noqa: TID252 - the one set
from .token_services import TokenServices

pytestmark = pytest.mark.slow

CANARY = "canary-of-a-secret"
VM = "/subscriptions/s-1/resourceGroups/acme/providers/Microsoft.Compute/virtualMachines/finsched-1"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/acme/providers/it"


@dataclass
class Clouds:
    """Three stores, the token services of two clouds, and machines of all."""

    folder: Path
    python: str
    s3: S3Lab
    gs: FakeLab
    az: FakeLab
    services: TokenServices
    machines: list[EmulatedMachine] = field(default_factory=list)

    def uri(self, scheme: str) -> str:
        return f"s3://{self.s3.bucket}/runs/r1" if scheme == "s3" else getattr(self, scheme).uri

    def options(self, scheme: str) -> dict[str, Any]:
        """As the launcher has them: with its own credentials."""
        if scheme == "s3":
            return self.s3.options
        lab: FakeLab = getattr(self, scheme)
        return {**lab.options, **lab.launcher}

    def store(self, scheme: str) -> Store:
        return Store(self.uri(scheme), self.options(scheme))

    def request(self, scheme: str, command: str, **changes: Any) -> LaunchRequest:
        config = {
            "run": "r1",
            "attempt": changes.get("attempt", 1),
            "store_uri": self.uri(scheme),
            "store_options": self.options(scheme),
            "run_command": command,
            "lease_seconds": 120.0,
            "poll_seconds": 0.1,
            "notice_grace_seconds": 5.0,
            "checkpoint": {"path": "ckpt", "every_seconds": 0.2},
            "secret_names": [*changes.get("secrets", {})],
        }
        plain: dict[str, Any] = {
            "token": "r1/1",
            "installation": "laptop-1",
            "run": "r1",
            "attempt": 1,
            "offer": offer(region="us-west-2"),
            "nodes": 1,
            "node_config": config,
        }
        return LaunchRequest(**{**plain, **changes})

    def place(self, cloud: str, **changes: Any) -> Place:
        endings = {
            "gcp": DeleteInstance(api_url=self.services.url),
            "azure": DeleteVirtualMachine(api_url=self.services.url),
        }
        ending = {"ending": endings[cloud]} if cloud in endings else {}
        return Place(**{"cloud": cloud, "access": self.rules(), **ending, **changes})

    def rules(self) -> AccessRules:
        url = self.services.url
        return AccessRules(
            s3=AwsRole(role_arn="arn:aws:iam::123456789012:role/node", exchange_url=self.s3.url),
            gs=GoogleIdentity(provider=POOL, audience="api://acme", exchange_url=url),
            az=EntraApplication(tenant_id="t-1", client_id="c-1", exchange_url=url),
        )

    def boot(self, cloud: str, script: str) -> EmulatedMachine:
        credential = "AKIANODE" if cloud == "aws" else NODE_TOKEN
        machine = EmulatedMachine(
            self.folder / f"machine {len(self.machines)}",
            script,
            host=Host(cloud=cloud, credential=credential),
            environment={"AWS_ENDPOINT_URL": self.s3.url} if cloud == "aws" else {},
            python=self.python,
        )
        self.machines.append(machine)
        return machine

    def ended(self, scheme: str, attempt: int = 1) -> dict[str, Any]:
        found = read_messages(self.store(scheme), attempt)
        return next((dict(m.document) for m in found if m.kind == "ended"), {})

    def output(self, scheme: str, attempt: int = 1) -> str:
        return b"".join(piece for _, piece in read_output(self.store(scheme), attempt)).decode()

    def commits(self, scheme: str) -> list[Committed]:
        return [e for e in CommitLog(self.store(scheme)).entries() if isinstance(e, Committed)]


@pytest.fixture
def clouds(s3: S3Lab, tmp_path: Path, oldest_python: str) -> Iterator[Clouds]:
    services = TokenServices(NODE_TOKEN)
    with closing(services), closing((gs := gs_lab()).server), closing((az := az_lab()).server):
        clouds = Clouds(tmp_path, oldest_python, s3, gs, az, services)
        yield clouds
        for machine in clouds.machines:
            machine.close()


OWN = {"aws": "s3", "gcp": "gs", "azure": "az"}
SAVES = 'echo saved > "$FINSCHED_CHECKPOINT_DIR/w"; echo rank $FINSCHED_NODE_RANK'


@pytest.mark.parametrize("cloud", OWN)
def test_a_machine_works_in_its_own_cloud_and_leaves_nothing_that_costs(
    clouds: Clouds, cloud: str
) -> None:
    scheme = OWN[cloud]
    request = clouds.request(scheme, SAVES)
    machine = clouds.boot(cloud, prepare(request, clouds.place(cloud)))
    machine.wait_until_off()
    assert clouds.ended(scheme)["end"] == "finished", machine.log
    assert clouds.commits(scheme)
    assert machine.shutdowns == ["-P +15", "-P +15", "-P now"]
    targets = [deleted["target"] for deleted in clouds.services.deleted]
    expected = {
        "aws": [],
        "gcp": ["/compute/v1/projects/acme/zones/us-central1-a/instances/finsched-1"],
        "azure": [f"{VM}?api-version=2024-07-01&forceDeletion=true"],
    }
    assert targets == expected[cloud]
    assert {d["authorization"] for d in clouds.services.deleted} <= {f"Bearer {NODE_TOKEN}"}


CROSSINGS = [
    ("gcp", "s3", "", "ASIA"),
    ("azure", "s3", "", "ASIA"),
    ("aws", "gs", "", "aws4_request"),
    ("azure", "gs", "finsched-1 for api://acme", "jwt"),
    (
        "gcp",
        "az",
        "finsched-1 for api://AzureADTokenExchange",
        "https://storage.azure.com/.default",
    ),
]


@pytest.mark.parametrize(("cloud", "scheme", "shown", "given"), CROSSINGS)
def test_a_machine_reaches_a_store_of_another_cloud_by_its_own_identity(
    clouds: Clouds, cloud: str, scheme: str, shown: str, given: str
) -> None:
    clouds.services.expected = shown
    request = clouds.request(scheme, SAVES)
    machine = clouds.boot(cloud, prepare(request, clouds.place(cloud)))
    machine.wait_until_off()
    assert clouds.ended(scheme)["end"] == "finished", machine.log
    assert clouds.commits(scheme)
    if scheme == "s3":
        signers = {call["signed_by"] for call in clouds.s3.calls() if call["service"] == "s3"}
        assert any(signer.startswith(given) for signer in signers), signers
        assert "AKIANODE" not in signers
    else:
        assert given in clouds.services.given


def test_a_machine_of_aws_reaches_azure_where_its_account_issues_identity_tokens(
    clouds: Clouds, aws_identity_tokens: str
) -> None:
    clouds.services.expected = "a token of AWS for api://AzureADTokenExchange"
    script = prepare(clouds.request("az", SAVES), clouds.place("aws"))
    machine = EmulatedMachine(
        clouds.folder / "machine",
        script,
        environment={"AWS_ENDPOINT_URL_STS": aws_identity_tokens},
        python=clouds.python,
    )
    clouds.machines.append(machine)
    machine.wait_until_off()
    assert clouds.ended("az")["end"] == "finished", machine.log


@pytest.fixture
def aws_identity_tokens() -> Iterator[str]:
    """STS' GetWebIdentityToken, which moto does not have."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            assert query["Action"] == "GetWebIdentityToken"
            assert "/sts/aws4_request" in self.headers["authorization"]
            token = f"a token of AWS for {query['Audience.member.1']}"
            body = f"<R><WebIdentityToken>{token}</WebIdentityToken></R>".encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_machine_of_azure_acts_as_a_service_account_where_one_is_named(clouds: Clouds) -> None:
    clouds.services.expected = "finsched-1 for api://acme"
    account = "node@acme.iam.gserviceaccount.com"
    clouds.gs.server.tokens.discard(NODE_TOKEN)
    clouds.gs.server.tokens.add(f"{NODE_TOKEN}-of-{account}")
    url = clouds.services.url
    rule = GoogleIdentity(
        provider=POOL,
        service_account=account,
        audience="api://acme",
        exchange_url=url,
        account_url=url,
    )
    place = clouds.place("azure", access=AccessRules(gs=rule))
    machine = clouds.boot("azure", prepare(clouds.request("gs", "true"), place))
    machine.wait_until_off()
    assert clouds.ended("gs")["end"] == "finished", machine.log


def test_an_identity_that_the_other_cloud_refuses_ends_the_machine(clouds: Clouds) -> None:
    clouds.services.expected = "somebody else"
    script = prepare(clouds.request("gs", "true"), clouds.place("azure"))
    machine = clouds.boot("azure", script.replace('"pause_seconds": 5.0', '"pause_seconds": 0.01'))
    machine.wait_until_off()
    assert "Google refuses this machine: 400" in machine.log
    assert machine.shutdowns[-1] == "-P now"
    assert clouds.services.deleted, "its own identity still ends it"


def test_a_store_that_nothing_leads_to_is_told_before_anything_is_made(clouds: Clouds) -> None:
    place = clouds.place("gcp", access=AccessRules())
    with pytest.raises(NotConfigured, match="s3://") as refused:
        prepare(clouds.request("s3", "true"), place)
    assert "gcp.access.s3" in refused.value.fix
    assert not clouds.s3.calls("PUT")


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_a_secret_needs_user_data_and_the_store_and_is_read_once(
    clouds: Clouds, cloud: str
) -> None:
    scheme = OWN[cloud]
    command = "printf %s $TOKEN | sha256sum; echo got $TOKEN"
    request = clouds.request(scheme, command, secrets={"TOKEN": CANARY})
    script = prepare(request, clouds.place(cloud))
    [half] = clouds.store(scheme).list("secrets")
    assert CANARY not in script
    assert CANARY.encode() not in clouds.store(scheme).get(half.key)
    machine = clouds.boot(cloud, script)
    machine.wait_until_off()
    assert clouds.ended(scheme)["end"] == "finished", machine.log
    assert hashlib.sha256(CANARY.encode()).hexdigest() in clouds.output(scheme)
    assert "got ***" in clouds.output(scheme)
    assert clouds.store(scheme).list("secrets") == [], "the reader has deleted it"
    files = (path for path in machine.folder.rglob("*") if path.is_file())
    assert not [file for file in files if CANARY.encode() in file.read_bytes()]


def test_a_half_that_was_changed_is_refused(clouds: Clouds) -> None:
    request = clouds.request("gs", "touch ran", secrets={"TOKEN": CANARY})
    script = prepare(request, clouds.place("gcp"))
    store = clouds.store("gs")
    [half] = store.list("secrets")
    content = bytearray(store.get(half.key))
    content[40] ^= 1
    store.upload(half.key, [bytes(content)])
    machine = clouds.boot("gcp", script)
    machine.wait_until_off()
    assert "are not those of this machine" in machine.log
    assert not store.list("log"), "the agent did not run"
    assert clouds.services.deleted


def test_what_is_left_of_secrets_is_forgotten(clouds: Clouds) -> None:
    request = clouds.request("gs", "true", secrets={"TOKEN": CANARY})
    for _ in range(2):
        prepare(request, clouds.place("gcp"))
    other = replace(request, attempt=2)
    prepare(other, clouds.place("gcp"))
    forget(request)
    forget(request)
    assert [each.key.split("/")[1] for each in clouds.store("gs").list("secrets")] == ["000002"]


# --- notices, ends, gangs ------------------------------------------------------------------------

WORKS = """
trap 'exit 0' TERM
while true; do sleep 0.6; date +%N > "$FINSCHED_CHECKPOINT_DIR/n"; done"""


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_a_notice_is_heard_in_the_clouds_own_words(
    clouds: Clouds, cloud: str, eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    scheme = OWN[cloud]
    machine = clouds.boot(cloud, prepare(clouds.request(scheme, WORKS), clouds.place(cloud)))
    eventually(lambda: clouds.commits(scheme))
    machine.give_hint()
    machine.give_notice(20)
    machine.wait_until_off()
    assert clouds.ended(scheme)["end"] == "interrupted", machine.log
    assert machine.shutdowns[-1] == "-P now", "it ends before it is taken"


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_a_machine_that_may_not_delete_itself_is_switched_off_all_the_same(
    clouds: Clouds, cloud: str
) -> None:
    clouds.services.refuse_deletion = True
    request = clouds.request(OWN[cloud], "true")
    machine = clouds.boot(cloud, prepare(request, clouds.place(cloud)))
    machine.wait_until_off()
    assert "only switched off" in machine.log
    assert machine.shutdowns[-1] == "-P now"


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_a_machine_that_starts_again_deletes_itself(clouds: Clouds, cloud: str) -> None:
    """Google runs the script at every boot, cloud-init only the one for later boots."""
    machine = clouds.boot(cloud, prepare(clouds.request(OWN[cloud], "true"), clouds.place(cloud)))
    machine.wait_until_off()
    with closing(metadata_of(cloud, NAMES[cloud])) as metadata:
        metadata.lend(NODE_TOKEN)
        again = {
            "PATH": f"{machine.folder}/bin:{os.environ['PATH']}",
            "FINSCHED_ROOT": f"{machine.folder}/disk",
            "FINSCHED_METADATA_URL": metadata.url,
        }
        later = [str(machine.folder / "disk/var/lib/cloud/scripts/per-boot/finsched")]
        for command in (["bash", str(machine.folder / "user-data")], later):
            before = len(clouds.services.deleted)
            subprocess.run(command, env=again, check=False, capture_output=True)
            assert len(clouds.services.deleted) == before + 1
            assert machine.shutdowns[-1] == "-P now"


def test_each_node_of_a_gang_knows_its_place(clouds: Clouds) -> None:
    for rank in (0, 1):
        script = prepare(clouds.request("gs", SAVES), clouds.place("gcp", node_rank=rank))
        plan = json.loads(re.search(r"^\{.*\}$", script, re.MULTILINE)[0])  # type: ignore[index]
        assert plan["node_rank"] == rank
        assert plan["log_path"].endswith("000001.log" if rank == 0 else "000001-1.log")


def test_credentials_of_the_launcher_reach_no_machine(clouds: Clouds) -> None:
    for cloud, scheme in OWN.items():
        script = prepare(clouds.request(scheme, "true"), clouds.place(cloud))
        assert "token-of-the-launcher" not in script
        for stored in clouds.store(scheme).list("node"):
            assert b"token-of-the-launcher" not in clouds.store(scheme).get(stored.key)
