"""`python s3_lab.py PORT`: moto's S3 over HTTP, with what S3 does and moto does not.

Every call is written down, and its signature is checked. POST /lab/<word> with a JSON body steers
it: `fault` answers the calls that match it differently, `home` gives a bucket a region, `keys`
names the only valid access keys.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.backends import get_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

MOTO = DomainDispatcherApplication(create_backend_app)
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
SECRET_KEY = "secret"
ACCOUNT = "123456789012"
Document = dict[str, Any]


class Lab:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls: list[Document] = []
        self.faults: list[Document] = []
        self.homes: dict[str, str] = {}
        self.valid_keys: list[str] = []

    def log(self) -> list[Document]:
        return self.calls

    def fault(self, **rule: Any) -> None:
        """Rule: {method, path, query} to match (a part of the text is enough), {times, after}, and
        {status, code}, {lose: the call is done and the answer lost} or {pause_seconds}."""
        self.faults.append(rule)

    def home(self, bucket: str, region: str) -> None:
        self.homes[bucket] = region

    def keys(self, valid: list[str]) -> None:
        self.valid_keys = valid

    def fault_for(self, call: Document) -> Document:
        for fault in self.faults:
            parts = ("method", "path", "query")
            if not all(fault.get(part, "") in call[part] for part in parts):
                continue
            if fault.get("after", 0) > 0:
                fault["after"] -= 1
            elif fault.get("times", 1) > 0:
                fault["times"] = fault.get("times", 1) - 1
                return fault
        return {}


LAB = Lab()


def application(environ: Document, start: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path = environ["PATH_INFO"]
    if path.startswith("/lab/"):
        answer = getattr(LAB, path.removeprefix("/lab/"))(**json.loads(body or b"{}"))
        return _answer(start, 200, json.dumps(answer))
    environ["wsgi.input"] = io.BytesIO(body)
    signed_by, region, service = _credential(environ)
    call = {
        "method": environ["REQUEST_METHOD"],
        "path": path,
        "query": environ.get("QUERY_STRING", ""),
        "bytes": len(body),
        "range": environ.get("HTTP_RANGE", ""),
        "signed_by": signed_by,
        "region": region,
        "service": service,
        "operation": environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2],
    }
    LAB.calls.append(call)
    if signed_by and _signature(environ, body) not in environ["HTTP_AUTHORIZATION"]:
        return _answer(start, 403, _error("SignatureDoesNotMatch"))
    return _refusal(call, start) or _with_fault(LAB.fault_for(call), environ, start)


def _signature(environ: Document, body: bytes) -> str:
    """Return the signature that botocore makes for the request as it arrived.

    Every identity of the tests has the same secret key, but for those that moto has lent.
    """
    signed = re.search("SignedHeaders=([^,]+)", environ["HTTP_AUTHORIZATION"])[1].split(";")
    headers = {name: environ.get(_variable(name), "") for name in signed}
    if (claimed := headers.get("x-amz-content-sha256")) not in {None, "UNSIGNED-PAYLOAD"}:
        assert claimed == hashlib.sha256(body).hexdigest(), "the body is not what was signed"
    signed_by, region, service = _credential(environ)
    keys = Credentials("any", _lent_key(signed_by) or SECRET_KEY)
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, region)
    path, mark, query = environ["RAW_URI"].partition("?")
    url = f"http://{headers['host']}{path}{mark}{query.replace('+', '%20')}"
    request = AWSRequest(environ["REQUEST_METHOD"], url, headers, body)
    request.context["timestamp"] = headers["x-amz-date"]
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


def _lent_key(access_key: str) -> str:
    roles = get_backend("sts")[ACCOUNT]["aws"].assumed_roles
    return next((r.secret_access_key for r in roles if r.access_key_id == access_key), "")


def _variable(header: str) -> str:
    plain = header.upper().replace("-", "_")
    return plain if plain in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{plain}"


def _refusal(call: Document, start: Any) -> Iterable[bytes]:
    if LAB.valid_keys and call["signed_by"] not in LAB.valid_keys:
        return _answer(start, 400, _error("ExpiredToken"))
    home = LAB.homes.get(call["path"].split("/")[1])
    if home and call["region"] != home:
        return _answer(start, 400, _error("AuthorizationHeaderMalformed"), home)
    return []


def _with_fault(fault: Document, environ: Document, start: Any) -> Iterable[bytes]:
    if "status" in fault:
        return _answer(start, fault["status"], _error(fault.get("code", "Refused")))
    time.sleep(fault.get("pause_seconds", 0))
    if fault.get("lose"):
        list(MOTO(environ, lambda *_: None))
        environ["werkzeug.socket"].close()
        return []
    return MOTO(environ, start)


def _credential(environ: Document) -> tuple[str, str, str]:
    found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return found.groups() if found else ("", "", "")  # type: ignore[return-value]


def _error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>as the test asked</Message></Error>"


def _answer(start: Any, status: int, text: str, region: str = "") -> list[bytes]:
    content = text.encode()
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(content)))]
    start(f"{status} Lab", headers + ([("x-amz-bucket-region", region)] if region else []))
    return [content]


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
