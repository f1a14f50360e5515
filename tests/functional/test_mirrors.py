"""One file, several places: who is asked, and what happens when one of them fails."""

from __future__ import annotations

import os
import pickle
import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Batch,
    ConnectionFailed,
    Download,
    DownloadError,
    FailedTry,
    InvalidURL,
    MemoryWriter,
    Mirror,
    Mirrors,
    NotFound,
    Remote,
    Result,
    WriteError,
)
from tests.functional.fetch import remote_for
from tests.functional.upstream import body_of, expectations, publish
from tests.servers import (
    Answer,
    Blackhole,
    Cut,
    FaultServer,
    Script,
    authority,
    cut_response,
    dripped_body,
    endless_body,
    interim,
    other_authority,
    published,
    redirect,
    reply,
    stalled_body,
    truncated,
    until_close,
)
from tests.unit.children import in_child

BODY = body_of(1, 5000)


@pytest.fixture
def hosts() -> Iterator[list[FaultServer]]:
    """Four servers on addresses of their own; each has the file."""
    with ExitStack() as stack:
        servers = [stack.enter_context(FaultServer(host=f"127.0.0.{n}")) for n in range(2, 6)]
        for server in servers:
            server.on("/file", reply(200, BODY))
        yield servers


def everywhere(hosts: list[FaultServer], path: str = "/file") -> Mirrors:
    return Mirrors(host.url(path) for host in hosts)


def asked(hosts: list[FaultServer]) -> list[int]:
    return [len(host.requests) for host in hosts]


def fetch(source: Mirrors, **settings: Any) -> Any:
    """The result of a verified download from mirrors in their order, of no repeats."""
    with remote_for(mirror_policy="order", **settings) as remote:
        return Download(source, MemoryWriter(), remote=remote, validations=expectations(BODY)).run()


FAULTS: dict[str, tuple[Answer, str, int | None]] = {
    "no such file": (reply(404), "NotFound", 404),
    "gone": (reply(410), "NotFound", 410),
    "forbidden": (reply(403), "NotAuthorized", 403),
    "broken": (reply(500), "ServerFailed", 500),
    "busy": (reply(503, headers={"Retry-After": "100"}), "ServerFailed", 503),
    "asks for a day's rest": (reply(503, headers={"Retry-After": "86400"}), "ServerFailed", 503),
    "throttled": (reply(429), "Throttled", 429),
    "reset": (cut_response(0, how=Cut.RST), "ConnectionFailed", None),
    "truncated": (truncated(BODY, sent=100), "Truncated", None),
    "wrong bytes": (reply(200, BODY[::-1]), "DigestMismatch", None),
    "too short": (reply(200, BODY[:-1]), "SizeMismatch", None),
    "leads nowhere": (redirect("ftp://127.0.0.1/"), "UnsafeRedirect", 302),
    "cut in its head": (cut_response(30, body=BODY), "ProtocolViolation", None),
    "not over yet": (interim(101, reply(200, BODY)), "ProtocolViolation", None),
    "without an end": (endless_body(), "SizeMismatch", None),
    "announces too much": (stalled_body(bytes(len(BODY) + 1)), "SizeMismatch", None),
    "cut where its length is not told": (until_close(BODY[:100]), "SizeMismatch", None),
    "a part that nobody asked for": (reply(206, BODY[:100]), "ProtocolViolation", 206),
    "packed on the way": (
        reply(200, BODY[::-1], headers={"Content-Encoding": "gzip"}),
        "DigestMismatch",
        None,
    ),
}

# The cases of the fault catalogue among them.
CASES = {
    "no such file": 53,
    "gone": 53,
    "forbidden": 53,
    "broken": 52,
    "busy": 51,
    "asks for a day's rest": 51,
    "throttled": 51,
    "reset": 2,
    "truncated": 1,
    "wrong bytes": 59,
    "leads nowhere": 31,
    "cut in its head": 13,
    "not over yet": 19,
    "without an end": 14,
    "announces too much": 14,
    "cut where its length is not told": 3,
    "a part that nobody asked for": 39,
    "packed on the way": 47,
}


@pytest.mark.need("I8", "S5")
@pytest.mark.fault(240)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=[pytest.mark.fault(CASES[fault])] if fault in CASES else [])
        for fault in FAULTS
    ],
)
def test_whatever_is_wrong_with_a_mirror_the_next_is_asked_at_once(
    hosts: list[FaultServer], fault: str
) -> None:
    answer, kind, status = FAULTS[fault]
    hosts[0].on("/file", answer)
    result = fetch(everywhere(hosts), max_retries=0)
    assert result.url == hosts[1].url("/file")
    (failed,) = result.attempts
    assert (failed.url, failed.type, failed.status) == (hosts[0].url("/file"), kind, status)
    assert asked(hosts) == [1, 1, 0, 0]
    assert result.elapsed < 5


@pytest.mark.fault(61)
def test_a_mirror_whose_certificate_nobody_trusts_is_left_and_not_asked_without_tls(
    hosts: list[FaultServer],
) -> None:
    with FaultServer(tls=other_authority().server_context()) as untrusted:
        untrusted.on("/file", reply(200, BODY))
        source = Mirrors([untrusted.url("/file"), hosts[0].url("/file")])
        result = fetch(source, max_retries=3)
        assert untrusted.requests == []
        assert untrusted.malformed == []
    assert result.url == hosts[0].url("/file")
    assert [failed.type for failed in result.attempts] == ["TLSFailed"]


@pytest.mark.fault(32)
def test_a_mirror_that_leads_out_of_tls_is_left(
    hosts: list[FaultServer], secure: FaultServer
) -> None:
    secure.on("/file", redirect(hosts[1].url("/file")))
    result = fetch(Mirrors([secure.url("/file"), hosts[0].url("/file")]), max_retries=3)
    assert result.url == hosts[0].url("/file")
    assert [failed.type for failed in result.attempts] == ["UnsafeRedirect"]
    assert asked(hosts) == [1, 0, 0, 0]


def test_every_mirror_may_fail_but_one(hosts: list[FaultServer]) -> None:
    for host, fault in zip(hosts, ("broken", "truncated", "wrong bytes"), strict=False):
        host.on("/file", FAULTS[fault][0])
    result = fetch(everywhere(hosts), max_retries=0)
    assert result.url == hosts[3].url("/file")
    assert [failed.type for failed in result.attempts] == [
        "ServerFailed",
        "Truncated",
        "DigestMismatch",
    ]
    assert [failed.received for failed in result.attempts] == [0, 100, len(BODY)]


def test_a_failure_at_this_end_is_none_of_the_mirrors(
    hosts: list[FaultServer], tmp_path: Path
) -> None:
    (tmp_path / "file").mkdir()
    with remote_for() as remote, pytest.raises(WriteError):
        Download(everywhere(hosts), tmp_path / "file", remote=remote).run()
    assert asked(hosts) == [0, 0, 0, 0]


@pytest.mark.fault(112)
def test_no_mirror_is_blamed_for_descriptors_that_are_lacking_here(
    hosts: list[FaultServer],
) -> None:
    def story() -> tuple[list[str], float, str]:
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        with remote_for(mirror_policy="order") as remote:
            download = Download(everywhere(hosts[:2]), MemoryWriter(), remote=remote)
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
            with pytest.raises(ConnectionFailed, match="Too many open files") as caught:
                download.run()
            for descriptor in taken:
                os.close(descriptor)
            blame = sum(host.score.failures for host in remote.hosts.known())
            again = Download(everywhere(hosts[:2]), MemoryWriter(), remote=remote).run()
            return [failed.url for failed in caught.value.attempts], blame, again.url

    urls = [host.url("/file") for host in hosts[:2]]
    assert in_child(story) == (urls, 0.0, urls[0])


@pytest.mark.fault(60)
def test_the_error_of_the_last_mirror_lists_what_all_of_them_did(hosts: list[FaultServer]) -> None:
    for host in hosts:
        host.on("/file", reply(404))
    hosts[2].on("/file", truncated(BODY, sent=7))
    with pytest.raises(NotFound) as caught:
        fetch(everywhere(hosts), max_retries=0)
    assert [(a.url, a.type, a.status, a.received) for a in caught.value.attempts] == [
        (hosts[0].url("/file"), "NotFound", 404, 0),
        (hosts[1].url("/file"), "NotFound", 404, 0),
        (hosts[2].url("/file"), "Truncated", None, 7),
        (hosts[3].url("/file"), "NotFound", 404, 0),
    ]
    assert "after 4 tries" in str(caught.value)
    assert hosts[0].netloc() in str(caught.value)


@pytest.mark.parametrize(("retries", "tries"), [(0, 4), (1, 5), (3, 7)])
def test_there_are_at_most_as_many_tries_as_mirrors_and_repeats(
    hosts: list[FaultServer], retries: int, tries: int
) -> None:
    for host in hosts:
        host.on("/file", reply(500))
    with pytest.raises(DownloadError):
        fetch(everywhere(hosts), max_retries=retries)
    assert sum(asked(hosts)) == tries


@pytest.mark.fault(59)
def test_a_mirror_that_sent_wrong_bytes_is_not_asked_for_that_file_again(
    hosts: list[FaultServer],
) -> None:
    hosts[0].on("/file", reply(200, BODY[::-1]))
    hosts[1].on("/file", [reply(500), reply(500), reply(200, BODY)])
    result = fetch(everywhere(hosts[:2]), max_retries=5)
    assert asked(hosts) == [1, 3, 0, 0]
    assert result.url == hosts[1].url("/file")


def test_an_only_mirror_that_sent_wrong_bytes_is_asked_again(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", [reply(200, BODY[::-1]), reply(200, BODY)])
    assert fetch(everywhere(hosts[:1]), max_retries=1).url == hosts[0].url("/file")


def publish_everywhere(hosts: list[FaultServer], count: int) -> None:
    for host in hosts:
        publish(host, count)


def batch_of(hosts: list[FaultServer], count: int, remote: Remote) -> list[Result]:
    """Fetch files that have the same mirrors, one after the other; return their results."""
    downloads = (
        Download(
            Mirrors(host.url(f"/{number}") for host in hosts),
            MemoryWriter(),
            remote=remote,
            validations=expectations(body_of(number)),
        )
        for number in range(count)
    )
    with Batch(downloads, concurrency=1) as batch:
        return [future.result() for future in batch]


def test_a_mirror_that_lacks_some_files_is_still_asked_for_the_others(
    hosts: list[FaultServer],
) -> None:
    publish_everywhere(hosts, 40)
    for number in range(20):
        hosts[0].on(f"/{number}", reply(404))
    with remote_for(mirror_policy="order") as remote:
        results = batch_of(hosts[:2], 40, remote)
    assert [r.url.startswith(hosts[0].url("/")) for r in results] == [False] * 20 + [True] * 20


@pytest.mark.fault(59)
def test_a_mirror_that_sent_wrong_bytes_is_asked_last_for_other_files(
    hosts: list[FaultServer],
) -> None:
    publish_everywhere(hosts, 20)
    hosts[0].on("/0", reply(200, b"!" * len(body_of(0))))
    with remote_for() as remote:
        batch_of(hosts[:2], 20, remote)
    assert len(hosts[0].requests) < 5
    assert len(hosts[1].requests) >= 16


@pytest.mark.fault(240)
def test_a_mirror_that_keeps_failing_is_rested(hosts: list[FaultServer]) -> None:
    publish_everywhere(hosts, 30)
    for number in range(30):
        hosts[0].on(f"/{number}", reply(500))
    with remote_for() as remote:
        batch_of(hosts[:3], 30, remote)
        assert len(hosts[0].requests) <= 4
        (rested,) = (host for host in remote.hosts.known() if host.origin.host == "127.0.0.2")
        assert rested.score.failures >= 0.9


def test_the_last_mirror_is_kept_however_bad_it_is(hosts: list[FaultServer]) -> None:
    answers = [reply(500)] * 30 + [reply(200, BODY)]
    hosts[0].on("/file", answers)
    with remote_for(max_retries=0) as remote:
        for _ in range(30):
            with pytest.raises(DownloadError):
                Download(hosts[0].url("/file"), MemoryWriter(), remote=remote).run()
        assert Download(hosts[0].url("/file"), MemoryWriter(), remote=remote).run().size == len(
            BODY
        )


@pytest.mark.fault(240)
def test_a_dead_mirror_costs_a_batch_next_to_nothing(hosts: list[FaultServer]) -> None:
    """It hangs for longer than the test may take; what another mirror carries is known soon."""
    with Blackhole() as dead, remote_for(connect_timeout=60.0) as remote:
        publish_everywhere(hosts, 60)
        downloads = (
            Download(
                Mirrors(
                    [f"http://127.0.0.1:{dead.port}/{n}", *(h.url(f"/{n}") for h in hosts[:2])]
                ),
                MemoryWriter(),
                remote=remote,
                validations=expectations(body_of(n)),
            )
            for n in range(60)
        )
        with Batch(downloads, concurrency=4) as batch:
            results = [future.result() for future in batch]
    left = [failed for result in results for failed in result.attempts]
    assert {failed.type for failed in left} == {"TooSlow"}
    assert len(left) <= 4
    assert max(result.elapsed for result in results) < 20


def known_to_be_fast(host: FaultServer, remote: Remote) -> None:
    """Have a remote learn what a host carries."""
    for _ in range(20):
        Download(host.url("/file"), MemoryWriter(), remote=remote).run()


@pytest.mark.fault(22, 24)
@pytest.mark.parametrize(
    "slow",
    [stalled_body(BODY, sent=10), dripped_body(BODY, every=0.1)],
    ids=["stalls", "drips"],
)
def test_a_transfer_that_hardly_moves_goes_on_at_another_mirror(
    hosts: list[FaultServer], slow: Script
) -> None:
    hosts[0].on("/file", slow)
    with remote_for(mirror_policy="order", sock_read_timeout=60.0) as remote:
        known_to_be_fast(hosts[1], remote)
        hosts[1].on("/file", published(BODY))
        result = Download(
            everywhere(hosts[:2]), MemoryWriter(), remote=remote, validations=expectations(BODY)
        ).run()
    assert result.url == hosts[1].url("/file")
    (failed,) = result.attempts
    assert (failed.url, failed.type) == (hosts[0].url("/file"), "TooSlow")
    assert hosts[1].requests[-1].headers["Range"] == f"bytes={failed.received}-"


def test_the_last_mirror_is_kept_however_slow_it_is(hosts: list[FaultServer]) -> None:
    hosts[0].on("/other", reply(404))
    hosts[1].on("/other", dripped_body(BODY, every=0.4, size=1000))
    with remote_for(mirror_policy="order") as remote:
        known_to_be_fast(hosts[0], remote)
        result = Download(everywhere(hosts[:2], "/other"), MemoryWriter(), remote=remote).run()
    assert result.url == hosts[1].url("/other")
    assert [failed.type for failed in result.attempts] == ["NotFound"]


@pytest.mark.need("S5")
def test_whoever_reads_slowly_has_no_slow_mirror(hosts: list[FaultServer]) -> None:
    """A streamer's client may take its time; nothing of the file could be had again for it."""
    large = body_of(2, 3_000_000)
    for host in hosts[:2]:
        host.on("/large", reply(200, large))
    with remote_for(mirror_policy="order") as remote:
        known_to_be_fast(hosts[1], remote)
        download = Download(
            everywhere(hosts[:2], "/large"), remote=remote, validations=expectations(large)
        )
        with download.iter_content() as content:
            received = [next(content)]
            threading.Event().wait(1.5)  # longer than a transfer is judged by
            received += content
    assert b"".join(received) == large


@pytest.mark.need("S5")
def test_a_streamer_gets_what_the_first_good_mirror_has(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", reply(500))
    with remote_for(mirror_policy="order", max_retries=0) as remote:
        download = Download(everywhere(hosts), remote=remote, validations=expectations(BODY))
        with download.iter_content() as content:
            assert content.url == hosts[1].url("/file")
            assert b"".join(content) == BODY
        with download.head() as content:
            assert (content.url, content.size) == (hosts[1].url("/file"), len(BODY))


@pytest.mark.need("I8")
def test_relative_sources_are_below_every_base_url(hosts: list[FaultServer]) -> None:
    hosts[0].on("/r/a/file", reply(404))
    hosts[1].on("/r/a/file", reply(200, BODY))
    bases = [hosts[0].url("/r"), hosts[1].url("/r/")]
    with Remote(base_urls=bases, mirror_policy="order") as remote:
        result = Download("a/file", MemoryWriter(), remote=remote).run()
        assert result.url == hosts[1].url("/r/a/file")
        again = pickle.loads(pickle.dumps(Download("a/file", MemoryWriter(), remote=remote)))
        with again.remote:
            assert again.run().size == len(BODY)


def test_a_relative_source_without_a_base_is_refused_at_once() -> None:
    with Remote() as remote, pytest.raises(InvalidURL, match="no base_urls"):
        Download("a/file", MemoryWriter(), remote=remote)
    with pytest.raises(InvalidURL, match="no base_urls"):
        Download("a/file", MemoryWriter())


@pytest.mark.fault(222)
@pytest.mark.need("S4")
def test_secrets_go_to_mirrors_that_the_caller_gave_and_to_no_learnt_one(
    hosts: list[FaultServer],
) -> None:
    for host in hosts:
        host.on("/file", reply(404))
    given, learnt, base, trusted = hosts
    source = Mirrors(
        [
            given.url("/file"),
            Mirror(learnt.url("/file"), is_learnt=True),
            Mirror(trusted.url("/file"), is_learnt=True),
            "file",
        ]
    )
    with (
        Remote(
            username="me",
            password="c4n4ry",
            headers={"X-Token": "c4n4ry"},
            base_urls=[base.url("/")],
            trusted_origins=[trusted.url("/")],
            max_retries=0,
        ) as remote,
        pytest.raises(NotFound),
    ):
        Download(source, MemoryWriter(), remote=remote).run()
    for host in (given, base, trusted):
        (request,) = host.requests
        assert request.headers["X-Token"] == "c4n4ry"
        assert "Authorization" in request.headers
    (request,) = learnt.requests
    assert b"c4n4ry" not in request.raw
    assert "Authorization" not in request.headers


def test_userinfo_of_one_mirror_is_for_no_other(hosts: list[FaultServer]) -> None:
    for host in hosts:
        host.on("/file", reply(404))
    source = Mirrors([hosts[0].url("/file", userinfo="me:c4n4ry"), hosts[1].url("/file")])
    with pytest.raises(NotFound) as caught:
        fetch(source, max_retries=0)
    assert "Authorization" in hosts[0].requests[0].headers
    assert "Authorization" not in hosts[1].requests[0].headers
    assert "c4n4ry" not in str(caught.value)


def test_mirrors_over_http_tls_and_ftp_may_be_mixed(
    server: FaultServer, secure: FaultServer, ftp: Any
) -> None:
    server.on("/file", reply(500))
    secure.on("/file", truncated(BODY, sent=10))
    ftp.publish("/file", BODY)
    source = Mirrors([server.url("/file"), secure.url("/file"), ftp.url("/file")])
    result = fetch(source, max_retries=0, ca_cert=authority().pem)
    assert result.url == ftp.url("/file")
    assert [failed.type for failed in result.attempts] == ["ServerFailed", "Truncated"]


def test_a_policy_may_be_the_callers_own(hosts: list[FaultServer]) -> None:
    with remote_for(mirror_policy=lambda standings: standings[::-1]) as remote:
        result = Download(everywhere(hosts), MemoryWriter(), remote=remote).run()
    assert result.url == hosts[3].url("/file")


def test_results_name_every_try_and_pickle(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", truncated(BODY, sent=12))
    result = pickle.loads(pickle.dumps(fetch(everywhere(hosts), max_retries=0)))
    assert result.attempts == (
        FailedTry(
            hosts[0].url("/file"),
            None,
            "Truncated",
            f"{hosts[0].url('/file')}: body ended after 12 bytes, before all {len(BODY)} bytes",
            12,
        ),
    )
    assert [str(mirror) for mirror in result.download.mirrors] == [h.url("/file") for h in hosts]


@pytest.mark.need("S6")
def test_a_stream_is_left_for_no_mirror_because_its_reader_is_slow(
    hosts: list[FaultServer],
) -> None:
    big = body_of(2, 4_000_000)
    for host in hosts[:2]:
        host.on("/big", reply(200, big))
    with remote_for(mirror_policy="order") as remote:
        for _ in range(20):
            Download(hosts[1].url("/big"), MemoryWriter(), remote=remote).run()
        source = everywhere(hosts[:2], "/big")
        download = Download(source, remote=remote, validations=expectations(big))
        with download.iter_content(1000) as content:
            first = next(content)
            threading.Event().wait(4.5)  # a reader may take as long as it likes
            assert first + b"".join(content) == big
        assert content.url == hosts[0].url("/big")
