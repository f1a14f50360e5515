"""Blackhole: a connect that is never answered."""

import socket

import pytest

from tests.servers import Blackhole


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_a_connect_is_never_answered(host: str, shown: str) -> None:
    with Blackhole(host=host) as hole:
        assert hole.url("/a") == f"http://{shown}:{hole.port}/a"
        for _ in range(2):
            with pytest.raises(TimeoutError):
                socket.create_connection((host, hole.port), timeout=0.2)
