"""Upstreams that take their time: every wait has a limit, and the error names it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Batch,
    Download,
    Event,
    Finished,
    InvalidSettings,
    Remote,
    Settings,
    Stalled,
    Started,
    TimedOut,
    TryFailed,
)
from tests.functional.fetch import BODY, OLD, SOON, fetched, refused, remote_for, running
from tests.servers import (
    Blackhole,
    FaultServer,
    Script,
    chunk,
    drip,
    dripped_body,
    dripped_head,
    endless_trickle,
    head,
    pause,
    repeat,
    reply,
    send,
    stalled_before_head,
    stalled_body,
    stalled_in_head,
    steps,
    truncated,
)

LIMIT = 0.2
PATIENT = 30.0

Lookup = Callable[..., list[tuple[Any, ...]]]
CHUNKED = {"Transfer-Encoding": "chunked"}
TRICKLES = [
    pytest.param(dripped_body(BODY, every=0.05), id="length"),
    pytest.param(steps(head(200, CHUNKED), repeat(chunk(b"."), every=0.05)), id="chunked"),
    pytest.param(endless_trickle(every=0.05), id="until-close"),
    pytest.param(steps(head(200, CHUNKED), send(b"5;"), repeat(b"x", every=0.05)), id="chunk-size"),
]


@pytest.mark.fault(22)
@pytest.mark.parametrize("answer", TRICKLES)
def test_a_body_that_trickles_is_a_stall(either: FaultServer, target: Path, answer: Script) -> None:
    either.default(answer)
    error = refused(Stalled, either.url("/f"), target, min_speed=1000, stall_period=LIMIT)
    assert (error.min_speed, error.period) == (1000, LIMIT)
    assert error.received < 1000 * LIMIT
    assert error.retryable


@pytest.mark.fault(22)
@pytest.mark.parametrize("answer", TRICKLES)
def test_a_body_that_trickles_meets_the_total_limit(
    server: FaultServer, target: Path, answer: Script
) -> None:
    server.default(answer)
    error = refused(
        TimedOut, server.url("/f"), target, min_speed=0, total_timeout=LIMIT, max_retries=3
    )
    assert (error.limit, error.seconds) == ("total", LIMIT)
    assert (error.retryable, error.final, len(error.attempts)) == (False, True, 1)


@pytest.mark.fault(22)
def test_a_body_that_slows_down_later_is_a_stall_too(server: FaultServer, target: Path) -> None:
    fast = drip(bytes(20_000), every=0.05, size=1000)
    server.default(steps(head(200, {"Content-Length": "40000"}), fast, drip(BODY, every=0.05)))
    error = refused(Stalled, server.url("/f"), target, min_speed=4000, stall_period=LIMIT)
    assert error.received < 4000 * LIMIT


@pytest.mark.fault(22)
def test_a_body_that_is_fast_enough_is_left_alone(server: FaultServer, target: Path) -> None:
    server.default(dripped_body(bytes(60_000), every=0.05, size=1000))
    fetched(server.url("/f"), target, min_speed=4000, stall_period=1.0, sock_read_timeout=2.0)
    assert target.read_bytes() == bytes(60_000)


@pytest.mark.fault(22)
def test_the_total_limit_covers_all_tries_and_the_waits_between(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(503))
    with (
        remote_for(total_timeout=3.0, max_retries=9) as remote,
        pytest.raises(TimedOut) as caught,
    ):
        Download(server.url("/f"), target, remote=remote).run()
    error = caught.value
    assert (error.limit, error.retryable) == ("total", False)
    assert [failed.status for failed in error.attempts[:2]] == [503, 503]
    assert target.read_bytes() == OLD


@pytest.mark.fault(22)
def test_a_total_limit_that_passes_between_two_tries_tells_the_place(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(503, headers={"Retry-After": "60"}))
    error = refused(TimedOut, server.url("/f"), target, total_timeout=LIMIT, max_retries=9)
    assert error.url == server.url("/f")


@pytest.mark.fault(22)
def test_in_a_batch_it_tells_what_was_tried_before_as_well(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(503, headers={"Retry-After": "60"}))
    seen: list[Event] = []
    with remote_for(total_timeout=LIMIT, max_retries=9) as remote:
        download = Download(server.url("/f"), target, remote=remote)
        with Batch([download], observer=seen.append) as batch:
            (future,) = batch
    error = future.exception()
    assert isinstance(error, TimedOut)
    assert error.url == server.url("/f")
    assert [failed.type for failed in error.attempts] == ["ServerFailed", "TimedOut"]
    assert [type(event) for event in seen] == [Started, TryFailed, TryFailed, Finished]


@pytest.mark.fault(22)
def test_a_stalled_body_is_fetched_again(server: FaultServer, target: Path) -> None:
    server.default([dripped_body(BODY, every=0.05), reply(200, BODY)])
    result = fetched(server.url("/f"), target, max_retries=1, stall_period=LIMIT)
    assert target.read_bytes() == BODY
    assert [failed.type for failed in result.attempts] == ["Stalled"]


@pytest.mark.fault(23)
def test_a_head_that_trickles_has_the_time_of_an_answer_in_all(
    either: FaultServer, target: Path
) -> None:
    either.default(dripped_head(every=0.1))
    error = refused(TimedOut, either.url("/f"), target, sock_read_timeout=LIMIT)
    assert (error.limit, error.seconds, error.retryable) == ("read", LIMIT, True)


@pytest.mark.fault(24)
@pytest.mark.parametrize("sent", [0, 5000])
def test_silence_in_the_body_is_a_read_timeout(
    either: FaultServer, target: Path, sent: int
) -> None:
    either.default(stalled_body(BODY, sent=sent))
    error = refused(TimedOut, either.url("/f"), target, sock_read_timeout=LIMIT)
    assert (error.limit, error.seconds, error.retryable) == ("read", LIMIT, True)


@pytest.mark.fault(24)
@pytest.mark.parametrize("sent", [0, 100])
def test_silence_in_the_body_is_a_stall_where_that_is_noticed_first(
    server: FaultServer, target: Path, sent: int
) -> None:
    server.default(stalled_body(BODY, sent=sent))
    error = refused(Stalled, server.url("/f"), target, stall_period=LIMIT)
    assert error.received <= sent
    assert error.retryable


@pytest.mark.fault(24)
@pytest.mark.parametrize("first", [[], [reply(503)], [truncated(BODY, sent=5)]])
def test_the_wait_for_an_answer_is_no_stall(
    server: FaultServer, target: Path, first: list[Script]
) -> None:
    server.default([*first, steps(pause(0.5), reply(200, BODY))])
    result = fetched(server.url("/f"), target, stall_period=0.2, max_retries=1)
    assert target.read_bytes() == BODY
    assert len(result.attempts) == len(first)


@pytest.mark.fault(24)
def test_the_wait_for_an_answer_behind_a_redirect_is_no_stall(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", reply(302, b"moved", headers={"Location": "/b"}))
    server.on("/b", steps(pause(0.5), reply(200, BODY)))
    fetched(server.url("/a"), target, stall_period=0.2)


@pytest.mark.fault(25)
@pytest.mark.parametrize("answer", [stalled_before_head(), stalled_in_head()])
def test_an_answer_that_never_comes_is_a_read_timeout(
    either: FaultServer, target: Path, answer: Script
) -> None:
    either.default(answer)
    error = refused(TimedOut, either.url("/f"), target, sock_read_timeout=LIMIT)
    assert (error.limit, error.seconds, error.retryable) == ("read", LIMIT, True)


@pytest.mark.fault(26)
def test_no_wait_is_endless_unless_somebody_says_so() -> None:
    limits = Remote().settings.time_limits
    assert (limits.connect, limits.read) == (30, 30)
    assert (limits.min_speed, limits.stall_period) == (1000, 30)


@pytest.mark.fault(26)
@pytest.mark.parametrize("name", ["connect_timeout", "sock_read_timeout", "stall_period"])
@pytest.mark.parametrize("value", [None, float("inf"), float("nan"), 0, -1, True])
def test_a_limit_cannot_be_switched_off_by_accident(name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings(**{name: value})


@pytest.mark.fault(27)
@pytest.mark.parametrize(("host", "scheme"), [("127.0.0.1", "http"), ("::1", "https")])
def test_a_connect_that_is_never_answered_is_a_connect_timeout(
    target: Path, host: str, scheme: str
) -> None:
    with Blackhole(host=host) as hole:
        url = hole.url("/f", scheme=scheme)
        error = refused(TimedOut, url, target, connect_timeout=LIMIT)
    assert (error.limit, error.seconds, error.retryable) == ("connect", LIMIT, True)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have ``many.test`` resolve to these servers, in this order."""

    def resolve_to(*places: FaultServer | Blackhole) -> None:
        known = [
            (
                socket.AF_INET6 if ":" in place.host else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (place.host, place.port),
            )
            for place in places
        ]

        def look_up(host: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
            assert host == "many.test"
            return known

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return resolve_to


@pytest.mark.fault(27)
def test_the_connect_limit_is_for_all_addresses_together(
    target: Path, addresses: Callable[..., None]
) -> None:
    with Blackhole() as one, Blackhole() as two, Blackhole(host="::1") as three:
        addresses(one, two, three)
        error = refused(TimedOut, "http://many.test/f", target, connect_timeout=0.6, within=3 * 0.6)
    assert error.limit == "connect"


@pytest.mark.fault(28)
def test_a_dead_address_family_costs_a_quarter_of_a_second(
    server: FaultServer, target: Path, addresses: Callable[..., None]
) -> None:
    server.default(reply(200, BODY, close=True))
    with Blackhole(host="::1") as dead, remote_for(connect_timeout=PATIENT) as remote:
        addresses(dead, server)
        fetched("http://many.test/f", target, remote=remote, within=2.0)
        assert target.read_bytes() == BODY


@pytest.mark.fault(28)
def test_a_dead_address_family_is_remembered(
    server: FaultServer, target: Path, addresses: Callable[..., None]
) -> None:
    server.default(reply(200, BODY, close=True))
    with Blackhole(host="::1") as dead, remote_for(connect_timeout=PATIENT) as remote:
        addresses(dead, server)
        started = time.monotonic()
        for _ in range(20):
            fetched("http://many.test/f", target, remote=remote)
        assert time.monotonic() - started < 20 * 0.25 / 2
    assert server.accepted == 20


@pytest.mark.fault(79)
def test_dead_and_refusing_addresses_do_not_hide_the_living_one(
    server: FaultServer, target: Path, addresses: Callable[..., None]
) -> None:
    server.default(reply(200, BODY))
    with FaultServer() as gone:
        refusing = Blackhole()
        refusing.port = gone.port
    with Blackhole() as dead:
        addresses(refusing, dead, refusing, server)
        fetched("http://many.test/f", target, connect_timeout=PATIENT, within=3.0)


@pytest.mark.fault(79)
def test_each_address_may_have_a_limit_of_its_own(
    target: Path, addresses: Callable[..., None]
) -> None:
    with Blackhole() as one, Blackhole() as two:
        addresses(one, two)
        error = refused(
            TimedOut,
            "http://many.test/f",
            target,
            connect_timeout=PATIENT,
            sock_connect_timeout=LIMIT,
        )
    assert error.limit == "connect"


@pytest.fixture
def blocked_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that answers nobody before the test is over; set while somebody waits for it."""
    over, asked = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[tuple[Any, ...]]:
        asked.set()
        over.wait(PATIENT)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    over.set()


@pytest.mark.fault(78)
@pytest.mark.parametrize(
    ("limit", "settings"),
    [("connect", {"connect_timeout": LIMIT}), ("total", {"total_timeout": LIMIT})],
)
def test_a_resolver_that_blocks_is_given_up_in_time(
    target: Path, blocked_resolver: threading.Event, limit: str, settings: dict[str, float]
) -> None:
    error = refused(TimedOut, "http://slow.test/f", target, **settings)
    assert (error.limit, error.seconds) == (limit, LIMIT)


@pytest.mark.fault(78)
def test_a_resolver_that_blocks_does_not_hold_up_others(
    server: FaultServer,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    blocked_resolver: threading.Event,
) -> None:
    server.default(reply(200, BODY))
    blocking, real = (
        socket.getaddrinfo,
        [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (server.host, server.port))],
    )

    def look_up(host: str, *rest: Any, **more: Any) -> Any:
        return blocking(host, *rest, **more) if host == "slow.test" else real

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with remote_for() as remote:
        slow = Download("http://slow.test/f", target.with_name("slow"), remote=remote)
        with running(slow) as future:
            assert blocked_resolver.wait(SOON)
            fetched("http://quick.test/f", target, remote=remote, within=2.0)
            assert not future.done()
            assert slow.cancel()
