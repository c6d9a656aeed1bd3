"""One table from Azure error codes to what finsched does next.

The codes are those of https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting
/common-deployment-errors and of /azure/virtual-machines/error-codes-spot. A code that is not in the
table is shown as it came: a guess would send the run the wrong way.
"""

from __future__ import annotations

import re

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    NotConfigured,
    PriceTooLow,
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

PAGE = "docs/reference/azure.md"


class Busy(Throttled):
    """Another operation on the same resource goes on: it passes, and then it may be asked again."""


_CAPACITY = Answer(NoCapacity, "finsched tries the next pool; wait, or allow more regions or GPUs")
_NOT_SOLD = Answer(NoCapacity, "finsched tries the next pool: that place does not sell it")
_PRICE = Answer(PriceTooLow, "quote again: the spot price is above on-demand there now")
_QUOTA = Answer(
    NoQuota,
    "ask for more in the portal, Quotas, Compute, of that region; spot machines share one quota of"
    " vCPUs a region, and on demand each family has its own",
)
_COUNT = Answer(NoQuota, "ask for more in the portal, Quotas, or sweep what is left over")
_NOT_FOR_YOU = Answer(NoQuota, "ask Azure support to open it to the subscription, or go elsewhere")
_THROTTLED = Answer(Throttled, "finsched waits and asks again; others use the same subscription")
_ROLE = Answer(NotAuthorized, f"give the role in {PAGE} to the identity that you use")
_POLICY = Answer(NotAuthorized, "a policy of your organisation forbids it: ask who looks after it")
_EXPIRED = Answer(ExpiredCredentials, "sign in again with `az login`; finsched reads it")
_SUBSCRIPTION = Answer(NotAuthorized, "check azure.subscription, and `az account list`")
_DISABLED = Answer(NotAuthorized, "the subscription is disabled: see its state in the portal")
_REGISTER = Answer(
    NotAuthorized, "run `az provider register --namespace` with the one that it names"
)
_WRONG = Answer(
    InvalidRequest, f"correct the job or the settings; {PAGE} explains the [azure] ones"
)
_IMAGE = Answer(InvalidRequest, "correct azure.image in the settings, or accept the image's terms")
_ABSENT = Answer(NotFound, f"check the id in the settings; {PAGE} explains the [azure] ones")
_THERE = Answer(AlreadyThere, "finsched uses what is there")
_BUSY = Answer(Busy, "something still uses it: try again in a minute")
_SILENT = Answer(NoAnswer, "Azure has a problem there: https://azure.status.microsoft")

CODES: dict[str, Answer] = {
    "SkuNotAvailable": _CAPACITY,
    "AllocationFailed": _CAPACITY,
    "ZonalAllocationFailed": _CAPACITY,
    "OverconstrainedAllocationRequest": _CAPACITY,
    "OverconstrainedZonalAllocationRequest": _CAPACITY,
    "AvailabilityZoneNotSupported": _NOT_SOLD,
    "LocationNotAvailableForResourceType": _NOT_SOLD,
    "SpotPriceGreaterThanProvidedMaxPrice": _PRICE,
    "QuotaExceeded": _QUOTA,
    "PublicIPCountLimitReached": _COUNT,
    "ResourceGroupQuotaExceeded": _COUNT,
    "NotAvailableForSubscription": _NOT_FOR_YOU,
    "AzureSpotFeatureNotEnabledForSubscription": _NOT_FOR_YOU,
    "TooManyRequests": _THROTTLED,
    "SubscriptionRequestsThrottled": _THROTTLED,
    "ResourceRequestsThrottled": _THROTTLED,
    "AuthorizationFailed": _ROLE,
    "LinkedAuthorizationFailed": _ROLE,
    "RequestDisallowedByPolicy": _POLICY,
    "ScopeLocked": _POLICY,
    "AuthenticationFailed": _EXPIRED,
    "ExpiredAuthenticationToken": _EXPIRED,
    "InvalidAuthenticationToken": _EXPIRED,
    "InvalidAuthenticationTokenTenant": _SUBSCRIPTION,
    "SubscriptionNotFound": _SUBSCRIPTION,
    "InvalidSubscriptionId": _SUBSCRIPTION,
    "DisabledSubscription": _DISABLED,
    "ReadOnlyDisabledSubscription": _DISABLED,
    "MissingSubscriptionRegistration": _REGISTER,
    "SubscriptionNotRegistered": _REGISTER,
    "InvalidParameter": _WRONG,
    "InvalidRequestContent": _WRONG,
    "InvalidRequestFormat": _WRONG,
    "InvalidResourceGroupLocation": _WRONG,
    "InvalidTagNameValue": _WRONG,
    "OperationNotAllowed": _WRONG,
    "PropertyChangeNotAllowed": _WRONG,
    "BadRequest": _WRONG,
    "ImageNotFound": _IMAGE,
    "PlatformImageNotFound": _IMAGE,
    "MarketplacePurchaseEligibilityFailed": _IMAGE,
    "ResourcePurchaseValidationFailed": _IMAGE,
    "OSProvisioningTimedOut": _IMAGE,
    "NotFound": _ABSENT,
    "ResourceNotFound": _ABSENT,
    "ResourceGroupNotFound": _ABSENT,
    "InvalidResourceReference": _ABSENT,
    "ConditionNotMet": _THERE,
    "PreconditionFailed": _THERE,
    "AnotherOperationInProgress": _BUSY,
    "ConcurrentRequestConflict": _BUSY,
    "Conflict": _BUSY,
    "ReferencedResourceNotProvisioned": _BUSY,
    "ResourceGroupBeingDeleted": _BUSY,
    "RetryableError": _BUSY,
    "InUseSubnetCannotBeDeleted": _BUSY,
    "InUseNetworkSecurityGroupCannotBeDeleted": _BUSY,
    "NicInUse": _BUSY,
    "NicReservedForAnotherVm": _BUSY,
    "PublicIPAddressCannotBeDeleted": _BUSY,
    "InternalServerError": _SILENT,
    "InternalExecutionError": _SILENT,
    "InternalOperationError": _SILENT,
    "ServiceUnavailable": _SILENT,
    "ServerTimeout": _SILENT,
    "GatewayTimeout": _SILENT,
}

STATUSES: dict[int, Answer] = {
    401: _EXPIRED,
    403: _ROLE,
    404: _ABSENT,
    412: _THERE,
    429: _THROTTLED,
}
"""What an HTTP status means where its code says nothing; from 500 on it is no answer."""

SDK_ERRORS: dict[str, Answer] = {
    "CredentialUnavailableError": Answer(NotConfigured, "run `az login`"),
    "ClientAuthenticationError": _EXPIRED,
    "DecodeError": _SILENT,
    "ServiceRequestError": _SILENT,
    "ServiceResponseError": _SILENT,
    "ValueError": _WRONG,
}
"""What the SDK raises by itself, by the name of the class or of one that it is derived from."""

_QUOTA_TEXT = re.compile(
    r"exceeding approved (?P<name>.+?) quota.*?Location: (?P<region>[^,]+),"
    r" Current Limit: (?P<have>\d+), Current Usage: (?P<used>\d+),"
    r" Additional Required: (?P<more>\d+)",
    re.DOTALL,
)


def problem_of(error: Exception, where: str) -> ProviderProblem:
    """Return the problem that an exception of the SDK is, in Azure's own words."""
    told = getattr(error, "error", None)
    status = getattr(error, "status_code", None) or 0
    code = str(getattr(told, "code", "") or "")
    if code or status >= 400:
        words = str(getattr(told, "message", "") or "") or str(getattr(error, "message", ""))
        return problem_from(code, words, where, status=status)
    return sdk_problem(error, where, SDK_ERRORS, "Azure")


def problem_from(code: str, words: str, where: str, *, status: int = 0) -> ProviderProblem:
    """Return the problem that a code means; a quota is told by the words, whatever the code."""
    quota = _QUOTA_TEXT.search(words)
    if quota:
        return NoQuota(_quota_words(where, code, quota), fix=_QUOTA.fix)
    told = STATUSES[429] if status == 429 else CODES.get(code)  # it comes with many codes
    answer = told or _of_status(status) or unknown(code, "Azure")
    return answer.told(where, code, words)


def _of_status(status: int) -> Answer | None:
    return _SILENT if status >= 500 else STATUSES.get(status)


def _quota_words(where: str, code: str, told: re.Match[str]) -> str:
    used, more = int(told["used"]), int(told["more"])
    return (
        f"{where}/{told['region'].strip()}: {code}: the quota {told['name']} allows {told['have']}"
        f" vCPUs, {used} are used and {more} more are needed"
    )
