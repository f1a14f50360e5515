"""FtpFaultServer at its best: a correct server, its options, and what it writes down."""

import contextlib
import ftplib
import ssl
import threading
from datetime import datetime, timedelta, timezone

import pytest

from tests.servers import authority
from tests.servers.ftp import (
    Command,
    FtpFaultServer,
    begin_data,
    closing,
    end_data,
    good,
    hold_data,
    reply,
    send_file,
    steps,
)
from tests.unit.servers.ftp_clients import (
    ImplicitFtpTls,
    ReusingFtpTls,
    connected,
    fetch,
    logged_in,
    secured,
)

BODY = bytes(range(256)) * 1000  # 256 000 bytes, no two blocks of which may be exchanged unseen


def test_a_published_file_is_fetched_whole_and_from_an_offset() -> None:
    with FtpFaultServer() as server:
        server.publish("/pool/a.bin", BODY)
        with logged_in(server) as client:
            assert fetch(client, "/pool/a.bin") == BODY
            assert fetch(client, "pool/a.bin", rest=100_000) == BODY[100_000:]
            assert fetch(client, "/pool/a.bin", rest=len(BODY)) == b""
            assert client.size("/pool/a.bin") == 256_000
        assert [record.sent for record in server.data] == [256_000, 156_000, 0]
        assert server.url("/pool/a.bin") == f"ftp://127.0.0.1:{server.port}/pool/a.bin"


def test_an_offset_is_good_for_one_transfer() -> None:
    with FtpFaultServer() as server:
        server.publish("/a", b"abcdef")
        with logged_in(server) as client:
            assert fetch(client, "/a", rest=3) == b"def"
            assert fetch(client, "/a") == b"abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_families_are_spoken(host: str) -> None:
    with FtpFaultServer(host=host) as server:
        server.publish("/a", b"abc")
        with logged_in(server) as client:
            assert fetch(client, "/a") == b"abc"


def test_epsv_and_pasv_lead_to_the_same_file() -> None:
    with FtpFaultServer() as server:
        server.publish("/a", b"abc")
        with logged_in(server) as client:
            assert fetch(client, "/a") == b"abc"
            client.af = ftplib.socket.AF_INET6  # makes ftplib prefer EPSV
            assert fetch(client, "/a") == b"abc"
        assert [verb for verb in server.verbs() if verb.endswith("SV")] == ["PASV", "EPSV"]


def test_in_ascii_mode_line_ends_are_converted_and_sizes_are_not_told() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"1\n2\n")
        client.voidcmd("TYPE A")
        with client.transfercmd("RETR /a") as conn:
            assert conn.recv(100) == b"1\r\n2\r\n"
        client.voidresp()
        with pytest.raises(ftplib.error_perm, match="550 SIZE not allowed in ASCII mode"):
            client.sendcmd("SIZE /a")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("SIZE /pool/a", "213 3"),
        ("MDTM /pool/a", "213 20240229225958"),
        ("SIZE /none", "550 /none: No such file or directory."),
        ("SIZE /pool", "550 /pool: Not a plain file."),
        ("MDTM /pool/undated", "550 Could not get the modification time."),
        ("RETR /pool/a", "425 Use EPSV or PASV first."),
        ("CWD /pool", "250 Directory successfully changed."),
        ("CWD /pool/a", "550 Failed to change directory."),
        ("PWD", '257 "/home" is the current directory'),
        ("SIZE own", "213 1"),
        ("SIZE ../pool/a", "213 3"),
        ("CWD ..", "250 Directory successfully changed."),
        ("TYPE E", "504 Type not implemented."),
        ("REST x", "501 REST needs a number."),
        ("OPTS UTF8 ON", "200 Always in UTF8 mode."),
        ("EPSV ALL", "200 EPSV ALL ok."),
        ("AUTH TLS", "502 AUTH is not available."),
        ("PBSZ 0", "503 PBSZ needs a secure control connection."),
        ("NOOP", "200 Done nothing."),
        ("LIST", "500 Unknown command."),
        ("QUIT", "221 Goodbye."),
    ],
)
def test_commands_are_answered_as_a_correct_server_does(command: str, answer: str) -> None:
    with FtpFaultServer(home="/home") as server:
        modified = datetime(2024, 2, 29, 23, 59, 58, tzinfo=timezone(timedelta(hours=1)))
        server.publish("/pool/a", b"abc", modified=modified)
        server.publish("/pool/undated", b"")
        server.publish("/home/own", b"1")
        with logged_in(server) as client:
            try:
                got = client.sendcmd(command)
            except ftplib.Error as error:
                got = str(error)
        assert got == answer


def test_features_name_tls_where_there_is_tls() -> None:
    with FtpFaultServer() as plain, FtpFaultServer(tls=authority().server_context()) as safe:
        with connected(plain) as client:
            lines = client.sendcmd("FEAT").splitlines()
            assert (
                lines
                == "211-Features:, EPSV, MDTM, PASV, REST STREAM, SIZE, UTF8,211 End".split(",")
            )
        with connected(safe) as client:
            assert " AUTH TLS" in client.sendcmd("FEAT").splitlines()


def test_names_may_have_any_bytes() -> None:
    with FtpFaultServer() as server:
        server.publish("/Grüße/a b", b"abc")
        server.publish(b"/\xfc".decode("utf-8", "surrogateescape"), b"latin")
        with logged_in(server) as client:
            assert fetch(client, "/Grüße/a b") == b"abc"
            client.encoding = "latin-1"
            assert fetch(client, "/ü") == b"latin"


def test_users_need_their_passwords() -> None:
    with FtpFaultServer(users={"me": "a:b c"}) as server:
        server.publish("/a", b"abc")
        with logged_in(server, "me", "a:b c") as client:
            assert fetch(client, "/a") == b"abc"
        for user, password in (("me", "wrong"), ("anonymous", "")):
            with connected(server) as client:
                with pytest.raises(ftplib.error_perm, match=r"530 Login incorrect\."):
                    client.login(user, password)
                with pytest.raises(ftplib.error_perm, match="530 Please log in"):
                    client.sendcmd("SIZE /a")
        assert server.logins == [(1, "me")]


def test_every_command_is_written_down_with_its_session() -> None:
    with FtpFaultServer() as server:
        with connected(server) as one, connected(server) as two:
            one.sendcmd("USER a")
            two.sendcmd("noop")
            one.sendcmd("PASS b c")
        assert server.commands == [
            Command(1, "USER", "a"),
            Command(2, "NOOP", ""),
            Command(1, "PASS", "b c"),
        ]
        assert server.verbs(1) == ["USER", "PASS"]
        assert server.arguments("PASS") == ["b c"]
        assert (server.accepted, server.peak) == (2, 2)
        server.wait_for(lambda: server.open == 0)


def test_sessions_beyond_the_limit_get_421_until_one_has_left() -> None:
    with FtpFaultServer(limit=2) as server, contextlib.ExitStack() as stack:
        first = stack.enter_context(connected(server))
        stack.enter_context(connected(server))
        with pytest.raises(ftplib.error_temp, match="421 There are too many"), connected(server):
            pass
        assert server.refused == 1
        first.quit()
        stack.enter_context(connected(server))
        assert (server.accepted, server.refused) == (4, 1)


def test_a_gate_holds_a_session_between_two_pieces_of_data() -> None:
    with FtpFaultServer() as server:
        gate = server.gate()
        server.publish("/a", b"abcdef")
        server.on(
            "RETR",
            steps(
                begin_data(),
                send_file(until=2),
                gate,
                send_file(start=2),
                end_data(),
                reply("226 Done."),
            ),
        )
        with logged_in(server) as client, client.transfercmd("RETR /a") as conn:
            assert conn.recv(100) == b"ab"
            gate.wait_for(1)
            assert server.held == 1
            gate.open()
            assert conn.recv(100) == b"cdef"
            assert conn.recv(100) == b""
            assert client.voidresp() == "226 Done."


def test_a_transfer_can_be_aborted_and_the_session_used_again() -> None:
    with FtpFaultServer() as server:
        server.publish("/large", bytes(50_000_000))
        server.publish("/a", b"abc")
        with logged_in(server) as client:
            with client.transfercmd("RETR /large") as conn:
                conn.recv(1)
                assert client.abort() == "426 Transfer aborted."
                assert client.voidresp() == "226 ABOR done."
            assert fetch(client, "/a") == b"abc"


def test_a_held_transfer_can_be_aborted() -> None:
    with FtpFaultServer() as server, logged_in(server) as client:
        server.publish("/a", b"abc")
        server.on("RETR", steps(begin_data(), hold_data))
        with client.transfercmd("RETR /a"):
            server.wait_for(lambda: server.held == 1)
            assert client.abort() == "426 Transfer aborted."
        server.wait_for(lambda: server.held == 0)


def test_a_client_that_ends_its_data_connection_early_gets_426() -> None:
    with FtpFaultServer() as server:
        server.publish("/large", bytes(50_000_000))
        with logged_in(server) as client:
            client.transfercmd("RETR /large").close()
            with pytest.raises(ftplib.error_temp, match="426 The data connection was closed"):
                client.voidresp()
            assert client.sendcmd("NOOP") == "200 Done nothing."


def test_commands_sent_during_a_transfer_wait_for_its_end() -> None:
    with FtpFaultServer() as server:
        server.publish("/large", bytes(5_000_000))
        with logged_in(server) as client, client.transfercmd("RETR /large") as conn:
            client.putcmd("NOOP")
            while conn.recv(65536):
                pass
            assert client.getresp() == "226 Transfer complete."
            assert client.getresp() == "200 Done nothing."


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("kind", "implicit", "reused"),
    [
        (ftplib.FTP_TLS, False, False),
        (ReusingFtpTls, False, True),
        (ImplicitFtpTls, True, True),
    ],
)
def test_under_tls_it_is_known_whether_data_connections_reuse_the_session(
    version: ssl.TLSVersion, kind: type[ftplib.FTP_TLS], implicit: bool, reused: bool
) -> None:
    context = authority().client_context()
    context.minimum_version = context.maximum_version = version
    with FtpFaultServer(tls=authority().server_context(), implicit=implicit) as server:
        server.publish("/a", BODY)
        with secured(server, context, kind=kind) as client:
            assert fetch(client, "/a") == BODY
            assert fetch(client, "/a", rest=255_999) == b"\xff"
        assert [record.tls_reused for record in server.data] == [reused, reused]
        assert ("AUTH" in server.verbs()) is not implicit
        assert server.url().startswith("ftps:" if implicit else "ftp:")


def test_a_server_may_insist_on_a_reused_session() -> None:
    context = authority().client_context()
    with FtpFaultServer(tls=authority().server_context(), reuse_required=True) as server:
        server.publish("/a", b"abc")
        with secured(server, context) as client:
            assert fetch(client, "/a") == b"abc"
        with secured(server, context, kind=ftplib.FTP_TLS) as client:
            with pytest.raises(ftplib.error_perm, match="522 SSL connection failed: session reuse"):
                fetch(client, "/a")
            with pytest.raises(EOFError):
                client.getresp()


def test_a_server_may_insist_on_tls() -> None:
    with (
        FtpFaultServer(tls=authority().server_context(), tls_required=True) as server,
        connected(server) as client,
        pytest.raises(ftplib.error_perm, match="530 Sessions must use encryption"),
    ):
        client.login()


def test_data_are_in_the_clear_unless_the_client_asks_for_more() -> None:
    context = authority().client_context()
    with FtpFaultServer(tls=authority().server_context()) as server:
        server.publish("/a", b"abc")
        with secured(server, context) as client:
            client.prot_c()
            assert fetch(client, "/a") == b"abc"
        assert [record.tls_reused for record in server.data] == [None]


def test_many_clients_are_served_at_once() -> None:
    def work() -> None:
        with logged_in(server) as client:
            together.wait()
            for _ in range(5):
                bodies.append(fetch(client, "/a"))

    bodies: list[bytes] = []
    together = threading.Barrier(8)
    with FtpFaultServer() as server:
        server.publish("/a", BODY)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bodies == [BODY] * 40
        assert (server.peak, len(server.logins), len(server.data)) == (8, 8, 40)


def test_close_ends_sessions_at_once_wherever_they_are() -> None:
    with contextlib.ExitStack() as stack:
        with FtpFaultServer() as server:
            gate = server.gate()
            server.publish("/large", bytes(50_000_000))
            server.on("SIZE", gate)
            server.on("MDTM", steps(begin_data(), hold_data))
            idle, waiting, sending, passive, held = (
                stack.enter_context(logged_in(server)) for _ in range(5)
            )
            waiting.putcmd("SIZE /large")
            stack.enter_context(sending.transfercmd("RETR /large"))
            passive.sendcmd("PASV")
            passive.putcmd("RETR /large")
            stack.enter_context(held.transfercmd("MDTM /large"))
            server.wait_for(lambda: server.held == 2 and len(server.data) == 2)
        with pytest.raises(EOFError):
            idle.sendcmd("NOOP")


def test_a_script_that_fails_fails_the_test() -> None:
    def wrong(session: object, command: object) -> None:
        raise LookupError("a bug of the script")

    with pytest.raises(ExceptionGroup, match="scripts failed"), FtpFaultServer() as server:
        server.on("NOOP", wrong)
        with connected(server) as client, pytest.raises((EOFError, ConnectionError)):
            client.sendcmd("NOOP")


def test_a_script_may_be_one_of_a_list_and_call_the_good_one() -> None:
    with FtpFaultServer() as server:
        server.on("NOOP", [closing("421 Timeout."), good("NOOP")])
        with connected(server) as client, pytest.raises(ftplib.error_temp, match="421"):
            client.sendcmd("NOOP")
        with connected(server) as client:
            assert client.sendcmd("NOOP") == "200 Done nothing."
