"""Control connections lent out: to whom, how many, and what becomes of those that are left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pulp_download.adapters.ftp.pool import Pool, _Host
from pulp_download.adapters.idle import Idle
from pulp_download.errors import Cancelled, ServerFailed
from pulp_download.watch import Watch
from tests.servers.ftp import FtpFaultServer, closing, cut, good, reply, steps
from tests.unit.adapters.ftp.lending import place_of, watched

SOON = 5.0
CROWDED = closing("421 Too many connections.")
READY = reply("220 Ready.")


@pytest.fixture
def watch() -> Iterator[Watch]:
    with watched() as watch:
        yield watch


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(Idle(8))
    yield pool
    pool.close()


def test_the_last_one_given_back_is_lent_first(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    place = place_of(ftp_server)
    first, second = pool.take(place, watch), pool.take(place, watch)
    assert (first.is_reused, second.is_reused) == (False, False)
    pool.put(first)
    pool.put(second)
    assert pool.take(place, watch) is second
    assert pool.take(place, watch) is first
    assert first.is_reused
    first.close()
    second.close()


def test_one_is_lent_to_its_like_only(ftp_server: FtpFaultServer, pool: Pool, watch: Watch) -> None:
    mine = pool.take(place_of(ftp_server, "me"), watch)
    pool.put(mine)
    for other in (place_of(ftp_server, "you"), place_of(ftp_server)):
        lent = pool.take(other, watch)
        assert lent is not mine
        lent.close()
    assert pool.take(place_of(ftp_server, "me"), watch) is mine
    mine.close()


def test_no_more_than_some_are_kept(ftp_server: FtpFaultServer, watch: Watch) -> None:
    pool = Pool(Idle(2))
    lent = [pool.take(place_of(ftp_server), watch) for _ in range(4)]
    for control in lent:
        pool.put(control)
    ftp_server.wait_for(lambda: ftp_server.open == 2)
    assert pool.take(place_of(ftp_server), watch) is lent[3]
    lent[3].close()
    pool.close()


def test_what_comes_back_after_the_end_is_closed(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    idle, lent = (pool.take(place_of(ftp_server), watch) for _ in range(2))
    pool.put(idle)
    pool.close()
    ftp_server.wait_for(lambda: ftp_server.open == 1)
    pool.put(lent)
    ftp_server.wait_for(lambda: ftp_server.open == 0)


def test_one_that_says_something_unasked_is_not_lent(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    ftp_server.on("NOOP", steps(good("NOOP"), closing("421 Timeout.")))
    control = pool.take(place_of(ftp_server), watch)
    control.command("NOOP")
    ftp_server.wait_for(lambda: ftp_server.open == 0)
    pool.put(control)
    other = pool.take(place_of(ftp_server), watch)
    assert other is not control
    other.close()


def test_a_run_that_was_stopped_borrows_nothing_and_costs_the_connection(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    pool.put(pool.take(place_of(ftp_server), watch))
    with watched() as stopped:
        stopped.cancel()
        with pytest.raises(Cancelled):
            pool.take(place_of(ftp_server), stopped)
    ftp_server.wait_for(lambda: ftp_server.open == 0)


def test_one_that_could_not_be_opened_is_not_counted(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    ftp_server.on_connect([cut(), CROWDED, READY])
    place = place_of(ftp_server)
    with pytest.raises(ConnectionError):
        pool.take(place, watch)
    with pytest.raises(ServerFailed):  # none of ours was there: nothing to wait for
        pool.take(place, watch)
    assert pool._hosts[place.host, place.port].open == 0
    pool.take(place, watch).close()


@pytest.mark.fault(104)
def test_a_crowded_host_lends_what_there_is_when_that_comes_back(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    ftp_server.on_connect([READY, CROWDED, READY])
    place = place_of(ftp_server)
    first = pool.take(place, watch)
    with ThreadPoolExecutor(1) as thread, watched() as other:
        waiting = thread.submit(pool.take, place, other)
        ftp_server.wait_for(lambda: ftp_server.accepted == 2)
        pool.put(first)
        assert waiting.result(SOON) is first
    assert ftp_server.accepted == 2
    first.close()


@pytest.mark.fault(104)
def test_a_crowded_host_gets_a_new_connection_when_one_has_gone(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    ftp_server.on_connect([READY, CROWDED, READY])
    place = place_of(ftp_server)
    first = pool.take(place, watch)
    with ThreadPoolExecutor(1) as thread, watched() as other:
        waiting = thread.submit(pool.take, place, other)
        ftp_server.wait_for(lambda: ftp_server.accepted == 2)
        first.close()
        second = waiting.result(SOON)
    assert second is not first
    second.close()


@pytest.mark.fault(104)
def test_where_no_new_one_is_allowed_an_idle_one_will_do(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    ftp_server.on_connect([READY, READY, CROWDED])
    place = place_of(ftp_server)
    dead, idle = pool.take(place, watch), pool.take(place, watch)
    dead.close()
    pool.put(idle)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(pool.take_fresh, place, watch).result(SOON) is idle
    idle.close()


def test_a_limit_holds_for_a_while() -> None:
    host = _Host()
    assert not host.is_full(0.0)
    host.open, host.limit, host.until = 2, 2, 100.0
    assert host.is_full(99.9)
    host.open = 1
    assert not host.is_full(99.9)
    host.open = 2
    assert not host.is_full(100.0)
    assert host.limit is None


def test_a_child_lets_go_without_waiting_for_a_lock_of_its_parents(
    ftp_server: FtpFaultServer, pool: Pool, watch: Watch
) -> None:
    pool.put(pool.take(place_of(ftp_server), watch))
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with pool._changed:
            held.set()
            over.wait(SOON)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(SOON)
    pool.renew()
    ftp_server.wait_for(lambda: ftp_server.open == 0)
    pool.take(place_of(ftp_server), watch).close()
    over.set()
    holder.join()


def test_a_host_that_cannot_restart_is_remembered_for_all_its_connections(
    ftp_server: FtpFaultServer, pool: Pool
) -> None:
    with watched() as watch, FtpFaultServer() as other:
        first, second = (pool.take(place_of(ftp_server), watch) for _ in range(2))
        stranger = pool.take(place_of(other), watch)
        first.cannot_restart()
        assert [one.can_restart for one in (first, second, stranger)] == [False, False, True]
        for control in (first, second, stranger):
            control.close()


def test_hosts_are_counted_once_however_many_threads_ask_first(
    ftp_server: FtpFaultServer, pool: Pool
) -> None:
    place = place_of(ftp_server)
    together = threading.Barrier(8)

    def use() -> None:
        with watched() as watch:
            together.wait()
            pool.put(pool.take(place, watch))

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(use) for _ in range(8)]:
            future.result(SOON)
    assert pool._hosts[place.host, place.port].open == len(pool._idle)
