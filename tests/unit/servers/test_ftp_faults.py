"""Each wrong thing the FTP server can be asked for, as a client sees it."""

import ftplib
import socket
import ssl
import time

import pytest

from tests.servers import authority
from tests.servers.ftp import (
    Cut,
    FtpFaultServer,
    FtpScript,
    begin_data,
    closed_after_data,
    closed_before_data_end,
    closing,
    cut,
    drip,
    dripped,
    end_data,
    endless,
    endless_line,
    endless_reply,
    finish_control,
    good,
    hold,
    in_turn,
    injected_tls,
    multi_line,
    never_served,
    overlong,
    passive,
    reply,
    rest_ignored,
    send,
    send_data,
    send_file,
    silent_after_data,
    stalled,
    steps,
    truncated,
)
from tests.unit.servers.clients import TIMEOUT
from tests.unit.servers.ftp_clients import (
    connected,
    fetch,
    fetch_what_comes,
    logged_in,
    read_to_end,
    secured,
)

SOON = 0.05  # seconds a client waits for what will not come


# -- at connect


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (reply("220 Hello"), b"220 Hello\r\n"),
        (multi_line(220, "a", "b", "c"), b"220-a\r\n b\r\n220 c\r\n"),
        (send(b"220 Gr\xfc\xdfe\r\n"), b"220 Gr\xfc\xdfe\r\n"),
        (reply("SSH-2.0-OpenSSH_9.2"), b"SSH-2.0-OpenSSH_9.2\r\n"),
        (drip(b"220 Slow\r\n", every=0.001), b"220 Slow\r\n"),
        (closing("421 Too many users."), b"421 Too many users.\r\n"),
        (send(b""), b""),
        (cut(), b""),
    ],
)
def test_the_exact_bytes_of_a_banner(script: FtpScript, expected: bytes) -> None:
    with FtpFaultServer() as server:
        server.on_connect(steps(script, cut()))
        with socket.create_connection((server.host, server.port), TIMEOUT) as sock:
            assert read_to_end(sock) == expected


@pytest.mark.parametrize("script", [endless_reply(), endless_line(), endless_reply(every=0.0001)])
def test_a_banner_without_an_end(script: FtpScript) -> None:
    with FtpFaultServer() as server:
        server.on_connect(script)
        with socket.create_connection((server.host, server.port), TIMEOUT) as sock:
            received = b""
            while len(received) < 1000:
                received += sock.recv(65536)
        assert received.startswith(b"220") and b"220 " not in received[4:]


def test_no_banner_at_all() -> None:
    with FtpFaultServer() as server:
        server.on_connect(hold)
        with socket.create_connection((server.host, server.port), SOON) as sock:
            with pytest.raises(TimeoutError):
                sock.recv(1)
            assert server.held == 1


def test_a_connection_is_reset() -> None:
    with FtpFaultServer() as server:
        server.on_connect(cut(Cut.RST))
        with pytest.raises(ConnectionResetError), connected(server):
            pass


# -- in the dialogue


def test_421_at_login_first_and_then_a_good_one() -> None:
    with FtpFaultServer() as server:
        server.on("PASS", in_turn(closing("421 Come back."), good("PASS")))
        with pytest.raises(ftplib.error_temp, match="421 Come back"), logged_in(server):
            pass
        with logged_in(server):
            assert [login.session for login in server.logins] == [2]


def test_an_idle_session_is_closed_when_the_test_says_so() -> None:
    with FtpFaultServer() as server:
        gate = server.gate()
        server.publish("/a", b"abc")
        server.on("RETR", steps(good("RETR"), gate, closing("421 Idle.")))
        with logged_in(server) as client:
            assert fetch(client, "/a") == b"abc"
            gate.let()
            server.wait_for(lambda: server.open == 0)
            with pytest.raises(ftplib.error_temp, match="421 Idle"):
                client.sendcmd("NOOP")


@pytest.mark.parametrize(
    "text", ["213 abc", "213 -5", "213", "550 no", "500 what", "213 3 bytes", "299 odd"]
)
def test_any_reply_to_any_command(text: str) -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.on("size", reply(text))
        client.putcmd("SIZE /a")
        assert client.getline() == text


def test_a_type_that_is_granted_and_not_set_converts_line_ends() -> None:
    with FtpFaultServer() as server:
        server.on("TYPE", reply("200 Of course."))
        server.publish("/a", b"1\n")
        with logged_in(server) as client:
            assert fetch(client, "/a") == b"1\r\n"


# -- where the data are to come from


@pytest.mark.parametrize("verb", ["EPSV", "PASV"])
def test_a_wrong_port_is_named(verb: str) -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.on(verb, passive(port=22))
        named = client.sendcmd(verb)
        assert named.endswith("(|||22|)" if verb == "EPSV" else "(127,0,0,1,0,22).")


def test_a_wrong_host_is_named_beside_a_good_port() -> None:
    with FtpFaultServer() as server:
        server.publish("/a", b"abc")
        server.on("PASV", passive(host="10.1.2.3"))
        with logged_in(server) as client:
            assert client.sendcmd("PASV").startswith("227 Entering Passive Mode (10,1,2,3,")
            assert fetch(client, "/a") == b"abc"  # ftplib takes the peer's own address


def test_a_malformed_answer_names_no_port() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.on("PASV", reply("227 nope"))
        with pytest.raises(ftplib.error_proto):
            fetch(client, "/a")


def test_a_data_connection_is_never_served() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.on("RETR", never_served())
        with client.transfercmd("RETR /a") as conn:
            conn.settimeout(SOON)
            with pytest.raises(TimeoutError):
                conn.recv(1)
        assert server.data == []


# -- the data and what is said of them


@pytest.mark.parametrize(
    ("script", "data", "final"),
    [
        (truncated(2), b"ab", "226 Transfer complete."),
        (truncated(2, then="426 Broken."), b"ab", "426 Broken."),
        (truncated(0, then="451 Disk."), b"", "451 Disk."),
        (overlong(b"xyz"), b"abcdefxyz", "226 Transfer complete."),
        (dripped(every=0.001, size=4), b"abcdef", "226 Transfer complete."),
        (closed_after_data(), b"abcdef", EOFError),
        (closed_after_data(Cut.RST), b"abcdef", ConnectionResetError),
        (closed_before_data_end(sent=2), b"abcdef", EOFError),
        (silent_after_data(), b"abcdef", TimeoutError),
        (reply("550 None."), ftplib.error_perm, None),
        (steps(begin_data(), cut()), b"", EOFError),
        (
            steps(begin_data(), send_data(b"other"), end_data(), reply("250 ok")),
            b"other",
            "250 ok",
        ),
    ],
)
def test_data_and_the_final_reply_are_independent(
    script: FtpScript, data: bytes | type[Exception], final: str | type[Exception] | None
) -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abcdef")
        server.on("RETR", script)
        if isinstance(data, type):
            with pytest.raises(data):
                fetch_what_comes(client, "/a")
            return
        assert fetch_what_comes(client, "/a") == data
        assert client.sock is not None
        if isinstance(final, type):
            client.sock.settimeout(SOON if final is TimeoutError else TIMEOUT)
            with pytest.raises(final):
                client.getresp()
        else:
            assert client.getline() == final


def test_the_control_connection_ends_while_data_come() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        gate = server.gate()
        server.publish("/a", b"abcdef")
        server.on("RETR", steps(begin_data(), send_file(until=2), end_of_control_then(gate)))
        with client.transfercmd("RETR /a") as conn:
            assert conn.recv(100) == b"ab"
            with pytest.raises(EOFError):
                client.getresp()
            gate.open()
            assert read_to_end(conn) == b"cdef"


def end_of_control_then(gate: FtpScript) -> FtpScript:
    return steps(finish_control, gate, send_file(start=2), end_data(), cut())


def test_data_are_reset() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abcdef")
        server.on("RETR", truncated(2, how=Cut.RST, then="426 Reset."))
        with pytest.raises(ConnectionResetError):
            fetch_what_comes(client, "/a")
        with pytest.raises(ftplib.error_temp, match="426 Reset"):
            client.getresp()


def test_data_stall() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abcdef")
        server.on("RETR", stalled(2))
        with client.transfercmd("RETR /a") as conn:
            assert conn.recv(100) == b"ab"
            server.wait_for(lambda: server.held == 1)
            conn.settimeout(SOON)
            with pytest.raises(TimeoutError):
                conn.recv(1)
        server.wait_for(lambda: server.held == 0)


@pytest.mark.parametrize("script", [endless(), endless(every=0.0001, data=b"x")])
def test_data_never_end(script: FtpScript) -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abcdef")
        server.on("RETR", script)
        with client.transfercmd("RETR /a") as conn:
            got = 0
            while got < 100:
                got += len(conn.recv(65536))


def test_a_drip_takes_its_time() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abc")
        server.on("RETR", dripped(every=0.02))
        begun = time.monotonic()
        assert fetch(client, "/a", rest=1) == b"bc"
        assert time.monotonic() - begun >= 0.02


def test_rest_is_granted_and_ignored() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abcdef")
        server.on("RETR", rest_ignored())
        assert fetch(client, "/a", rest=3) == b"abcdef"


def test_rest_is_refused() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.on("REST", reply("502 No REST."))
        with pytest.raises(ftplib.error_perm, match="502 No REST"):
            fetch(client, "/a", rest=3)


# -- TLS


@pytest.mark.parametrize("text", ["502 No.", "534 Policy.", "431 Not now."])
def test_tls_is_refused(text: str) -> None:
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.on("AUTH", reply(text))
        with (
            pytest.raises(ftplib.Error, match=text),
            secured(server, authority().client_context()),
        ):
            pass
        assert server.verbs() == ["AUTH"]


def test_protected_data_are_refused() -> None:
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.on("PROT", reply("536 Only C."))
        with (
            pytest.raises(ftplib.error_perm, match="536 Only C"),
            secured(server, authority().client_context()),
        ):
            pass


def test_plain_bytes_are_injected_behind_the_234() -> None:
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.on("AUTH", injected_tls(b"331 Injected.\r\n"))
        with socket.create_connection((server.host, server.port), TIMEOUT) as sock:
            sock.recv(100)
            sock.sendall(b"AUTH TLS\r\n")
            assert sock.recv(100) == b"234 Proceed.\r\n331 Injected.\r\n"
        server.wait_for(lambda: len(server.tls_failures) == 1)


def test_plain_commands_sent_before_the_handshake_are_thrown_away_and_noted() -> None:
    with FtpFaultServer(tls=authority().server_context()) as server:
        with socket.create_connection((server.host, server.port), TIMEOUT) as sock:
            sock.sendall(b"AUTH TLS\r\nNOOP\r\n")
            server.wait_for(lambda: len(server.tls_failures) == 1)
        assert "plain text before the handshake" in server.tls_failures[0]
        assert server.verbs() == ["AUTH"]


@pytest.mark.parametrize(("how", "outcome"), [(Cut.FIN, b"ab"), (Cut.BARE, ssl.SSLEOFError)])
def test_data_under_tls_end_with_or_without_a_close_notify(
    how: Cut, outcome: bytes | type[Exception]
) -> None:
    context = authority().client_context()
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.publish("/a", b"abcdef")
        server.on("RETR", truncated(2, how=how))
        with secured(server, context) as client:
            conn = client.transfercmd("RETR /a")
            assert isinstance(conn, ssl.SSLSocket)
            conn.suppress_ragged_eofs = False
            with conn:
                assert conn.recv(100) == b"ab"
                if isinstance(outcome, type):
                    with pytest.raises(outcome):
                        conn.recv(1)
                else:
                    assert conn.recv(1) == b""
            assert client.voidresp() == "226 Transfer complete."


def test_data_are_in_the_clear_although_they_were_to_be_protected() -> None:
    context = authority().client_context()
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.publish("/a", b"abcdef")
        server.on("PROT", reply("200 Yes, yes."))
        with secured(server, context) as client, pytest.raises(ssl.SSLError):
            fetch(client, "/a")


def test_a_handshake_of_data_that_fails_is_told() -> None:
    context = authority().client_context()
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.publish("/a", b"abcdef")
        with secured(server, context) as client:
            conn, _ = ftplib.FTP.ntransfercmd(client, "RETR /a")
            conn.sendall(b"no handshake\r\n")
            conn.close()
            with pytest.raises(ftplib.error_perm, match="522 The TLS handshake"):
                client.voidresp()
