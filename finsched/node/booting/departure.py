"""How a machine ends itself through its cloud's API, where switching it off would go on costing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finsched.node.identity import azure, gcp
from finsched.node.identity.bearer import bearing
from finsched.node.objects import StoreError
from finsched.node.web.renewed import Renewed, Token
from finsched.node.web.request import Request
from finsched.node.web.service import Identity, Service, error_code

_VIRTUAL_MACHINES = {"api-version": "2024-07-01", "forceDeletion": "true"}


def delete_machine(plan: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Ask the cloud to delete this machine, in its own name.

    Raises OSError, http.client.HTTPException, ValueError, KeyError, StoreError.
    """
    ending = plan["ending"]
    if ending["by"] == "delete_instance":
        url = gcp.metadata_url(environment)
        request = Request(method="DELETE", path=gcp.instance_path(url))
        token = Renewed(lambda: gcp.access_token(url))
    else:
        url = azure.metadata_url(environment)
        path = azure.virtual_machine_path(url)
        request = Request(method="DELETE", path=path, query=_VIRTUAL_MACHINES)
        token = Renewed(lambda: azure.access_token(url, ending["audience"], plan["identity"]))
    _send(ending["api_url"], request, token)


def _send(api_url: str, request: Request, token: Renewed[Token]) -> None:
    answer = Service(api_url, Identity(token, bearing())).call(request)
    if answer.status >= 300 and answer.status != 404:
        said = error_code(answer) or answer.body[:300].decode(errors="replace")
        raise StoreError(f"the cloud does not delete this machine: {answer.status} {said}")
