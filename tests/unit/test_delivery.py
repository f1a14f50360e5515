"""What comes of a question, judged as it is read: its length, size and digests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from pulp_download.delivery import Delivery, deliver
from pulp_download.errors import (
    Cancelled,
    ConnectionFailed,
    DigestMismatch,
    DownloadError,
    NotFound,
    ProtocolViolation,
    SizeMismatch,
    Throttled,
    Truncated,
    UnverifiableLength,
    ValidationError,
)
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote
from pulp_download.validations import Check, Chunk, DigestValidation, SizeValidation, Validation
from pulp_download.watch import Watch
from tests.servers import (
    Cut,
    FaultServer,
    Script,
    chunk,
    chunked,
    cut,
    head,
    hold,
    reply,
    send,
    steps,
    truncated,
    until_close,
)

BODY = b"0123456789"
MD5 = "781e5e245d69b566979b86e28d23f2c7"
MD5_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
RIGHT, WRONG = DigestValidation("md5", MD5), DigestValidation("md5", "0" * 32)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, BODY))
        yield server


class Asking:
    """Asks the server through one remote, made of ``fields``."""

    def __init__(self, server: FaultServer, remote: Remote) -> None:
        self.server = server
        self.remote = remote
        self.watch = Watch(remote.time_limits)

    def __call__(
        self,
        *validations: Validation,
        method: str = "GET",
        answers: Collection[int] = (),
        path: str = "/a",
    ) -> Delivery:
        generator = deliver(
            self.remote,
            Mirror(self.server.url(path)),
            self.watch,
            method=method,
            headers={},
            answers=answers,
            validations=validations,
        )
        try:
            while True:
                next(generator)
        except StopIteration as end:
            delivery: Delivery = end.value
            return delivery


@pytest.fixture
def through(server: FaultServer) -> Iterator[Callable[..., Asking]]:
    remotes: list[Remote] = []

    def through(**fields: Any) -> Asking:
        remotes.append(Remote(environment_proxies=False, max_retries=0, **fields))
        return Asking(server, remotes[-1])

    yield through
    for remote in remotes:
        remote.close()


@pytest.fixture
def asked(through: Callable[..., Asking]) -> Asking:
    return through()


def whole(delivery: Delivery, limit: int = 100) -> bytes:
    """Read to the end, and close."""
    body = b""
    try:
        while piece := delivery.receive(limit):
            body += piece
            assert delivery.received == len(body)
    finally:
        delivery.close()
    return body


def assert_abandoned(asked: Asking) -> None:
    """Tell that the connection is gone, and that the next question has another one."""
    asked.server.wait_for(lambda: asked.server.open == 0)
    accepted = asked.server.accepted
    asked.server.on("/next", reply(200, b"next"))
    assert whole(asked(path="/next")) == b"next"
    assert asked.server.accepted == accepted + 1


# A good answer.


@pytest.mark.parametrize(
    ("framed", "size"),
    [
        (reply(200, BODY), 10),
        (chunked([chunk(BODY[:3]), chunk(BODY[3:])]), None),
        (until_close(BODY), None),
    ],
    ids=["length", "chunked", "until close"],
)
def test_digests_are_there_when_the_end_was_read_and_not_before(
    server: FaultServer, asked: Asking, framed: Script, size: int | None
) -> None:
    server.on("/a", framed)
    delivery = asked(SizeValidation(10), RIGHT)
    assert (delivery.size, delivery.received, delivery.digests) == (size, 0, None)
    body = b""
    while piece := bytes(delivery.receive(4)):
        assert len(piece) <= 4
        assert delivery.digests is None
        body += piece
    assert (body, delivery.received, delivery.digests) == (BODY, 10, {"md5": MD5})
    assert delivery.receive(4) == b""
    delivery.close()


def test_a_connection_serves_again_when_the_body_was_read_to_its_end(asked: Asking) -> None:
    for _ in range(3):
        assert whole(asked(RIGHT)) == BODY
    assert asked.server.accepted == 1


def test_a_connection_whose_body_was_left_unread_does_not_serve_again(
    server: FaultServer, asked: Asking
) -> None:
    delivery = asked(RIGHT)
    assert delivery.receive(4) == b"0123"
    delivery.close()
    delivery.close()
    assert_abandoned(asked)


# An empty body.


@pytest.mark.parametrize(
    ("validations", "digests"),
    [
        ((), {}),
        ((SizeValidation(0),), {}),
        ((DigestValidation("md5", MD5_OF_NOTHING),), {"md5": MD5_OF_NOTHING}),
    ],
    ids=["nothing expected", "size", "digest"],
)
def test_an_empty_body_is_judged_before_it_is_read(
    server: FaultServer,
    asked: Asking,
    validations: tuple[Validation, ...],
    digests: dict[str, str],
) -> None:
    server.on("/a", reply(200, b""))
    delivery = asked(*validations)
    assert (delivery.size, delivery.digests, delivery.length_verified) == (0, digests, True)
    assert whole(delivery) == b""


@pytest.mark.parametrize(
    ("validation", "kind"), [(SizeValidation(1), SizeMismatch), (RIGHT, DigestMismatch)]
)
def test_an_empty_body_that_should_not_be_is_refused_before_it_is_read(
    server: FaultServer, asked: Asking, validation: Validation, kind: type[ValidationError]
) -> None:
    server.on("/a", reply(200, b""))
    with pytest.raises(kind) as caught:
        asked(validation)
    assert caught.value.url == server.url("/a")
    assert_abandoned(asked)


def test_a_body_that_proves_empty_is_judged_at_its_end(server: FaultServer, asked: Asking) -> None:
    server.on("/a", chunked([]))
    delivery = asked(RIGHT)
    assert delivery.digests is None
    with pytest.raises(DigestMismatch) as caught:
        delivery.receive(100)
    assert (caught.value.expected, caught.value.actual) == (MD5, MD5_OF_NOTHING)


# Sizes.


@pytest.mark.parametrize(
    ("announced", "fields", "validations", "limit"),
    [
        (10, {}, (SizeValidation(11),), 11),
        (10, {}, (SizeValidation(9),), 9),
        (10, {}, (RIGHT, SizeValidation(0)), 0),
        (10, {"max_size": 9}, (), 9),
        (10, {"max_size": 9}, (RIGHT,), 9),
        (10**15, {"max_size": 9}, (), 9),
    ],
)
def test_an_announced_size_that_is_wrong_is_refused_before_a_byte_is_read(
    server: FaultServer,
    through: Callable[..., Asking],
    announced: int,
    fields: dict[str, int],
    validations: tuple[Validation, ...],
    limit: int,
) -> None:
    server.on("/a", steps(head(200, {"Content-Length": str(announced)}), hold))
    asked = through(**fields)
    with pytest.raises(SizeMismatch) as caught:
        asked(*validations)
    error = caught.value
    assert (error.expected, error.actual, error.url) == (limit, announced, server.url("/a"))
    assert_abandoned(asked)


@pytest.mark.parametrize(
    ("max_size", "validations"),
    [(10, ()), (10, (RIGHT,)), (3, (SizeValidation(10),)), (3, (RIGHT, SizeValidation(10)))],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_the_largest_size_bounds_what_has_no_expected_one(
    server: FaultServer,
    through: Callable[..., Asking],
    max_size: int,
    validations: tuple[Validation, ...],
    is_chunked: bool,
) -> None:
    server.on("/a", chunked([chunk(BODY)]) if is_chunked else reply(200, BODY))
    assert whole(through(max_size=max_size)(*validations)) == BODY


@pytest.mark.parametrize(
    ("fields", "validations"),
    [({"max_size": 5}, ()), ({"max_size": 5}, (RIGHT,)), ({}, (SizeValidation(5),))],
)
def test_the_first_byte_too_many_is_refused_when_it_comes(
    server: FaultServer,
    through: Callable[..., Asking],
    fields: dict[str, int],
    validations: tuple[Validation, ...],
) -> None:
    pieces = [chunk(BODY[:5]), chunk(BODY[5:6])]
    server.on("/a", steps(chunked(pieces, end=b""), hold))
    asked = through(**fields)
    delivery = asked(*validations)
    assert delivery.receive(100) == b"01234"
    with pytest.raises(SizeMismatch) as caught:
        delivery.receive(100)
    assert (caught.value.expected, caught.value.actual) == (5, 6)
    assert caught.value.url == server.url("/a")
    assert delivery.digests is None
    assert_abandoned(asked)


def test_a_missing_byte_is_told_at_the_end(server: FaultServer, asked: Asking) -> None:
    server.on("/a", until_close(BODY))
    delivery = asked(SizeValidation(11))
    assert delivery.receive(100) == BODY
    with pytest.raises(SizeMismatch) as caught:
        delivery.receive(100)
    assert (caught.value.expected, caught.value.actual) == (11, 10)


# Lengths that nothing tells.

ODD_LENGTHS: dict[str, tuple[Script, tuple[Validation, ...], bool]] = {
    "until close": (until_close(BODY), (), False),
    "until close, size": (until_close(BODY), (SizeValidation(10),), True),
    "until close, digest": (until_close(BODY), (RIGHT,), True),
    "chunked": (chunked([chunk(BODY)]), (), True),
    "length": (reply(200, BODY), (), True),
}


@pytest.mark.parametrize(("framed", "validations", "told"), ODD_LENGTHS.values(), ids=ODD_LENGTHS)
def test_it_is_known_whether_anything_tells_the_length(
    server: FaultServer,
    asked: Asking,
    framed: Script,
    validations: tuple[Validation, ...],
    told: bool,
) -> None:
    server.on("/a", framed)
    delivery = asked(*validations)
    assert delivery.length_verified is told
    assert whole(delivery) == BODY


@pytest.mark.parametrize(("framed", "validations", "told"), ODD_LENGTHS.values(), ids=ODD_LENGTHS)
def test_a_length_that_nothing_tells_is_refused_where_it_is_required(
    server: FaultServer,
    through: Callable[..., Asking],
    framed: Script,
    validations: tuple[Validation, ...],
    told: bool,
) -> None:
    server.on("/a", framed)
    asked = through(require_length=True)
    if told:
        assert whole(asked(*validations)) == BODY
        return
    with pytest.raises(UnverifiableLength) as caught:
        asked(*validations)
    assert caught.value.url == server.url("/a")
    assert_abandoned(asked)


# Hints.

HINTS: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, ""),
    "plain": ({"Content-Type": "text/plain"}, ""),
    "a page": ({"Content-Type": "text/html"}, "upstream says text/html"),
    "a page in Latin": (
        {"Content-Type": "text/html; charset=latin-1"},
        "upstream says text/html; charset=latin-1",
    ),
    "a long kind": (
        {"Content-Type": "text/html;" + "x" * 100},
        "upstream says text/html;" + "x" * 50,
    ),
    "a kind with an escape": (
        {"Content-Type": "text/html\x1b[31m"},
        "upstream says text/html\\x1b[31m",
    ),
    "coded": ({"Content-Encoding": "gzip"}, "upstream says Content-Encoding: gzip"),
    "a coded page": (
        {"Content-Type": "text/html", "Content-Encoding": "gzip"},
        "upstream says Content-Encoding: gzip",
    ),
    "a long coding": (
        {"Content-Encoding": "y" * 100},
        "upstream says Content-Encoding: " + "y" * 40,
    ),
}


@pytest.mark.parametrize(("fields", "hint"), HINTS.values(), ids=HINTS)
@pytest.mark.parametrize("validation", [SizeValidation(3), WRONG], ids=["size", "digest"])
def test_a_mismatch_says_what_may_have_come_instead(
    server: FaultServer, asked: Asking, validation: Validation, fields: dict[str, str], hint: str
) -> None:
    server.on("/a", reply(200, BODY, headers=fields))
    with pytest.raises(ValidationError) as caught:
        whole(asked(validation))
    assert caught.value.hint == hint
    assert caught.value.message.endswith(")") is bool(hint)
    assert hint in caught.value.message


def test_a_page_is_known_in_any_case(server: FaultServer, asked: Asking) -> None:
    server.on("/a", reply(200, BODY, headers={"Content-Type": "Text/HTML"}))
    with pytest.raises(ValidationError) as caught:
        whole(asked(WRONG))
    assert caught.value.hint == "upstream says Text/HTML"


# Whatever fails.


def test_a_wrong_digest_abandons_a_connection_that_was_framed_exactly(
    server: FaultServer, asked: Asking
) -> None:
    delivery = asked(WRONG)
    assert delivery.receive(100) == BODY
    with pytest.raises(DigestMismatch) as caught:
        delivery.receive(100)
    assert caught.value.url == server.url("/a")
    assert_abandoned(asked)


def test_a_body_that_breaks_off_is_told_in_our_words(server: FaultServer, asked: Asking) -> None:
    server.on("/a", truncated(BODY, sent=3))
    delivery = asked()
    assert delivery.receive(100) == b"012"
    with pytest.raises(Truncated) as caught:
        delivery.receive(100)
    error = caught.value
    assert (error.received, error.expected, error.url) == (3, 10, server.url("/a"))
    assert error.__cause__ is None
    assert_abandoned(asked)


def test_a_connection_that_breaks_is_told_in_our_words_alone(
    server: FaultServer, asked: Asking
) -> None:
    gate = server.gate()
    server.on("/a", steps(head(200, {"Content-Length": "10"}), send(b"012"), gate, cut(Cut.RST)))
    delivery = asked()
    assert delivery.receive(100) == b"012"
    gate.let()
    with pytest.raises(ConnectionFailed) as caught:
        delivery.receive(100)
    error = caught.value
    assert (error.url, error.__cause__, error.__suppress_context__) == (
        server.url("/a"),
        None,
        True,
    )
    assert_abandoned(asked)


def test_a_verdict_is_told_instead_of_what_the_read_met(server: FaultServer, asked: Asking) -> None:
    server.on("/a", steps(head(200, {"Content-Length": "10"}), send(b"012"), hold))
    delivery = asked()
    assert delivery.receive(100) == b"012"
    asked.watch.cancel()
    with pytest.raises(Cancelled):
        delivery.receive(100)
    server.wait_for(lambda: server.open == 0)


class Broken:
    """A validation with a bug: in its beginning, at its first byte, or at the end."""

    def __init__(self, where: str) -> None:
        self._where = where

    def start(self) -> Check:
        self._trip("start")
        return self

    def update(self, chunk: Chunk) -> None:
        self._trip("update")

    def finish(self) -> None:
        self._trip("finish")

    def _trip(self, place: str) -> None:
        if place == self._where:
            raise ZeroDivisionError(place)


@pytest.mark.parametrize("where", ["start", "update", "finish"])
def test_a_bug_of_a_validation_is_no_download_error_and_leaves_nothing_open(
    asked: Asking, where: str
) -> None:
    with pytest.raises(ZeroDivisionError, match=where):
        whole(asked(Broken(where)))
    assert_abandoned(asked)


# Statuses.


@pytest.mark.parametrize(
    ("status", "kind", "retry_after"),
    [(404, NotFound, None), (206, ProtocolViolation, None), (429, Throttled, 7.0)],
)
def test_another_status_is_an_error_and_keeps_the_connection(
    server: FaultServer,
    asked: Asking,
    status: int,
    kind: type[DownloadError],
    retry_after: float | None,
) -> None:
    server.on("/a", reply(status, b"words", headers={"Retry-After": "7"}))
    with pytest.raises(kind) as caught:
        asked(RIGHT)
    assert (caught.value.status, caught.value.url) == (status, server.url("/a"))
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert whole(asked(RIGHT, path="/b")) == BODY
    assert server.accepted == 1


@pytest.mark.parametrize("status", [206, 304, 416])
def test_a_status_that_was_asked_for_is_handed_on_unjudged(
    server: FaultServer, asked: Asking, status: int
) -> None:
    body = b"" if status == 304 else b"part"
    server.on("/a", reply(status, body))
    delivery = asked(WRONG, SizeValidation(100), answers={206, 304, 416})
    assert (delivery.opened.status, delivery.size) == (status, len(body))
    assert whole(delivery) == body
    assert delivery.digests == {}


def test_a_file_is_judged_although_another_answer_was_asked_for(asked: Asking) -> None:
    with pytest.raises(DigestMismatch):
        whole(asked(WRONG, answers={206}))


# HEAD.


@pytest.mark.parametrize(
    ("value", "size"),
    [("10", 10), ("0", 0), ("9" * 19, 10**19 - 1), (None, None)],
)
def test_the_answer_to_head_has_the_size_and_nothing_to_judge(
    server: FaultServer, asked: Asking, value: str | None, size: int | None
) -> None:
    server.on("/a", head(200, {} if value is None else {"Content-Length": value}))
    delivery = asked(WRONG, SizeValidation(3), method="HEAD")
    assert (delivery.size, delivery.digests, delivery.received) == (size, {}, 0)
    assert whole(delivery) == b""
    assert server.requests[0].method == "HEAD"
