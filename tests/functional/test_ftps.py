"""FTP under TLS: how it begins, whom it trusts, and that nothing is ever said in the clear."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pulp_download import (
    ConnectionFailed,
    InvalidSettings,
    NotAuthorized,
    ProtocolViolation,
    Remote,
    ServerFailed,
    TimedOut,
    TLSFailed,
    Truncated,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for, whole
from tests.functional.test_faults_tls import BAD_CERTIFICATES
from tests.servers import Authority, authority
from tests.servers.ftp import (
    Cut,
    FtpFaultServer,
    begin_data,
    end_data,
    good,
    hold,
    injected_tls,
    reply,
    send_file,
    steps,
    truncated,
)
from tests.servers.steps import cut

pytestmark = pytest.mark.need("I11")

LIMIT = 0.2


@pytest.fixture(params=["explicit", "implicit"])
def either_ftps(request: pytest.FixtureRequest) -> FtpFaultServer:
    """Each test with TLS by AUTH, and with TLS from the first byte on."""
    name = "ftps" if request.param == "explicit" else "implicit"
    server = request.getfixturevalue(name)
    assert isinstance(server, FtpFaultServer)
    server.publish("/f", BODY)
    return server


def tls_remote(server: FtpFaultServer, **settings: object) -> Remote:
    return remote_for(ftp_tls=not server.implicit, **settings)


# -- how it begins


def test_everything_is_under_tls_and_data_resume_the_session_of_the_control_connection(
    either_ftps: FtpFaultServer, target: Path
) -> None:
    with tls_remote(either_ftps) as remote:
        for _ in range(3):
            fetched(either_ftps.url("/f"), target, remote=remote, validations=whole(BODY))
    begin = [] if either_ftps.implicit else ["AUTH"]
    login = "USER PASS PBSZ PROT FEAT OPTS TYPE".split()
    assert either_ftps.verbs()[: len(begin) + 7] == [*begin, *login]
    assert either_ftps.arguments("PROT") == ["P"]
    assert [data.tls_reused for data in either_ftps.data] == [True, True, True]


def test_a_server_that_insists_on_a_resumed_session_is_content(target: Path) -> None:
    context = authority().server_context()
    with FtpFaultServer(tls=context, tls_required=True, reuse_required=True) as server:
        server.publish("/f", BODY)
        with remote_for(ftp_tls=True) as remote:
            for _ in range(3):
                fetched(server.url("/f"), target, remote=remote, validations=whole(BODY))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_resume_sessions(target: Path, version: ssl.TLSVersion) -> None:
    context = authority().server_context()
    context.minimum_version = context.maximum_version = version
    with FtpFaultServer(tls=context, reuse_required=True) as server:
        server.publish("/f", BODY)
        with remote_for(ftp_tls=True) as remote:
            for _ in range(2):
                fetched(server.url("/f"), target, remote=remote, validations=whole(BODY))


@pytest.mark.parametrize(
    ("scheme", "settings", "is_tls", "is_implicit"),
    [
        ("ftp", {}, False, False),
        ("ftp", {"ftp_tls": True}, True, False),
        ("ftp", {"ftp_tls": True, "ftps_mode": "implicit"}, True, False),
        ("ftps", {}, True, True),
        ("ftps", {"ftp_tls": True}, True, True),
        ("ftps", {"ftps_mode": "implicit"}, True, True),
        ("ftps", {"ftps_mode": "explicit"}, True, False),
    ],
)
def test_scheme_and_settings_say_how_tls_begins(
    target: Path, scheme: str, settings: dict[str, object], is_tls: bool, is_implicit: bool
) -> None:
    context = authority().server_context()
    with FtpFaultServer(tls=context, implicit=is_implicit) as server:
        server.publish("/f", BODY)
        fetched(server.url("/f", scheme=scheme), target, validations=whole(BODY), **settings)
        assert ("PROT" in server.verbs()) is is_tls
        assert ("AUTH" in server.verbs()) is (is_tls and not is_implicit)


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="implicit, explicit"):
        Remote(ftps_mode="both")


# -- never in the clear


@pytest.mark.fault(105)
@pytest.mark.parametrize("code", [431, 500, 502, 504, 530, 534])
def test_a_server_that_will_not_have_tls_is_told_no_name_and_no_password(
    ftp: FtpFaultServer, target: Path, code: int
) -> None:
    ftp.publish("/f", BODY)
    ftp.on("AUTH", reply(f"{code} No."))
    for scheme in ("ftp", "ftps"):
        url = ftp.url("/f", scheme=scheme, userinfo="me:secret")
        settings = {"ftp_tls": True, "ftps_mode": "explicit", "max_retries": 3}
        error = refused(TLSFailed, url, target, **settings)
        assert (error.status, error.retryable, len(error.attempts)) == (code, False, 1)
    assert ftp.verbs() == ["AUTH", "AUTH"]


@pytest.mark.fault(105)
def test_a_server_too_busy_for_tls_is_tried_again_and_not_in_the_clear(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.on("AUTH", reply("421 Busy."))
    assert refused(ServerFailed, ftp.url("/f"), target, ftp_tls=True).retryable
    assert ftp.verbs() == ["AUTH"]


@pytest.mark.fault(105)
@pytest.mark.parametrize("verb", ["PBSZ", "PROT"])
@pytest.mark.parametrize("code", [431, 500, 502, 533, 534, 536])
def test_data_in_the_clear_are_refused(
    either_ftps: FtpFaultServer, target: Path, verb: str, code: int
) -> None:
    either_ftps.on(verb, reply(f"{code} Only in the clear."))
    with tls_remote(either_ftps, max_retries=3) as remote:
        error = refused(TLSFailed, either_ftps.url("/f"), target, remote=remote)
    assert (error.status, error.retryable, len(error.attempts)) == (code, False, 1)
    assert "RETR" not in either_ftps.verbs()


@pytest.mark.fault(105)
def test_data_that_come_in_the_clear_all_the_same_are_not_taken(
    either_ftps: FtpFaultServer, target: Path
) -> None:
    either_ftps.on("PROT", reply("200 Of course."))
    with tls_remote(either_ftps) as remote:
        refused((TLSFailed, ConnectionFailed), either_ftps.url("/f"), target, remote=remote)


@pytest.mark.fault(105)
@pytest.mark.parametrize("plain", [b"230 You are in.\r\n", b"2", b"\n"])
def test_plain_bytes_behind_the_answer_to_auth_are_not_taken_for_answers_under_tls(
    ftps: FtpFaultServer, target: Path, plain: bytes
) -> None:
    ftps.on("AUTH", injected_tls(plain))
    url = ftps.url("/f", userinfo="me:secret")
    error = refused(ProtocolViolation, url, target, ftp_tls=True)
    assert "AUTH TLS" in error.reason
    assert ftps.verbs() == ["AUTH"]


@pytest.mark.fault(105)
def test_a_server_that_insists_on_tls_does_not_get_it_unasked(target: Path) -> None:
    with FtpFaultServer(tls=authority().server_context(), tls_required=True) as server:
        server.publish("/f", BODY)
        error = refused(NotAuthorized, server.url("/f"), target, max_retries=3)
        assert "encryption" in error.reason
        fetched(server.url("/f"), target, ftp_tls=True)


def test_implicit_tls_to_a_server_that_speaks_in_the_clear_has_failed_at_tls(
    ftp: FtpFaultServer, target: Path
) -> None:
    refused(TLSFailed, ftp.url("/f", scheme="ftps", userinfo="me:secret"), target)
    assert "USER" not in ftp.verbs()


# -- whom to trust, and who to be


@pytest.mark.fault(61)
@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
@pytest.mark.parametrize("is_implicit", [False, True])
def test_a_certificate_that_does_not_hold_is_refused_at_once(
    target: Path, kind: str, is_implicit: bool
) -> None:
    context, reason = BAD_CERTIFICATES[kind]
    with FtpFaultServer(tls=context(), implicit=is_implicit) as server:
        server.publish("/f", BODY)
        url = server.url("/f", userinfo="me:secret")
        error = refused(TLSFailed, url, target, ftp_tls=True, max_retries=3)
        assert reason in error.reason.lower()
        assert (error.retryable, len(error.attempts)) == (False, 1)
        assert server.arguments("USER") == []
        fetched(url, target, ftp_tls=True, tls_validation=False)


def test_the_public_authorities_are_asked_unless_others_are_set(
    either_ftps: FtpFaultServer, target: Path
) -> None:
    with tls_remote(either_ftps, ca_cert=None) as remote:
        refused(TLSFailed, either_ftps.url("/f"), target, remote=remote)
        remote.session.verify = False
        fetched(either_ftps.url("/f"), target, remote=remote)


@pytest.mark.parametrize("form", ["paths", "text", "one file"])
@pytest.mark.parametrize("is_implicit", [False, True])
def test_a_client_certificate_is_shown_on_both_connections(
    tmp_path: Path, target: Path, form: str, is_implicit: bool
) -> None:
    clients = Authority()
    files = clients.client_cert_files(tmp_path)
    given = {
        "paths": {"client_cert": str(files.cert), "client_key": str(files.key)},
        "text": {"client_cert": files.cert_pem, "client_key": files.key_pem},
        "one file": {"client_cert": str(files.both)},
    }[form]
    context = authority().server_context(client_certs=ssl.CERT_REQUIRED, client_authority=clients)
    with FtpFaultServer(tls=context, implicit=is_implicit) as server:
        server.publish("/f", BODY)
        fetched(server.url("/f"), target, ftp_tls=True, validations=whole(BODY), **given)
        error = refused((TLSFailed, ConnectionFailed), server.url("/f"), target, ftp_tls=True)
        assert error.status is None
        assert len(server.logins) == 1


# -- broken off


@pytest.mark.fault(63)
@pytest.mark.parametrize("verb", ["", "AUTH"])
def test_a_handshake_that_stalls_is_a_connect_timeout(
    ftps: FtpFaultServer, target: Path, verb: str
) -> None:
    if verb:
        ftps.on(verb, steps(reply("234 Proceed."), hold))
    else:
        ftps.on_connect(hold)
    url = ftps.url("/f", scheme="ftp" if verb else "ftps")
    error = refused(TimedOut, url, target, ftp_tls=True, connect_timeout=LIMIT)
    assert error.limit == "connect"


@pytest.mark.fault(63)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_a_handshake_that_breaks_off_is_a_lost_connection(
    ftps: FtpFaultServer, target: Path, how: Cut
) -> None:
    ftps.on("AUTH", steps(reply("234 Proceed."), cut(how)))
    assert refused(ConnectionFailed, ftps.url("/f"), target, ftp_tls=True).retryable


@pytest.mark.fault(90)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.BARE, Cut.RST])
def test_data_that_are_cut_underneath_tls_are_truncated(
    either_ftps: FtpFaultServer, target: Path, how: Cut
) -> None:
    either_ftps.on("RETR", truncated(5000, how=how))
    with tls_remote(either_ftps) as remote:
        kinds = (Truncated, ConnectionFailed)
        assert refused(kinds, either_ftps.url("/f"), target, remote=remote).retryable


@pytest.mark.fault(90)
def test_an_end_that_nobody_vouches_for_is_good_only_where_the_size_was_told(
    either_ftps: FtpFaultServer, target: Path
) -> None:
    bare = steps(begin_data(), send_file(), end_data(Cut.BARE), reply("226 Done."))
    either_ftps.on("RETR", bare)
    with tls_remote(either_ftps) as remote:
        for _ in range(2):
            fetched(either_ftps.url("/f"), target, remote=remote, validations=whole(BODY))
        assert len(either_ftps.logins) == 1
        either_ftps.on("SIZE", reply("500 What?"))
        error = refused(Truncated, either_ftps.url("/f"), target, remote=remote)
        assert (error.received, error.expected) == (len(BODY), None)
        either_ftps.on("RETR", good("RETR"))
        fetched(either_ftps.url("/f"), target, remote=remote)
