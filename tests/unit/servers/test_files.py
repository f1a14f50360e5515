"""published(): what a good file server answers to ranges and conditions."""

import pytest

from tests.servers import FaultServer, published
from tests.unit.servers.clients import http_client

BODY = b"0123456789"
TAG = '"v1"'
DATE = "Sun, 01 Nov 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("sent", "status", "content_range", "body"),
    [
        ({}, 200, None, BODY),
        ({"Range": "bytes=4-"}, 206, "bytes 4-9/10", b"456789"),
        ({"Range": "bytes=4-5"}, 206, "bytes 4-5/10", b"45"),
        ({"Range": "bytes=0-99"}, 206, "bytes 0-9/10", BODY),
        ({"Range": "bytes=10-"}, 416, "bytes */10", b""),
        ({"Range": "bytes=4-", "If-Range": TAG}, 206, "bytes 4-9/10", b"456789"),
        ({"Range": "bytes=4-", "If-Range": DATE}, 206, "bytes 4-9/10", b"456789"),
        ({"Range": "bytes=4-", "If-Range": '"v2"'}, 200, None, BODY),
        ({"Range": "lines=4-"}, 200, None, BODY),
        ({"If-None-Match": TAG}, 304, None, b""),
    ],
)
def test_ranges_and_conditions(
    sent: dict[str, str], status: int, content_range: str | None, body: bytes
) -> None:
    with FaultServer() as server, http_client(server) as client:
        server.default(published(BODY, etag=TAG, last_modified=DATE))
        client.request("GET", "/", headers=sent)
        answer = client.getresponse()
        assert (answer.status, answer.getheader("Content-Range")) == (status, content_range)
        assert (answer.read(), answer.getheader("ETag")) == (body, TAG)


def test_a_server_without_ranges_sends_everything() -> None:
    with FaultServer() as server, http_client(server) as client:
        server.default(published(BODY, ranges=False))
        client.request("GET", "/", headers={"Range": "bytes=4-"})
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, BODY)
