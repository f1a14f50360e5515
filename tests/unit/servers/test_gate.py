"""Gates: requests wait until the test lets them go on."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import FaultServer, reply, steps
from tests.unit.servers.clients import ask, connected, get, http_client, read_exactly


def test_a_gate_holds_every_request_until_it_is_opened() -> None:
    def fetch(_: int) -> tuple[int, bytes]:
        with http_client(server) as client:
            return get(client, "/")

    with FaultServer() as server, ThreadPoolExecutor(4) as pool:
        gate = server.gate()
        server.default(steps(gate, reply(200, b"x")))
        answers = pool.map(fetch, range(6))
        gate.wait_for(4)
        assert (server.held, len(server.requests)) == (4, 4)
        gate.open()
        assert list(answers) == [(200, b"x")] * 6
        assert gate.waiting == 0


def test_a_gate_lets_a_given_number_pass() -> None:
    with FaultServer() as server, contextlib.ExitStack() as stack:
        gate = server.gate()
        server.default(steps(gate, reply(200, close=True)))
        for _ in range(5):
            ask(stack.enter_context(connected(server)), "/")
        gate.wait_for(5)
        gate.let(2)
        server.wait_for(lambda: gate.waiting == 3 and server.open == 3)


def test_a_client_may_leave_a_gate() -> None:
    with FaultServer() as server:
        gate = server.gate()
        server.default(steps(gate, reply()))
        with connected(server) as sock:
            ask(sock, "/")
            gate.wait_for(1)
        server.wait_for(lambda: gate.waiting == 0)
        gate.open()
        with connected(server) as sock:
            ask(sock, "/")
            assert read_exactly(sock, 12) == b"HTTP/1.1 200"


def test_waiting_for_more_than_come_times_out() -> None:
    with FaultServer() as server, pytest.raises(TimeoutError, match="held=0"):
        server.gate().wait_for(1, timeout=0.01)
