"""All that a provider needs to make a fresh machine a node: one call before it is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from finsched.bootstrap.access import access_document
from finsched.bootstrap.delivery import deliver_agent, deliver_config, latest_end
from finsched.bootstrap.halves import forget_halves, leave_half
from finsched.bootstrap.place import Place
from finsched.bootstrap.store_place import StorePlace, store_place
from finsched.bootstrap.user_data import Fetched, Plan, user_data
from finsched.errors import StoreProblem
from finsched.node.store import Store, StoreError
from finsched.provider import LaunchRequest


def prepare(request: LaunchRequest, place: Place) -> str:
    """Leave what one machine needs in the run's store and return its user data.

    Raises NotConfigured, InvalidRequest, StoreProblem.
    """
    where = store_place(_uri(request), _options(request))
    access = _access(request, place, where)
    store = _store(request, where)
    config = {**request.node_config, "store_options": where.options}
    artefact, document = deliver_agent(store), deliver_config(store, config)
    return user_data(
        Plan(
            place=place,
            scheme=where.scheme,
            address=where.address,
            region=where.region,
            access=access,
            artefact=Fetched(path=where.path(artefact.key), sha256=artefact.sha256),
            config=Fetched(path=where.path(document.key), sha256=document.sha256),
            log_path=where.path(f"node/{_machine(request, place)}.log"),
            secrets=_secrets(request, place, store, where),
            end_at=latest_end(config),
        )
    )


def forget(request: LaunchRequest) -> None:
    """Delete what is left of an attempt's secrets in the run's store; raises StoreProblem."""
    if request.secrets:
        where = store_place(_uri(request), _options(request))
        forget_halves(_store(request, where), request.attempt)


def _access(request: LaunchRequest, place: Place, where: StorePlace) -> Mapping[str, Any]:
    """Return how the machine reaches the store; what has to be lent for it is lent."""
    rules, cloud = place.access, place.cloud
    told = access_document(rules, cloud, place.identity, request.offer.region, where.scheme)
    if told["by"] != "lent":
        return told
    from finsched.bootstrap.lending import lend, mailbox_key  # noqa: PLC0415 - seldom needed

    letter = mailbox_key(request.run, request.attempt)
    mailbox = store_place(rules.mailbox, {})
    lend(rules, cloud, _uri(request), _options(request), letter)
    address = {"scheme": mailbox.scheme, "address": mailbox.address, "region": mailbox.region}
    return {**told, "mailbox": {**address, "path": mailbox.path(letter)}}


def _secrets(
    request: LaunchRequest, place: Place, store: Store, where: StorePlace
) -> Mapping[str, Any] | None:
    if not request.secrets:
        return None
    if place.parameter is not None:
        return {"by": "parameter", **asdict(place.parameter)}
    half = leave_half(store, request.attempt, request.secrets)
    return {"by": "halves", "path": where.path(half.key), "pad": half.pad, "key": half.hash_key}


def _machine(request: LaunchRequest, place: Place) -> str:
    """Return the name of a machine's log; the first node's is the attempt's."""
    return f"{request.attempt:06d}" + (f"-{place.node_rank}" if place.node_rank else "")


def _store(request: LaunchRequest, where: StorePlace) -> Store:
    try:
        return Store(_uri(request), {**_options(request), **where.options})
    except StoreError as error:
        raise StoreProblem(
            f"the run's store cannot be opened: {error}",
            fix="correct checkpoint.uri in the job, or store in the settings",
        ) from error


def _uri(request: LaunchRequest) -> str:
    return str(request.node_config["store_uri"])


def _options(request: LaunchRequest) -> Mapping[str, Any]:
    return request.node_config.get("store_options") or {}
