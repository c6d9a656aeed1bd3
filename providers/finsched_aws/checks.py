"""Whether a launch on AWS would work: who we are, what we may, and what is there.

Nothing is changed. A launch is asked for as a dry run, which EC2 answers without making anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from finsched.errors import NotAuthorized, ProviderProblem
from finsched.model.evidence import Evidence, Quality
from finsched.model.job import JobSpec
from finsched.model.market import CapacityType, InstanceType, Offer, Tier
from finsched.provider import Finding, LaunchRequest
from finsched.toolbox.error_table import NotFound
from finsched.toolbox.findings import clock, failed, ok, unknown, wrong
from finsched_aws import run_instances
from finsched_aws.api import Api
from finsched_aws.errors import ROLE, problem_of
from finsched_aws.image import Images
from finsched_aws.inventory import LIVE
from finsched_aws.names import INSTALLATION
from finsched_aws.run_instances import Place
from finsched_aws.subnets import Subnets

if TYPE_CHECKING:
    from finsched_aws.settings import AwsSettings

_FIRST_REGION = "us-east-1"
_SAMPLE_TYPE = "g4dn.xlarge"  # the GPU machine that most regions have
_DRY_RUN_WOULD_WORK = "DryRunOperation"
_NOT_SOLD_THERE = "InvalidInstanceType"
_RENEW_THEMSELVES = {"assume-role-with-web-identity", "container-role", "iam-role"}


class AwsChecks:
    """The checks of one account, in the regions of the settings or else in the user's own."""

    def __init__(self, api: Api, settings: AwsSettings) -> None:
        self._api = api
        self._settings = settings
        self._images = Images(api, settings.ami)
        self._subnets = Subnets(api, settings.subnets)

    def run(self, job: JobSpec | None) -> Iterator[Finding]:
        """Yield the findings; without an identity there is only that one."""
        try:
            home = self._settings.regions[0] if self._settings.regions else own_region()
            answer = self._api.call(home, "get_caller_identity", service="sts")
        except ProviderProblem as problem:
            yield failed("identity", problem)
            return
        yield ok("identity", f"{answer['Arn']} of account {answer['Account']}")
        yield clock(answer["ResponseMetadata"]["HTTPHeaders"].get("date"), datetime.now(UTC), "AWS")
        yield self._expiry(job)
        yield self._regions(home)
        used = self._settings.regions or (home,)
        for region in used:
            yield from self._region(region)
        yield self._end(used)
        yield self._profile(home)
        if job and job.checkpoint and urlsplit(job.checkpoint.uri or "").scheme == "s3":
            yield self._bucket(home, urlsplit(job.checkpoint.uri or "").netloc)

    def _expiry(self, job: JobSpec | None) -> Finding:
        credentials = session().get_credentials()
        if credentials.method in _RENEW_THEMSELVES:
            return ok("credentials", "they renew themselves")
        until = getattr(credentials, "_expiry_time", None)
        return expiry(until, temporary=bool(credentials.token), job=job, now=datetime.now(UTC))

    def _regions(self, home: str) -> Finding:
        try:
            described = self._api.listed(home, "describe_regions", "Regions")
        except ProviderProblem as problem:
            return failed("regions", problem)
        enabled = {region["RegionName"] for region in described}
        missing = sorted(set(self._settings.regions) - enabled)
        if missing:
            named = ", ".join(missing)
            fix = "enable them at AWS, or take them out of aws.regions"
            return wrong("regions", f"not enabled for this account: {named}", fix)
        used = self._settings.regions or enabled
        return ok("regions", f"{len(used)} of the {len(enabled)} that the account has enabled")

    def _region(self, region: str) -> Iterator[Finding]:
        """The image is found, and a launch from it would be allowed."""
        name = f"image in {region}"
        try:
            image = self._images.for_type(region, _SAMPLE_TYPE)
        except ProviderProblem as problem:
            if _NOT_SOLD_THERE in problem.message:
                told = f"{_SAMPLE_TYPE}, with which it is tried, is not sold there"
                yield unknown(name, told)
            else:
                yield failed(name, problem)
            return
        yield ok(name, image.id)
        yield self._launch(region)

    def _launch(self, region: str) -> Finding:
        name = f"launch in {region}"
        request = sample_request(region)
        try:
            subnet = self._subnets.for_offer(request.offer)[0]
            place = Place(
                subnet=subnet,
                group_id="",
                image=self._images.for_type(region, _SAMPLE_TYPE),
                instance_profile=self._settings.instance_profile,
            )
            ask = without_group(run_instances.parameters(request, place, ""))
            self._dry(region, "run_instances", **ask)
            group = {"GroupName": "finsched-check", "Description": "check", "VpcId": subnet.vpc}
            self._dry(region, "create_security_group", **group)
        except ProviderProblem as problem:
            return failed(name, problem)
        return ok(name, f"allowed, by a dry run with {_SAMPLE_TYPE} on spot")

    def _end(self, regions: Sequence[str]) -> Finding:
        """A dry run of an end needs a machine: EC2 looks for it before it looks at permissions."""
        name = "end machines"
        try:
            for region in regions:
                if ours := self._a_machine_of_ours(region):
                    self._dry(region, "terminate_instances", InstanceIds=[ours])
                    return ok(name, f"allowed, by a dry run on {ours} in {region}")
        except ProviderProblem as problem:
            return failed(name, problem)
        told = "it can only be tried on a machine of finsched, and none is there"
        return unknown(name, told, "`finsched check aws --live-smoke` buys one and ends it")

    def _a_machine_of_ours(self, region: str) -> str | None:
        filters = [{"Name": "tag-key", "Values": [INSTALLATION]}, LIVE]
        found = self._api.listed(region, "describe_instances", "Reservations", Filters=filters)
        return next((str(each["InstanceId"]) for one in found for each in one["Instances"]), None)

    def _dry(self, region: str, operation: str, **ask: Any) -> None:
        """Ask without doing. Raises the problem that the real call would meet."""
        try:
            self._api.call(region, operation, DryRun=True, **ask)
        except ProviderProblem as problem:
            if _DRY_RUN_WOULD_WORK not in problem.message:
                raise

    def _profile(self, region: str) -> Finding:
        name, named = "instance profile", self._settings.instance_profile
        if not named:
            fix = f"name one in aws.instance_profile; {ROLE} says what it needs"
            return wrong(name, "none is named: machines cannot reach a bucket of yours", fix)
        try:
            told = self._api.call(
                region, "get_instance_profile", service="iam", InstanceProfileName=named
            )
        except NotFound:
            return wrong(name, f"there is no {named}", "make it, or correct the name")
        except NotAuthorized as problem:
            return unknown(name, problem.message, problem.fix or "")
        except ProviderProblem as problem:
            return failed(name, problem)
        if not told["InstanceProfile"]["Roles"]:
            return wrong(name, f"{named} has no role", "add a role to it")
        return ok(name, named)

    def _bucket(self, home: str, bucket: str) -> Finding:
        try:
            answer = self._api.call(home, "head_bucket", service="s3", Bucket=bucket)
        except ProviderProblem as problem:
            fix = "make the bucket, correct checkpoint.uri, or allow s3:ListBucket on it"
            return wrong("bucket", f"{bucket}: {problem.message}", fix)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        region = answer.get("BucketRegion") or headers.get("x-amz-bucket-region")
        if not region:
            return unknown("bucket", f"{bucket} does not say its region")
        return ok("bucket", f"{bucket} is in {region}: machines elsewhere pay for transfer")


def session() -> Any:
    """Return the user's own session. Raises the problem that its configuration has."""
    from boto3.session import Session  # noqa: PLC0415 - heavy
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - heavy

    try:
        return Session()
    except BotoCoreError as error:
        raise problem_of(error, "aws") from error


def own_region() -> str:
    """Return the region of the user's profile, or else the first of all."""
    return str(session().region_name or _FIRST_REGION)


# --- what the answers mean: pure -----------------------------------------------------------------


def expiry(
    until: datetime | None, *, temporary: bool, job: JobSpec | None, now: datetime
) -> Finding:
    """Judge when credentials end by when the job does."""
    fix = "use longer ones, or renew them while the run lasts: finsched reads them again"
    if until is None and temporary:
        return unknown("credentials", "temporary, and they do not say until when", fix)
    if until is None:
        return ok("credentials", "they do not expire")
    text = f"until {until:%F %R} UTC"
    ends = _end_of(job, now)
    if until <= now or (ends and until < ends):
        when = f"; the job may last until {ends:%F %R}" if ends else ""
        return wrong("credentials", f"they end too early: {text}{when}", fix)
    return ok("credentials", text)


def _end_of(job: JobSpec | None, now: datetime) -> datetime | None:
    if job is None:
        return None
    if isinstance(job.deadline, datetime):
        return job.deadline
    if job.deadline is not None:
        return now + job.deadline
    return now + timedelta(hours=job.work.hours) if job.work else None


def sample_request(region: str) -> LaunchRequest:
    """Return a launch that is only ever asked for as a dry run."""
    evidence = Evidence(what="price", source="none: never bought", quality=Quality.ESTIMATED)
    machine = InstanceType(provider="aws", name=_SAMPLE_TYPE, gpu=None, gpu_count=0)
    offer = Offer(
        instance_type=machine,
        region=region,
        zone="",
        capacity_type=CapacityType.SPOT,
        tier=Tier.STANDARD,
        price_usd_per_hour=0.0,
        evidence=evidence,
    )
    return LaunchRequest(
        token="check-1",  # noqa: S106 - a launch's name
        installation="finsched-check",
        run="check",
        attempt=1,
        offer=offer,
        nodes=1,
        node_config={},
    )


def without_group(ask: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the security group out: it is only made by a launch."""
    interfaces = [
        {key: value for key, value in interface.items() if key != "Groups"}
        for interface in ask["NetworkInterfaces"]
    ]
    return {**ask, "NetworkInterfaces": interfaces}
