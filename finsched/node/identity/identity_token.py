"""A signed statement of who this machine is, which other clouds take for an identity of theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from finsched.node.objects import StoreError

_SECONDS = "600"


def identity_token(access: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return the machine's own token for the audience of a rule.

    Raises OSError, http.client.HTTPException, ValueError, KeyError, StoreError.
    """
    if access["cloud"] == "gcp":
        from finsched.node.identity import gcp  # noqa: PLC0415 - user data carries what it needs

        return gcp.identity_token(gcp.metadata_url(environment), access["audience"])
    if access["cloud"] == "azure":
        from finsched.node.identity import azure  # noqa: PLC0415 - see above

        url = azure.metadata_url(environment)
        return azure.access_token(url, access["audience"], access["identity"]).value
    return _of_aws(access, environment)


def _of_aws(access: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Ask STS for it; the account has to have outbound identity federation enabled."""
    from finsched.node.identity.aws import signing  # noqa: PLC0415 - see above
    from finsched.node.identity.credentials import own_keys  # noqa: PLC0415 - see above
    from finsched.node.web.request import Request  # noqa: PLC0415 - see above
    from finsched.node.web.service import Identity, Service, error_code  # noqa: PLC0415 - see above

    region = access["region"]
    address = sts_address(region, environment)
    service = Service(address, Identity(own_keys(environment), signing("sts", region)))
    query = {
        "Action": "GetWebIdentityToken",
        "Version": "2011-06-15",
        "Audience.member.1": access["audience"],
        "DurationSeconds": _SECONDS,
        "SigningAlgorithm": "RS256",
    }
    answer = service.call(Request(method="POST", path="/", query=query))
    found = re.search(rb"<WebIdentityToken>([^<]+)<", answer.body)
    if answer.status != 200 or not found:
        raise StoreError(f"AWS gives no identity token: {answer.status} {error_code(answer)}")
    return found[1].decode()


def sts_address(region: str, environment: Mapping[str, str]) -> str:
    """Return where the token service of AWS answers."""
    named = environment.get("AWS_ENDPOINT_URL_STS") or environment.get("AWS_ENDPOINT_URL")
    return named or f"https://sts.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
