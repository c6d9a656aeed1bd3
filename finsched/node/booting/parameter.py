"""A value that the launcher left in AWS Systems Manager for this machine, encrypted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from finsched.node.identity.aws import signing
from finsched.node.identity.credentials import own_keys
from finsched.node.objects import StoreError
from finsched.node.web.connections import Answer
from finsched.node.web.request import Request
from finsched.node.web.service import Identity, Service, error_code


class Parameters:
    """SSM parameters of one region."""

    def __init__(self, region: str, environment: Mapping[str, str] = os.environ) -> None:
        address = (
            environment.get("AWS_ENDPOINT_URL_SSM")
            or environment.get("AWS_ENDPOINT_URL")
            or f"https://ssm.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        )
        identity = Identity(own_keys(environment), signing("ssm", region))
        self._service = Service(address, identity)

    def read(self, name: str) -> str:
        """Return a decrypted value; raises StoreError."""
        answer = self._call("GetParameter", {"Name": name, "WithDecryption": True})
        if answer.status != 200:
            raise StoreError(f"cannot read the parameter {name}: {error_code(answer)}")
        return str(json.loads(answer.body)["Parameter"]["Value"])

    def delete(self, name: str) -> None:
        """Delete a value; raises StoreError."""
        answer = self._call("DeleteParameter", {"Name": name})
        if answer.status != 200:
            raise StoreError(f"cannot delete the parameter {name}: {error_code(answer)}")

    def _call(self, operation: str, document: Mapping[str, object]) -> Answer:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"AmazonSSM.{operation}",
        }
        body = json.dumps(document).encode()
        return self._service.call(Request(method="POST", path="/", headers=headers, body=body))
