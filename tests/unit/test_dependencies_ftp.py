"""What ``adapters/ftp`` takes from requests-ftp and from ``ftplib`` without their promise."""

from __future__ import annotations

import ftplib
import importlib
import inspect
import socket
import ssl
import warnings
from typing import Any

import pytest
import requests
import requests.adapters


def explain_ftp(who: str) -> str:
    return f"pulp_download/adapters/ftp/{who} relies on this"


@pytest.fixture(scope="module")
def ftp_adapter() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports cgi
        return importlib.import_module("requests_ftp.ftp").FTPAdapter


def test_requests_ftp_has_an_adapter_with_a_table_of_verbs(ftp_adapter: Any) -> None:
    assert issubclass(ftp_adapter, requests.adapters.BaseAdapter), explain_ftp("verbs.py")
    table = ftp_adapter().func_table
    assert {"LIST", "NLST", "RETR", "SIZE", "STOR"} <= table.keys(), explain_ftp("verbs.py")
    for name in ("LIST", "NLST", "RETR", "SIZE"):
        parameters = list(inspect.signature(table[name]).parameters)
        assert parameters == ["path", "request"], explain_ftp("verbs.py")


def test_requests_ftp_takes_its_connection_from_an_attribute(ftp_adapter: Any) -> None:
    """Its verbs are called with a property in the attribute's place; ``size`` is overridden."""
    for name in ("list", "nlst", "retr"):
        assert "self.conn." in inspect.getsource(getattr(ftp_adapter, name)), explain_ftp(
            "verbs.py"
        )
    assert "conn" not in vars(ftp_adapter())


def test_requests_ftp_binds_its_verbs_when_it_is_made(ftp_adapter: Any) -> None:
    class Own(ftp_adapter):  # type: ignore[misc]
        def size(self, path: str, request: Any) -> str:
            return "ours"

    assert Own().func_table["SIZE"]("f", None) == "ours", explain_ftp("verbs.py")


def test_requests_ftp_has_this_name_for_who_to_be(ftp_adapter: Any) -> None:
    found = ftp_adapter.get_username_password_from_header
    assert list(inspect.signature(found).parameters) == ["self", "request"], explain_ftp(
        "adapter.py"
    )


def test_requests_ftp_stores_nothing_with_python_3(ftp_adapter: Any) -> None:
    """When this fails, STOR may come back."""
    asked = requests.Request("STOR", "ftp://host/f", files={"f": b"x"}).prepare()
    with pytest.raises(AttributeError):
        ftp_adapter().func_table["STOR"]("f", asked)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("putcmd", ["self", "line"]),
        ("getline", ["self"]),
        ("getmultiline", ["self"]),
        ("makepasv", ["self"]),
        ("ntransfercmd", ["self", "cmd", "rest"]),
        ("close", ["self"]),
    ],
)
def test_ftplib_has_what_is_overridden(name: str, parameters: list[str]) -> None:
    found = getattr(ftplib.FTP, name)
    assert list(inspect.signature(found).parameters) == parameters, explain_ftp("dialogue.py")


def test_ftplib_speaks_by_what_is_overridden_and_by_nothing_else() -> None:
    for name in ("sendcmd", "voidcmd"):
        assert "self.putcmd(" in inspect.getsource(getattr(ftplib.FTP, name))
    assert "self.getmultiline()" in inspect.getsource(ftplib.FTP.getresp)
    assert "self.ntransfercmd(" in inspect.getsource(ftplib.FTP.transfercmd)
    retrbinary = inspect.getsource(ftplib.FTP.retrbinary)
    assert "with self.transfercmd(" in retrbinary, explain_ftp("transfer.py")
    assert ".recv(blocksize)" in retrbinary, explain_ftp("transfer.py")


def test_ftplib_that_was_given_no_host_is_not_connected_and_has_these_attributes() -> None:
    client = ftplib.FTP()
    assert client.sock is None, explain_ftp("control.py")
    for name in ("welcome", "host", "port"):
        assert hasattr(client, name), explain_ftp("control.py")
    here, there = socket.socketpair()
    with there:
        client.sock = here
        client.close()
        assert (client.sock, here.fileno()) == (None, -1), explain_ftp("control.py")


def test_ftplib_reads_places_of_data() -> None:
    assert ftplib.parse227("227 (127,0,0,1,4,1).") == ("127.0.0.1", 1025)
    assert ftplib.parse229("229 (|||1025|)", ("::1", 21)) == ("::1", 1025)
    for text in ("227 nope", "227"):
        with pytest.raises(ftplib.Error):
            ftplib.parse227(text)
    for text in ("229 nope", "229 (", "229 (|||1|", "229 (|||1!)"):
        with pytest.raises(ftplib.Error):
            ftplib.parse229(text, ("::1", 21))


def test_errors_of_ftplib_are_the_replies_themselves() -> None:
    with pytest.raises(ftplib.Error, match=r"^550 No$"):
        raise ftplib.error_perm("550 No")
    for kind in (ftplib.error_reply, ftplib.error_temp, ftplib.error_perm, ftplib.error_proto):
        assert issubclass(kind, ftplib.Error), explain_ftp("verbs.py")


def test_a_tls_socket_takes_the_session_of_another() -> None:
    parameters = inspect.signature(ssl.SSLContext.wrap_socket).parameters
    assert {"session", "server_hostname", "suppress_ragged_eofs"} <= parameters.keys()
