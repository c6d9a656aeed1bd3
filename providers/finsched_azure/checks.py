"""Whether a launch on Azure would work: who we are, what we may, and what is there.

Nothing is changed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from finsched.errors import NotAuthorized, ProviderProblem
from finsched.model.job import JobSpec
from finsched.provider import Finding
from finsched.toolbox.error_table import NotFound
from finsched.toolbox.findings import clock, failed, ok, unknown, wrong
from finsched_azure import permissions
from finsched_azure.api import Api, Description
from finsched_azure.capacity import ALL_ON_DEMAND, SPOT, usages
from finsched_azure.errors import PAGE
from finsched_azure.image import Images
from finsched_azure.skus import Size, Sizes

if TYPE_CHECKING:
    from finsched_azure.settings import AzureSettings

_SUBSCRIPTIONS = "2022-12-01"
_PROVIDERS = "2021-04-01"
_IDENTITIES = "2023-01-31"
_PERMISSIONS = "2022-04-01"
_NAMESPACES = ("Microsoft.Compute", "Microsoft.Network")
_FIRST_REGION = "eastus"
_MOST_NAMED = 5


class AzureChecks:
    """The checks of one subscription, in the regions of the settings or else in one."""

    def __init__(self, api: Api, settings: AzureSettings) -> None:
        self._api = api
        self._settings = settings
        self._images = Images(api, settings.image)
        self._sizes = Sizes(api)

    def run(self, job: JobSpec | None) -> Iterator[Finding]:
        """Yield the findings; without a subscription there are only those that lead to it."""
        yield self._credentials()
        try:
            answer = self._api.ask("GET", "", _SUBSCRIPTIONS)
        except ProviderProblem as problem:
            yield failed("subscription", problem)
            return
        yield subscription(answer.body)
        yield clock(answer.headers.get("date"), datetime.now(UTC), "Azure")
        for namespace in _NAMESPACES:
            yield _told(namespace, self._registered)
        yield _told("permissions", self._permitted)
        yield _told("identity", self._identity)
        for region in self._settings.regions or (_FIRST_REGION,):
            yield _told(f"image in {region}", partial(self._image, region))
            yield _told(f"machines in {region}", partial(self._open, region))
            yield _told(f"quota in {region}", partial(self._quota, region))
        if job and job.checkpoint and job.checkpoint.uri:
            yield _told("store", partial(self._store, job.checkpoint.uri))

    def _credentials(self) -> Finding:
        name = "credentials"
        if not self._api.sends_tokens:
            return unknown(name, f"{self._settings.endpoint} gets none, as it has no TLS")
        try:
            return ok(name, holder(self._api.token()))
        except ProviderProblem as problem:
            return failed(name, problem)

    def _registered(self, namespace: str) -> Finding:
        answer = self._api.ask("GET", f"/providers/{namespace}", _PROVIDERS)
        state = str(answer.body.get("registrationState", "unknown"))
        if state == "Registered":
            return ok(namespace, "registered")
        fix = f"run `az provider register --namespace {namespace}`"
        return wrong(namespace, f"the subscription has it as {state}", fix)

    def _permitted(self, name: str) -> Finding:
        path = "/providers/Microsoft.Authorization/permissions"
        lacking = list(permissions.missing(self._api.ask_list(path, _PERMISSIONS)))
        if not lacking:
            return ok(name, f"all {len(permissions.ACTIONS)} actions that are needed")
        fix = f"give the role in {PAGE} to the identity that you use"
        return wrong(name, f"not allowed: {_some(lacking)}", fix)

    def _identity(self, name: str) -> Finding:
        named = self._settings.identity
        if not named:
            fix = f"name one as azure.identity; {PAGE} says what it needs"
            return wrong(name, "none is named: machines could not delete themselves", fix)
        below = named.lower().partition(f"/subscriptions/{self._api.subscription.lower()}")[2]
        if not below:
            return unknown(name, f"{named} is in another subscription")
        try:
            self._api.ask("GET", named[-len(below) :], _IDENTITIES)
        except NotFound:
            return wrong(name, f"there is no {named}", "make it, or correct azure.identity")
        except NotAuthorized as problem:
            return unknown(name, problem.message, problem.fix or "")
        return ok(name, named.rpartition("/")[2])

    def _image(self, region: str, name: str) -> Finding:
        image = self._images.in_region(region)
        return ok(name, f"{image.offer} {image.sku} {image.version}, {image.size_gib} GiB")

    def _open(self, region: str, name: str) -> Finding:
        sizes = [size for size in self._sizes.in_region(region).values() if size.gpus]
        return machines(name, sizes)

    def _quota(self, region: str, name: str) -> Finding:
        sizes = [size for size in self._sizes.in_region(region).values() if size.gpus]
        return quotas(name, usages(self._api, region), {size.family for size in sizes})

    def _store(self, uri: str, name: str) -> Finding:
        """Whether a machine there has a way to it; what it may do there the store's check tries."""
        from finsched.bootstrap.access import access_document  # noqa: PLC0415 - heavy
        from finsched.bootstrap.store_place import store_place  # noqa: PLC0415

        scheme = store_place(uri, {}).scheme
        told = access_document(self._settings.access, "azure", "", "", scheme)
        ways = {"own": "by its identity", "federation": f"by azure.access.{scheme}"}
        return ok(name, f"a machine reaches {uri} {ways.get(told['by'], '')}".rstrip())


# --- what the answers mean: pure -----------------------------------------------------------------


def subscription(told: Description) -> Finding:
    """Judge the state of a subscription."""
    name, state = told.get("displayName", "?"), told.get("state", "unknown")
    if state == "Enabled":
        return ok("subscription", f"{name}, {told.get('subscriptionId', '')}")
    fix = "look at it in the portal; finsched cannot launch there"
    return wrong("subscription", f"{name} is {state}", fix)


def holder(token: str) -> str:
    """Return whom a token names; it is not checked, as only Azure can."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        names = (claims.get(key) for key in ("upn", "unique_name", "appid", "oid"))
        return str(next(filter(None, names), "somebody without a name"))
    except (IndexError, ValueError, AttributeError):
        return "there are some"


def machines(name: str, sizes: list[Size]) -> Finding:
    """Judge which sizes with GPUs a region opens to the subscription."""
    closed = sorted(size.name for size in sizes if not size.is_open)
    if not sizes:
        return wrong(name, "none with GPUs is sold there", "take another region")
    if len(closed) == len(sizes):
        fix = "ask Azure support for access, or take another region"
        return wrong(name, f"no size with GPUs is open to the subscription: {_some(closed)}", fix)
    shut = f"; not {_some(closed)}" if closed else ""
    return ok(name, f"{len(sizes) - len(closed)} sizes with GPUs are open{shut}")


def quotas(name: str, known: Mapping[str, Description], families: set[str]) -> Finding:
    """Judge whether any machine with GPUs has room in its quota, on spot or on demand."""
    limits = {key: float(usage["limit"]) for key, usage in known.items()}
    spot, in_all = limits.get(SPOT.lower(), 0.0), limits.get(ALL_ON_DEMAND, 0.0)
    best = max((limits.get(family.lower(), 0.0) for family in families), default=0.0)
    on_demand = min(best, in_all)
    detail = f"{spot:g} vCPUs on spot, {on_demand:g} on demand in the largest family"
    if spot or on_demand:
        return ok(name, detail)
    return wrong(name, detail, "ask for more in the portal, Quotas, Compute, of that region")


def _told(name: str, judge: Callable[[str], Finding]) -> Finding:
    try:
        return judge(name)
    except ProviderProblem as problem:
        return failed(name, problem)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
