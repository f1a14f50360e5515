"""Connections are counted exactly."""

import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks import nginx
from benchmarks.upstream import serving

pytestmark = pytest.mark.skipif(
    not nginx.is_installed() or not nginx.counts(), reason="needs an nginx that counts"
)


def test_what_others_open_is_counted_and_asking_is_not(tmp_path: Path) -> None:
    with serving(tmp_path) as upstream, ExitStack() as stack:
        host, port = urlsplit(upstream.url).netloc.split(":")
        before = upstream.connections()
        assert upstream.connections() == before
        for _ in range(50):  # more than nginx accepts at one glance; most never ask for anything
            stack.enter_context(socket.create_connection((host, int(port))))
        assert upstream.connections() == before + 50


def test_over_tls_they_are_counted_too(tmp_path: Path) -> None:
    with serving(tmp_path, tls=True) as upstream:
        before = upstream.connections()
        socket.create_connection(("127.0.0.1", urlsplit(upstream.url).port or 0)).close()
        assert upstream.connections() == before + 1
