"""What this package takes from other libraries without their promise, and from their private side.

When one of these fails after an upgrade, read the named module of ours before anything else: it
relies on what has changed.
"""

from __future__ import annotations

import ast
import http.client
import inspect
import queue
import ssl
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import requests
import requests.adapters
import requests.utils
import urllib3
from requests.cookies import extract_cookies_to_jar
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.proxy import connection_requires_http_tunnel
from urllib3.util.ssl_ import create_urllib3_context

from pulp_download.futures import DownloadFuture
from tests.servers import FaultServer, reply

PACKAGE = Path(__file__).parents[2] / "pulp_download"

# Private name, where it stands, the parameters we rely on, and the module of ours that does.
PRIVATE: list[tuple[Any, str, list[str], str]] = [
    (HTTPConnection, "_new_conn", ["self"], "adapters/pools.py"),
    (HTTPSConnection, "_new_conn", ["self"], "adapters/pools.py"),
    (urllib3.HTTPConnectionPool, "_get_conn", ["self", "timeout"], "adapters/pools.py"),
    (urllib3.HTTPConnectionPool, "_put_conn", ["self", "conn"], "adapters/pools.py"),
    (urllib3.HTTPConnectionPool, "_prepare_proxy", ["self", "conn"], "adapters/pools.py"),
    (urllib3.HTTPSConnectionPool, "_prepare_proxy", ["self", "conn"], "adapters/pools.py"),
    (HTTPConnection, "_tunnel", ["self"], "adapters/pools.py"),
    (threading, "_register_atexit", ["func", "arg", "kwargs"], "crew.py"),
]

TUNNEL = ("_tunnel_host", "_tunnel_port", "_tunnel_headers")

# Twisted's, which tests/unit/streamer/test_dependencies.py looks after.
TWISTED = {
    "_conn",
    "_consumerBlocked",
    "_handlingRequest",
    "_outboundStreamQueues",
    "_requestDone",
    "_tryToWriteControlData",
}

# What "concurrent.futures" keeps in every future: futures.py fills it in by itself.
FUTURE = {"_condition", "_state", "_result", "_exception", "_waiters", "_done_callbacks"}

# The same for public names whose form is promised nowhere.
PUBLIC: list[tuple[Any, str, list[str], str]] = [
    (
        requests.adapters.HTTPAdapter,
        "build_connection_pool_key_attributes",
        ["self", "request", "verify", "cert"],
        "adapters/http.py",
    ),
    (
        requests.adapters.HTTPAdapter,
        "get_connection_with_tls_context",
        ["self", "request", "verify", "proxies", "cert"],
        "adapters/http.py",
    ),
    (
        requests.adapters.HTTPAdapter,
        "init_poolmanager",
        ["self", "connections", "maxsize", "block", "pool_kwargs"],
        "adapters/http.py",
    ),
    (
        requests.adapters.HTTPAdapter,
        "proxy_manager_for",
        ["self", "proxy", "proxy_kwargs"],
        "adapters/http.py",
    ),
    (
        requests.adapters.HTTPAdapter,
        "request_url",
        ["self", "request", "proxies"],
        "adapters/http.py",
    ),
    (requests.adapters.HTTPAdapter, "build_response", ["self", "req", "resp"], "adapters/http.py"),
    (
        requests.adapters.HTTPAdapter,
        "send",
        ["self", "request", "stream", "timeout", "verify", "cert", "proxies"],
        "adapters/http.py",
    ),
    (requests.Session, "send", ["self", "request", "kwargs"], "session.py"),
]


def explain(who: str) -> str:
    versions = f"requests {requests.__version__}, urllib3 {urllib3.__version__}"
    return f"pulp_download/{who} relies on this; it is another with {versions}"


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "who"),
    PRIVATE + PUBLIC,
    ids=[f"{owner.__name__}.{name}" for owner, name, *_ in PRIVATE + PUBLIC],
)
def test_a_name_that_nobody_promised_us_is_still_there_with_its_parameters(
    owner: Any, name: str, parameters: list[str], who: str
) -> None:
    found = getattr(owner, name, None)
    assert found is not None, f"{owner.__name__}.{name} is gone: {explain(who)}"
    assert list(inspect.signature(found).parameters) == parameters, explain(who)


def test_every_private_name_that_is_used_stands_in_the_list() -> None:
    """One that is used as an attribute, and that nothing in this package defines."""
    listed = {name for _, name, *_ in PRIVATE} | {"_dns_host", *TUNNEL}  # which have tests below
    listed |= {"_exit", "_asdict"} | TWISTED  # of os and of named tuples, documented
    used: dict[str, str] = {}
    defined: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                defined.add(node.attr)
            elif isinstance(node, ast.Attribute) and not node.attr.endswith("__"):
                used[node.attr] = f"{path.relative_to(PACKAGE)}:{node.lineno}"
    foreign = {name for name in used if name.startswith("_")} - defined
    assert {"_prepare_proxy", "_register_atexit"} <= foreign
    assert not {name: used[name] for name in foreign - listed}


def test_the_hook_for_the_interpreters_end_is_called_before_threads_are_joined() -> None:
    code = """
import threading
over = threading.Event()
threading.Thread(target=over.wait).start()
threading._register_atexit(over.set)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False)
    assert done.returncode == 0, explain("crew.py")


def test_a_connection_knows_what_it_is_tunnelled_to() -> None:
    connection = HTTPSConnection("proxy", 3128)
    assert connection._tunnel_host is None, explain("adapters/pools.py")
    connection.set_tunnel("host", 443, {"Proxy-Authorization": "x"})
    tunnel = (connection._tunnel_host, connection._tunnel_port, connection._tunnel_headers)
    assert tunnel[:2] == ("host", 443), explain("adapters/pools.py")
    assert tunnel[2]["Proxy-Authorization"] == "x", explain("adapters/pools.py")


def test_a_connection_keeps_its_name_for_the_resolver_apart() -> None:
    connection = HTTPConnection("host.example.", 80)
    assert getattr(connection, "_dns_host", None) == "host.example.", explain("adapters/pools.py")
    assert connection.host == "host.example", explain("adapters/pools.py")


@pytest.mark.parametrize(
    "name", ["socket_options", "sock", "is_closed", "proxy", "connect", "close"]
)
def test_a_connection_has(name: str) -> None:
    assert hasattr(HTTPConnection("host", 80), name), explain("adapters/pools.py")


@pytest.mark.parametrize(
    "name", ["proxy", "proxy_config", "proxy_headers", "scheme", "ConnectionCls"]
)
def test_a_pool_has(name: str) -> None:
    assert hasattr(urllib3.HTTPConnectionPool("host", 80), name), explain("adapters/pools.py")


def test_a_pool_gives_out_a_connection_of_its_class_that_is_not_connected() -> None:
    class Own(HTTPConnection):
        pass

    class OwnPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Own

    with OwnPool("host", 80) as pool:
        connection = pool._get_conn()
        assert type(connection) is Own, explain("adapters/pools.py")
        assert connection.is_closed, explain("adapters/pools.py")
        pool._put_conn(connection)
        assert pool._get_conn() is connection, explain("adapters/pools.py")


def test_a_pool_keeps_idle_connections_in_a_queue_of_its_class() -> None:
    class Own(queue.LifoQueue[Any]):
        def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
            calls.append(("put", block))
            super().put(item, block, timeout)

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            calls.append(("get", block))
            return super().get(block, timeout)

    class OwnPool(urllib3.HTTPConnectionPool):
        QueueCls = Own

    calls: list[tuple[str, bool]] = []
    with OwnPool("host", 80, maxsize=2) as pool:
        assert type(pool.pool) is Own, explain("adapters/pools.py")
        assert pool.pool.maxsize == 2, explain("adapters/pools.py")
        calls.clear()
        pool._put_conn(pool._get_conn())
        assert calls[-1] == ("put", False), explain("adapters/pools.py")
    assert calls[-1] == ("get", False), explain("adapters/pools.py")  # until it is empty
    assert pool.pool is None, explain("adapters/pools.py")


def test_a_manager_makes_pools_of_the_classes_it_is_given() -> None:
    class OwnPool(urllib3.HTTPConnectionPool):
        pass

    with urllib3.PoolManager() as manager:
        manager.pool_classes_by_scheme = {"http": OwnPool}
        pool = manager.connection_from_url("http://host/")
        assert type(pool) is OwnPool, explain("adapters/http.py")


def test_the_new_socket_is_what_connect_uses() -> None:
    class Own(HTTPConnection):
        asked = 0

        def _new_conn(self) -> Any:
            self.asked += 1
            return super()._new_conn()

    with FaultServer() as server:
        server.default(reply(200, b""))
        connection = Own("127.0.0.1", server.port)
        connection.connect()
        connection.close()
        assert connection.asked == 1, explain("adapters/pools.py")


def test_whether_a_proxy_is_tunnelled_through_is_asked_of_urllib3() -> None:
    parameters = ["proxy_url", "proxy_config", "destination_scheme"]
    assert list(inspect.signature(connection_requires_http_tunnel).parameters) == parameters
    proxy = urllib3.util.parse_url("http://proxy:3128")
    assert connection_requires_http_tunnel(None, None, "https") is False
    assert connection_requires_http_tunnel(proxy, None, "http") is False
    assert connection_requires_http_tunnel(proxy, None, "https") is True


def test_a_refused_tunnel_is_told_with_its_status_in_this_text() -> None:
    source = inspect.getsource(http.client.HTTPConnection._tunnel)  # type: ignore[attr-defined]
    assert "Tunnel connection failed: {code}" in source, explain("adapters/pools.py")


def test_a_response_of_urllib3_takes_what_we_give_it() -> None:
    wanted = {
        *("body", "headers", "status", "version", "reason", "preload_content", "decode_content"),
        *("enforce_content_length", "request_method", "original_response"),
    }
    missing = wanted - set(inspect.signature(urllib3.HTTPResponse).parameters)
    assert not missing, explain("adapters/raw.py")


def test_cookies_are_taken_from_the_message_of_the_original_response() -> None:
    source = inspect.getsource(extract_cookies_to_jar)
    assert "_original_response" in source and ".msg" in source, explain("adapters/raw.py")


@pytest.mark.parametrize("name", ["read1", "tell", "release_conn", "drain_conn", "headers"])
def test_a_response_of_urllib3_has(name: str) -> None:
    response = urllib3.HTTPResponse(body=b"")
    assert hasattr(response, name), explain("adapters/answer.py and adapters/raw.py")


def test_a_tls_socket_can_be_told_not_to_hide_a_cut() -> None:
    assert "suppress_ragged_eofs" in inspect.getsource(ssl.SSLSocket.read), explain(
        "adapters/pools.py"
    )


def test_a_context_of_urllib3_checks_and_hides_cuts_until_told_otherwise() -> None:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname, explain("tls.py")
    assert hasattr(ssl, "OP_IGNORE_UNEXPECTED_EOF"), explain("tls.py")


def test_requests_names_a_bundle_of_authorities() -> None:
    assert Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).is_file(), explain("tls.py")


def test_requests_looks_ahead_at_redirects_by_this_name() -> None:
    assert "yield_requests=True" in inspect.getsource(requests.Session.send), explain("session.py")
    parameters = inspect.signature(requests.Session.resolve_redirects).parameters
    assert "yield_requests" in parameters, explain("session.py")


def test_requests_leaves_a_url_alone_that_is_put_into_a_prepared_request() -> None:
    prepared = requests.Request("GET", "http://host/%7e").prepare()
    prepared.url = "http://host/%7e%2E"
    adapter = requests.adapters.HTTPAdapter()
    assert adapter.request_url(prepared, {}) == "/%7e%2E", explain("remote.py")
    adapter.close()


def test_a_timeout_of_urllib3_passes_through_requests_as_it_is() -> None:
    assert "TimeoutSauce" in inspect.getsource(requests.adapters.HTTPAdapter.send)
    timeout = urllib3.Timeout(connect=1, read=2)
    assert requests.adapters.TimeoutSauce is urllib3.Timeout, explain("adapters/http.py")
    assert (timeout.connect_timeout, timeout.read_timeout) == (1, 2), explain("adapters/http.py")


def test_a_future_consists_of_what_ours_is_filled_with() -> None:
    pending: Future[None] = Future()
    assert vars(pending).keys() == FUTURE
    assert type(pending._condition) is type(DownloadFuture._condition)
    pending.set_result(None)
    assert pending._state == DownloadFuture._state
