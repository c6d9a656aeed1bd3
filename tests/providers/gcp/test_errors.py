"""The table of errors, against exceptions and operations of the real SDK."""

from __future__ import annotations

from typing import Any

import pytest

from finsched import errors as ours
from finsched.toolbox.error_table import AlreadyThere, ExpiredCredentials, NotFound
from finsched_gcp.errors import (
    CODES,
    PHRASES,
    SDK_ERRORS,
    STATUSES,
    NotReady,
    StockOut,
    first_problem,
    problem_of,
    problem_of_operation,
)

compute = pytest.importorskip("google.cloud.compute_v1", reason="needs finsched[gcp]")

from google.api_core import exceptions as sdk  # noqa: E402
from google.auth import exceptions as auth  # noqa: E402

WHERE = "gcp/us-central1-a"

MEANINGS = {
    StockOut: """ZONE_RESOURCE_POOL_EXHAUSTED ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS
        REGION_RESOURCE_POOL_EXHAUSTED RESOURCE_POOL_EXHAUSTED GPU_STOCKOUT STOCKOUT
        insufficientCapacity""",
    ours.NoQuota: "QUOTA_EXCEEDED quotaExceeded LIMIT_EXCEEDED limitExceeded",
    ours.Throttled: """RATE_LIMIT_EXCEEDED OPERATION_RATE_EXCEEDED rateLimitExceeded
        RESOURCE_OPERATION_RATE_EXCEEDED userRateLimitExceeded concurrentLimitExceeded
        RESOURCE_EXHAUSTED""",
    ours.NotAuthorized: """PERMISSIONS_ERROR IAM_PERMISSION_DENIED PERMISSION_DENIED forbidden
        SERVICE_ACCOUNT_ACCESS_DENIED accessNotConfigured SERVICE_DISABLED BILLING_DISABLED
        accountDisabled""",
    ExpiredCredentials: "authError ACCESS_TOKEN_EXPIRED CREDENTIALS_MISSING UNAUTHENTICATED",
    ours.InvalidRequest: """INVALID_FIELD_VALUE INVALID_USAGE INVALID_ARGUMENT
        UNSUPPORTED_OPERATION invalid invalidParameter badRequest parseError required
        CONDITION_NOT_MET conditionNotMet""",
    NotFound: "RESOURCE_NOT_FOUND NOT_FOUND notFound",
    AlreadyThere: "RESOURCE_ALREADY_EXISTS alreadyExists",
    NotReady: """RESOURCE_IN_USE_BY_ANOTHER_RESOURCE resourceInUseByAnotherResource
        RESOURCE_NOT_READY resourceNotReady""",
    ours.NoAnswer: "INTERNAL_ERROR internalError SERVICE_UNAVAILABLE UNAVAILABLE backendError",
    ours.ProviderError: "NEVER_HEARD_OF",
}
ROWS = [(code, meaning) for meaning, codes in MEANINGS.items() for code in codes.split()]


def refused(reason: str, status: int = 400, words: str = "in Google's words") -> Exception:
    message = f"POST https://compute.googleapis.com/compute/v1/x: {words}"
    return sdk.from_http_status(status, message, errors=[{"reason": reason}])


def failed(code: str, words: str = "in Google's words", **details: Any) -> Any:
    error = {"code": code, "message": words}
    if details:
        error["error_details"] = [{"error_info": {"metadatas": details}}]
    return compute.Operation(error={"errors": [error]}, http_error_status_code=400)


@pytest.mark.parametrize(("code", "meaning"), ROWS)
def test_a_code_of_an_operation_means_what_the_run_does_next(code: str, meaning: type) -> None:
    problem = problem_of_operation(failed(code), WHERE)
    assert type(problem) is meaning
    assert problem.message == f"gcp/us-central1-a: {code}: in Google's words"
    assert problem.fix


@pytest.mark.parametrize(("code", "meaning"), ROWS[:-1])
def test_a_refusal_means_the_same_whatever_its_status(code: str, meaning: type) -> None:
    for status in (400, 403, 409, 503):
        if (code, status) == ("required", 403):  # Google's word for a missing login
            continue
        problem = problem_of(refused(code, status), WHERE)
        assert type(problem) is meaning
        assert problem.message == f"gcp/us-central1-a: {code}: in Google's words"


def test_every_row_of_the_table_is_tested() -> None:
    assert CODES.keys() == {code for code, _ in ROWS[:-1]}


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("The zone 'x' does not have enough resources available", StockOut),
        ("STOCKOUT: try another", StockOut),
        ("Instance failed to start due to preemption.", StockOut),
        ("Instance 'x' was preempted.", StockOut),
        ("Rate Limit Exceeded", ours.Throttled),
    ],
)
def test_words_are_believed_where_a_code_has_several_meanings(words: str, meaning: type) -> None:
    assert any(phrase in words for phrase in PHRASES)
    assert type(problem_of_operation(failed("UNSUPPORTED_OPERATION", words), WHERE)) is meaning
    assert type(problem_of(refused("backendError", 503, words), WHERE)) is meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, ours.InvalidRequest),
        (401, ExpiredCredentials),
        (403, ours.NotAuthorized),
        (404, NotFound),
        (409, AlreadyThere),
        (412, ours.InvalidRequest),
        (418, ours.ProviderError),
        (429, ours.Throttled),
        (500, ours.NoAnswer),
        (502, ours.NoAnswer),
        (503, ours.NoAnswer),
    ],
)
def test_an_answer_without_a_known_reason_counts_by_its_status(status: int, meaning: type) -> None:
    assert type(problem_of(refused("somethingNew", status), WHERE)) is meaning
    assert {400, 401, 403, 404, 409, 412, 429} == STATUSES.keys()


def test_a_missing_login_is_told_from_a_missing_field() -> None:
    assert type(problem_of(refused("required", 401), WHERE)) is ExpiredCredentials
    assert type(problem_of(refused("required", 403), WHERE)) is ExpiredCredentials
    assert type(problem_of(refused("required", 400), WHERE)) is ours.InvalidRequest


def test_a_reason_in_the_details_is_read() -> None:
    error = sdk.from_http_status(403, "no", error_info={"reason": "SERVICE_DISABLED"})
    problem = problem_of(error, WHERE)
    assert type(problem) is ours.NotAuthorized
    assert "gcloud services enable" in str(problem.fix)


def test_an_unknown_code_is_never_taken_for_a_lack_of_capacity() -> None:
    problem = problem_of_operation(failed("NEVER_HEARD_OF"), WHERE)
    assert type(problem) is ours.ProviderError
    assert "NEVER_HEARD_OF" in str(problem.fix)


def test_a_known_error_of_an_operation_is_told_before_an_unknown_one() -> None:
    errors = [{"code": "NEVER_HEARD_OF"}, {"code": "QUOTA_EXCEEDED", "message": "Limit: 0.0"}]
    problem = problem_of_operation(compute.Operation(error={"errors": errors}), WHERE)
    assert type(problem) is ours.NoQuota


def test_an_operation_without_an_error_has_gone_well() -> None:
    assert problem_of_operation(compute.Operation(), WHERE) is None
    bare = compute.Operation(http_error_status_code=503, http_error_message="UNAVAILABLE")
    assert type(problem_of_operation(bare, WHERE)) is ours.NoAnswer


@pytest.mark.parametrize(
    ("operation", "zones"),
    [
        (
            failed("ZONE_RESOURCE_POOL_EXHAUSTED", zonesAvailable="us-central1-b,us-central1-f"),
            ("us-central1-b", "us-central1-f"),
        ),
        (
            failed(
                "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
                "A g2-standard-8 VM instance is currently unavailable in the us-central1-a zone."
                " Consider trying your request in the us-central1-f, europe-west4-b zone(s), which"
                " currently has capacity to accommodate your request.",
            ),
            ("us-central1-f", "europe-west4-b"),
        ),
        (failed("ZONE_RESOURCE_POOL_EXHAUSTED"), ()),
    ],
)
def test_a_stock_out_names_the_zones_that_have_some(operation: Any, zones: tuple[str]) -> None:
    problem = problem_of_operation(operation, WHERE)
    assert isinstance(problem, StockOut)
    assert problem.elsewhere == zones


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (auth.DefaultCredentialsError("x"), ours.NotConfigured),
        (auth.RefreshError("invalid_grant"), ExpiredCredentials),
        (auth.TransportError("x"), ours.NoAnswer),
        (auth.MutualTLSChannelError("x"), ours.ProviderError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_libraries_raise_by_themselves(error: Exception, meaning: type) -> None:
    problem = problem_of(error, WHERE)
    assert type(problem) is meaning
    assert problem.message.startswith(WHERE)
    assert problem.fix


def test_a_lost_connection_and_nonsense_are_no_answer() -> None:
    import requests
    from google.protobuf.json_format import ParseError

    for error in (requests.ReadTimeout("x"), requests.ConnectionError("x"), ParseError("x")):
        assert type(problem_of(error, WHERE)) is ours.NoAnswer


def test_the_table_of_the_libraries_names_classes_that_exist() -> None:
    import json

    import requests
    from google.protobuf import json_format

    places = (auth, requests, json_format, json)
    assert all(any(hasattr(place, name) for place in places) for name in SDK_ERRORS)


def test_of_several_problems_one_is_told_that_another_zone_would_not_mend() -> None:
    stock_out, quota = StockOut("a"), ours.NoQuota("b")
    assert first_problem([stock_out, quota]) is quota
    assert first_problem([stock_out]) is stock_out
    assert first_problem([]) is None


def test_long_words_are_cut() -> None:
    problem = problem_of(refused("invalid", words="x" * 5000), WHERE)
    assert len(problem.message) < 500
    assert problem.message.endswith("…")
