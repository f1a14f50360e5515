"""Parts of files: those asked for, and those that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import BadStatus, DigestMismatch, Download, ProtocolViolation
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers import FaultServer, published, reply, truncated

FROM_100 = {"Range": "bytes=100-"}
WRONG = [
    pytest.param("bytes 0-4/5", id="start-and-total"),
    pytest.param(f"bytes 99-{len(BODY) - 1}/{len(BODY)}", id="start"),
    pytest.param(f"bytes 100-{len(BODY) - 1}/{len(BODY) + 1}", id="total"),
    pytest.param(f"lines 100-{len(BODY) - 1}/{len(BODY)}", id="unit"),
    pytest.param("bytes", id="nonsense"),
]


@pytest.mark.fault(38)
@pytest.mark.parametrize("told", WRONG)
def test_a_wrong_part_is_handed_on_with_its_place_and_never_as_the_verified_file(
    server: FaultServer, told: str
) -> None:
    server.default(reply(206, BODY[:5], headers={"Content-Range": told}))
    with (
        remote_for() as remote,
        Download(server.url("/f"), remote=remote, validations=whole(BODY)).iter_content(
            headers=FROM_100
        ) as content,
    ):
        assert (content.status, content.headers["Content-Range"]) == (206, told)
        assert b"".join(content) == BODY[:5]
        assert content.digests == {}
    assert server.requests[0].headers.all("Range") == ["bytes=100-"]


@pytest.mark.fault(38, 39)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"},
        {"Content-Range": "bytes 100-104/10240"},
        {"Content-Type": "multipart/byteranges; boundary=x"},
    ],
    ids=["no-range", "all", "part", "multipart"],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_part_that_nobody_asked_for_is_refused(
    server: FaultServer, target: Path, fields: dict[str, str], listed: bool
) -> None:
    server.default(reply(206, BODY, headers=fields))
    validations = whole(BODY) if listed else []
    error = refused(ProtocolViolation, server.url("/f"), target, validations=validations)
    assert (error.status, error.retryable) == (206, True)
    assert "Range" not in server.requests[0].headers


@pytest.mark.fault(39)
def test_after_a_part_that_nobody_asked_for_the_whole_file_is_fetched(
    server: FaultServer, target: Path
) -> None:
    server.default([reply(206, BODY[:5]), reply(200, BODY)])
    fetched(server.url("/f"), target, max_retries=1)
    assert target.read_bytes() == BODY


@pytest.mark.fault(40)
@pytest.mark.parametrize("ranges", [True, False])
def test_the_status_tells_whether_a_range_was_granted(server: FaultServer, ranges: bool) -> None:
    server.default(published(BODY, ranges=ranges))
    with (
        remote_for() as remote,
        Download(server.url("/f"), remote=remote, validations=whole(BODY)).iter_content(
            headers=FROM_100
        ) as content,
    ):
        expected = (206, BODY[100:]) if ranges else (200, BODY)
        assert (content.status, b"".join(content)) == expected
        assert content.is_verified
        assert content.digests == ({} if ranges else {"sha256": sha256(BODY).hexdigest})


@pytest.mark.fault(40)
def test_the_whole_file_in_the_place_of_a_part_is_validated(server: FaultServer) -> None:
    wrong = BODY[:-1] + b"x"
    server.default(published(wrong, ranges=False))
    received = []
    with (
        remote_for() as remote,
        Download(server.url("/f"), remote=remote, validations=[sha256(BODY)]).iter_content(
            headers=FROM_100
        ) as content,
        pytest.raises(DigestMismatch),
    ):
        received += list(content)
    assert b"".join(received) in (b"", BODY[:-1])


@pytest.mark.fault(41)
def test_a_range_behind_the_end_is_answered_as_it_is(server: FaultServer) -> None:
    server.default(published(BODY))
    with (
        remote_for() as remote,
        Download(server.url("/f"), remote=remote, validations=whole(BODY)).iter_content(
            headers={"Range": f"bytes={len(BODY)}-"}
        ) as content,
    ):
        assert content.status == 416
        assert content.headers["Content-Range"] == f"bytes */{len(BODY)}"
        assert list(content) == []


@pytest.mark.fault(41)
def test_416_to_a_run_is_no_file(server: FaultServer, target: Path) -> None:
    server.default(reply(416, b"no such range"))
    error = refused(BadStatus, server.url("/f"), target)
    assert (error.status, error.retryable) == (416, False)


@pytest.mark.fault(42)
@pytest.mark.parametrize(("tag", "status"), [('"v1"', 206), ('"v2"', 200)])
def test_if_range_tells_a_part_of_the_same_file_from_a_new_file(
    server: FaultServer, tag: str, status: int
) -> None:
    server.default(published(BODY, etag=tag))
    with (
        remote_for() as remote,
        Download(server.url("/f"), remote=remote).iter_content(
            headers={**FROM_100, "If-Range": '"v1"'}
        ) as content,
    ):
        assert (content.status, content.headers["ETag"]) == (status, tag)
        assert b"".join(content) == (BODY[100:] if status == 206 else BODY)
    assert server.requests[0].headers["If-Range"] == '"v1"'


@pytest.mark.fault(42)
def test_the_new_file_is_held_against_the_digest_of_the_old_one(server: FaultServer) -> None:
    server.default(published(b"another version", etag='"v2"'))
    with (
        remote_for() as remote,
        Download(server.url("/f"), remote=remote, validations=[sha256(BODY)]).iter_content(
            headers={**FROM_100, "If-Range": '"v1"'}
        ) as content,
        pytest.raises(DigestMismatch),
    ):
        list(content)


@pytest.mark.fault(42)
def test_a_file_that_changes_between_two_tries_is_never_mixed(
    server: FaultServer, target: Path
) -> None:
    new = bytes(reversed(BODY))
    server.default([truncated(BODY, sent=5000), reply(200, new)])
    fetched(server.url("/f"), target, max_retries=1)
    assert target.read_bytes() == new
