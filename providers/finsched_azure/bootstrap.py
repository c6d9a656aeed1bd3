"""What Azure adds to the boot of a node: it deletes its own machine, by its own identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finsched.errors import NotConfigured
from finsched.provider import LaunchRequest
from finsched_azure.errors import PAGE

if TYPE_CHECKING:
    from finsched_azure.settings import AzureSettings


class NodeBootstrap:
    """Makes the user data of each machine; whatever it needs is left for it before."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings

    def __call__(self, request: LaunchRequest, rank: int) -> str:
        """Leave agent, document and secrets for a machine and return its user data.

        Raises NotConfigured, InvalidRequest, StoreProblem.
        """
        from finsched.bootstrap.place import DeleteVirtualMachine, Place  # noqa: PLC0415 - not for a quote
        from finsched.bootstrap.prepare import prepare  # noqa: PLC0415 - heavy

        if not self._settings.identity:
            raise NotConfigured(
                "azure: no identity is set, so a machine could neither reach the run's store nor"
                " delete itself",
                fix=f"name one as azure.identity in the settings; {PAGE} has its role",
            )
        place = Place(
            cloud="azure",
            ending=DeleteVirtualMachine(api_url=self._settings.endpoint),
            node_rank=rank,
            access=self._settings.access,
        )
        return prepare(request, place)

    def forget(self, request: LaunchRequest) -> None:
        """Delete what is left of the secrets of an attempt; raises StoreProblem."""
        from finsched.bootstrap.prepare import forget  # noqa: PLC0415

        forget(request)
