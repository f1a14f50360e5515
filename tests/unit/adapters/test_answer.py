"""Any adapter's response as a stream of bytes that can be watched."""

from __future__ import annotations

import gzip
import io
import socket
import threading

import pytest
import requests
import urllib3

from pulp_download.adapters.answer import Answer, answer_of
from pulp_download.adapters.http import HttpAdapter
from pulp_download.adapters.watched import WatchedTimeout
from pulp_download.errors import Cancelled, TimedOut
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from tests.servers import FaultServer, chunk, chunked, reply

BODY = b"0123456789"


class SmallestRaw:
    """As little as the contract of transport adapters asks for: something to read and close."""

    def __init__(self, body: bytes) -> None:
        self._file = io.BytesIO(body)
        self.closed = False

    def read(self, amount: int | None = None) -> bytes:
        return self._file.read(amount)

    def close(self) -> None:
        self.closed = True


class OnlyRead:
    """A file without ``read1``."""

    closed = False

    def __init__(self, body: bytes) -> None:
        self._file = io.BytesIO(body)

    def read(self, amount: int = -1) -> bytes:
        return self._file.read(amount)

    def close(self) -> None:
        self.closed = True


def response_of(raw: object, method: str = "GET", **fields: str) -> requests.Response:
    response = requests.Response()
    response.raw = raw
    response.status_code = 200
    response.request = requests.Request(method, "http://host/").prepare()
    response.headers.update({name.replace("_", "-"): value for name, value in fields.items()})
    return response


def of_urllib3(body: object, **fields: str) -> urllib3.HTTPResponse:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return urllib3.HTTPResponse(body=body, headers=headers, preload_content=False)  # type: ignore[arg-type]


def whole(answer: Answer, limit: int = 4) -> list[bytes]:
    pieces = []
    while piece := bytes(answer.receive(limit)):
        pieces.append(piece)
    return pieces


def watch() -> Watch:
    return Watch(TimeLimits())


def test_the_smallest_adapter_there_can_be_is_read() -> None:
    raw = SmallestRaw(BODY)
    answer = answer_of(response_of(raw), watched := watch())
    assert whole(answer) == [b"0123", b"4567", b"89"]
    assert watched.received == 10
    answer.close()
    assert raw.closed


@pytest.mark.parametrize("file", [io.BytesIO, OnlyRead])
def test_a_response_of_urllib3_is_read_with_and_without_read1(file: type) -> None:
    answer = answer_of(response_of(of_urllib3(file(BODY))), watch())
    assert whole(answer) == [b"0123", b"4567", b"89"]


@pytest.mark.fault(47, 50)
@pytest.mark.parametrize("file", [io.BytesIO, OnlyRead])
def test_bytes_are_those_on_the_wire_and_no_coding_is_undone(file: type) -> None:
    packed = gzip.compress(BODY * 1000)
    raw = of_urllib3(file(packed), Content_Encoding="gzip")
    answer = answer_of(response_of(raw, Content_Encoding="gzip"), watch())
    assert b"".join(whole(answer)) == packed


def test_bytes_are_handed_on_as_they_arrive() -> None:
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as file:
        there.send(b"early")
        answer = answer_of(response_of(of_urllib3(file)), watch())
        assert bytes(answer.receive(1000)) == b"early"


@pytest.mark.parametrize(
    ("fields", "length", "is_marked"),
    [
        ({}, None, False),
        ({"Content_Length": "10"}, 10, True),
        ({"Content_Length": "0"}, 0, True),
        ({"Transfer_Encoding": "chunked"}, None, True),
        ({"Content_Length": "-1"}, None, False),
        ({"Content_Length": "+1"}, None, False),
        ({"Content_Length": "1_0"}, None, False),
        ({"Content_Length": "abc"}, None, False),
        ({"Content_Length": "\u00b2"}, None, False),
        ({"Content_Length": "9" * 20}, None, False),
        ({"Content_Length": "9" * 5000}, None, False),
    ],
)
@pytest.mark.fault(3, 8)
def test_the_length_is_what_the_head_says_in_digits(
    fields: dict[str, str], length: int | None, is_marked: bool
) -> None:
    answer = answer_of(response_of(SmallestRaw(BODY), **fields), watch())
    assert (answer.length, answer.end_is_marked) == (length, is_marked)


def test_an_answer_to_head_has_no_body() -> None:
    answer = answer_of(response_of(SmallestRaw(b""), "HEAD", Content_Length="10"), watch())
    assert (answer.length, answer.end_is_marked) == (0, True)


@pytest.mark.parametrize("how", ["close", "drain", "abandon"])
def test_every_way_to_end_it_closes_the_response(how: str) -> None:
    raw = SmallestRaw(BODY)
    getattr(answer_of(response_of(raw), watch()), how)()
    assert raw.closed


@pytest.mark.fault(171, 172)
def test_an_end_after_a_cancel_is_no_end() -> None:
    watched = watch()
    answer = answer_of(response_of(SmallestRaw(b"")), watched)
    watched.cancel()
    with pytest.raises(Cancelled):
        answer.receive(4)


@pytest.mark.fault(24)
def test_a_foreign_read_is_on_the_clock_and_a_pause_is_not() -> None:
    reading, go_on = threading.Event(), threading.Event()

    class Waiting(SmallestRaw):
        def read(self, amount: int | None = None) -> bytes:
            reading.set()
            assert go_on.wait(10)
            return super().read(amount)

    watched = Watch(TimeLimits(read=1, min_speed=0))
    answer = answer_of(response_of(Waiting(BODY)), watched)
    watched.inspect(10**12)
    watched.check()
    failed: list[TimedOut] = []

    def read() -> None:
        with pytest.raises(TimedOut) as caught:
            answer.receive(4)
        failed.append(caught.value)

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(10)
    watched.inspect(10**12)
    go_on.set()
    reader.join()
    assert [error.message for error in failed] == ["read timeout of 1 s passed"]


def test_a_read_that_fails_is_off_the_clock() -> None:
    class Failing(SmallestRaw):
        def read(self, amount: int | None = None) -> bytes:
            raise OSError("broken")

    watched = Watch(TimeLimits(read=1))
    answer = answer_of(response_of(Failing(b"")), watched)
    with pytest.raises(OSError, match="broken"):
        answer.receive(4)
    watched.inspect(10**12)
    watched.check()


def test_each_answer_is_counted_from_zero() -> None:
    watched = watch()
    watched.received = 42
    answer_of(response_of(SmallestRaw(BODY)), watched)
    assert watched.received == 0


@pytest.mark.parametrize(
    "framed", [reply(200, BODY), chunked([chunk(BODY)])], ids=["length", "chunked"]
)
def test_an_answer_of_our_own_adapter_is_its_own_stream(framed: object) -> None:
    with FaultServer() as server, requests.Session() as session:
        server.on("/a", framed)  # type: ignore[arg-type]
        session.mount("http://", HttpAdapter())
        watched = watch()
        response = session.get(server.url("/a"), stream=True, timeout=WatchedTimeout(watched))  # type: ignore[arg-type]
        answer = answer_of(response, watched)
        assert answer is response.raw.exchange
        assert b"".join(whole(answer)) == BODY
        answer.close()


def test_what_a_hook_has_read_already_is_served_again() -> None:
    with FaultServer() as server, requests.Session() as session:
        server.on("/a", reply(200, BODY))
        session.mount("http://", HttpAdapter())
        session.hooks["response"].append(lambda response, **options: response.content and None)
        watched = watch()
        response = session.get(server.url("/a"), stream=True, timeout=WatchedTimeout(watched))  # type: ignore[arg-type]
        answer = answer_of(response, watched)
        assert (answer.length, answer.end_is_marked) == (10, True)
        assert whole(answer) == [b"0123", b"4567", b"89"]
        answer.close()
