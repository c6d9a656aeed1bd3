"""Who this machine is to the run's store: itself, an identity over there, or credentials lent.

The rule is a document: `cloud` is whose machine this is, and `by` how it gets in. Without one the
machine is what its environment or its own cloud says. docs/explanation/cross-cloud.md explains it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from finsched.node.objects import OWNERS
from finsched.node.web.renewed import Renewed
from finsched.node.web.service import Identity

VARIABLE = "FINSCHED_ACCESS"
"""The environment's variable that holds the rule."""

_VERSION_OF_BLOBS = "2023-11-03"
Access = Mapping[str, Any]
Environment = Mapping[str, str]


def access_of(environment: Environment, scheme: str) -> Access:
    """Return the rule that the environment holds; raises ValueError."""
    text = environment.get(VARIABLE)
    return json.loads(text) if text else {"cloud": OWNERS[scheme], "by": "own", "identity": ""}


def identity_for(
    scheme: str, access: Access, region: str, environment: Environment
) -> Identity[Any]:
    """Return who calls a store."""
    if scheme == "s3":
        return of_aws(keys_for(access, environment), region)
    from finsched.node.identity.bearer import bearing  # noqa: PLC0415 - user data carries what it needs

    token = Renewed(_token(scheme, access, environment))
    return Identity(token, bearing(_VERSION_OF_BLOBS if scheme == "az" else ""))


def of_aws(keys: Renewed[Any], region: str) -> Identity[Any]:
    """Return who calls S3 in a region."""
    from finsched.node.identity.aws import signing  # noqa: PLC0415 - see above

    return Identity(keys, signing("s3", region))


def keys_for(access: Access, environment: Environment) -> Renewed[Any]:
    """Return keys for S3."""
    if access["by"] == "federation":
        from finsched.node.identity.to_aws import role_keys  # noqa: PLC0415 - see above

        return Renewed(lambda: role_keys(access, environment))
    if access["by"] == "lent":
        from finsched.node.identity.lent import lent_keys  # noqa: PLC0415 - see above

        mailbox, identity = _mailbox(access, environment)
        return Renewed(lambda: lent_keys(mailbox, identity))
    from finsched.node.identity.credentials import own_keys  # noqa: PLC0415 - see above

    return own_keys(environment)


def _token(scheme: str, access: Access, environment: Environment) -> Callable[[], Any]:
    if access["by"] == "lent":
        from finsched.node.identity.lent import lent_token  # noqa: PLC0415 - see above

        mailbox, identity = _mailbox(access, environment)
        return lambda: lent_token(mailbox, identity)
    if access["by"] == "federation":
        if scheme == "gs":
            from finsched.node.identity import to_google  # noqa: PLC0415 - see above

            return lambda: to_google.access_token(access, environment)
        from finsched.node.identity import to_entra  # noqa: PLC0415 - see above

        return lambda: to_entra.access_token(access, environment)
    return _own_token(scheme, access, environment)


def _own_token(scheme: str, access: Access, environment: Environment) -> Callable[[], Any]:
    if scheme == "gs":
        from finsched.node.identity import gcp  # noqa: PLC0415 - see above

        return lambda: gcp.access_token(gcp.metadata_url(environment))
    from finsched.node.identity import azure  # noqa: PLC0415 - see above

    url = azure.metadata_url(environment)
    return lambda: azure.access_token(url, azure.STORAGE, access["identity"])


def _mailbox(access: Access, environment: Environment) -> tuple[Access, Identity[Any]]:
    """Return where the launcher leaves credentials, and who reads them: this machine itself."""
    mailbox = access["mailbox"]
    own = {"cloud": access["cloud"], "by": "own", "identity": access["identity"]}
    return mailbox, identity_for(mailbox["scheme"], own, mailbox["region"], environment)
