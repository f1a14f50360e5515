"""What an importer needs, in its own words (DESIGN: I1 to I11), as an importer would write it."""

import hashlib
import io
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

from pulp_download import (
    Batch,
    DigestMismatch,
    DigestValidation,
    Download,
    DownloadError,
    MemoryWriter,
    NotFound,
    Remote,
    SizeMismatch,
    SizeValidation,
)
from tests.functional.upstream import body_of, downloads_of, expectations, publish, sha256
from tests.servers import FaultServer, reply, steps


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.mark.need("I1")
def test_a_single_file_is_one_expression(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.on("/file.iso", reply(200, b"an image"))
    hexdigest = hashlib.sha256(b"an image").hexdigest()

    Download(server.url("/file.iso"), "file.iso",
             validations=[DigestValidation("sha256", hexdigest)]).run()  # fmt: skip

    assert (tmp_path / "file.iso").read_bytes() == b"an image"


class Artifacts:
    """A database table of artifacts, as an ORM would show it."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path)
        self.database.execute("CREATE TABLE artifact (pk, url, path, size, sha256, file)")

    def add(self, *row: object) -> None:
        self.database.execute("INSERT INTO artifact VALUES (?, ?, ?, ?, ?, NULL)", row)

    def iterator(self) -> Iterator[SimpleNamespace]:
        cursor = self.database.execute("SELECT pk, url, path, size, sha256 FROM artifact")
        for row in cursor:  # a cursor belongs to one thread: another would raise here
            names = ("pk", "url", "path", "size", "sha256")
            yield SimpleNamespace(**dict(zip(names, row, strict=True)))

    def mark_downloaded(self, pk: str, path: Path) -> None:
        self.database.execute("UPDATE artifact SET file = ? WHERE pk = ?", (str(path), pk))

    def downloaded(self) -> dict[str, str | None]:
        return dict(self.database.execute("SELECT pk, file FROM artifact"))


@pytest.mark.need("I5")
@pytest.mark.need("I6")
def test_a_database_is_walked_and_each_result_linked_in_a_plain_loop(
    server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts = Artifacts(tmp_path / "artifacts.sqlite")
    root, secret, log = tmp_path / "files", "pa:ss", logging.getLogger("importer")
    for number in range(40):
        data = body_of(number)
        answer = reply(200, data) if number != 7 else reply(404)
        server.on(f"/{number}", answer)
        artifacts.add(
            f"pk-{number}", server.url(f"/{number}"), f"a/{number}", len(data), sha256(data)
        )

    with Remote(username="me", password=secret) as remote:
        downloads = (
            Download(row.url, root / row.path, remote=remote, attachment=row.pk,
                     validations=[SizeValidation(row.size), DigestValidation("sha256", row.sha256)])
            for row in artifacts.iterator()            # a database cursor: nothing is held
        )  # fmt: skip
        with Batch(downloads, concurrency=16) as batch:
            for result in batch:  # a concurrent.futures.Future
                try:
                    done = result.result()
                except DownloadError as error:
                    log.warning("%s: %s", result.download.attachment, error)
                else:
                    artifacts.mark_downloaded(done.download.attachment, done.path)  # fmt: skip

    linked = artifacts.downloaded()
    assert linked.pop("pk-7") is None
    assert linked == {f"pk-{n}": str(root / "a" / str(n)) for n in range(40) if n != 7}
    assert all((root / "a" / str(n)).read_bytes() == body_of(n) for n in range(40) if n != 7)
    assert [record.getMessage() for record in caplog.records if record.name == "importer"] == [
        f"pk-7: {server.url('/7')}: 404 Not Found"
    ]
    artifacts.database.close()


@pytest.mark.need("I2")
def test_many_files_come_at_once(server: FaultServer) -> None:
    gate = server.gate()
    server.default(steps(gate, reply(200, b"yes")))
    # Only if all eight are asked for at the same time does the gate open.
    opener = threading.Thread(target=lambda: (gate.wait_for(8), gate.open()))
    opener.start()
    with Remote() as remote, Batch(unverified(server, 8, remote), concurrency=8) as batch:
        assert [result.result().size for result in batch] == [3] * 8
    opener.join()


@pytest.mark.need("I3")
@pytest.mark.parametrize(
    ("published", "error"),
    [
        (body_of(1)[:-1] + b"x", DigestMismatch),
        (body_of(1)[:-1], SizeMismatch),
        (body_of(1) + b"x", SizeMismatch),
    ],
)
def test_a_wrong_file_is_refused_and_the_previous_one_stays(
    server: FaultServer, tmp_path: Path, published: bytes, error: type[DownloadError]
) -> None:
    server.on("/1", reply(200, published))
    (tmp_path / "1").write_bytes(b"the previous one")
    with Remote(max_retries=0) as remote, pytest.raises(error):
        Download(
            server.url("/1"), tmp_path / "1", validations=expectations(body_of(1)), remote=remote
        ).run()
    assert (tmp_path / "1").read_bytes() == b"the previous one"
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.need("I9")
@pytest.mark.slow
def test_five_thousand_artifacts_open_eight_connections(server: FaultServer) -> None:
    server.default(
        lambda conn, request: (
            reply(404, b"no") if int(request.path[1:]) % 3 == 0 else reply(200, b"yes")
        )(conn, request)
    )
    with Remote() as remote, Batch(unverified(server, 5000, remote), concurrency=8) as batch:
        outcomes = [type(result.exception()) for result in batch]
    assert outcomes.count(NotFound) == 1667
    assert outcomes.count(type(None)) == 3333
    assert server.peak <= 8
    assert server.accepted <= 8


def unverified(server: FaultServer, count: int, remote: Remote) -> Iterator[Download]:
    for number in range(count):
        yield Download(server.url(f"/{number}"), MemoryWriter(), remote=remote)


@pytest.mark.need("I11")
def test_http_and_files_come_through_the_same_loop(server: FaultServer, tmp_path: Path) -> None:
    publish(server, 1)
    (tmp_path / "local").write_bytes(b"local bytes")
    downloads = [
        *downloads_of(server, [0], into=tmp_path),
        Download((tmp_path / "local").as_uri(), tmp_path / "copy"),
    ]
    with Batch(downloads) as batch:
        assert sorted(str(result.result().path) for result in batch) == [
            str(tmp_path / "0"),
            str(tmp_path / "copy"),
        ]
    assert (tmp_path / "copy").read_bytes() == b"local bytes"


@pytest.mark.need("I8")
def test_how_files_are_fetched_is_the_sessions_business(tmp_path: Path) -> None:
    """Whatever follows the adapter contract is a protocol; see test_session.py for the rest."""

    class Memory(BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
            response = requests.Response()
            response.status_code = 200
            response.raw = urllib3.HTTPResponse(io.BytesIO(b"from memory"), preload_content=False)
            response.request, response.url = request, request.url or ""
            return response

        def close(self) -> None: ...

    with Remote() as remote:
        remote.session.mount("memory://", Memory())
        result = Download("memory://shelf/a", tmp_path / "a", remote=remote).run()
    assert (result.size, (tmp_path / "a").read_bytes()) == (11, b"from memory")
