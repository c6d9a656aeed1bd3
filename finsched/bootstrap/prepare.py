"""All that a provider needs to make a fresh machine a node: one call before it is created."""

from __future__ import annotations

from finsched.bootstrap.place import Place
from finsched.provider import LaunchRequest


def prepare(request: LaunchRequest, place: Place) -> str:
    """Leave what one machine needs in the run's store and return its user data.

    Raises NotConfigured, InvalidRequest, StoreProblem.
    """
    raise NotImplementedError(f"{place.cloud}: {request.token}")


def forget(request: LaunchRequest) -> None:
    """Delete what is left of an attempt's secrets in the run's store; raises StoreProblem."""
    raise NotImplementedError(request.token)
