"""Files whose pieces have digests: what is wrong is fetched again, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import pytest

from pulp_download import (
    DigestMismatch,
    Download,
    DownloadError,
    FileWriter,
    MemoryWriter,
    NotFound,
    PieceMismatch,
    Pieces,
    Progressed,
    Result,
    SizeValidation,
    Truncated,
    Validation,
)
from pulp_download.mirrors.mirror import Mirrors
from tests.functional.fetch import BODY, OLD, remote_for, sha256, whole
from tests.servers import (
    FaultServer,
    Script,
    chunk,
    chunked,
    cut,
    published,
    reply,
    stalled_body,
    truncated,
    when,
)
from tests.servers.ftp import FtpFaultServer

LENGTH = 1000  # of a piece; 10240 bytes are ten of these and one of 240
TAG = {"ETag": '"v1"'}


def pieces(body: bytes = BODY, length: int = LENGTH) -> Pieces:
    parts = [body[start : start + length] for start in range(0, len(body), length)]
    return Pieces("sha1", length, tuple(hashlib.sha1(part).hexdigest() for part in parts))


LISTED: list[Validation] = [pieces(), *whole(BODY)]


def spoilt(*numbers: int) -> bytes:
    """The file with one wrong byte in each of these pieces."""
    body = bytearray(BODY)
    for number in numbers:
        body[number * LENGTH + 7] ^= 1
    return bytes(body)


def asked_of(server: FaultServer, path: str) -> list[str | None]:
    """The Range of every request for a path."""
    return [request.headers.get("Range") for request in server.requests_to(path)]


def mirrors(server: FaultServer, names: str) -> Mirrors:
    return Mirrors([server.url(f"/{name}") for name in names])


def run(
    server: FaultServer,
    names: str,
    target: Path,
    validations: list[Validation] = LISTED,
    *,
    max_retries: int = 0,
    resume: bool = False,
) -> Result:
    with remote_for(max_retries=max_retries, backoff=0) as remote:
        writer = FileWriter(target, resume=resume)
        return Download(
            mirrors(server, names), writer, remote=remote, validations=validations
        ).run()


def only_parts(script: Script) -> Script:
    """A mirror that may be asked for parts; the whole of it is what no test here wants."""
    return when(lambda request: "Range" in request.headers, script, reply(500))


# Mending.


@pytest.mark.parametrize(
    "validations",
    [LISTED, [*whole(BODY), pieces()], [pieces()]],
    ids=["all", "another-order", "pieces-alone"],
)
def test_wrong_pieces_are_fetched_from_the_next_mirror_and_nothing_else(
    server: FaultServer, target: Path, validations: list[Validation]
) -> None:
    server.on("/a", published(spoilt(0, 3, 4, 10)))
    server.on("/b", only_parts(published(BODY)))
    result = run(server, "ab", target, validations)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/a") == [None]
    assert asked_of(server, "/b") == ["bytes=0-999", "bytes=3000-4999", "bytes=10000-10239"]
    assert all("If-Range" not in request.headers for request in server.requests)
    assert [(failed.type, failed.url) for failed in result.attempts] == [
        ("PieceMismatch", server.url("/a"))
    ]
    assert (result.size, result.url, result.length_verified) == (10_240, server.url("/b"), True)
    is_listed = len(validations) > 1
    assert result.digests == ({"sha256": sha256(BODY).hexdigest} if is_listed else {})
    assert result.headers["Content-Range"] == "bytes 10000-10239/10240"


def test_what_one_mirror_has_right_is_asked_of_no_other(server: FaultServer, target: Path) -> None:
    server.on("/a", published(spoilt(1, 5, 6)))
    server.on("/b", only_parts(published(spoilt(5))))
    server.on("/c", only_parts(published(BODY)))
    result = run(server, "abc", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/b") == ["bytes=1000-1999", "bytes=5000-6999"]
    assert asked_of(server, "/c") == ["bytes=5000-5999"]
    assert [failed.message.partition(": ")[2] for failed in result.attempts] == [
        "piece 1 (1000 bytes at 1000) has a wrong digest",
        "piece 5 (1000 bytes at 5000) has a wrong digest",
    ]


def test_what_is_held_in_memory_is_mended_as_well(server: FaultServer) -> None:
    server.on("/a", published(spoilt(2, 10)))
    server.on("/b", only_parts(published(BODY)))
    into = MemoryWriter()
    with remote_for() as remote:
        Download(mirrors(server, "ab"), into, remote=remote, validations=LISTED).run()
    assert into.getvalue() == BODY


def test_the_only_source_is_asked_again_for_what_it_had_wrong(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", [published(spoilt(3)), only_parts(published(BODY))])
    run(server, "a", target, max_retries=1)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/a") == [None, "bytes=3000-3999"]


def test_if_every_mirror_has_it_wrong_nothing_is_stored(server: FaultServer, target: Path) -> None:
    for name in "abc":
        server.on(f"/{name}", published(spoilt(3)))
    with pytest.raises(PieceMismatch) as caught:
        run(server, "abc", target)
    error = caught.value
    assert (error.index, error.offset, error.length) == (3, 3000, 1000)
    assert error.url == server.url("/c")
    assert [failed.type for failed in error.attempts] == ["PieceMismatch"] * 3
    assert target.read_bytes() == OLD
    assert os.listdir(target.parent) == [target.name]


def test_a_mirror_without_ranges_is_read_through_and_only_what_is_missing_is_taken(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", published(spoilt(3, 7)))
    server.on("/b", published(spoilt(1, 9), ranges=False))
    run(server, "ab", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/b") == ["bytes=3000-3999"]


def test_a_whole_file_is_read_no_further_than_the_last_piece_that_is_missing(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", published(spoilt(3)))
    server.on("/b", stalled_body(BODY, sent=4000))
    run(server, "ab", target)
    assert target.read_bytes() == BODY


WRONG_PARTS = {
    "another-start": {"Content-Range": "bytes 2999-3998/10240"},
    "an-earlier-start": {"Content-Range": "bytes 2999-3999/10240"},
    "another-end": {"Content-Range": "bytes 3000-3998/10240"},
    "another-total": {"Content-Range": "bytes 3000-3999/10241"},
    "a-coding": {"Content-Range": "bytes 3000-3999/10240", "Content-Encoding": "gzip"},
    "no-place": {},
}


@pytest.mark.fault(38, 39, 46)
@pytest.mark.parametrize("fields", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_a_part_that_is_not_the_piece_is_not_taken_and_the_whole_is_read_in_its_place(
    server: FaultServer, target: Path, fields: dict[str, str]
) -> None:
    server.on("/a", published(spoilt(3)))
    server.on("/b", [reply(206, BODY[3000:4000], headers=fields), published(BODY)])
    result = run(server, "ab", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/b") == ["bytes=3000-3999", None]
    assert len(result.attempts) == 1


@pytest.mark.fault(41)
def test_416_has_the_whole_read(server: FaultServer, target: Path) -> None:
    server.on("/a", published(spoilt(10)))
    server.on("/b", [reply(416, headers={"Content-Range": "bytes */10000"}), published(BODY)])
    run(server, "ab", target)
    assert target.read_bytes() == BODY


def test_a_mirror_that_breaks_off_leaves_only_the_rest_to_be_mended(
    server: FaultServer, target: Path
) -> None:
    place = {"Content-Range": "bytes 3000-4999/10240"}
    server.on("/a", published(spoilt(3, 4, 8)))
    server.on("/b", truncated(BODY[3000:5000], sent=1500, status=206, headers=place))
    server.on("/c", only_parts(published(BODY)))
    result = run(server, "abc", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/c") == ["bytes=4000-4999", "bytes=8000-8999"]
    assert [failed.type for failed in result.attempts] == ["PieceMismatch", "Truncated"]


def test_a_mirror_that_does_not_have_the_file_costs_nothing(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", published(spoilt(3)))
    server.on("/b", reply(404))
    server.on("/c", only_parts(published(BODY)))
    run(server, "abc", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/c") == ["bytes=3000-3999"]


def test_over_ftp_wrong_pieces_are_mended_as_well(
    server: FaultServer, ftp: FtpFaultServer, target: Path
) -> None:
    server.on("/a", published(spoilt(3, 10)))
    ftp.publish("/b", BODY)
    source = Mirrors([server.url("/a"), ftp.url("/b")])
    with remote_for() as remote:
        Download(source, target, remote=remote, validations=LISTED).run()
    assert target.read_bytes() == BODY
    assert ftp.arguments("REST") == ["3000", "10000"]


def test_progress_counts_what_is_right(server: FaultServer, target: Path) -> None:
    server.on("/a", [published(spoilt(3)), only_parts(published(BODY))])
    told: list[Progressed] = []

    def observer(event: object) -> None:
        if isinstance(event, Progressed):
            told.append(event)

    with remote_for(max_retries=1) as remote:  # waits: at most ten events a second
        Download(server.url("/a"), target, remote=remote, validations=LISTED).run(observer=observer)
    assert (told[-1].received, told[-1].total) == (10_240, 10_240)


# The whole has the last word.


def test_right_pieces_of_a_file_that_is_wrong_are_not_enough(
    server: FaultServer, target: Path
) -> None:
    other = spoilt(2)
    contradiction: list[Validation] = [pieces(other), sha256(BODY)]
    server.on("/a", published(spoilt(2, 3)))
    server.on("/b", published(other))
    with pytest.raises(DigestMismatch):
        run(server, "ab", target, contradiction)
    assert target.read_bytes() == OLD


@pytest.mark.parametrize(
    "body", [BODY[:-1], BODY + b"x", BODY[:10_000], BODY + bytes(1000)], ids=len
)
def test_a_file_of_another_length_is_wrong(server: FaultServer, target: Path, body: bytes) -> None:
    server.on("/a", published(body))
    with pytest.raises(DownloadError) as caught:
        run(server, "a", target, [pieces()])
    assert caught.value.attempts[-1].type in ("PieceMismatch", "SizeMismatch")
    assert target.read_bytes() == OLD


def test_a_stream_ends_at_the_first_wrong_piece(server: FaultServer) -> None:
    server.on("/a", published(spoilt(3)))
    received = []
    with (
        remote_for() as remote,
        Download(server.url("/a"), remote=remote, validations=LISTED).iter_content(100) as content,
        pytest.raises(PieceMismatch) as caught,
    ):
        received += list(content)
    assert caught.value.index == 3
    assert len(server.requests) == 1


def test_a_stream_of_right_pieces_is_verified(server: FaultServer) -> None:
    server.on("/a", published(BODY))
    with (
        remote_for() as remote,
        Download(server.url("/a"), remote=remote, validations=[pieces()]).iter_content() as content,
    ):
        assert b"".join(content) == BODY
        assert content.is_verified


# Broken off, and mended.


def test_a_file_in_two_parts_is_mended_where_it_is_wrong(server: FaultServer, target: Path) -> None:
    """The first mirror breaks off in piece 5, and had 2 and 5 wrong; the second has all right."""
    server.on("/a", truncated(spoilt(2, 5), sent=5500))
    server.on("/b", only_parts(published(BODY)))
    result = run(server, "ab", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/b") == ["bytes=5500-", "bytes=2000-2999", "bytes=5000-5999"]
    assert [failed.type for failed in result.attempts] == ["Truncated"]


def test_who_gives_a_wrong_rest_is_to_blame_for_that_alone(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", truncated(spoilt(2), sent=5500))
    server.on("/b", only_parts(published(spoilt(8))))
    server.on("/c", only_parts(published(BODY)))
    result = run(server, "abc", target)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/b") == ["bytes=5500-"]
    assert asked_of(server, "/c") == ["bytes=2000-2999", "bytes=8000-8999"]
    assert [failed.type for failed in result.attempts] == ["Truncated", "PieceMismatch"]
    assert "piece 8" in result.attempts[-1].message


@pytest.mark.fault(41)
def test_what_416_calls_whole_is_mended_where_it_is_wrong(
    server: FaultServer, target: Path
) -> None:
    lost_end = chunked([chunk(spoilt(2))], end=b"", headers=TAG, keep=False)
    server.on("/a", [lost_end, published(BODY, etag='"v1"')])
    run(server, "a", target, max_retries=1)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/a") == [None, "bytes=10240-", "bytes=2000-2999"]


@pytest.mark.parametrize("numbers", [(0,), (2, 4), (1, 2, 3)])
def test_of_what_an_earlier_run_left_only_what_is_wrong_on_disk_is_fetched_again(
    server: FaultServer, target: Path, numbers: tuple[int, ...]
) -> None:
    server.on("/a", truncated(BODY, sent=5500, headers=TAG))
    server.on("/b", only_parts(published(BODY)))
    with pytest.raises(Truncated):
        run(server, "a", target, resume=True)
    (data,) = (p for p in target.parent.glob("*.part") if "facts" not in p.name)
    data.write_bytes(spoilt(*numbers)[:5500])
    result = run(server, "b", target, resume=True)
    assert target.read_bytes() == BODY
    mended = sum(LENGTH for _ in numbers)
    assert asked_of(server, "/b")[0] == "bytes=5500-"
    assert sum(span_of(asked) for asked in asked_of(server, "/b")[1:]) == mended
    assert result.attempts == ()
    assert os.listdir(target.parent) == [target.name]


def span_of(asked: str | None) -> int:
    assert asked is not None
    first, last = asked.removeprefix("bytes=").split("-")
    return int(last) - int(first) + 1


@pytest.mark.parametrize("told", [True, False], ids=["whole", "but-for-a-byte"])
def test_a_file_that_was_whole_but_for_some_pieces_is_mended_by_the_next_run(
    server: FaultServer, target: Path, told: bool
) -> None:
    validations = LISTED if told else [pieces(), sha256(BODY)]
    all_but_the_last_byte = truncated(spoilt(3, 9), sent=10_239, headers=TAG)
    server.on("/a", chunked([chunk(spoilt(3, 9))]) if told else all_but_the_last_byte)
    server.on("/b", reply(404))
    server.on("/c", only_parts(published(BODY)))
    with contextlib.suppress(NotFound):
        run(server, "ab", target, validations, resume=True)
    assert target.read_bytes() == OLD
    run(server, "c", target, validations, resume=True)
    assert target.read_bytes() == BODY
    rest = [] if told else ["bytes=10239-"]
    assert asked_of(server, "/c") == [*rest, "bytes=3000-3999", "bytes=9000-9999"]


def test_a_run_that_is_stopped_while_it_mends_leaves_what_it_has(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", chunked([chunk(spoilt(3, 9))]))
    server.on("/b", [published(BODY), cut()])
    server.on("/c", only_parts(published(BODY)))
    with pytest.raises(DownloadError):
        run(server, "ab", target, resume=True)
    run(server, "c", target, resume=True)
    assert target.read_bytes() == BODY
    assert asked_of(server, "/c") == ["bytes=9000-9999"]


def test_the_size_may_be_known_to_nobody_else(server: FaultServer, target: Path) -> None:
    server.on("/a", chunked([chunk(spoilt(10))]))
    server.on("/b", only_parts(published(BODY)))
    run(server, "ab", target, [pieces(), SizeValidation(10_240)])
    assert target.read_bytes() == BODY
    assert asked_of(server, "/b") == ["bytes=10000-10239"]
