"""Who to be: Basic credentials, bearer tokens, netrc."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from requests.auth import HTTPDigestAuth

from pulp_download import auth
from pulp_download.auth import AsAskedFor, BearerAuth, Netrc, basic_auth, session_auth
from pulp_download.errors import InvalidSettings, TokenFailed
from pulp_download.settings import Settings
from pulp_download.urls import Credentials


def signed(by: requests.auth.AuthBase, url: str = "http://host/a") -> requests.PreparedRequest:
    return requests.Request("GET", url, auth=by).prepare()


def basic_value(userinfo: bytes) -> str:
    return f"Basic {base64.b64encode(userinfo).decode()}"


class Source:
    """A token source that gives out token-1, token-2 and so on, and counts."""

    def __init__(self, *answers: object, expires_at: float | None = None) -> None:
        self.asked = 0
        self._answers = answers
        self._expires_at = expires_at

    def __call__(self) -> tuple[str, float | None]:
        self.asked += 1
        if not self._answers:
            return f"token-{self.asked}", self._expires_at
        answer = self._answers[min(self.asked, len(self._answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[return-value]


# Basic.


@pytest.mark.fault(230)
@pytest.mark.parametrize(
    ("credentials", "userinfo"),
    [
        (Credentials("me", "pw"), b"me:pw"),
        (Credentials("me", "p:w@%"), b"me:p:w@%"),
        (Credentials("", ""), b":"),
        (Credentials("m\u00e4", "\u20ac"), "m\u00e4:\u20ac".encode()),
    ],
)
def test_basic_credentials_are_sent_in_utf_8(credentials: Credentials, userinfo: bytes) -> None:
    request = signed(basic_auth(credentials))
    assert request.headers["Authorization"] == basic_value(userinfo)


def test_settings_say_who_to_be() -> None:
    assert session_auth(Settings()) is None
    basic = session_auth(Settings(username="me", password="pw"))
    assert basic is not None
    assert signed(basic).headers["Authorization"] == basic_value(b"me:pw")
    bearer = session_auth(Settings(token="t0k3n"))
    assert bearer is not None
    assert signed(bearer).headers["Authorization"] == "Bearer t0k3n"


# The URL as it was asked for.


def test_escapes_stay_as_they_were_asked_for() -> None:
    url = "http://host/%7e/%2e?sig=%41%2f"
    assert signed(AsAskedFor(url, None), url).url == url
    assert "Authorization" not in signed(AsAskedFor(url, None), url).headers


def test_an_auth_object_sees_the_url_as_it_is_sent() -> None:
    url = "http://host/%7e"
    seen: list[str | None] = []

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        seen.append(request.url)
        return request

    signed(AsAskedFor(url, sign), url)
    assert seen == [url]


def test_a_pair_is_basic_credentials_as_requests_has_it() -> None:
    request = signed(AsAskedFor(None, ("me", "pw")))
    assert request.headers["Authorization"] == basic_value(b"me:pw")
    assert isinstance(AsAskedFor(None, HTTPDigestAuth("me", "pw")), AsAskedFor)


# Bearer tokens.


def test_a_token_that_is_text_is_sent_and_cannot_be_renewed() -> None:
    bearer = BearerAuth("t0k3n")
    assert signed(bearer).headers["Authorization"] == "Bearer t0k3n"
    assert not bearer.renew("Bearer t0k3n")


def test_a_source_is_asked_when_a_token_is_first_needed_and_then_not_again() -> None:
    source = Source()
    bearer = BearerAuth(source)
    assert source.asked == 0
    assert [bearer.token() for _ in range(3)] == ["token-1"] * 3
    assert source.asked == 1


@pytest.mark.fault(56)
def test_an_expired_token_is_renewed() -> None:
    source = Source(("old", time.time() - 1), ("new", time.time() + 1000))
    bearer = BearerAuth(source)
    assert bearer.token() == "old"
    assert [bearer.token() for _ in range(3)] == ["new"] * 3
    assert source.asked == 2


@pytest.mark.fault(56)
def test_a_rejected_token_is_renewed_once_for_all_who_report_it() -> None:
    source = Source()
    bearer = BearerAuth(source)
    assert bearer.token() == "token-1"
    assert bearer.renew("Bearer token-1")
    assert bearer.renew("Bearer token-1")
    assert (bearer.token(), source.asked) == ("token-2", 2)


def test_the_same_token_again_is_not_worth_another_request() -> None:
    bearer = BearerAuth(Source(("same", None)))
    bearer.token()
    assert not bearer.renew("Bearer same")


def in_threads(count: int, action: Callable[[], object]) -> list[object]:
    barrier, found = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        found.append(action())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.fault(56)
def test_many_threads_ask_the_source_once() -> None:
    source = Source()
    bearer = BearerAuth(source)
    assert in_threads(16, bearer.token) == ["token-1"] * 16
    assert in_threads(16, lambda: bearer.renew("Bearer token-1")) == [True] * 16
    assert source.asked == 2


NO_TOKENS = [
    ("", None),
    ("a b", None),
    ("a\r\nX: y", None),
    ("c4n4ry\u20ac", None),
    (b"c4n4ry", None),
    (None, None),
    ("c4n4ry", "tomorrow"),
    "c4n4ry",
    ("c4n4ry", None, None),
    None,
]


@pytest.mark.fault(234)
@pytest.mark.parametrize("answer", NO_TOKENS, ids=repr)
def test_what_is_no_token_is_a_failure_that_does_not_repeat_it(answer: object) -> None:
    bearer = BearerAuth(Source(answer))
    with pytest.raises(TokenFailed) as caught:
        bearer.token()
    error = caught.value
    assert "c4n4ry" not in f"{error}{error!r}"
    assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    assert not error.retryable


@pytest.mark.fault(234)
def test_a_source_that_raises_is_a_failure_without_its_words() -> None:
    bearer = BearerAuth(Source(ValueError("c4n4ry")))
    with pytest.raises(TokenFailed) as caught:
        bearer.token()
    assert str(caught.value) == "the token source raised ValueError"
    assert caught.value.__cause__ is None


def test_an_interrupt_is_no_failure_of_the_source() -> None:
    bearer = BearerAuth(Source(KeyboardInterrupt(), ("good", None)))
    with pytest.raises(KeyboardInterrupt):
        bearer.token()
    assert bearer.token() == "good"


@pytest.mark.fault(234)
def test_a_source_that_failed_is_left_alone_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(auth.time, "monotonic", lambda: now)  # type: ignore[attr-defined]
    source = Source(OSError(), ("good", None))
    bearer = BearerAuth(source)
    for moment in (1000.0, 1001.0, 1004.9):
        now = moment
        with pytest.raises(TokenFailed):
            bearer.token()
    assert source.asked == 1
    now = 1005.0
    assert bearer.token() == "good"


@pytest.mark.fault(234)
def test_a_source_that_fails_later_does_not_make_an_old_token_valid_again() -> None:
    source = Source(("old", time.time() - 1), ("", time.time() + 1000))
    bearer = BearerAuth(source)
    assert bearer.token() == "old"
    for _ in range(2):
        with pytest.raises(TokenFailed):
            bearer.token()


# netrc.


def netrc_file(folder: Path, text: str | bytes, mode: int = 0o600) -> str:
    file = folder / "netrc"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return str(file)


def test_netrc_says_who_to_be_at_a_host(tmp_path: Path) -> None:
    file = netrc_file(tmp_path, "machine host login me password pw\nmachine bare login you\n")
    netrc = Netrc(file)
    assert netrc.lookup("host") == ("me", "pw")
    assert netrc.lookup("bare") == ("you", "")
    assert netrc.lookup("other") is None
    assert netrc.lookup("sub.host") is None


@pytest.mark.fault(221)
def test_the_default_entry_is_for_hosts_without_one(tmp_path: Path) -> None:
    netrc = Netrc(netrc_file(tmp_path, "machine a login me password x\ndefault login d password y"))
    assert (netrc.lookup("a"), netrc.lookup("b")) == (("me", "x"), ("d", "y"))


def test_netrc_is_read_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", netrc_file(tmp_path, "default login me password pw"))
    assert Netrc(False).lookup("host") is None
    assert Netrc(True).lookup("host") == ("me", "pw")


def test_without_a_name_it_is_the_file_in_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Netrc(True).lookup("host") is None
    os.rename(netrc_file(tmp_path, "machine host login me password pw"), tmp_path / ".netrc")
    assert Netrc(True).lookup("host") == ("me", "pw")


def test_netrc_is_read_once(tmp_path: Path) -> None:
    file = netrc_file(tmp_path, "default login me password pw")
    netrc = Netrc(file)
    os.unlink(file)
    assert netrc.lookup("host") == ("me", "pw")


@pytest.mark.fault(221)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InvalidSettings, match=r"others may read .* chmod 600 it"):
        Netrc(netrc_file(tmp_path, "default login me password c4n4ry", mode))


@pytest.mark.fault(221)
@pytest.mark.parametrize(
    "text",
    ["machine host login me c4n4ry", "c4n4ry", "machine host password \xff c4n4ry", b"\xff c4n4ry"],
)
def test_a_file_that_cannot_be_parsed_is_refused_without_repeating_it(
    tmp_path: Path, text: str | bytes
) -> None:
    data = text.encode("latin-1") if isinstance(text, str) else text
    with pytest.raises(InvalidSettings, match="netrc: cannot parse") as caught:
        Netrc(netrc_file(tmp_path, data))
    assert "c4n4ry" not in f"{caught.value}{caught.value!r}"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_named_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="netrc: no file"):
        Netrc(str(tmp_path / "absent"))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(InvalidSettings, match=r"netrc: cannot read .* Is a directory"):
        Netrc(str(tmp_path / "folder"))
