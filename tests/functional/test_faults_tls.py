"""TLS peers that cannot be trusted, do not speak TLS, or are cut in mid-stream."""

from __future__ import annotations

import gc
import select
import socket
import ssl
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from pulp_download import ConnectionFailed, TimedOut, TLSFailed, Truncated
from tests.functional.fetch import BODY, SOON, fetched, refused, remote_for, whole
from tests.servers import (
    LAST_CHUNK,
    Authority,
    Cut,
    FaultServer,
    Script,
    authority,
    chunk,
    chunked,
    cut,
    drip,
    hold,
    other_authority,
    redirect,
    reply,
    response_bytes,
    send,
    send_raw,
    steps,
    truncated,
    until_close,
)

LIMIT = 0.2

# From Python 3.13 on OpenSSL is told to be strict, and stops before it compares names.
NAME_ONLY = "empty subject alternative name" if sys.version_info >= (3, 13) else "mismatch"

BAD_CERTIFICATES: dict[str, tuple[Callable[[], ssl.SSLContext], str]] = {
    "untrusted": (lambda: other_authority().server_context(), "unable to get local issuer"),
    "unknown": (lambda: Authority().server_context(), "unable to get local issuer"),
    "another-host": (lambda: authority().server_context("other.test"), "mismatch"),
    "name-only": (lambda: authority().server_context(common_name="127.0.0.1"), NAME_ONLY),
    "expired": (lambda: authority().expired(), "expired"),
    "not-yet-valid": (lambda: authority().not_yet_valid(), "not yet valid"),
}


@pytest.mark.fault(61)
@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_a_certificate_that_does_not_hold_is_refused_at_once(target: Path, kind: str) -> None:
    context, reason = BAD_CERTIFICATES[kind]
    with FaultServer(tls=context()) as server:
        server.default(reply(200, BODY))
        error = refused(TLSFailed, server.url("/f"), target, max_retries=3)
        assert reason in error.reason.lower()
        assert (error.retryable, len(error.attempts)) == (False, 1)
        assert server.requests == []


@pytest.mark.fault(61)
@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_nothing_but_the_explicit_setting_lets_a_bad_certificate_pass(
    target: Path, kind: str
) -> None:
    with FaultServer(tls=BAD_CERTIFICATES[kind][0]()) as server:
        server.default(reply(200, BODY))
        fetched(server.url("/f"), target, tls_validation=False)
        refused(TLSFailed, server.url("/f"), target)


@pytest.mark.fault(61)
def test_a_redirect_does_not_lower_the_bar(server: FaultServer, target: Path) -> None:
    with FaultServer(tls=other_authority().server_context()) as elsewhere:
        server.default(redirect(elsewhere.url("/f")))
        refused(TLSFailed, server.url("/f"), target)
        assert elsewhere.requests == []


@pytest.mark.fault(61)
def test_without_an_authority_of_our_own_the_public_ones_are_asked(
    secure: FaultServer, target: Path
) -> None:
    secure.default(reply(200, BODY))
    error = refused(TLSFailed, secure.url("/f"), target, ca_cert=None)
    assert "unable to get local issuer" in error.reason


@pytest.mark.fault(63)
@pytest.mark.parametrize("greeting", [hold, drip(b"\x16\x03\x03\x00\x7a" + bytes(100), every=0.05)])
def test_a_handshake_that_stalls_or_trickles_is_a_connect_timeout(
    secure: FaultServer, target: Path, greeting: Script
) -> None:
    secure.on_accept(greeting)
    error = refused(TimedOut, secure.url("/f"), target, connect_timeout=LIMIT)
    assert (error.limit, error.seconds, error.retryable) == ("connect", LIMIT, True)


@pytest.mark.fault(63)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_a_handshake_that_breaks_off_is_a_lost_connection(
    secure: FaultServer, target: Path, how: Cut
) -> None:
    secure.on_accept(cut(how))
    assert refused(ConnectionFailed, secure.url("/f"), target).retryable


@pytest.mark.fault(63)
def test_a_connection_that_is_reset_before_the_handshake_leaves_no_socket(
    secure: FaultServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = secure.gate()
    secure.on_accept(steps(gate, cut(Cut.RST)))

    class Waiting(socket.socket):
        def setblocking(self, flag: bool) -> None:
            super().setblocking(flag)
            if flag:  # connected: the handshake is next
                gate.let()
                select.select([self], [], [], SOON)

    monkeypatch.setattr(socket, "socket", Waiting)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert refused(ConnectionFailed, secure.url("/f"), target).retryable
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


@pytest.mark.fault(63)
@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-Open\r\n"])
def test_a_port_that_speaks_no_tls_has_failed_at_tls(
    secure: FaultServer, target: Path, said: bytes
) -> None:
    secure.on_accept(steps(send_raw(said), hold))
    error = refused(TLSFailed, secure.url("/f"), target)
    assert error.retryable


@pytest.mark.fault(63)
def test_a_plain_server_behind_https_has_failed_at_tls(server: FaultServer, target: Path) -> None:
    server.default(reply(200, BODY))
    url = server.url("/f").replace("http:", "https:")
    refused((TLSFailed, ConnectionFailed), url, target)
    assert server.requests == []


BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]


@pytest.mark.fault(65)
@pytest.mark.parametrize("variable", BUNDLES)
def test_the_environment_does_not_replace_the_authority_that_was_pinned(
    secure: FaultServer,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    secure.default(reply(200, BODY))
    monkeypatch.setenv(variable, str(authority().file(tmp_path)))
    refused(TLSFailed, secure.url("/f"), target, ca_cert=other_authority().pem)
    pinned = tmp_path / "pinned.pem"
    pinned.write_text(other_authority().pem)
    refused(TLSFailed, secure.url("/f"), target, ca_cert=str(pinned))
    assert secure.requests == []


@pytest.mark.fault(65)
@pytest.mark.parametrize("variable", BUNDLES)
def test_the_environment_does_not_add_to_the_public_authorities(
    secure: FaultServer,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    secure.default(reply(200, BODY))
    monkeypatch.setenv(variable, str(authority().file(tmp_path)))
    refused(TLSFailed, secure.url("/f"), target, ca_cert=None)


@pytest.mark.fault(65)
@pytest.mark.parametrize("variable", BUNDLES)
def test_the_environment_does_not_spoil_the_authority_that_was_pinned(
    secure: FaultServer,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    secure.default(reply(200, BODY))
    monkeypatch.setenv(variable, str(other_authority().file(tmp_path)))
    fetched(secure.url("/f"), target)
    monkeypatch.setenv(variable, str(tmp_path / "missing"))
    fetched(secure.url("/f"), target)


@pytest.mark.fault(66)
def test_a_connection_without_verification_is_not_used_where_it_is_asked_for(
    secure: FaultServer, target: Path, tmp_path: Path
) -> None:
    secure.default(reply(200, BODY))
    with remote_for() as remote:
        remote.session.verify = False
        fetched(secure.url("/f"), target, remote=remote)
        remote.session.verify = str(other_authority().file(tmp_path))
        refused(TLSFailed, secure.url("/f"), target, remote=remote)
        remote.session.verify = True
        fetched(secure.url("/f"), target, remote=remote)
    assert len(secure.requests) == 2
    assert secure.accepted == 3


@pytest.mark.fault(66)
def test_connections_with_different_client_certificates_are_kept_apart(
    target: Path, tmp_path: Path
) -> None:
    context = authority().server_context(client_certs=ssl.CERT_OPTIONAL)
    seen = []
    with FaultServer(tls=context) as server, remote_for() as remote:
        server.default(reply(200, BODY))
        for name in (None, "one.test", "two.test", "one.test", None):
            if name is None:
                remote.session.cert = None
            else:
                folder = tmp_path / name
                folder.mkdir(exist_ok=True)
                files = authority().client_cert_files(folder, name)
                remote.session.cert = (str(files.cert), str(files.key))
            fetched(server.url("/f"), target, remote=remote)
            seen.append(server.requests[-1].client_certificate)
    names = [
        None if certificate is None else certificate["subjectAltName"][0][1] for certificate in seen
    ]
    assert names == [None, "one.test", "two.test", "one.test", None]


@pytest.mark.fault(67)
@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        (until_close(BODY[:5000], how=Cut.BARE), 5000, None),
        (until_close(b"", how=Cut.BARE), 0, None),
        (truncated(BODY, sent=5000, how=Cut.BARE), 5000, len(BODY)),
        (steps(chunked([chunk(BODY)], end=b""), cut(Cut.BARE)), len(BODY), None),
    ],
    ids=["until-close", "empty", "length", "chunked"],
)
def test_a_stream_without_close_notify_has_been_cut(
    secure: FaultServer, target: Path, answer: Script, received: int, expected: int | None
) -> None:
    secure.default(answer)
    error = refused(Truncated, secure.url("/f"), target)
    assert (error.received, error.expected, error.retryable) == (received, expected, True)


@pytest.mark.fault(67)
def test_a_cut_that_spares_the_last_byte_is_found_even_where_all_was_expected(
    secure: FaultServer, target: Path
) -> None:
    secure.default(until_close(BODY, how=Cut.BARE))
    assert refused(Truncated, secure.url("/f"), target).received == len(BODY)


@pytest.mark.fault(67)
@pytest.mark.parametrize(
    "answer",
    [
        steps(send(response_bytes(200, BODY)), cut(Cut.BARE)),
        steps(chunked([chunk(BODY)], end=LAST_CHUNK), cut(Cut.BARE)),
        steps(chunked([chunk(BODY)], end=b"0\r\n"), cut(Cut.BARE)),
        until_close(BODY, how=Cut.FIN),
    ],
    ids=["length", "chunked", "chunked-without-last-line", "close-notify"],
)
def test_a_body_that_was_complete_needs_no_close_notify(
    secure: FaultServer, target: Path, answer: Script
) -> None:
    secure.default(answer)
    fetched(secure.url("/f"), target, validations=whole(BODY))
    assert target.read_bytes() == BODY


GARBAGE = b"\x17\x03\x03\x00\x40" + bytes(64)


@pytest.mark.fault(68)
@pytest.mark.parametrize("garbage", [GARBAGE, b"HTTP/1.1 500 Oops\r\n\r\n"])
@pytest.mark.parametrize(
    "begin",
    [
        send(response_bytes(200, BODY)[:-5000]),
        send(b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:5000]),
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(BODY)),
        send(b"HTTP/1.1 200 OK\r\nConte"),
    ],
    ids=["length", "until-close", "chunked", "head"],
)
def test_a_broken_record_has_failed_at_tls(
    secure: FaultServer, target: Path, begin: Script, garbage: bytes
) -> None:
    secure.default(steps(begin, send_raw(garbage), hold))
    assert refused(TLSFailed, secure.url("/f"), target).retryable


@pytest.mark.fault(68)
def test_after_a_broken_record_the_file_is_fetched_again(secure: FaultServer, target: Path) -> None:
    broken = steps(send(response_bytes(200, BODY)[:-5000]), send_raw(GARBAGE), hold)
    secure.default([broken, reply(200, BODY)])
    fetched(secure.url("/f"), target, max_retries=1)
    assert target.read_bytes() == BODY
    assert secure.accepted == 2
