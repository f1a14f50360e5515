"""One streamer, unchanged, over importers of every kind: it knows nothing of what they do."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from pulp_download import Download, Mirror, Mirrors, Remote
from pulp_download.importer.importer import Importer
from tests.functional.streamer.running import Shelf, Streamer, get, listed, parted
from tests.servers import Cut, FaultServer, Request, authority, cut, reply, steps, when
from tests.servers.ftp import FtpFaultServer

BODY = bytes(range(256)) * 1024
SUMS = f"{hashlib.sha256(BODY).hexdigest()}  pool/file\n".encode()


@contextmanager
def importing(
    remote: Remote, destination: Path, source: str, kind: type[Importer] = Importer
) -> Iterator[Importer]:
    """An importer that knows what is listed, and has had its file taken away."""
    with remote, kind(remote, destination) as importer:
        importer.sync(source)
        (destination / "pool/file").unlink()
        yield importer


def streamed(supplier: Any) -> bytes:
    with Streamer(supplier) as streamer:
        answer = requests.get(streamer.url("/pool/file"), timeout=10)
        assert answer.status_code == 200, answer.text
        assert parted(streamer.exchange(get("/pool/other")))[0] == 404
    return answer.content


def publish(server: FaultServer, *, only_for: Any = lambda request: True) -> str:
    for path, body in (("/SHA256SUMS", SUMS), ("/pool/file", BODY)):
        server.on(path, when(only_for, reply(200, body), reply(403)))
    return server.url("/SHA256SUMS")


@pytest.mark.need("S1", "S2", "S4", "S8")
def test_https_with_a_client_certificate_and_a_bearer_token(tmp_path: Path) -> None:
    files = authority().client_cert_files(tmp_path)
    context = authority().server_context(client_certs=ssl.CERT_REQUIRED)

    def is_known(request: Request) -> bool:
        return request.headers.get("Authorization") == "Bearer s3cret"

    with FaultServer(tls=context) as upstream:
        remote = Remote(
            ca_cert=authority().pem,
            client_cert=files.cert_pem,
            client_key=files.key_pem,
            token=lambda: ("s3cret", None),
        )
        source = publish(upstream, only_for=is_known)
        with importing(remote, tmp_path / "dest", source) as importer:
            assert streamed(importer) == BODY
            assert all(request.client_certificate for request in upstream.requests)


@pytest.mark.need("S1", "S2")
def test_ftp(ftp: FtpFaultServer, tmp_path: Path) -> None:
    ftp.publish("/SHA256SUMS", SUMS)
    ftp.publish("/pool/file", BODY)
    with importing(Remote(), tmp_path / "dest", ftp.url("/SHA256SUMS")) as importer:
        assert streamed(importer) == BODY


@pytest.mark.need("S1", "S5")
def test_a_mirror_list_whose_first_mirror_is_dead(server: FaultServer) -> None:
    publish(server)
    with FaultServer() as dead, FaultServer() as lists:  # so that neither mirror is known yet
        dead.on_accept(cut(Cut.RST))
        lists.on("/mirrors", reply(200, f"{dead.url()}\n{server.url()}\n".encode()))
        with Remote(mirror_list=lists.url("/mirrors"), max_retries=0) as remote:
            shelf = Shelf(remote)
            shelf.put("pool/file", "pool/file", BODY)
            assert streamed(shelf) == BODY
        assert dead.accepted == 1


class ByTwoNames(Importer):
    """An importer with ways of its own: files are asked for at a place that it alone knows."""

    place = ""

    def get_download(self, path: str) -> Download:
        listed = super().get_download(path)
        return Download(
            Mirrors([Mirror(self.place + path)]),
            validations=listed.validations,
            remote=self.remote,
            headers={"X-Asked-By": "an importer"},
        )


@pytest.mark.need("S1", "S8")
def test_a_subclass_with_logic_of_its_own(server: FaultServer, tmp_path: Path) -> None:
    source = publish(server)
    server.on("/secret/pool/file", reply(200, BODY))
    with importing(Remote(), tmp_path / "dest", source, ByTwoNames) as importer:
        ByTwoNames.place = server.url("/secret/")
        assert streamed(importer) == BODY
    (request,) = server.requests_to("/secret/pool/file")
    assert request.headers["X-Asked-By"] == "an importer"


class Unpacked(Download):
    """A download with a way of its own to open."""

    def iter_content(self, *arguments: Any, **options: Any) -> Any:
        opened.append(threading.current_thread().name)
        return super().iter_content(*arguments, **options)


opened: list[str] = []


@pytest.mark.need("S1", "S8")
def test_a_download_that_opens_in_a_way_of_its_own(server: FaultServer, shelf: Shelf) -> None:
    opened.clear()
    server.on("/f", reply(200, BODY))
    shelf.get_download = lambda path: Unpacked(  # type: ignore[method-assign]
        server.url("/f"), remote=shelf.remote
    )
    with Streamer(shelf) as streamer:
        assert streamer.exchange(get("/f")).endswith(BODY)
    assert len(opened) == 1


@pytest.mark.need("S4")
@pytest.mark.fault(211)
def test_upstreams_that_do_not_answer_take_no_threads(server: FaultServer, shelf: Shelf) -> None:
    gate = server.gate()
    listed(server, shelf, "silent", BODY, steps(gate, reply(200, BODY)))
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf, threads=1) as streamer, ThreadPoolExecutor(10) as clients:
        answers = [clients.submit(streamer.exchange, get("/silent")) for _ in range(10)]
        gate.wait_for(10)
        assert streamer.exchange(get("/f")).endswith(BODY)
        gate.open()
        assert all(answer.result().endswith(BODY) for answer in answers)


@pytest.mark.need("S4", "S5")
def test_streams_that_wait_for_a_place_at_their_host_take_no_threads(server: FaultServer) -> None:
    gate = server.gate()
    with Remote(max_retries=0, per_host=2) as remote, FaultServer() as other:
        shelf = Shelf(remote)
        listed(server, shelf, "f", BODY, steps(gate, reply(200, BODY)))
        listed(other, shelf, "other", BODY, reply(200, BODY))
        with Streamer(shelf, threads=2) as streamer, ThreadPoolExecutor(20) as clients:
            answers = [clients.submit(streamer.exchange, get("/f")) for _ in range(20)]
            gate.wait_for(2)
            assert streamer.exchange(get("/other")).endswith(BODY)
            gate.open()
            assert all(answer.result(30).endswith(BODY) for answer in answers)
    assert server.peak <= 2


@pytest.mark.need("S1", "S8")
def test_a_supplier_that_blocks_holds_up_no_other(server: FaultServer, shelf: Shelf) -> None:
    def slowly(path: str) -> Download:
        if path == "slow":
            assert is_served.wait(10)
        return find("f")

    is_served, find = threading.Event(), shelf.get_download
    listed(server, shelf, "f", BODY, reply(200, BODY))
    shelf.get_download = slowly  # type: ignore[method-assign]
    with Streamer(shelf) as streamer, ThreadPoolExecutor(1) as clients:
        slow = clients.submit(streamer.exchange, get("/slow"))
        assert streamer.exchange(get("/f")).endswith(BODY)
        is_served.set()
        assert slow.result().endswith(BODY)


@pytest.mark.need("S4")
@pytest.mark.fault(211)
def test_many_requests_share_the_importers_connections(server: FaultServer) -> None:
    gate = server.gate()
    with Remote(max_retries=0, per_host=4) as remote:
        shelf = Shelf(remote)
        listed(server, shelf, "f", BODY, steps(gate, reply(200, BODY)))
        with (
            Streamer(shelf, max_streams=200) as streamer,
            ThreadPoolExecutor(50) as clients,
        ):
            answers = [clients.submit(streamer.exchange, get("/f")) for _ in range(200)]
            gate.wait_for(4)
            gate.open()
            assert all(answer.result().endswith(BODY) for answer in answers)
    assert len(server.requests) == 200
    assert server.accepted == server.peak <= 4
