"""One table from Google's error codes to what finsched does next.

Compute Engine says an error in three ways: as the code of a failed operation (in capitals), as the
reason of a refused call, and as a bare HTTP status. A code that is not in the table is shown as it
came: a guess would send the run the wrong way. The operations' codes are those of
https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    NotConfigured,
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

PAGE = "docs/reference/gcp.md"


class NotReady(ProviderError):
    """Something is still done with it, or uses it."""


class StockOut(NoCapacity):
    """The zone has no machine to give; `elsewhere` are the zones that Google says have some."""

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.elsewhere: tuple[str, ...] = ()


class Told(NamedTuple):
    """What Google said: a code, its words, and the zones that it names as having capacity."""

    code: str
    words: str
    zones: tuple[str, ...] = ()


_CAPACITY = Answer(StockOut, "finsched tries the next pool; wait, or allow more regions or GPUs")
_PREEMPTED = Answer(StockOut, "it was taken back before it ran: finsched tries the next pool")
_QUOTA = Answer(
    NoQuota,
    "ask for more under IAM & Admin, Quotas, of that region; spot and on-demand GPUs have quotas of"
    " their own, and GPUS_ALL_REGIONS counts all GPUs of the project",
)
_THROTTLED = Answer(Throttled, "finsched waits and asks again; others use the same project")
_ROLE = Answer(NotAuthorized, f"grant the role in {PAGE} to the identity that you use")
_IDENTITY = Answer(
    ExpiredCredentials,
    "renew the credentials: gcloud auth application-default login; finsched reads them again",
)
_API = Answer(
    NotAuthorized, "enable the Compute Engine API: gcloud services enable compute.googleapis.com"
)
_BILLING = Answer(NotAuthorized, "enable billing for the project")
_ACT_AS = Answer(
    NotAuthorized, "grant roles/iam.serviceAccountUser on the account of gcp.service_account"
)
_WRONG = Answer(InvalidRequest, f"correct the job or the settings; {PAGE} explains the [gcp] ones")
_POLICY = Answer(InvalidRequest, "a policy of your organisation forbids it: ask its administrator")
_ABSENT = Answer(NotFound, f"check the name in the settings; {PAGE} explains the [gcp] ones")
_THERE = Answer(AlreadyThere, "finsched uses what is there")
_BUSY = Answer(NotReady, "something still uses it: try again in a minute")
_SILENT = Answer(NoAnswer, "Google has a problem there: https://status.cloud.google.com")

CODES: dict[str, Answer] = {
    "ZONE_RESOURCE_POOL_EXHAUSTED": _CAPACITY,
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": _CAPACITY,
    "REGION_RESOURCE_POOL_EXHAUSTED": _CAPACITY,
    "RESOURCE_POOL_EXHAUSTED": _CAPACITY,
    "GPU_STOCKOUT": _CAPACITY,
    "STOCKOUT": _CAPACITY,
    "insufficientCapacity": _CAPACITY,
    "QUOTA_EXCEEDED": _QUOTA,
    "quotaExceeded": _QUOTA,
    "LIMIT_EXCEEDED": _QUOTA,
    "limitExceeded": _QUOTA,
    "RATE_LIMIT_EXCEEDED": _THROTTLED,
    "OPERATION_RATE_EXCEEDED": _THROTTLED,
    "RESOURCE_OPERATION_RATE_EXCEEDED": _THROTTLED,
    "rateLimitExceeded": _THROTTLED,
    "userRateLimitExceeded": _THROTTLED,
    "concurrentLimitExceeded": _THROTTLED,
    "RESOURCE_EXHAUSTED": _THROTTLED,
    "PERMISSIONS_ERROR": _ROLE,
    "IAM_PERMISSION_DENIED": _ROLE,
    "PERMISSION_DENIED": _ROLE,
    "forbidden": _ROLE,
    "SERVICE_ACCOUNT_ACCESS_DENIED": _ACT_AS,
    "authError": _IDENTITY,
    "ACCESS_TOKEN_EXPIRED": _IDENTITY,
    "CREDENTIALS_MISSING": _IDENTITY,
    "UNAUTHENTICATED": _IDENTITY,
    "accessNotConfigured": _API,
    "SERVICE_DISABLED": _API,
    "BILLING_DISABLED": _BILLING,
    "accountDisabled": _BILLING,
    "INVALID_FIELD_VALUE": _WRONG,
    "INVALID_USAGE": _WRONG,
    "INVALID_ARGUMENT": _WRONG,
    "UNSUPPORTED_OPERATION": _WRONG,
    "invalid": _WRONG,
    "invalidParameter": _WRONG,
    "badRequest": _WRONG,
    "parseError": _WRONG,
    "required": _WRONG,
    "CONDITION_NOT_MET": _POLICY,
    "conditionNotMet": _POLICY,
    "RESOURCE_NOT_FOUND": _ABSENT,
    "NOT_FOUND": _ABSENT,
    "notFound": _ABSENT,
    "RESOURCE_ALREADY_EXISTS": _THERE,
    "alreadyExists": _THERE,
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": _BUSY,
    "resourceInUseByAnotherResource": _BUSY,
    "RESOURCE_NOT_READY": _BUSY,
    "resourceNotReady": _BUSY,
    "INTERNAL_ERROR": _SILENT,
    "internalError": _SILENT,
    "SERVICE_UNAVAILABLE": _SILENT,
    "UNAVAILABLE": _SILENT,
    "backendError": _SILENT,
}

PHRASES: dict[str, Answer] = {
    "STOCKOUT": _CAPACITY,
    "does not have enough resources": _CAPACITY,
    "due to preemption": _PREEMPTED,
    "was preempted": _PREEMPTED,
    "Rate Limit Exceeded": _THROTTLED,
}
"""What the words say where the code is of several meanings; they are believed first."""

STATUSES: dict[int, Answer] = {
    400: _WRONG,
    401: _IDENTITY,
    403: _ROLE,
    404: _ABSENT,
    409: _THERE,
    412: _POLICY,
    429: _THROTTLED,
}

SDK_ERRORS: dict[str, Answer] = {
    "DefaultCredentialsError": Answer(NotConfigured, "run `gcloud auth application-default login`"),
    "RefreshError": _IDENTITY,
    "TransportError": _SILENT,
    "ParseError": _SILENT,
    "JSONDecodeError": _SILENT,
    "RequestException": _SILENT,
}
"""What the libraries raise by themselves, by the name of the class or of one it is derived from."""

_ZONE = re.compile(r"\b[a-z]+(?:-[a-z]+)+\d+-[a-z]\b")
_HAVE_SOME = re.compile(r"request in the (.+?) zone", re.DOTALL)
_ASKED = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE) \S+: ")


def problem_of(error: Exception, where: str) -> ProviderProblem:
    """Return the problem that an exception of the libraries is, naming the place."""
    status = getattr(error, "code", None)
    if isinstance(status, int):
        return _refused(error, status, where)
    return sdk_problem(error, where, SDK_ERRORS, "Google")


def problem_of_operation(operation: Any, where: str) -> ProviderProblem | None:
    """Return the problem with which an operation has ended, None where it went well."""
    told = [_told_by(each) for each in operation.error.errors]
    if told:
        known = [each for each in told if answer_to(each)]
        return _problem((known or told)[0], 0, where)
    status = int(operation.http_error_status_code)
    return _problem(Told("", operation.http_error_message), status, where) if status else None


def answer_to(told: Told, status: int = 0) -> Answer | None:
    """Return what was meant: by its words, by its code, or else by the HTTP status."""
    by_words = (answer for words, answer in PHRASES.items() if words in told.words)
    found = next(by_words, None) or CODES.get(told.code) or STATUSES.get(status)
    return found or (_SILENT if status >= 500 else None)


def _refused(error: Any, status: int, where: str) -> ProviderProblem:
    codes = [code for code in (error.reason, *map(_reason, error.errors)) if code]
    known = [code for code in codes if code in CODES]
    code = (known or codes or [""])[0]
    unauthorised = status == 401 or (status == 403 and code == "required")
    return _problem(Told("authError" if unauthorised else code, _words(error)), status, where)


def _problem(told: Told, status: int, where: str) -> ProviderProblem:
    answer = answer_to(told, status) or unknown(told.code, "Google")
    problem = answer.told(where, told.code or f"HTTP {status}", told.words)
    if isinstance(problem, StockOut):
        problem.elsewhere = told.zones or _zones_in(told.words)
    return problem


def _told_by(error: Any) -> Told:
    """Read one error of an operation; its details may name zones that have capacity."""
    metadatas = [dict(each.error_info.metadatas) for each in error.error_details]
    named = ",".join(each.get("zonesAvailable", "") for each in metadatas)
    return Told(error.code, error.message, tuple(_ZONE.findall(named)))


def _zones_in(words: str) -> tuple[str, ...]:
    found = _HAVE_SOME.search(words)
    return tuple(_ZONE.findall(found[1])) if found else ()


def _reason(error: Any) -> str:
    return str(error.get("reason", "")) if isinstance(error, dict) else ""


def _words(error: Any) -> str:
    """Return Google's own words without the method and the address that the library prepends."""
    return _ASKED.sub("", str(error.message))


def first_problem(problems: Iterable[ProviderProblem]) -> ProviderProblem | None:
    """Return the problem to tell of several: one that another zone would not mend, if any."""
    found = list(problems)
    lasting = [each for each in found if not isinstance(each, NoCapacity)]
    return next(iter(lasting or found), None)
