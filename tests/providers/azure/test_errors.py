"""The table of errors, against exceptions of the real SDK."""

from __future__ import annotations

import pytest
from azure.core import exceptions as sdk
from azure.identity import CredentialUnavailableError

from finsched import errors as ours
from finsched.toolbox.error_table import AlreadyThere, ExpiredCredentials, NotFound
from finsched_azure.errors import CODES, SDK_ERRORS, STATUSES, Busy, problem_from, problem_of

WHERE = "azure"

MEANINGS = {
    ours.NoCapacity: """SkuNotAvailable AllocationFailed ZonalAllocationFailed
        OverconstrainedAllocationRequest OverconstrainedZonalAllocationRequest
        AvailabilityZoneNotSupported LocationNotAvailableForResourceType""",
    ours.PriceTooLow: "SpotPriceGreaterThanProvidedMaxPrice",
    ours.NoQuota: """QuotaExceeded PublicIPCountLimitReached ResourceGroupQuotaExceeded
        NotAvailableForSubscription AzureSpotFeatureNotEnabledForSubscription""",
    ours.Throttled: "TooManyRequests SubscriptionRequestsThrottled ResourceRequestsThrottled",
    ours.NotAuthorized: """AuthorizationFailed LinkedAuthorizationFailed RequestDisallowedByPolicy
        ScopeLocked InvalidAuthenticationTokenTenant SubscriptionNotFound InvalidSubscriptionId
        DisabledSubscription ReadOnlyDisabledSubscription MissingSubscriptionRegistration
        SubscriptionNotRegistered""",
    ExpiredCredentials: """AuthenticationFailed ExpiredAuthenticationToken
        InvalidAuthenticationToken""",
    ours.InvalidRequest: """InvalidParameter InvalidRequestContent InvalidRequestFormat BadRequest
        InvalidResourceGroupLocation InvalidTagNameValue OperationNotAllowed
        PropertyChangeNotAllowed ImageNotFound PlatformImageNotFound OSProvisioningTimedOut
        MarketplacePurchaseEligibilityFailed ResourcePurchaseValidationFailed""",
    NotFound: "NotFound ResourceNotFound ResourceGroupNotFound InvalidResourceReference",
    AlreadyThere: "ConditionNotMet PreconditionFailed",
    Busy: """AnotherOperationInProgress ConcurrentRequestConflict Conflict RetryableError
        ReferencedResourceNotProvisioned ResourceGroupBeingDeleted InUseSubnetCannotBeDeleted
        InUseNetworkSecurityGroupCannotBeDeleted NicInUse NicReservedForAnotherVm
        PublicIPAddressCannotBeDeleted""",
    ours.NoAnswer: """InternalServerError InternalExecutionError InternalOperationError
        ServiceUnavailable ServerTimeout GatewayTimeout""",
}
ROWS = [(code, meaning) for meaning, codes in MEANINGS.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "meaning"), ROWS)
def test_what_a_code_means(code: str, meaning: type[ours.ProviderProblem]) -> None:
    problem = problem_from(code, "in Azure's words", WHERE, status=400)
    assert type(problem) is meaning
    assert problem.message == f"azure: {code}: in Azure's words"
    assert problem.fix


def test_the_rows_are_the_table() -> None:
    assert {code for code, _ in ROWS} == CODES.keys()


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (401, ExpiredCredentials),
        (403, ours.NotAuthorized),
        (404, NotFound),
        (412, AlreadyThere),
        (429, ours.Throttled),
        (500, ours.NoAnswer),
        (503, ours.NoAnswer),
        (400, ours.ProviderError),
        (409, ours.ProviderError),
    ],
)
def test_what_a_status_means_where_the_code_says_nothing(
    status: int, meaning: type[ours.ProviderProblem]
) -> None:
    problem = problem_from("NeverHeardOf", "words", WHERE, status=status)
    assert type(problem) is meaning
    assert "NeverHeardOf: words" in problem.message
    assert status in STATUSES or status >= 500 or meaning is ours.ProviderError


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (sdk.ServiceRequestError("no route"), ours.NoAnswer),
        (sdk.ServiceRequestTimeoutError("too slow"), ours.NoAnswer),
        (sdk.ServiceResponseError("cut off"), ours.NoAnswer),
        (sdk.ServiceResponseTimeoutError("too slow"), ours.NoAnswer),
        (sdk.IncompleteReadError("half of it"), ours.NoAnswer),
        (sdk.ClientAuthenticationError("the secret has expired"), ExpiredCredentials),
        (CredentialUnavailableError("nobody is signed in"), ours.NotConfigured),
        (sdk.AzureError("something new"), ours.ProviderError),
    ],
)
def test_what_the_sdk_raises_by_itself(
    error: Exception, meaning: type[ours.ProviderProblem]
) -> None:
    problem = problem_of(error, WHERE)
    assert type(problem) is meaning
    assert str(error) in problem.message
    assert problem.fix


def test_every_class_in_the_table_is_one_of_the_sdk_or_of_python() -> None:
    known = {name for module in (sdk,) for name in vars(module)} | {"CredentialUnavailableError"}
    assert SDK_ERRORS.keys() <= known | {"ValueError"}


@pytest.mark.parametrize("code", ["OperationNotAllowed", "QuotaExceeded", "SomethingNew"])
def test_a_quota_is_told_by_its_words(code: str) -> None:
    words = (
        "Operation could not be completed as it results in exceeding approved"
        " standardNCADSA100v4Family Cores quota. Additional details - Deployment Model: Resource"
        " Manager, Location: eastus, Current Limit: 24, Current Usage: 24, Additional Required:"
        " 24, (Minimum) New Limit Required: 48. Submit a request for Quota increase at …"
    )
    problem = problem_from(code, words, WHERE, status=409)
    assert type(problem) is ours.NoQuota
    assert problem.message == (
        f"azure/eastus: {code}: the quota standardNCADSA100v4Family Cores allows 24 vCPUs, 24 are"
        " used and 24 more are needed"
    )


def test_long_words_are_cut_and_lines_joined() -> None:
    problem = problem_from("BadRequest", "a\n  b" + "x" * 1000, WHERE)
    assert problem.message.startswith("azure: BadRequest: a bxx")
    assert len(problem.message) < 450
