"""Whether a launch on GCP would work: who we are, what we may, and what is there.

Nothing is changed. Compute Engine has no dry run, so what the project allows is asked by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from finsched.errors import NotAuthorized, ProviderProblem
from finsched.model.job import JobSpec
from finsched.provider import Finding
from finsched.toolbox.error_table import NotFound
from finsched.toolbox.findings import clock, failed, ok, unknown, wrong
from finsched_gcp.api import Api
from finsched_gcp.errors import PAGE
from finsched_gcp.permissions import ACT_AS, LOOK_AND_MAKE

if TYPE_CHECKING:
    from finsched_gcp.settings import GcpSettings

_ANY_REGION = "us-central1"
_ROLE_FIX = f"grant the role in {PAGE} to the identity that you use"


class GcpChecks:
    """The checks of one project, in the regions of the settings if there are any."""

    def __init__(self, api: Api, settings: GcpSettings) -> None:
        self._api = api
        self._settings = settings

    def run(self, job: JobSpec | None) -> Iterator[Finding]:
        """Yield the findings; without an answer of the project there is only that one."""
        try:
            answer = self._api.fetch("compute", f"/compute/v1/projects/{self._api.project}")
        except ProviderProblem as problem:
            yield failed("project", problem)
            return
        yield ok("project", f"{answer.document['name']}, and Compute Engine answers")
        yield clock(answer.headers.get("date"), datetime.now(UTC), "Google")
        yield self._permissions()
        yield self._regions()
        yield self._image()
        for region in self._settings.regions or (_ANY_REGION,):
            yield self._network(region)
        yield self._service_account()
        if job and job.checkpoint and urlsplit(job.checkpoint.uri or "").scheme == "gs":
            yield self._bucket(urlsplit(job.checkpoint.uri or "").netloc)

    def _permissions(self) -> Finding:
        name = "permissions"
        path = f"/v1/projects/{self._api.project}"
        try:
            missing = self._missing("cloudresourcemanager", path, LOOK_AND_MAKE)
        except ProviderProblem as problem:
            fix = "enable cloudresourcemanager.googleapis.com to have them checked"
            return unknown(name, f"they cannot be asked: {problem.message}", fix)
        if missing:
            return wrong(name, f"not granted: {', '.join(missing)}", _ROLE_FIX)
        return ok(name, f"the {len(LOOK_AND_MAKE)} for looking and making are granted")

    def _missing(self, service: str, path: str, wanted: Sequence[str]) -> list[str]:
        """Return which permissions on a resource are not granted. Raises a `ProviderProblem`."""
        asked = {"permissions": list(wanted)}
        told = self._api.fetch(service, f"{path}:testIamPermissions", document=asked).document
        return sorted({*wanted} - {*told.get("permissions", ())})

    def _regions(self) -> Finding:
        try:
            known = {region.name for region in self._api.listed("Regions")}
        except ProviderProblem as problem:
            return failed("regions", problem)
        if missing := sorted({*self._settings.regions} - known):
            fix = "correct gcp.regions in the settings"
            return wrong("regions", f"there is no {', '.join(missing)}", fix)
        used = self._settings.regions or known
        return ok("regions", f"{len(used)} of the {len(known)} that there are")

    def _image(self) -> Finding:
        from finsched_gcp.image import Images  # noqa: PLC0415 - not for a quote

        try:
            image = Images(self._api, self._settings.image).image()
        except ProviderProblem as problem:
            return failed("image", problem)
        return ok("image", f"{image.link.rpartition('/')[2]}, {image.size_gib} GiB")

    def _network(self, region: str) -> Finding:
        from finsched_gcp.networks import DEFAULT, Networks  # noqa: PLC0415 - not for a quote

        name = f"network in {region}"
        try:
            network = Networks(self._api, self._settings.subnets).in_region(region)
        except NotFound as problem:
            fix = f"make the {DEFAULT} network, or name a subnet in gcp.subnets"
            return wrong(name, problem.message, fix)
        except ProviderProblem as problem:
            return failed(name, problem)
        way_out = "machines need Cloud NAT there" if network.subnet else "with external addresses"
        return ok(name, f"{network.name}, {way_out}")

    def _service_account(self) -> Finding:
        name, email = "service account", self._settings.service_account
        if not email:
            fix = f"name one in gcp.service_account; {PAGE} says what it needs"
            return wrong(name, "none is named: machines cannot reach a bucket of yours", fix)
        path = f"/v1/projects/-/serviceAccounts/{quote(email)}"
        try:
            told = self._api.fetch("iam", path).document
            forbidden = self._missing("iam", path, [ACT_AS])
        except NotFound:
            return wrong(name, f"there is no {email}", "make it, or correct the name")
        except NotAuthorized as problem:
            return unknown(name, problem.message, problem.fix or "")
        except ProviderProblem as problem:
            return failed(name, problem)
        if told.get("disabled"):
            return wrong(name, f"{email} is disabled", "enable it, or name another")
        if forbidden:
            fix = "grant roles/iam.serviceAccountUser on it to the identity that you use"
            return wrong(name, f"you may not start machines that run as {email}", fix)
        return ok(name, email)

    def _bucket(self, bucket: str) -> Finding:
        try:
            told = self._api.fetch("storage", f"/storage/v1/b/{quote(bucket)}").document
        except ProviderProblem as problem:
            fix = "make the bucket, correct checkpoint.uri, or allow storage.buckets.get on it"
            return wrong("bucket", f"{bucket}: {problem.message}", fix)
        place = str(told.get("location", "")).lower()
        return ok("bucket", f"{bucket} is in {place}: machines elsewhere pay for transfer")
