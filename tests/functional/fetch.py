"""One download against the fault bench, and what must hold when it ends, however it ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pulp_download import (
    Cancelled,
    DigestValidation,
    Download,
    DownloadError,
    Observer,
    Remote,
    Result,
    SizeValidation,
    Throttled,
    Validation,
)
from tests.servers import authority

E = TypeVar("E", bound=DownloadError)

BODY = bytes(range(256)) * 40
OLD = b"the file of an earlier run\n"

# Seconds that no failure here takes; what hangs is caught by the limits below instead.
SOON = 5.0
# Seconds within which a cancelled run must be over.
AT_ONCE = 1.0


def remote_for(*, backoff: float | None = None, **settings: Any) -> Remote:
    """A remote that tries once, trusts the bench's authority and does not hang for long.

    ``backoff=0`` has it try again at once, for tests that are not about waiting.
    """
    defaults: dict[str, Any] = {
        "max_retries": 0,
        "connect_timeout": 10.0,
        "sock_read_timeout": 10.0,
        "ca_cert": authority().pem,
    }
    remote = Remote(**(defaults | settings))
    if backoff is not None:
        remote.retry_policy = remote.retry_policy._replace(backoff=backoff)
    return remote


def sha256(body: bytes) -> DigestValidation:
    return DigestValidation("sha256", hashlib.sha256(body).hexdigest())


def whole(body: bytes) -> list[Validation]:
    """Everything a manifest says about a file."""
    return [SizeValidation(len(body)), sha256(body)]


def fetched(
    url: str,
    target: Path,
    *,
    remote: Remote | None = None,
    validations: Iterable[Validation] = (),
    within: float = SOON,
    **settings: Any,
) -> Result:
    """Run a download that must succeed, through ``remote`` or one made of ``settings``."""
    started = time.monotonic()
    with _lent(remote, settings) as lent:
        result = Download(url, target, remote=lent, validations=validations).run()
    assert time.monotonic() - started < within
    assert result.path == target
    assert result.size == target.stat().st_size
    return result


def refused(
    kind: type[E] | tuple[type[E], ...],
    url: str,
    target: Path,
    *,
    remote: Remote | None = None,
    validations: Iterable[Validation] = (),
    within: float = SOON,
    **settings: Any,
) -> E:
    """Run a download that must fail with exactly this class (or one of them); return the error.

    Whatever the fault: it ends in time, the target and its folder are as they were before, and the
    error tells the place, pickles and has been counted.
    """
    before = _tree(target)
    started = time.monotonic()
    with _lent(remote, settings) as lent, pytest.raises(DownloadError) as caught:
        Download(url, target, remote=lent, validations=validations).run()
    assert time.monotonic() - started < within
    assert _tree(target) == before
    error: Any = caught.value
    assert type(error) in (kind if isinstance(kind, tuple) else (kind,)), error
    assert isinstance(error, DownloadError)
    assert error.url is not None
    last = error.attempts[-1]
    assert (last.url, last.status) == (error.url, error.status)
    if not isinstance(error, Throttled):  # whose limit is the run's, not that of the last try
        assert (last.type, last.message) == (type(error).__name__, error.message)
    assert str(error).replace("\n", "").isprintable()
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again)) == (type(error), vars(error))
    return error  # type: ignore[no-any-return]


@contextlib.contextmanager
def running(download: Download, observer: Observer | None = None) -> Iterator[Future[Result]]:
    """The future of a run in a thread of its own."""
    with ThreadPoolExecutor(1, "run") as pool:
        yield pool.submit(download.run, observer=observer)


def cancels(download: Download, future: Future[Result]) -> None:
    """Cancel a run that is under way; it must end at once, as cancelled, and leave nothing."""
    assert download.path is not None
    before = _tree(download.path, partials=False)
    started = time.monotonic()
    assert download.cancel()
    with pytest.raises(Cancelled):
        future.result(SOON)
    assert time.monotonic() - started < AT_ONCE
    assert _tree(download.path) == before
    assert not download.cancel()


@contextlib.contextmanager
def _lent(remote: Remote | None, settings: dict[str, Any]) -> Iterator[Remote]:
    if remote is not None:
        assert not settings, "a remote has its settings already"
        yield remote
    else:
        with remote_for(**settings) as made:
            yield made


def _tree(target: Path, *, partials: bool = True) -> dict[str, bytes]:
    """The target's folder, with the bytes of every file."""
    return {
        name: (target.parent / name).read_bytes()
        for name in os.listdir(target.parent)
        if partials or not name.endswith(".part")
    }
