"""Clients that have the file already, or want a part of it."""

from __future__ import annotations

import pytest

from tests.functional.streamer.running import Shelf, Streamer, get, listed, parted
from tests.functional.upstream import sha256
from tests.servers import FaultServer, published, reply

BODY = bytes(range(256)) * 4096
MODIFIED = "Mon, 06 Jul 2026 10:00:00 GMT"
KEPT = {"ETag": '"one"', "Last-Modified": MODIFIED, "Cache-Control": "max-age=5", "X-Other": "no"}


@pytest.mark.need("S7")
@pytest.mark.fault(199)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "condition",
    [
        'If-None-Match: "zero", W/"one"',
        "If-None-Match: *",
        f"If-Modified-Since: {MODIFIED}",
    ],
)
def test_who_has_it_is_told_so_and_upstream_is_left(
    server: FaultServer, shelf: Shelf, method: str, condition: str
) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY, headers=KEPT))
    with Streamer(shelf) as streamer:
        status, fields, rest = parted(streamer.exchange(get("/f", condition, method=method)))
        (served,) = streamer.wait_for_served()
    assert (status, rest) == (304, b"")
    assert set(fields) == {"date", "etag", "last-modified", "cache-control", "connection"}
    assert (served.sent, served.is_complete, served.error) == (0, True, None)


@pytest.mark.fault(199)
@pytest.mark.parametrize(
    "conditions",
    [
        ('If-None-Match: "two"',),
        ('If-None-Match: "two"', f"If-Modified-Since: {MODIFIED}"),
        ("If-Modified-Since: Sun, 05 Jul 2026 10:00:00 GMT",),
        ("If-Modified-Since: yesterday",),
        ("If-None-Match: one",),
    ],
)
def test_who_has_another_one_gets_it_whole(
    server: FaultServer, shelf: Shelf, conditions: tuple[str, ...]
) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY, headers=KEPT))
    with Streamer(shelf) as streamer:
        status, _, body = parted(streamer.exchange(get("/f", *conditions)))
    assert (status, sha256(body)) == (200, sha256(BODY))


@pytest.mark.need("S3")
@pytest.mark.fault(198)
@pytest.mark.parametrize(
    "asked", ["bytes=0-9", "bytes=-5", "bytes=5-", "bytes=0-1,3-4", "bytes=9999999-", "lines=1-2"]
)
def test_ranges_are_ignored(server: FaultServer, shelf: Shelf, asked: str) -> None:
    listed(server, shelf, "f", BODY, published(BODY, etag='"e"'))
    with Streamer(shelf) as streamer:
        status, fields, body = parted(streamer.exchange(get("/f", f"Range: {asked}")))
    assert (status, sha256(body), fields["accept-ranges"]) == (200, sha256(BODY), ["none"])
    assert "Range" not in server.requests[0].headers


@pytest.mark.fault(198)
@pytest.mark.parametrize(
    ("fields", "status", "content_range", "length"),
    [
        (["Range: bytes=1-9"], 206, f"bytes 1-9/{len(BODY)}", 9),
        ([f"Range: bytes={len(BODY)}-"], 416, f"bytes */{len(BODY)}", 0),
        (["Range: bytes=1-9", 'If-Range: "e"'], 206, f"bytes 1-9/{len(BODY)}", 9),
        (["Range: bytes=1-9", 'If-Range: "old"'], 200, None, len(BODY)),
        (["Range: lines=1-9"], 200, None, len(BODY)),
        (["Range: bytes=" + "1-2," * 50 + "3-4"], 200, None, len(BODY)),
        (["Range: bytes=1-9", "Range: bytes=2-9"], 200, None, len(BODY)),
        (["Range: bytes=1-9", "If-Range: \xe9"], 200, None, len(BODY)),
    ],
)
def test_ranges_are_forwarded_where_that_is_wanted(
    server: FaultServer,
    shelf: Shelf,
    fields: list[str],
    status: int,
    content_range: str | None,
    length: int,
) -> None:
    listed(server, shelf, "f", BODY, published(BODY, etag='"e"'))
    with Streamer(shelf, ranges="forward") as streamer:
        got, told, body = parted(streamer.exchange(get("/f", *fields)))
    assert (got, len(body)) == (status, length)
    assert told.get("content-range") == (content_range and [content_range])
    assert told["accept-ranges"] == ["bytes"]


@pytest.mark.fault(198)
def test_many_parts_are_passed_on_as_they_are(server: FaultServer, shelf: Shelf) -> None:
    kind = "multipart/byteranges; boundary=x"
    parts = b"--x\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--x--\r\n"
    listed(server, shelf, "f", BODY, reply(206, parts, headers={"Content-Type": kind}))
    with Streamer(shelf, ranges="forward") as streamer:
        status, fields, body = parted(streamer.exchange(get("/f", "Range: bytes=0-0,2-2")))
    assert (status, body, fields["content-type"]) == (206, parts, [kind])
    assert server.requests[0].headers["Range"] == "bytes=0-0,2-2"


@pytest.mark.fault(199)
def test_a_condition_is_looked_at_before_a_range(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, published(BODY, etag='"e"'))
    with Streamer(shelf, ranges="forward") as streamer:
        asked = get("/f", "Range: bytes=1-9", 'If-None-Match: "e"')
        assert parted(streamer.exchange(asked))[0] == 304
