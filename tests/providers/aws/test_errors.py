"""The table of errors, against exceptions of the real SDK."""

from __future__ import annotations

import pytest
from botocore import exceptions as sdk
from botocore.exceptions import ClientError

from finsched import errors as ours
from finsched.toolbox.error_table import AlreadyThere, ExpiredCredentials, NotFound
from finsched_aws.errors import CODES, SDK_ERRORS, TokenUsed, problem_of

WHERE = "aws/us-west-2"

MEANINGS = {
    ours.NoCapacity: """InsufficientInstanceCapacity InsufficientHostCapacity InsufficientCapacity
        InsufficientReservedInstanceCapacity ReservationCapacityExceeded UnfulfillableCapacity
        Unsupported InvalidInstanceType InsufficientFreeAddressesInSubnet""",
    ours.NoQuota: """VcpuLimitExceeded InstanceLimitExceeded MaxSpotInstanceCountExceeded
        MaxFleetCountExceeded MaxIOPSLimitExceeded VolumeLimitExceeded ResourceLimitExceeded
        NetworkInterfaceLimitExceeded SecurityGroupLimitExceeded PendingVerification""",
    ours.PriceTooLow: "SpotMaxPriceTooLow",
    ours.Throttled: """RequestLimitExceeded RequestThrottled RequestThrottledException Throttling
        ThrottlingException ThrottledException TooManyRequestsException BandwidthLimitExceeded
        PriorRequestNotComplete""",
    ours.NotAuthorized: """UnauthorizedOperation AccessDenied AccessDeniedException AuthFailure
        InvalidClientTokenId UnrecognizedClientException IncompleteSignature SignatureDoesNotMatch
        MissingAuthenticationToken RequestExpired RequestTimeTooSkewed Blocked OptInRequired""",
    ExpiredCredentials: "ExpiredToken ExpiredTokenException",
    ours.NoAnswer: """InternalError InternalFailure InternalServerError ServiceUnavailable
        Unavailable RequestTimeout""",
    ours.InvalidRequest: """InvalidBlockDeviceMapping InvalidParameter InvalidParameterCombination
        InvalidParameterValue InvalidUserData InvalidUserData.Malformed
        InvalidAMIID InvalidAMIID.Malformed InvalidTag TagLimitExceeded MissingParameter
        ValidationError ValidationException VPCIdNotSpecified InvalidParameterValue.Anything""",
    NotFound: """InvalidAMIID.NotFound InvalidInstanceID.NotFound InvalidGroup.NotFound
        InvalidSubnetID.NotFound InvalidVolume.NotFound InvalidAnythingNew.NotFound
        ParameterNotFound InvalidResourceId NoSuchEntity""",
    TokenUsed: "IdempotentParameterMismatch IdempotentInstanceTerminated",
    AlreadyThere: "InvalidGroup.Duplicate InvalidPermission.Duplicate",
    ours.ProviderError: """DependencyViolation IncorrectState VolumeInUse InvalidGroup.InUse
        InvalidNetworkInterface.InUse NeverHeardOf NeverHeardOf.Either""",
}
ROWS = [(code, meaning) for meaning, codes in MEANINGS.items() for code in codes.split()]


def answered(code: str, message: str = "in AWS's words", status: int = 400) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "RunInstances")


@pytest.mark.parametrize(("code", "meaning"), ROWS)
def test_a_code_means_what_the_run_does_next(code: str, meaning: type) -> None:
    problem = problem_of(answered(code), WHERE)
    assert type(problem) is meaning
    assert problem.message == f"aws/us-west-2: {code}: in AWS's words"
    assert problem.fix


def test_every_row_of_the_table_is_tested() -> None:
    assert CODES.keys() <= {code for code, _ in ROWS}


def test_an_unknown_code_is_never_taken_for_a_lack_of_capacity() -> None:
    problem = problem_of(answered("InsufficientPatience"), WHERE)
    assert type(problem) is ours.ProviderError
    assert "InsufficientPatience" in problem.message
    assert "InsufficientPatience" in str(problem.fix)


@pytest.mark.parametrize(("status", "meaning"), [(502, ours.NoAnswer), (404, ours.ProviderError)])
def test_an_answer_that_is_no_error_document_counts_by_its_status(
    status: int, meaning: type
) -> None:
    assert type(problem_of(answered(str(status), "", status), WHERE)) is meaning


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (sdk.NoCredentialsError(), ours.NotConfigured),
        (sdk.PartialCredentialsError(provider="env", cred_var="x"), ours.NotConfigured),
        (sdk.ProfileNotFound(profile="acme"), ours.NotConfigured),
        (sdk.ConfigParseError(path="config"), ours.NotConfigured),
        (sdk.UnauthorizedSSOTokenError(), ExpiredCredentials),
        (sdk.TokenRetrievalError(provider="sso", error_msg="x"), ExpiredCredentials),
        (sdk.CredentialRetrievalError(provider="x", error_msg="x"), ExpiredCredentials),
        (sdk.ReadTimeoutError(endpoint_url="x"), ours.NoAnswer),
        (sdk.ConnectTimeoutError(endpoint_url="x"), ours.NoAnswer),
        (sdk.EndpointConnectionError(endpoint_url="x"), ours.NoAnswer),
        (sdk.ConnectionClosedError(endpoint_url="x"), ours.NoAnswer),
        (sdk.ResponseStreamingError(error="x"), ours.NoAnswer),
        (sdk.ParamValidationError(report="x"), ours.InvalidRequest),
        (sdk.InvalidRegionError(region_name="x y"), ours.InvalidRequest),
        (sdk.UnknownServiceError(service_name="x", known_service_names="y"), ours.ProviderError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_sdk_raises_by_itself(error: Exception, meaning: type) -> None:
    problem = problem_of(error, WHERE)
    assert type(problem) is meaning
    assert problem.message.startswith(WHERE)
    assert problem.fix


def test_the_table_of_the_sdk_names_classes_that_exist() -> None:
    from botocore import parsers

    assert all(hasattr(sdk, name) or hasattr(parsers, name) for name in SDK_ERRORS)


def test_a_kilobyte_of_encoded_detail_is_cut() -> None:
    problem = problem_of(answered("UnauthorizedOperation", "x" * 5000), WHERE)
    assert len(problem.message) < 500
    assert problem.message.endswith("…")
