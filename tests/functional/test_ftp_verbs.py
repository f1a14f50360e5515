"""The verbs of requests-ftp on a remote's session: what is no download, on the same pool."""

from __future__ import annotations

import pytest

from pulp_download import (
    Download,
    InvalidURL,
    MemoryWriter,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    Remote,
    ServerFailed,
    TimedOut,
    TransferError,
)
from tests.functional.fetch import BODY, remote_for
from tests.functional.test_faults_sizes import little_memory
from tests.servers.ftp import (
    FtpFaultServer,
    begin_data,
    dripped,
    end_data,
    hold,
    hold_data,
    reply,
    send_data,
    steps,
)

pytestmark = pytest.mark.need("I11")

LISTING = b"-rw-r--r-- 1 ftp ftp 10240 Nov 04 05:06 f\r\n"
LIMIT = 0.3


@pytest.fixture(params=["plain", "explicit", "implicit"])
def any_ftp(request: pytest.FixtureRequest) -> FtpFaultServer:
    """Each test without TLS and with both kinds of it."""
    name = {"plain": "ftp", "explicit": "ftps"}.get(request.param, "implicit")
    server = request.getfixturevalue(name)
    assert isinstance(server, FtpFaultServer)
    return _with_verbs(server)


@pytest.fixture
def plain(ftp: FtpFaultServer) -> FtpFaultServer:
    return _with_verbs(ftp)


def _with_verbs(server: FtpFaultServer) -> FtpFaultServer:
    server.publish("/pool/f", BODY)
    server.on("LIST", steps(begin_data(), send_data(LISTING), end_data(), reply("226 Done.")))
    server.on("NLST", steps(begin_data(), send_data(b"f\r\n"), end_data(), reply("226 Done.")))
    return server


def remote_of(server: FtpFaultServer, **settings: object) -> Remote:
    explicit = server._house.tls is not None and not server.implicit
    return remote_for(ftp_tls=explicit, **settings)


@pytest.mark.parametrize(("verb", "body"), [("LIST", LISTING), ("NLST", b"f\r\n")])
@pytest.mark.parametrize("path", ["/pool/", "/pool", "/%2Fpool"])
def test_a_folder_is_listed(any_ftp: FtpFaultServer, verb: str, body: bytes, path: str) -> None:
    with remote_of(any_ftp) as remote:
        answer = remote.session.request(verb, any_ftp.url(path))
        assert (answer.status_code, answer.content) == (226, body)
    assert any_ftp.arguments("CWD")[0].strip("/") == "pool"


def test_the_folder_one_is_in_is_listed(plain: FtpFaultServer) -> None:
    with remote_for() as remote:
        assert remote.session.request("LIST", plain.url("/")).content == LISTING


def test_a_file_is_retrieved_whole(any_ftp: FtpFaultServer) -> None:
    with remote_of(any_ftp) as remote:
        answer = remote.session.request("RETR", any_ftp.url("/pool/f"))
        assert (answer.status_code, answer.content) == (226, BODY)
        assert answer.headers["Content-Length"] == "10240"


def test_the_size_of_a_file_is_told_and_takes_no_room(any_ftp: FtpFaultServer) -> None:
    any_ftp.on("SIZE", reply("213 1000000000000"))
    with remote_of(any_ftp) as remote, little_memory(4_000_000):
        answer = remote.session.request("SIZE", any_ftp.url("/pool/f"))
        assert answer.status_code == 213
        assert answer.headers["Content-Length"] == "1000000000000"
        assert answer.text == "1000000000000"


@pytest.mark.parametrize("text", ["213 abc", "213 -5", "213"])
def test_a_size_that_is_none_is_refused(plain: FtpFaultServer, text: str) -> None:
    plain.on("SIZE", reply(text))
    with remote_for() as remote, pytest.raises(ProtocolViolation):
        remote.session.request("SIZE", plain.url("/pool/f"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("550 No such folder.", NotFound),
        ("550 Permission denied.", NotAuthorized),
        ("450 Busy.", ServerFailed),
        ("999 What?", ProtocolViolation),
        ("150 Not now.", ProtocolViolation),
    ],
)
@pytest.mark.parametrize("verb", ["LIST", "SIZE"])
def test_refusals_are_errors_of_ours(
    plain: FtpFaultServer, verb: str, text: str, kind: type[TransferError]
) -> None:
    plain.on("CWD", reply(text))
    plain.on("SIZE", reply(text))
    with remote_for() as remote:
        with pytest.raises(TransferError) as caught:
            remote.session.request(verb, plain.url("/pool"))
        assert type(caught.value) is kind
        plain.wait_for(lambda: plain.open == 0)


def test_a_verb_that_is_none_is_refused_before_connecting(plain: FtpFaultServer) -> None:
    with remote_for() as remote, pytest.raises(TransferError, match="no verb"):
        remote.session.request("POST", plain.url("/pool/f"), data=b"x")
    assert plain.accepted == 0


def test_a_control_character_is_refused_before_connecting(plain: FtpFaultServer) -> None:
    with remote_for() as remote, pytest.raises(InvalidURL):
        remote.session.request("LIST", plain.url("/pool%0d%0aDELE f"))
    assert plain.accepted == 0


def test_a_file_cannot_be_stored(plain: FtpFaultServer) -> None:
    """What requests-ftp has for it does not work with Python 3."""
    with remote_for() as remote, pytest.raises(TransferError, match="no verb"):
        remote.session.request("STOR", plain.url("/pool/g"), files={"g": b"x"})
    assert plain.accepted == 0


def test_verbs_take_an_idle_connection_and_close_it(plain: FtpFaultServer) -> None:
    with remote_for() as remote:
        Download(plain.url("/pool/f"), MemoryWriter(), remote=remote).run()
        remote.session.request("LIST", plain.url("/pool"))
        plain.wait_for(lambda: plain.open == 0)
        assert len(plain.logins) == 1
        Download(plain.url("/pool/f"), MemoryWriter(), remote=remote).run()
    assert len(plain.logins) == 2


def test_a_listing_that_stalls_is_out_of_time(any_ftp: FtpFaultServer) -> None:
    any_ftp.on("LIST", steps(begin_data(), send_data(LISTING), hold_data))
    with remote_of(any_ftp) as remote, pytest.raises(TimedOut) as caught:
        remote.session.request("LIST", any_ftp.url("/pool"), timeout=(5, LIMIT))
    assert (caught.value.limit, caught.value.seconds) == ("read", LIMIT)
    any_ftp.wait_for(lambda: any_ftp.open == 0)


def test_an_answer_that_does_not_come_is_out_of_time(plain: FtpFaultServer) -> None:
    plain.on("CWD", hold)
    with remote_for() as remote, pytest.raises(TimedOut):
        remote.session.request("LIST", plain.url("/pool"), timeout=LIMIT)


def test_a_long_transfer_is_not_out_of_time(plain: FtpFaultServer) -> None:
    plain.on("RETR", dripped(every=LIMIT / 3, size=len(BODY) // 5))
    with remote_for() as remote:
        answer = remote.session.request("RETR", plain.url("/pool/f"), timeout=LIMIT)
        assert answer.content == BODY
