"""One streamer over what sources list, by every way there is, and over suppliers of one's own."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from pulp_download import Download, Mirrors, Remote
from pulp_download.importer.importer import Importer
from pulp_download.importer.publication import published
from pulp_download.importer.source import Source
from pulp_download.streamer.supplier import Supplier
from tests.functional.fetch import remote_for
from tests.functional.importer.rpms import REPOMD, rpm_repository
from tests.functional.importer.stock import LIST, Stock, sums
from tests.functional.streamer.running import Streamer
from tests.servers import FaultServer, Request, authority, reply, steps, when
from tests.servers.ftp_pyftpd import PyFtpd

FILES = {f"pool/{name}": name.encode() * 2000 for name in "abc"}


def serves_all(supplier: Supplier, files: dict[str, bytes] = FILES) -> None:
    """Have the one streamer serve what is listed, from what only the supplier knows of."""
    with Streamer(supplier) as streamer:
        for path, body in files.items():
            answer = requests.get(streamer.url(f"/{path}"), timeout=10)
            assert (answer.status_code, answer.content) == (200, body)
        assert requests.get(streamer.url("/pool/unlisted"), timeout=10).status_code == 404


@pytest.mark.need("S1", "S2", "S4")
def test_https_with_a_client_certificate_and_a_bearer_token(tmp_path: Path) -> None:
    context = authority().server_context(client_certs=ssl.CERT_REQUIRED)
    client = authority().client_cert_files(tmp_path)
    tokens: list[str] = []

    def has_token(request: Request) -> bool:
        return request.headers.get("Authorization") == "Bearer a-token"

    def token() -> tuple[str, None]:
        tokens.append("a-token")
        return tokens[-1], None

    with (
        FaultServer(tls=context) as server,
        remote_for(client_cert=str(client.cert), client_key=str(client.key), token=token) as remote,
    ):
        files = {**FILES, LIST: sums(FILES)}
        for path, body in files.items():
            server.on(f"/{path}", when(has_token, reply(200, body), reply(401)))
        with published(remote, Source.parse(server.url(f"/{LIST}"))) as publication:
            serves_all(publication)
    assert len(tokens) == 1, "one for all"


@pytest.mark.need("S1", "S2")
def test_ftp(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "pool").mkdir(parents=True)
    for path, body in {**FILES, LIST: sums(FILES)}.items():
        (root / path).write_bytes(body)
    with (
        PyFtpd(root, user=("me", "pa:ss")) as ftp,
        remote_for(username="me", password="pa:ss") as remote,
        published(remote, Source.parse(ftp.url(f"/{LIST}"))) as publication,
    ):
        serves_all(publication)


@pytest.mark.need("S1", "S5")
def test_a_mirror_list_whose_first_mirror_is_dead(server: FaultServer, tmp_path: Path) -> None:
    with FaultServer() as gone:
        dead = gone.url("/")
    listed = tmp_path / "mirrors"
    manifest = tmp_path / LIST
    listed.write_text(f"{dead}\n{server.url('/')}\n")
    manifest.write_bytes(sums(FILES))
    Stock(server, FILES)
    with (
        remote_for(mirror_list=listed.as_uri(), mirror_policy="priority") as remote,
        published(remote, Source.parse(str(manifest), dead)) as publication,
    ):
        serves_all(publication)


class Renaming:
    """An importer of somebody's own: other names, other places, other expectations."""

    def __init__(self, remote: Remote, base: str):
        self.remote = remote
        self.base = base

    def get_download(self, path: str) -> Download:
        name = {"pool/a": "x", "pool/b": "y", "pool/c": "z"}[path]
        return Download(
            Mirrors([f"{self.base}gone/{name}", f"{self.base}{name}"]), remote=self.remote
        )


class Narrowed(Importer):
    """An importer that gives only a part of what it has."""

    def get_download(self, path: str) -> Download:
        if path == "pool/unlisted":
            raise KeyError(path)
        return super().get_download(path)


@pytest.mark.need("S1", "S8")
class TestCustom:
    def test_a_supplier_of_ones_own(self, server: FaultServer) -> None:
        for name, path in zip("xyz", FILES, strict=True):
            server.on(f"/{name}", reply(200, FILES[path]))
        with remote_for() as remote:
            serves_all(Renaming(remote, server.url("/")))

    def test_a_subclass_of_the_importer(self, server: FaultServer, tmp_path: Path) -> None:
        stock = Stock(server, FILES)
        with remote_for() as remote, Narrowed(remote, tmp_path / "dest") as importer:
            importer.sync(stock.url)
            (tmp_path / "dest/pool/a").unlink()
            stock.files["pool/unlisted"] = b"x"
            stock.news()
            serves_all(importer)
            assert stock.news() == ["pool/a"], "the others are there"


@pytest.mark.need("S4")
def test_two_hundred_requests_share_the_importers_connections(server: FaultServer) -> None:
    limit = 5
    files = {f"pool/{number}": b"%d" % number * 500 for number in range(200)}
    stock = Stock(server, files)
    gate = server.gate()
    server.on("/pool/0", steps(gate, reply(200, files["pool/0"])))
    with (
        remote_for(per_host=limit) as remote,
        published(remote, Source.parse(stock.url)) as publication,
        Streamer(publication, max_streams=200) as streamer,
        ThreadPoolExecutor(200) as clients,
    ):
        urls = [streamer.url(f"/{path}") for path in files]
        asked = [clients.submit(requests.get, url, timeout=30) for url in urls]
        gate.wait_for(1)
        gate.open()
        answers = [each.result() for each in asked]
    assert [answer.content for answer in answers] == list(files.values())
    assert 1 < server.peak <= limit
    assert server.accepted <= limit + 1, "connections are kept"


@pytest.mark.parametrize("is_main", [False, True])
def test_lists_have_upstreams_times_or_none_and_the_types_that_their_names_tell(
    server: FaultServer, is_main: bool
) -> None:
    stock = Stock(server, rpm_repository({"a.rpm": b"a" * 500}))
    (primary,) = (path for path in stock.files if path.endswith("primary.xml.gz"))
    monday = "Mon, 06 Jul 2026 10:00:00 GMT"
    dated = REPOMD if is_main else primary
    server.on(f"/{dated}", reply(200, stock.files[dated], headers={"Last-Modified": monday}))
    told = {}
    with (
        remote_for() as remote,
        published(remote, Source.parse(server.url(f"/{REPOMD}"))) as publication,
        Streamer(publication) as streamer,
    ):
        for path in (REPOMD, primary):
            answer = requests.get(streamer.url(f"/{path}"), timeout=10)
            assert answer.content == stock.files[path]
            fields = answer.headers
            told[path] = (fields.get("Last-Modified"), fields.get("Content-Type"))
        since = {"If-Modified-Since": monday}
        again = requests.get(streamer.url(f"/{dated}"), headers=since, timeout=10)
        assert again.status_code == 304
    assert told == {
        REPOMD: (monday if is_main else None, "text/xml"),
        primary: (None if is_main else monday, "application/gzip"),
    }
