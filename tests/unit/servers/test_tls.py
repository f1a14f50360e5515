"""TLS: certificates of every kind, and what can be done under the TLS layer."""

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import (
    Authority,
    Cut,
    FaultServer,
    authority,
    head,
    hold,
    other_authority,
    reply,
    send,
    send_raw,
    steps,
    until_close,
)
from tests.servers.conversation import Conversation
from tests.servers.ledger import Ledger
from tests.unit.servers.clients import TIMEOUT, ask, read_exactly, read_to_end


@contextlib.contextmanager
def secured(
    server: FaultServer, context: ssl.SSLContext | None = None, *, name: str = "localhost"
) -> Iterator[ssl.SSLSocket]:
    context = context or authority().client_context()
    with (
        socket.create_connection((server.host, server.port), timeout=TIMEOUT) as raw,
        context.wrap_socket(raw, server_hostname=name, suppress_ragged_eofs=False) as sock,
    ):
        yield sock


def test_a_trusted_server_is_heard() -> None:
    with FaultServer(tls=authority().server_context()) as server, secured(server) as sock:
        server.default(reply(200, b"hello", close=True))
        ask(sock, "/")
        assert read_to_end(sock).endswith(b"hello")
        assert server.url().startswith("https://127.0.0.1:")


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (other_authority().server_context(), "unable to get local issuer"),
        (authority().expired(), "certificate has expired"),
        (authority().not_yet_valid(), "not yet valid"),
        (authority().server_context("other.test"), "Hostname mismatch"),
        (authority().server_context(common_name="localhost"), "Hostname mismatch"),
    ],
)
def test_a_bad_certificate_is_bad_for_the_known_reason(
    context: ssl.SSLContext, reason: str
) -> None:
    with FaultServer(tls=context) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason), secured(server):
            pass
        server.wait_for(lambda: len(server.tls_failures) == 1 and server.open == 0)


def test_an_end_in_order_has_a_close_notify() -> None:
    with FaultServer(tls=authority().server_context()) as server, secured(server) as sock:
        server.default(until_close(b"abc"))
        ask(sock, "/")
        assert read_to_end(sock).endswith(b"\r\n\r\nabc")


def test_an_end_underneath_tls_has_none() -> None:
    with FaultServer(tls=authority().server_context()) as server, secured(server) as sock:
        server.default(until_close(b"abc", how=Cut.BARE))
        ask(sock, "/")
        assert read_exactly(sock, 22).endswith(b"abc")
        with pytest.raises(ssl.SSLEOFError):
            sock.recv(1)


def test_garbage_can_be_written_under_tls() -> None:
    with FaultServer(tls=authority().server_context()) as server, secured(server) as sock:
        server.default(steps(head(200, {"Content-Length": "9"}), send_raw(b"x" * 100), hold))
        ask(sock, "/")
        read_exactly(sock, 38)
        with pytest.raises(ssl.SSLError, match=r"(?i)wrong version number|record"):
            sock.recv(1)


def test_a_handshake_can_stall() -> None:
    with FaultServer(tls=authority().server_context()) as server:
        server.on_accept(hold)
        with socket.create_connection((server.host, server.port), timeout=TIMEOUT) as raw:
            sock = (
                authority()
                .client_context()
                .wrap_socket(raw, server_hostname="localhost", do_handshake_on_connect=False)
            )
            with sock:
                server.wait_for(lambda: server.held == 1)
                sock.settimeout(0.01)
                with pytest.raises(TimeoutError):
                    sock.do_handshake()


def test_a_port_can_answer_a_handshake_in_plain_text() -> None:
    with FaultServer(tls=authority().server_context()) as server:
        server.on_accept(steps(send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), hold))
        with pytest.raises(ssl.SSLError), secured(server):
            pass


def test_a_client_that_was_gone_before_the_handshake_leaves_nothing_open() -> None:
    context = authority().server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=TIMEOUT) as client:
            sock, _ = listener.accept()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        select.select([sock], [], [], TIMEOUT)  # the reset has come
        conversation = Conversation(sock, ledger := Ledger(), 1)
        assert not conversation.start_tls(context)
        assert len(ledger.tls_failures) == 1
        assert conversation.peer_left()


def test_close_ends_a_handshake_that_no_client_finishes() -> None:
    with (
        FaultServer(tls=authority().server_context()) as server,
        socket.create_connection((server.host, server.port), timeout=TIMEOUT) as raw,
    ):
        server.wait_for(lambda: server.accepted == 1)
        raw.sendall(b"\x16\x03\x01")


def test_a_client_certificate_is_required_and_seen(tmp_path: Path) -> None:
    files = authority().client_cert_files(tmp_path, "me.test")
    context = authority().client_context()
    context.load_cert_chain(files.cert, files.key)
    tls = authority().server_context(client_certs=ssl.CERT_REQUIRED)
    with FaultServer(tls=tls) as server:
        server.default(reply(200, b"you", close=True))
        with secured(server, context) as sock:
            ask(sock, "/")
            assert read_to_end(sock).endswith(b"you")
        certificate = server.requests[0].client_certificate
        assert certificate is not None
        assert certificate["subjectAltName"] == (("DNS", "me.test"),)
        with pytest.raises((ssl.SSLError, ConnectionError)), secured(server) as sock:
            ask(sock, "/")  # TLS 1.3 tells a client of a refusal with its first answer only
            read_to_end(sock)
        server.wait_for(lambda: len(server.tls_failures) > 0)
        assert "peer did not return a certificate" in server.tls_failures[0]


def test_a_client_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    files = other_authority().client_cert_files(tmp_path)
    context = authority().client_context()
    context.load_cert_chain(files.both)
    with FaultServer(tls=authority().server_context(client_certs=ssl.CERT_OPTIONAL)) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)), secured(server, context) as sock:
            ask(sock, "/")
            read_to_end(sock)
        server.wait_for(lambda: len(server.tls_failures) == 1)


def test_an_optional_client_certificate_may_be_missing() -> None:
    with FaultServer(tls=authority().server_context(client_certs=ssl.CERT_OPTIONAL)) as server:
        server.default(reply(close=True))
        with secured(server) as sock:
            ask(sock, "/")
            read_to_end(sock)
        assert server.requests[0].client_certificate is None


def test_a_client_key_can_be_locked(tmp_path: Path) -> None:
    files = authority().client_cert_files(tmp_path, password="open sesame")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(files.cert, files.key, password="wrong")
    context.load_cert_chain(files.cert, files.key, password="open sesame")


def test_authorities_are_made_once_and_written_as_pem(tmp_path: Path) -> None:
    assert authority() is authority()
    assert authority().file(tmp_path).read_text() == authority().pem
    assert Authority().pem != authority().pem
