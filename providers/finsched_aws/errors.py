"""One table from AWS error codes to what finsched does next.

The codes are those of https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html. A code
that is not in the table is shown as it came: a guess would send the run the wrong way.
"""

from __future__ import annotations

from typing import Any

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    NotConfigured,
    PriceTooLow,
    ProviderError,
    ProviderProblem,
    Throttled,
)
from finsched.toolbox.error_table import (
    AlreadyThere,
    Answer,
    ExpiredCredentials,
    NotFound,
    sdk_problem,
    unknown,
)

POLICY = "docs/reference/aws.md"
ROLE = "docs/explanation/node-bootstrap.md"


class TokenUsed(ProviderError):
    """Machines were made with this client token before."""


_CAPACITY = Answer(NoCapacity, "finsched tries the next pool; wait, or allow more regions or GPUs")
_NOT_SOLD = Answer(NoCapacity, "finsched tries the next pool: that region does not sell it")
_ADDRESSES = Answer(NoCapacity, "free addresses in the subnet, or name a larger one in aws.subnets")
_PRICE = Answer(PriceTooLow, "quote again: the spot price is above on-demand there now")
_VCPU_QUOTA = Answer(
    NoQuota,
    "ask for more in Service Quotas, Amazon EC2, of that region; spot and on-demand machines have"
    " quotas of their own for each family, counted in vCPUs",
)
_QUOTA = Answer(
    NoQuota, "ask for more in Service Quotas of that region, or sweep what is left over"
)
_PENDING = Answer(NoQuota, "AWS is validating the account for that region: try again in an hour")
_THROTTLED = Answer(Throttled, "finsched waits and asks again; other tools use the same account")
_POLICY = Answer(NotAuthorized, f"grant the IAM policy in {POLICY} to the identity that you use")
_IDENTITY = Answer(
    NotAuthorized, "check that the credentials are valid: aws sts get-caller-identity"
)
_EXPIRED = Answer(
    ExpiredCredentials,
    "renew the credentials, for example with `aws sso login`; finsched reads them",
)
_CLOCK = Answer(NotAuthorized, "set this computer's clock: AWS refuses what is off by minutes")
_ACCOUNT = Answer(NotAuthorized, "ask AWS Support: the account may not use EC2 there")
_WRONG = Answer(
    InvalidRequest, f"correct the job or the settings; {POLICY} explains the [aws] ones"
)
_ABSENT = Answer(NotFound, f"check the id in the settings; {POLICY} explains the [aws] ones")
_USED = Answer(TokenUsed, "finsched looks for the machines of that attempt")
_THERE = Answer(AlreadyThere, "finsched uses what is there")
_IN_USE = Answer(ProviderError, "something still uses it: try again in a minute")
_SILENT = Answer(NoAnswer, "AWS has a problem there: https://health.aws.amazon.com")

CODES: dict[str, Answer] = {
    "InsufficientInstanceCapacity": _CAPACITY,
    "InsufficientHostCapacity": _CAPACITY,
    "InsufficientReservedInstanceCapacity": _CAPACITY,
    "InsufficientCapacity": _CAPACITY,
    "ReservationCapacityExceeded": _CAPACITY,
    "UnfulfillableCapacity": _CAPACITY,
    "Unsupported": _CAPACITY,
    "InvalidInstanceType": _NOT_SOLD,
    "InsufficientFreeAddressesInSubnet": _ADDRESSES,
    "SpotMaxPriceTooLow": _PRICE,
    "VcpuLimitExceeded": _VCPU_QUOTA,
    "InstanceLimitExceeded": _VCPU_QUOTA,
    "MaxSpotInstanceCountExceeded": _VCPU_QUOTA,
    "MaxFleetCountExceeded": _QUOTA,
    "MaxIOPSLimitExceeded": _QUOTA,
    "VolumeLimitExceeded": _QUOTA,
    "NetworkInterfaceLimitExceeded": _QUOTA,
    "SecurityGroupLimitExceeded": _QUOTA,
    "ResourceLimitExceeded": _QUOTA,
    "PendingVerification": _PENDING,
    "RequestLimitExceeded": _THROTTLED,
    "RequestThrottled": _THROTTLED,
    "RequestThrottledException": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "ThrottledException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "BandwidthLimitExceeded": _THROTTLED,
    "PriorRequestNotComplete": _THROTTLED,
    "UnauthorizedOperation": _POLICY,
    "AccessDenied": _POLICY,
    "AccessDeniedException": _POLICY,
    "AuthFailure": _IDENTITY,
    "InvalidClientTokenId": _IDENTITY,
    "UnrecognizedClientException": _IDENTITY,
    "IncompleteSignature": _IDENTITY,
    "MissingAuthenticationToken": _IDENTITY,
    "SignatureDoesNotMatch": _IDENTITY,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "Blocked": _ACCOUNT,
    "OptInRequired": _ACCOUNT,
    "IdempotentParameterMismatch": _USED,
    "IdempotentInstanceTerminated": _USED,
    "InvalidGroup.Duplicate": _THERE,
    "InvalidPermission.Duplicate": _THERE,
    "DependencyViolation": _IN_USE,
    "IncorrectState": _IN_USE,
    "VolumeInUse": _IN_USE,
    "InvalidGroup.InUse": _IN_USE,
    "InvalidNetworkInterface.InUse": _IN_USE,
    "InternalError": _SILENT,
    "InternalFailure": _SILENT,
    "InternalServerError": _SILENT,
    "ServiceUnavailable": _SILENT,
    "Unavailable": _SILENT,
    "RequestTimeout": _SILENT,
    "InvalidBlockDeviceMapping": _WRONG,
    "InvalidParameter": _WRONG,
    "InvalidParameterCombination": _WRONG,
    "InvalidParameterValue": _WRONG,
    "InvalidUserData": _WRONG,
    "InvalidAMIID": _WRONG,
    "InvalidTag": _WRONG,
    "TagLimitExceeded": _WRONG,
    "MissingParameter": _WRONG,
    "ValidationError": _WRONG,
    "ValidationException": _WRONG,
    "VPCIdNotSpecified": _WRONG,
    "ParameterNotFound": _ABSENT,
    "InvalidResourceId": _ABSENT,
    "NoSuchEntity": _ABSENT,
}

_ANY_NOT_FOUND = ".NotFound"

SDK_ERRORS: dict[str, Answer] = {
    "NoCredentialsError": Answer(NotConfigured, "run `aws configure` or `aws sso login`"),
    "PartialCredentialsError": Answer(NotConfigured, "complete the credentials it names"),
    "ProfileNotFound": Answer(NotConfigured, "correct AWS_PROFILE"),
    "ConfigParseError": Answer(NotConfigured, "correct that file"),
    "SSOError": _EXPIRED,
    "TokenRetrievalError": _EXPIRED,
    "CredentialRetrievalError": _EXPIRED,
    "HTTPClientError": _SILENT,
    "ConnectionError": _SILENT,
    "ResponseParserError": _SILENT,
    "ParamValidationError": _WRONG,
    "InvalidRegionError": _WRONG,
}
"""What botocore raises by itself, by the name of the class or of one that it is derived from."""


def problem_of(error: Exception, where: str) -> ProviderProblem:
    """Return the problem that an exception of the SDK is, naming the region and AWS's own words."""
    response = getattr(error, "response", None)
    if response is None:
        return sdk_problem(error, where, SDK_ERRORS, "AWS")
    return _answered_problem(response.get("Error", {}), response, where)


def _answered_problem(
    told: dict[str, Any], response: dict[str, Any], where: str
) -> ProviderProblem:
    code, words = str(told.get("Code", "")), str(told.get("Message", ""))
    answer = answer_to(code)
    if answer is None:
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        answer = _SILENT if code.isdigit() and status >= 500 else unknown(code, "AWS")
    return answer.told(where, code, words)


def answer_to(code: str) -> Answer | None:
    """Return what a code means; `Family.Detail` counts as its family where only that is known."""
    if code in CODES:
        return CODES[code]
    if code.endswith(_ANY_NOT_FOUND):
        return _ABSENT
    return CODES.get(code.partition(".")[0])
