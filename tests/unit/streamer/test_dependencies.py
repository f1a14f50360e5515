"""What the streamer needs: of Twisted's, names that are not public; of others, nothing."""

from __future__ import annotations

import inspect
import socket
import struct
import subprocess

import pytest
from h2.connection import H2Connection as State
from twisted.internet.task import Clock
from twisted.protocols.policies import TimeoutMixin
from twisted.web import _http2, http
from twisted.web.server import Request

from pulp_download.streamer.twisted_wire import _acknowledged
from tests.uncovered import UNCOVERED


@pytest.mark.parametrize(
    "name",
    ["_tryToWriteControlData", "_requestDone", "remainingOutboundWindow"],
)
def test_methods_of_a_connection_of_http2(name: str) -> None:
    assert inspect.isfunction(getattr(_http2.H2Connection, name))


def test_attributes_of_a_connection_of_http2() -> None:
    connection = vars(_http2.H2Connection(Clock()))
    assert connection["_consumerBlocked"] is None
    assert connection["_outboundStreamQueues"] == connection["streams"] == {}
    assert isinstance(connection["conn"], State)


def test_a_stream_of_http2() -> None:
    assert {"streamID", "_conn"} <= set(
        _http2.H2Stream.__init__.__code__.co_names  # what it sets
    )
    assert inspect.isfunction(_http2.H2Stream.flowControlBlocked)
    assert "error_code" in inspect.signature(State.reset_stream).parameters


def test_a_request_for_the_server_as_a_whole() -> None:
    assert "_handleStar" in Request.process.__code__.co_names


def test_a_channel_of_http1() -> None:
    assert inspect.isfunction(http.HTTPChannel.allContentReceived)
    assert "_handlingRequest" in http.HTTPChannel.__init__.__code__.co_names
    assert "resetTimeout" in http.HTTPChannel.dataReceived.__code__.co_names
    assert issubclass(http.HTTPChannel, TimeoutMixin)
    connection = http._GenericHTTPChannelProtocol(http.HTTPChannel())
    connection.site = site = object()
    assert connection._site is site


def test_what_the_kernel_says_was_taken() -> None:
    class Transport:
        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        transport = Transport()
        transport.socket, _ = listener.accept()  # type: ignore[attr-defined]
        with client, transport.socket as served:  # type: ignore[attr-defined]
            before = _acknowledged(transport)
            served.sendall(b"x" * 1000)
            assert client.recv(1000)
            after = _acknowledged(transport)
    assert before is not None
    assert after is not None
    assert after - before == 1000


@pytest.mark.parametrize("transport", [object(), None])
def test_without_a_socket_nothing_is_said(transport: object) -> None:
    assert _acknowledged(transport) is None
    assert struct.calcsize("=120xQ") == 128


@pytest.mark.need("S1")
@pytest.mark.parametrize("door", ["asgi", "wsgi"])
def test_asgi_and_wsgi_need_no_framework(door: str) -> None:
    foreign = {"twisted", "zope", "starlette", "uvicorn", "anyio", "flask", "werkzeug"}
    code = f"""
import sys
import pulp_download.streamer.{door}
print(*sorted({foreign!r} & {{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([*UNCOVERED, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
