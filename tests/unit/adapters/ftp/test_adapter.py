"""What the FTP adapter makes of a request, before anything is connected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from requests.exceptions import InvalidHeader

from pulp_download.adapters.ftp.adapter import FtpAdapter
from pulp_download.adapters.http import HttpAdapter
from pulp_download.errors import NotFound, ProxyFailed
from pulp_download.settings import FtpSettings, TLSSettings
from pulp_download.watchdog import watchdog
from tests.servers.ftp import FtpFaultServer

BODY = bytes(range(256)) * 40


@pytest.fixture
def adapter() -> Iterator[FtpAdapter]:
    http = HttpAdapter(TLSSettings())
    adapter = FtpAdapter(FtpSettings(), http)
    yield adapter
    adapter.close()
    http.close()
    watchdog.rest()


def request(url: str, method: str = "GET", **fields: str) -> requests.PreparedRequest:
    return requests.Request(method, url, headers=fields).prepare()


@pytest.mark.parametrize(
    ("authorization", "who"),
    [
        (None, None),
        ("", None),
        ("Bearer bWU6c2VjcmV0", None),
        ("Basic bWU6c2VjcmV0", ("me", "secret")),
        ("basic bWU6c2VjcmV0", ("me", "secret")),
        ("Basic bWU6YTpiOmM=", ("me", "a:b:c")),
        ("Basic bWU=", ("me", "")),
        ("Basic 0Y86w7w=", ("я", "ü")),
        ("Basic bWU6/w==", ("me", "\ufffd")),
    ],
)
def test_who_to_be_is_read_from_basic_credentials_only(
    adapter: FtpAdapter, authorization: str | None, who: tuple[str, str] | None
) -> None:
    fields = {} if authorization is None else {"Authorization": authorization}
    asked = request("ftp://host/f", **fields)
    assert adapter.get_username_password_from_header(asked) == who


@pytest.mark.parametrize("value", ["Basic !", "Basic bWU6c2VjcmV0A", "Basic bWU6c2Vj cmV0"])
def test_basic_credentials_that_are_none_are_refused_and_not_shown(
    adapter: FtpAdapter, value: str
) -> None:
    with pytest.raises(InvalidHeader) as caught:
        adapter.get_username_password_from_header(request("ftp://host/f", Authorization=value))
    assert value.split()[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("ftps://127.0.0.1/f", "http://127.0.0.1:1"),
        ("ftps://127.0.0.1/f", "127.0.0.1:1"),
        ("ftp://127.0.0.1/f", "socks5://127.0.0.1:1"),
        ("ftp://127.0.0.1/f", "ftp://127.0.0.1:1"),
    ],
)
def test_what_goes_through_no_proxy_is_refused_for_good(
    adapter: FtpAdapter, url: str, proxy: str
) -> None:
    with pytest.raises(ProxyFailed) as caught:
        adapter.send(request(url), proxies={"all": proxy})
    assert not caught.value.retryable


def test_an_adapter_works_without_a_session_of_ours(
    adapter: FtpAdapter, ftp_server: FtpFaultServer
) -> None:
    ftp_server.publish("/f", BODY)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("ftp://", adapter)
        assert session.get(ftp_server.url("/f"), timeout=5).content == BODY
        assert session.head(ftp_server.url("/f")).headers["Content-Length"] == "10240"
        with pytest.raises(NotFound):
            session.get(ftp_server.url("/absent"))
        adapter.renew()
        ftp_server.wait_for(lambda: ftp_server.open == 0)
        assert session.get(ftp_server.url("/f")).content == BODY
    assert len(ftp_server.logins) == 2
