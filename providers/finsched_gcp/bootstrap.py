"""What Google Cloud adds to the boot of a node: how it ends, and how it reaches other clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finsched.provider import LaunchRequest
from finsched_gcp.names import PROVIDER

if TYPE_CHECKING:
    from finsched_gcp.settings import GcpSettings


class NodeBootstrap:
    """Makes the user data of each machine; whatever it needs is left in the run's store before."""

    def __init__(self, settings: GcpSettings) -> None:
        self._settings = settings

    def __call__(self, request: LaunchRequest, rank: int) -> str:
        """Return a machine's user data. Raises NotConfigured, InvalidRequest, StoreProblem."""
        from finsched.bootstrap.place import DeleteInstance, Place  # noqa: PLC0415 - not for a quote
        from finsched.bootstrap.prepare import prepare  # noqa: PLC0415 - heavy

        place = Place(
            cloud=PROVIDER,
            ending=DeleteInstance(api_url=self._settings.endpoint),
            node_rank=rank,
            access=self._settings.access,
        )
        return prepare(request, place)

    def forget(self, request: LaunchRequest) -> None:
        """Delete what is left of a launch's secrets; raises StoreProblem."""
        from finsched.bootstrap.prepare import forget  # noqa: PLC0415

        if request.secrets:
            forget(request)
