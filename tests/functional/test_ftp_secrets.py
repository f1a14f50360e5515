"""Who one is at an FTP server, and what it and others never get to know."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pulp_download import Download, InvalidURL, MemoryWriter, NotAuthorized, UnsafeRedirect
from tests.functional.asking import basic, fetched, one_try
from tests.functional.fetch import BODY, refused
from tests.servers import FaultServer, redirect
from tests.servers.ftp import FtpFaultServer

PASSWORDS = ["secret", "with:colons:in it", "пароль ☃ ü", "%41/?#@", " ", ""]


@pytest.fixture(autouse=True)
def _published(ftp: FtpFaultServer) -> None:
    ftp.publish("/f", BODY)


@pytest.fixture
def asked(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, all of it."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def said(server: FtpFaultServer) -> tuple[list[str], list[str]]:
    return server.arguments("USER"), server.arguments("PASS")


# -- who


def test_nobody_in_particular_is_anonymous(ftp: FtpFaultServer) -> None:
    assert fetched(ftp.url("/f")) == BODY
    assert said(ftp) == (["anonymous"], ["anonymous@"])


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_of_the_settings_goes_out_as_it_is(ftp: FtpFaultServer, password: str) -> None:
    with one_try(username="mé@host", password=password) as remote:
        assert fetched(ftp.url("/f"), remote) == BODY
        assert remote.session.get(ftp.url("/f")).content == BODY
    assert said(ftp) == (["mé@host"], [password])


@pytest.mark.fault(230)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_of_a_url_is_decoded_once_and_wins(ftp: FtpFaultServer, password: str) -> None:
    userinfo = f"m%C3%A9%40host:{quote(password, safe='')}"
    with one_try(username="you", password="other") as remote:
        download = Download(ftp.url("/f", userinfo=userinfo), MemoryWriter(), remote=remote)
        result = download.run()
    assert said(ftp) == (["mé@host"], [password])
    assert (download.source, result.final_url) == (ftp.url("/f"), ftp.url("/f"))


def test_basic_credentials_that_a_session_has_are_used(ftp: FtpFaultServer) -> None:
    with one_try() as remote:
        remote.session.auth = ("me", "a:b")
        assert fetched(ftp.url("/f"), remote) == BODY
        assert remote.session.get(ftp.url("/f"), auth=("you", "c:d")).content == BODY
    assert said(ftp) == (["me", "you"], ["a:b", "c:d"])


@pytest.mark.fault(221)
def test_netrc_is_asked_only_if_that_is_set(
    ftp: FtpFaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password a:b\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    fetched(ftp.url("/f"))
    with one_try(netrc=True) as remote:
        fetched(ftp.url("/f"), remote)
        fetched(ftp.url("/f", userinfo="you:other"), remote)
    assert said(ftp) == (["anonymous", "me", "you"], ["anonymous@", "a:b", "other"])


# -- control characters


CONTROLS = ["%0d%0aDELE x", "%0a", "%0d", "%00", "%1b", "%7f", "%09"]


@pytest.mark.fault(100)
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("path", ["/f{}", "/{}f", "/a/{}/f", "/%2F{}", "/f?{}"])
def test_a_control_character_in_a_path_is_refused_before_connecting(
    ftp: FtpFaultServer, target: Path, path: str, control: str
) -> None:
    error = refused(InvalidURL, ftp.url(path.format(control)), target, max_retries=3)
    assert "control character" in error.reason
    assert (len(error.attempts), ftp.accepted) == (1, 0)


@pytest.mark.fault(100)
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("userinfo", ["me{}:secret", "me:secret{}", "{}", "me:{}"])
def test_a_control_character_in_credentials_is_refused_before_connecting(
    ftp: FtpFaultServer, target: Path, userinfo: str, control: str
) -> None:
    url = ftp.url("/f", userinfo=userinfo.format(quote(control, safe="%")))
    error = refused(InvalidURL, url, target, max_retries=3)
    assert (len(error.attempts), ftp.accepted) == (1, 0)
    assert "secret" not in f"{error} {error!r} {vars(error)}"


@pytest.mark.fault(100)
@pytest.mark.parametrize("control", ["\r\n", "\0", "\x1b"])
def test_a_control_character_in_the_settings_is_refused_before_connecting(
    ftp: FtpFaultServer, target: Path, control: str
) -> None:
    with pytest.raises(ValueError), one_try(username="me", password=f"a{control}b") as remote:
        fetched(ftp.url("/f"), remote)
    assert ftp.accepted == 0


# -- what is not for FTP


def never() -> tuple[str, None]:
    raise AssertionError("asked for a token")


@pytest.mark.fault(107)
@pytest.mark.parametrize("token", ["S3CRET", never])
def test_a_bearer_token_is_neither_sent_nor_asked_for(ftp: FtpFaultServer, token: Any) -> None:
    with one_try(token=token) as remote:
        assert fetched(ftp.url("/f"), remote) == BODY
    assert said(ftp) == (["anonymous"], ["anonymous@"])
    assert not [one for one in ftp.commands if "S3CRET" in one.argument]


def test_credentials_of_a_url_go_along_beside_a_token(ftp: FtpFaultServer) -> None:
    with one_try(token=never) as remote:
        assert fetched(ftp.url("/f", userinfo="me:mine"), remote) == BODY
    assert said(ftp) == (["me"], ["mine"])


@pytest.mark.parametrize("value", ["Bearer S3CRET", basic("me", "S3CRET"), "S3CRET"])
@pytest.mark.parametrize("where", ["settings", "download", "session"])
def test_configured_headers_are_never_applied(ftp: FtpFaultServer, value: str, where: str) -> None:
    fields = {"Authorization": value, "X-Auth": "S3CRET"}
    with one_try(headers=fields if where == "settings" else {}) as remote:
        if where == "session":
            remote.session.headers.update(fields)
        headers = fields if where == "download" else {}
        assert fetched(ftp.url("/f"), remote, headers=headers) == BODY
    assert said(ftp) == (["anonymous"], ["anonymous@"])
    assert not [one for one in ftp.commands if "S3CRET" in one.argument]


@pytest.mark.fault(106)
@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
@pytest.mark.parametrize("is_trusted", [False, True])
def test_a_redirect_does_not_lead_to_ftp(
    server: FaultServer, ftp: FtpFaultServer, target: Path, scheme: str, is_trusted: bool
) -> None:
    there = ftp.url("/f", scheme=scheme)
    server.default(redirect(there))
    refused(
        UnsafeRedirect,
        server.url("/f"),
        target,
        username="me",
        password="S3CRET",
        trusted_origins=[there] if is_trusted else [],
    )
    assert ftp.accepted == 0


# -- what is not told


@pytest.mark.fault(230)
def test_no_error_and_no_log_tells_a_password(
    ftp: FtpFaultServer, target: Path, asked: pytest.LogCaptureFixture
) -> None:
    secret = "S3CRET"
    with FtpFaultServer(users={"me": "other"}) as server:
        url = server.url("/f?token=T0KEN", userinfo=f"me:{secret}")
        error = refused(NotAuthorized, url, target, max_retries=3)
        shown = f"{error} {error!r} {vars(error)} {error.__cause__!r} {error.__context__!r}"
        download = Download(url, MemoryWriter())
        shown += f"{download!r} {download.url!r} {download.source}"
        assert server.arguments("PASS") == [secret]
    assert secret not in shown
    assert secret not in asked.text
    assert "T0KEN" not in asked.text


@pytest.mark.fault(230)
def test_no_log_of_a_good_run_tells_a_password(
    ftp: FtpFaultServer, target: Path, asked: pytest.LogCaptureFixture
) -> None:
    with one_try(username="me", password="S3CRET") as remote:
        result = Download(ftp.url("/f"), target, remote=remote).run()
        shown = f"{result!r} {remote!r} {remote.session.get_adapter(ftp.url('/f'))!r}"
    assert "S3CRET" not in shown + asked.text
