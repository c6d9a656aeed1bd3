"""`python moto_lab.py PORT`: moto's EC2 over HTTP, with what EC2 does and moto does not.

Client tokens that are idempotent, spot requests behind spot machines, tags on network interfaces,
interruptions with and without a notice, capacity errors, lost and late answers, a log of all calls.
It patches the internals of the moto version that pyproject.toml pins, in this process alone.

POST /lab/<word> with a JSON body steers it: each word is a method of `Lab`. The environment that it
needs is in conftest.py.
"""

from __future__ import annotations

import copy
import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.spot_requests import SpotInstanceRequest, SpotRequestBackend
from moto.ec2.utils import random_spot_request_id
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.ssm.models import Parameter, SimpleSystemManagerBackend
from werkzeug.serving import run_simple

ACCOUNT = "123456789012"
IMAGE = "ami-0dee91ea"
DEEP_LEARNING = "/aws/service/deeplearning/ami/"
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
Document = dict[str, Any]


# --- what moto lacks ---------------------------------------------------------------------------


def run_instances(
    self: Any, image_id: Any, count: Any, user_data: Any, groups: Any, **ask: Any
) -> Any:
    """Refuse what has no capacity, answer a repeated token with what it made, tag everything."""
    subnet = self.get_subnet(ask["nics"][0]["SubnetId"])
    zone, token = subnet.availability_zone_id, ask["client_token"]
    asked = repr((image_id, count, user_data, sorted(ask["tags"].items()), ask["instance_type"]))
    with ONE_LAUNCH:  # a call that repeats a token waits for the one that makes its machines
        with_token = LAB.tokens.get((self.region_name, zone, token))
        if with_token:
            return _again(*with_token, asked)
        LAB.check_capacity(self.region_name, zone, ask["instance_type"])
        made = _made(self, image_id, count, user_data, groups, **ask)
        LAB.tokens[self.region_name, zone, token] = (made, asked)
        return made


def _made(self: Any, image_id: Any, count: Any, user_data: Any, groups: Any, **ask: Any) -> Any:
    tags = ask["tags"]
    made = _run_instances(self, image_id, count, user_data, groups, **ask)
    for instance in made.instances:
        for interface in instance.nics.values():
            interface.add_tags(tags.get("network-interface", {}))
        if instance.lifecycle == "spot":
            _add_spot_request(self, instance, tags.get("spot-instances-request", {}))
    return made


def _again(made: Any, asked_before: str, asked: str) -> Any:
    if asked != asked_before:
        raise EC2ClientError("IdempotentParameterMismatch", "Arguments are inconsistent.")
    if all(instance.state == "terminated" for instance in made.instances):
        raise EC2ClientError("IdempotentInstanceTerminated", "The token's instance is terminated.")
    return made


def _add_spot_request(backend: Any, instance: Any, tags: Document) -> None:
    request = SpotInstanceRequest.__new__(SpotInstanceRequest)
    request.ec2_backend, request.id, request.instance = backend, random_spot_request_id(), instance
    request.state, request._status_code, request.status_message = "active", "fulfilled", ""
    request.price, request.type, request.user_data = "1.000000", "one-time", None
    request.valid_from = request.valid_until = request.launch_group = None
    request.availability_zone_group = request.spot_fleet_id = request.launch_spec = None
    request.instance_interruption_behaviour = "terminate"
    request.launch_specification = None
    request.changed_at = instance.launch_time
    request.add_tags(tags)
    backend.spot_instance_requests[request.id] = request
    instance.spot_instance_request_id = request.id


def spot_status(request: Any) -> Document:
    code, message = request._status_code, request.status_message
    return {"Code": code, "Message": message, "UpdateTime": request.changed_at}


def spot_filter_value(request: Any, name: str, method: str | None = None) -> Any:
    if name == "instance-id":
        return request.instance.id
    return _spot_filter_value(request, name, method)


def cancel_spot_requests(self: Any, request_ids: list[str]) -> list[Any]:
    """A cancelled request stays for hours, and may be cancelled again."""
    requests = [self.spot_instance_requests[request_id] for request_id in request_ids]
    for request in requests:
        request.state = "cancelled"
    return requests


def terminate(instance: Any) -> Any:
    """End a machine once, and a spot machine's request with it."""
    if instance.state == "terminated":
        return copy.copy(instance._state)
    before = _terminate(instance)
    for request in instance.ec2_backend.spot_instance_requests.values():
        if request.instance is instance and request.state == "active":
            request.state, request._status_code = "closed", "instance-terminated-by-user"
            request.changed_at = utcnow()
    return before


def image_disks(image: Any) -> list[Document]:
    """A deep-learning image: a large root disk, one more that would stay, one of the host."""
    kept = {"VolumeSize": 75, "VolumeType": "gp2", "DeleteOnTermination": False}
    return [
        {"DeviceName": image.root_device_name, "Ebs": kept},
        {"DeviceName": "/dev/sdf", "Ebs": {**kept, "VolumeSize": 20}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ]


def get_parameter(self: Any, name: str) -> Any:
    if not name.startswith(DEEP_LEARNING):
        return _get_parameter(self, name)
    about: Document = {"parameter_type": "String", "description": "", "allowed_pattern": None}
    about |= {"keyid": None, "last_modified_date": 0, "version": 1, "data_type": "text"}
    return Parameter(
        account_id=ACCOUNT, name=name, value=IMAGE, labels=[], tier=None, policies=None, **about
    )


_run_instances = InstanceBackend.run_instances
_terminate = Instance.terminate
_spot_filter_value = SpotInstanceRequest.get_filter_value
_get_parameter = SimpleSystemManagerBackend.get_parameter
EC2Backend.run_instances = InstanceBackend.run_instances = run_instances
Instance.terminate = terminate
SpotRequestBackend.cancel_spot_instance_requests = cancel_spot_requests
SpotInstanceRequest.get_filter_value = spot_filter_value
SpotInstanceRequest.status = property(spot_status)
SpotInstanceRequest.create_time = property(lambda request: request.instance.launch_time)
Ami.block_device_mappings = property(image_disks)
SimpleSystemManagerBackend.get_parameter = get_parameter


# --- the control plane ---------------------------------------------------------------------------


ONE_LAUNCH = threading.Lock()
_CALL_KEYS = ("operation", "region", "access_key")


class Lab:
    """What the tests may do to the cloud."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.tokens: dict[tuple[str, str, str], tuple[Any, str]] = {}
        self.no_capacity: list[Document] = []
        self.faults: list[Document] = []
        self.calls: list[Document] = []
        self.answers_out = 0
        self.quotas: dict[str, float] = {}

    def quota(self, code: str, value: float) -> None:
        """Give the account a quota of EC2; without any, what moto says holds."""
        self.quotas[code] = value

    def deny(self, **rule: Any) -> None:
        """Refuse machines of a type in a zone with a code: {zone, instance_type, code}."""
        self.no_capacity.append(rule)

    def fault(self, **rule: Any) -> None:
        """Break the next `times` answers to an operation.

        {operation, times, code, status}: refuse; {hang_seconds}: do it, then answer too late;
        {text}: something else with status 500; {empty: true}: list nothing;
        {hide_one: true}: list all machines but the last;
        {region}, {access_key}: only calls there, or signed with it; {after}: so many are let by.
        """
        self.faults.append(rule)

    def mend(self) -> None:
        """Break nothing any more."""
        self.faults = []

    def log(self) -> list[Document]:
        """Return every call so far."""
        return self.calls

    def hanging(self) -> int:
        """Return how many answers were held back so far."""
        return self.answers_out

    def notice(self, region: str, instance_id: str) -> None:
        """Mark a spot machine for termination."""
        request = self._request(region, instance_id)
        request._status_code = "marked-for-termination"
        request.changed_at = utcnow()

    def end(self, region: str, instance_id: str, **how: Any) -> None:
        """End a machine otherwise than by its owner: {code, transition, spot_status}."""
        backend = ec2_backends[ACCOUNT][region]
        backend.terminate_instances([instance_id])
        instance = backend.get_instance(instance_id)
        instance.state_reason.code = how.get("code", "")
        instance.state_reason.message = how.get("code", "")
        instance._reason = how.get("transition", "")
        if (spot_status := how.get("spot_status")) and instance.lifecycle == "spot":
            request = self._request(region, instance_id)
            request.state, request._status_code = "closed", spot_status
            request.changed_at = utcnow()

    def machines(self) -> list[Document]:
        """Return every machine of all regions with its state and its user data."""
        return [
            {
                "region": region,
                "instance_id": instance.id,
                "state": instance.state,
                "launch_index": instance.ami_launch_index,
                "user_data": str(instance.user_data or ""),
            }
            for region, backend in ec2_backends[ACCOUNT].items()
            for instance in backend.all_instances()
        ]

    def forget(self, region: str, instance_id: str) -> None:
        """List a machine no longer, as EC2 does an hour after its end."""
        for reservation in ec2_backends[ACCOUNT][region].reservations.values():
            reservation.instances = [
                instance for instance in reservation.instances if instance.id != instance_id
            ]

    def without_one(self, region: str, ask: Callable[[], list[bytes]]) -> list[bytes]:
        reservation = list(ec2_backends[ACCOUNT][region].reservations.values())[-1]
        hidden = reservation.instances.pop()
        try:
            return ask()
        finally:
            reservation.instances.append(hidden)

    def check_capacity(self, region: str, zone: str, instance_type: str) -> None:
        for rule in self.no_capacity:
            if rule["zone"] in (zone, region) and rule["instance_type"] == instance_type:
                text = f"We currently do not have sufficient {instance_type} capacity in {zone}."
                raise EC2ClientError(rule["code"], text)

    def fault_for(self, call: Document) -> Document:
        for fault in self.faults:
            wanted = {key: fault[key] for key in _CALL_KEYS if key in fault}
            if not wanted.items() <= call.items():
                continue
            if fault.get("after", 0) > 0:
                fault["after"] -= 1
            elif fault.get("times", 1) > 0:
                fault["times"] = fault.get("times", 1) - 1
                return fault
        return {}

    def _request(self, region: str, instance_id: str) -> Any:
        requests = ec2_backends[ACCOUNT][region].spot_instance_requests.values()
        return next(each for each in requests if each.instance.id == instance_id)


LAB = Lab()
MOTO = DomainDispatcherApplication(create_backend_app)


# --- HTTP ----------------------------------------------------------------------------------------


def application(environ: Document, start: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path = environ["PATH_INFO"]
    if path.startswith("/lab/"):
        answer = getattr(LAB, path.removeprefix("/lab/"))(**json.loads(body or b"{}"))
        return _answer(start, "200 OK", "application/json", json.dumps(answer))
    environ["wsgi.input"] = io.BytesIO(body)
    call = _call(environ, body)
    if not call:
        return MOTO(environ, start)
    LAB.calls.append(call)
    if call["operation"] == "GetServiceQuota" and LAB.quotas:
        return _answer(start, "200 OK", "application/json", _quota(call["parameters"]["QuotaCode"]))
    return _with_fault(LAB.fault_for(call), call, environ, start)


def _with_fault(fault: Document, call: Document, environ: Document, start: Any) -> Iterable[bytes]:
    if "code" in fault:
        status = f"{fault.get('status', 400)} Refused"
        return _answer(start, status, "text/xml", _error(fault["code"], call["service"]))
    if "text" in fault:
        return _answer(start, "500 Internal Server Error", "text/html", fault["text"])
    if fault.get("empty"):
        name = call["operation"]
        nothing = f"<{name}Response><reservationSet/><securityGroupInfo/></{name}Response>"
        return _answer(start, "200 OK", "text/xml", nothing)
    if fault.get("hide_one"):
        return LAB.without_one(call["region"], lambda: list(MOTO(environ, start)))
    done = MOTO(environ, start)
    if fault.get("hang_seconds"):
        done = list(done)
        LAB.answers_out += 1
        time.sleep(fault["hang_seconds"])
    return done


def _call(environ: Document, body: bytes) -> Document:
    credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if credential is None:
        return {}
    access_key, region, service = credential.groups()
    operation, parameters = _operation(environ, body) if service != "s3" else _on_objects(environ)
    return {
        "service": service,
        "operation": operation,
        "region": region,
        "access_key": access_key,
        "user_agent": environ.get("HTTP_USER_AGENT", ""),
        "parameters": parameters,
    }


def _operation(environ: Document, body: bytes) -> tuple[str, Document]:
    target = environ.get("HTTP_X_AMZ_TARGET")
    parameters = json.loads(body) if target else dict(parse_qsl(body.decode()))
    return target.partition(".")[2] if target else parameters.get("Action", ""), parameters


def _on_objects(environ: Document) -> tuple[str, Document]:
    """Name a call to S3 by the permission that it needs."""
    method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if "delete" in query.split("="):
        operation = "DeleteObject"
    elif not key:
        operation = "CreateBucket" if method == "PUT" else "ListBucket"
    else:
        known = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "POST": "Put", "DELETE": "Delete"}
        operation = f"{known[method]}Object"
    return operation, {"Bucket": bucket, "Key": key, "Query": query}


def _quota(code: str) -> str:
    value = LAB.quotas.get(code, 0.0)
    return json.dumps({"Quota": {"QuotaCode": code, "QuotaName": f"Quota {code}", "Value": value}})


def _error(code: str, service: str) -> str:
    if service not in {"ec2", "iam", "sts"}:
        return json.dumps({"__type": code, "message": "as the test asked"})
    error = f"<Error><Code>{code}</Code><Message>as the test asked</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>lab</RequestID></Response>"


def _answer(start: Any, status: str, content_type: str, text: str) -> list[bytes]:
    content = text.encode()
    start(status, [("Content-Type", content_type), ("Content-Length", str(len(content)))])
    return [content]


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
