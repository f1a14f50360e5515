"""Connecting: stoppable, and not slower than the first address that answers."""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pulp_download import sockets
from pulp_download.errors import Cancelled
from pulp_download.settings import TimeLimits
from pulp_download.sockets import AddressInfo, interleave, resolve
from pulp_download.watch import Watch
from tests.servers import Blackhole, FaultServer, hold
from tests.unit.children import in_child

SOON = 5.0


def watch_for(seconds: float = 30.0, **limits: float) -> Watch:
    watch = Watch(TimeLimits(**limits))
    watch.begin("connect", seconds)
    return watch


@pytest.fixture(autouse=True)
def nobody_won_before() -> Iterator[None]:
    sockets._winners.clear()
    yield
    sockets._winners.clear()


def four(host: str, port: int) -> AddressInfo:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


def six(port: int) -> AddressInfo:
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))


Resolver = Callable[..., list[AddressInfo]]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Resolver], None]:
    """Put another resolver in the place of the system's."""
    return lambda answer: monkeypatch.setattr(socket, "getaddrinfo", answer)


def says(*addresses: AddressInfo) -> Resolver:
    return lambda *args, **options: list(addresses)


def refusing_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port: int = closed.getsockname()[1]
    return port


def test_the_socket_is_connected_and_blocking_and_has_its_options() -> None:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    with FaultServer() as server:
        server.on_accept(hold)
        with sockets.connect("127.0.0.1", server.port, watch_for(), options) as sock:
            assert sock.getpeername() == ("127.0.0.1", server.port)
            assert sock.gettimeout() is None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_name_is_looked_up() -> None:
    with FaultServer() as server:
        server.on_accept(hold)
        sockets.connect("localhost", server.port, watch_for()).close()


def test_a_refusal_is_told_as_the_system_says_it() -> None:
    with pytest.raises(OSError) as caught:
        sockets.connect("127.0.0.1", refusing_port(), watch_for())
    assert caught.value.errno == errno.ECONNREFUSED


def test_a_name_that_is_unknown_is_told_as_the_resolver_says_it(
    resolver: Callable[[Resolver], None],
) -> None:
    def unknown(*args: object, **options: object) -> list[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolver(unknown)
    with pytest.raises(socket.gaierror, match="Name or service not known"):
        sockets.connect("host", 80, watch_for())


def test_a_name_that_no_thread_can_look_up_is_a_failure_of_this_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match=r"no thread for looking up host\.test") as caught:
        resolve("host.test", 80, watch_for())
    assert caught.value.errno == errno.ENOMEM


def test_a_name_that_cannot_be_encoded_is_a_failure_of_the_look_up() -> None:
    with pytest.raises(UnicodeError):
        sockets.connect("a" * 64 + ".example", 80, watch_for())


def test_no_address_is_an_error(resolver: Callable[[Resolver], None]) -> None:
    resolver(says())
    with pytest.raises(OSError) as caught:
        sockets.connect("host", 80, watch_for())
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.fault(112)
@pytest.mark.parametrize("says_unknown", [False, True])
def test_without_descriptors_it_is_not_the_name_that_is_wrong(
    resolver: Callable[[Resolver], None], says_unknown: bool
) -> None:
    def unknown(*args: object, **options: object) -> list[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if says_unknown:  # as the system's does where it cannot open its files and sockets
        resolver(unknown)

    def story() -> list[int | None]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
            numbers = []
            for host in ("name.invalid", "127.0.0.1"):
                watch = watch_for()
                with pytest.raises(OSError) as caught:
                    sockets.connect(host, port, watch)
                numbers.append(caught.value.errno)
            for descriptor in taken:
                os.close(descriptor)
            return numbers

    assert in_child(story) == [errno.EMFILE, errno.EMFILE]


# Time and cancelling.


@pytest.mark.fault(27)
def test_a_connect_that_is_never_answered_ends_with_its_phase() -> None:
    with Blackhole() as hole:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            sockets.connect("127.0.0.1", hole.port, watch_for(0.3))
        assert 0.3 <= time.monotonic() - begin < SOON


@pytest.mark.fault(27)
def test_one_address_that_is_never_answered_ends_with_its_own_limit() -> None:
    with Blackhole() as hole:
        with pytest.raises(OSError) as caught:
            sockets.connect("127.0.0.1", hole.port, watch_for(30, sock_connect=0.2))
        assert caught.value.errno == errno.ETIMEDOUT


@pytest.mark.fault(171)
def test_a_connect_that_is_never_answered_can_be_cancelled() -> None:
    with Blackhole() as hole:
        watch = watch_for()
        canceller = threading.Timer(0.1, watch.cancel)
        canceller.start()
        with pytest.raises(Cancelled):
            sockets.connect("127.0.0.1", hole.port, watch)
        canceller.join()


@pytest.fixture
def silence(resolver: Callable[[Resolver], None]) -> Iterator[threading.Event]:
    """A resolver that does not answer; the event tells that it was asked."""
    asked, over = threading.Event(), threading.Event()

    def silent(*args: object, **options: object) -> list[AddressInfo]:
        asked.set()
        over.wait(60)
        return []

    resolver(silent)
    yield asked
    over.set()


@pytest.mark.fault(171)
def test_a_look_up_that_is_never_answered_can_be_cancelled(silence: threading.Event) -> None:
    watch = watch_for()

    def cancel() -> None:
        silence.wait(SOON)
        watch.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        resolve("host", 80, watch)
    canceller.join()


def test_a_look_up_that_is_never_answered_ends_with_its_phase(silence: threading.Event) -> None:
    with pytest.raises(TimeoutError, match="looking up host"):
        resolve("host", 80, watch_for(0.2))
    assert silence.is_set()


def test_a_verdict_stops_it_before_anything_is_connected(
    resolver: Callable[[Resolver], None],
) -> None:
    with FaultServer() as server, Blackhole() as hole:
        resolver(says(four("127.0.0.1", hole.port)))
        watch = watch_for()
        watch.cancel()
        with pytest.raises(Cancelled):
            sockets.connect("host", server.port, watch)
        assert server.accepted == 0


# Several addresses.


@pytest.mark.fault(28)
def test_a_silent_address_costs_a_quarter_of_a_second_and_is_asked_last_from_then_on(
    resolver: Callable[[Resolver], None],
) -> None:
    with Blackhole() as hole, FaultServer() as server:
        server.on_accept(hold)
        resolver(says(four("127.0.0.1", hole.port), four("127.0.0.1", server.port)))
        times = []
        for _ in range(4):
            begin = time.monotonic()
            sockets.connect("host", 80, watch_for()).close()
            times.append(time.monotonic() - begin)
        first, *later = times
        assert 0.25 <= first < SOON
        assert min(later) < 0.25


@pytest.mark.fault(28)
def test_a_dead_family_does_not_hide_the_other(resolver: Callable[[Resolver], None]) -> None:
    with Blackhole(host="::1") as hole, FaultServer() as server:
        server.on_accept(hold)
        resolver(says(six(hole.port), four("127.0.0.1", server.port)))
        with sockets.connect("host", 80, watch_for()) as sock:
            assert sock.getpeername() == ("127.0.0.1", server.port)


def test_after_a_refusal_the_next_address_is_tried_at_once(
    resolver: Callable[[Resolver], None],
) -> None:
    with FaultServer() as server:
        server.on_accept(hold)
        refused = four("127.0.0.1", refusing_port())
        resolver(says(*[refused] * 20, four("127.0.0.1", server.port)))
        begin = time.monotonic()
        sockets.connect("host", 80, watch_for()).close()
        assert time.monotonic() - begin < 20 * 0.25


def test_the_losers_of_the_race_are_closed(resolver: Callable[[Resolver], None]) -> None:
    with FaultServer() as server:  # the fixture around every test counts descriptors
        server.on_accept(hold)
        with Blackhole() as hole:
            silent = four("127.0.0.1", hole.port)
            resolver(says(silent, silent, four("127.0.0.1", server.port)))
            sockets.connect("host", 80, watch_for()).close()
        server.wait_for(lambda: server.accepted == 1)


def test_when_all_refuse_the_last_refusal_is_told(resolver: Callable[[Resolver], None]) -> None:
    resolver(says(six(1), four("127.0.0.1", refusing_port())))
    with pytest.raises(OSError) as caught:
        sockets.connect("host", 80, watch_for())
    assert caught.value.errno == errno.ECONNREFUSED


def test_an_address_of_a_family_that_is_not_there_is_passed_over(
    resolver: Callable[[Resolver], None],
) -> None:
    with FaultServer() as server:
        server.on_accept(hold)
        strange = (socket.AF_APPLETALK, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
        resolver(says(strange, four("127.0.0.1", server.port)))
        sockets.connect("host", 80, watch_for()).close()


def test_families_take_turns_in_the_order_of_the_resolver() -> None:
    a, b, c = (four(f"127.0.0.{n}", 80) for n in (1, 2, 3))
    assert interleave([six(1), six(2), six(3), a]) == [six(1), a, six(2), six(3)]
    assert interleave([a, b, six(1), c]) == [a, six(1), b, c]
    assert interleave([a, b]) == [a, b]
    assert interleave([]) == []
