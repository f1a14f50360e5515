"""Every error has an answer, and none tells what it knows."""

from __future__ import annotations

import inspect

import pytest

from pulp_download import errors
from pulp_download.streamer.failures import refusal_of

# What it is made with, where that is more than a reason.
MADE_OF = {
    "TimedOut": ("read", 1.0),
    "Stalled": (1, 1.0, 1.0),
    "TooSlow": (1.0, 2.0),
    "Truncated": (1, 2),
    "SizeMismatch": (1, 2),
    "DigestMismatch": ("sha256", "a", "b"),
    "PieceMismatch": (1, 2, 3),
    "NotFound": (404,),
    "NotAuthorized": (401,),
    "ServerFailed": (500,),
    "Throttled": (429,),
    "BadStatus": (418,),
}
STATUSES = {
    "NotFound": 404,
    "TimedOut": 504,
    "Stalled": 504,
    "TooSlow": 504,
    "Throttled": 503,
    "Cancelled": 503,
    "DownloadError": 500,
    "InvalidInput": 500,
    "InvalidURL": 500,
    "InvalidSettings": 500,
    "InvalidExpectation": 500,
    "ManifestError": 500,
    "CatalogError": 500,
    "WriteError": 500,
    "DestinationBusy": 500,
}
KINDS = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.DownloadError)
}


@pytest.mark.fault(195, 224)
@pytest.mark.parametrize("name", KINDS)
def test_each_error_has_a_status_and_a_reason_of_ours(name: str) -> None:
    error = KINDS[name](*MADE_OF.get(name, ("s3cret",)))
    refusal = refusal_of(error)
    assert refusal.status == STATUSES.get(name, 502)
    assert "s3cret" not in refusal.reason
    assert (refusal.retry_after is not None) == (refusal.status == 503)


@pytest.mark.fault(195)
def test_an_end_of_our_own_means_is_503() -> None:
    error = errors.ConnectionFailed("too many open files")
    error.is_local = True
    assert refusal_of(error).status == 503


@pytest.mark.fault(195, 215)
@pytest.mark.parametrize(("error", "status"), [(KeyError("x"), 404), (ZeroDivisionError("x"), 500)])
def test_errors_of_suppliers(error: Exception, status: int) -> None:
    assert refusal_of(error).status == status
