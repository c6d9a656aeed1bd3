"""How machines of one cloud reach a store of another: what a user has set up for it.

docs/explanation/cross-cloud.md explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, TypeVar

from finsched.errors import NotConfigured
from finsched.node.objects import OWNERS

_Rule = TypeVar("_Rule")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRole:
    """A role of AWS that takes the machine's identity token of another cloud.

    `audience` is what the token is made for: from Azure an application ID URI. `exchange_url` is
    the token service where it is not the public one.
    """

    role_arn: str
    audience: str = "sts.amazonaws.com"
    exchange_url: str = "https://sts.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleIdentity:
    """A workload identity provider of Google that takes the machine's identity.

    `provider` begins with `//iam.googleapis.com/projects/`. With a `service_account` the machine
    acts as that one. `audience` is the application ID URI that Azure makes its token for.
    """

    provider: str
    service_account: str = ""
    audience: str = ""
    exchange_url: str = "https://sts.googleapis.com"
    account_url: str = "https://iamcredentials.googleapis.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraApplication:
    """An application of Entra ID that takes the machine's token as its own (federated credential).

    A machine of AWS makes the token with its account's outbound identity federation.
    """

    tenant_id: str
    client_id: str
    audience: str = "api://AzureADTokenExchange"
    exchange_url: str = "https://login.microsoftonline.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """What a cloud's machines present to each kind of store of another cloud.

    `mailbox` is a folder in a store of their own cloud: where no rule fits, the launcher lends them
    short-lived credentials there. For S3 they are those of `lender_role`, or of the signed-in user.
    """

    s3: AwsRole | None = None
    gs: GoogleIdentity | None = None
    az: EntraApplication | None = None
    mailbox: str = ""
    lender_role: str = ""


_RULES: Mapping[str, Any] = {"s3": AwsRole, "gs": GoogleIdentity, "az": EntraApplication}
_TEXTS = ("mailbox", "lender_role")


def read_access(value: Any) -> AccessRules:
    """Read the table `access` of a provider's settings; raises TypeError, ValueError in words."""
    if not isinstance(value, dict):
        raise TypeError("is not a table")
    if unknown := value.keys() - {*_RULES, *_TEXTS}:
        raise ValueError(f"has no {min(unknown)}: it has {', '.join([*_RULES, *_TEXTS])}")
    rules = {name: _rule(name, _RULES[name], value[name]) for name in _RULES if name in value}
    texts = {name: value[name] for name in _TEXTS if name in value}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError(f"{' and '.join(texts)} are not texts")
    return AccessRules(**rules, **texts)


def _rule(name: str, kind: type[_Rule], table: Any) -> _Rule:
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
        raise TypeError(f"{name} is not a table of texts")
    if unknown := table.keys() - known.keys():
        raise ValueError(f"{name} has no {min(unknown)}: it has {', '.join(known)}")
    needed = {each.name for each in known.values() if each.default is MISSING}
    if missing := needed - table.keys():
        raise ValueError(f"{name} lacks {', '.join(sorted(missing))}")
    return kind(**table)


def is_lent(rules: AccessRules, cloud: str, scheme: str) -> bool:
    """Say whether a cloud's machines reach a kind of store by credentials that are lent to them."""
    elsewhere = scheme in OWNERS and OWNERS[scheme] != cloud
    return bool(elsewhere and getattr(rules, scheme) is None and rules.mailbox)


def access_document(
    rules: AccessRules, cloud: str, identity: str, region: str, scheme: str
) -> dict[str, Any]:
    """Return how a machine of a cloud reaches a kind of store, as the machine is told.

    Raises NotConfigured where the store is another cloud's and the user has set up nothing.
    """
    told = {"cloud": cloud, "identity": identity, "region": region}
    if OWNERS[scheme] == cloud:
        return {**told, "by": "own"}
    rule = getattr(rules, scheme)
    if rule is not None:
        return {**told, "by": "federation", **asdict(rule)}
    if rules.mailbox:
        return {**told, "by": "lent"}
    raise NotConfigured(
        f"{cloud}: a machine there has no way to a store at {scheme}://",
        fix=f"set up [{cloud}.access.{scheme}] in the settings; docs/explanation/cross-cloud.md"
        " shows how",
    )
