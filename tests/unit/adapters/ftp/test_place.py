"""Where an FTP URL leads to, and what its file is called there."""

from __future__ import annotations

import pytest

from pulp_download.adapters.ftp.place import path_of, place_of
from pulp_download.errors import InvalidURL, TransferError
from pulp_download.settings import FtpSettings, TLSSettings
from pulp_download.urls import URL, Credentials

ME = Credentials("me", "secret")
OURS = TLSSettings("/ours.pem")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("ftp://host/a", "a"),
        ("ftp://host/a/b", "a/b"),
        ("ftp://host/%2Fa", "/a"),
        ("ftp://host//a", "/a"),
        ("ftp://host/a%20b?c", "a b?c"),
        ("ftp://host/%C3%A9", "é"),
        ("ftp://host/%E9", "\udce9"),
        ("ftp://host/%2520", "%20"),
        ("ftps://host/a;type=i", "a"),
    ],
)
def test_a_path_is_decoded_once(url: str, path: str) -> None:
    assert path_of(URL.parse(url)) == path


@pytest.mark.parametrize("path", ["", "/", "/a/", "/a%2F", "/%2F"])
def test_a_folder_is_refused_unless_it_may_be_one(path: str) -> None:
    url = URL.parse(f"ftp://host{path}")
    with pytest.raises(TransferError, match="folder"):
        path_of(url)
    assert path_of(url, may_be_folder=True) in ("", "a/", "/")


@pytest.mark.parametrize("path", ["/%0d%0a", "/%00", "/%7f", "/a%1fb/"])
def test_a_control_character_is_refused_even_in_a_folder(path: str) -> None:
    for may_be_folder in (False, True):
        with pytest.raises(InvalidURL):
            path_of(URL.parse(f"ftp://host{path}"), may_be_folder=may_be_folder)


@pytest.mark.parametrize(
    ("url", "is_tls", "mode", "expected"),
    [
        ("ftp://host/a", False, None, (21, False, False)),
        ("ftp://host/a", True, None, (21, True, False)),
        ("ftp://host:990/a", False, None, (990, False, False)),
        ("ftp://host/a", True, "implicit", (21, True, False)),
        ("ftps://host/a", False, None, (990, True, True)),
        ("ftps://host:21/a", False, None, (21, True, False)),
        ("ftps://host:2121/a", False, None, (2121, True, True)),
        ("ftps://host:21/a", False, "implicit", (21, True, True)),
        ("ftps://host/a", False, "explicit", (990, True, False)),
    ],
)
def test_scheme_port_and_settings_say_how_tls_begins(
    url: str, is_tls: bool, mode: str | None, expected: tuple[int, bool, bool]
) -> None:
    place = place_of(URL.parse(url), ME, FtpSettings(OURS, is_tls, mode), True, None)
    assert (place.port, place.tls is not None, place.is_implicit) == expected
    assert (place.host, place.credentials) == ("host", ME)


def test_what_is_set_on_a_session_wins_over_the_settings() -> None:
    url = URL.parse("ftps://host/a")
    place = place_of(url, None, FtpSettings(OURS), "/theirs.pem", ("/cert", "/key"))
    assert place.tls == TLSSettings("/theirs.pem", "/cert", "/key")
    place = place_of(url, None, FtpSettings(OURS), False, None)
    assert place.tls == TLSSettings("/ours.pem", validation=False)


@pytest.mark.fault(100)
@pytest.mark.parametrize("who", [("me\r\nDELE a", ""), ("me", "a\nb"), ("me", "a\0b")])
def test_a_control_character_in_a_name_or_a_password_is_refused_and_not_shown(
    who: tuple[str, str],
) -> None:
    with pytest.raises(InvalidURL) as caught:
        place_of(URL.parse("ftp://host/a"), Credentials(*who), FtpSettings(), True, None)
    assert str(caught.value) == "ftp://host/a: control character in a user name or password"
