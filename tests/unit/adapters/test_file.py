"""``file://`` as a session sees it: regular files only, and statuses for the rest."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests import PreparedRequest, Request, Response

from pulp_download.adapters.answer import answer_of
from pulp_download.adapters.file import FileAdapter
from pulp_download.errors import InvalidURL, TransferError
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from tests.unit.children import become_nobody, in_child

BODY = b"0123456789"
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"


def request_of(url: str, method: str = "GET", **headers: str) -> PreparedRequest:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    prepared = Request(method, "file:///", headers=fields).prepare()
    prepared.url = url  # as it is: what a session is handed
    return prepared


def ask(url: str, method: str = "GET", **headers: str) -> Response:
    return FileAdapter().send(request_of(url, method, **headers), stream=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    path.write_bytes(BODY)
    os.utime(path, (784111777, 784111777))
    return path


def received(response: Response, limit: int = 4) -> Iterator[bytes]:
    answer = answer_of(response, Watch(TimeLimits()))
    while piece := answer.receive(limit):
        yield bytes(piece)
    answer.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html"),
        ("a%2Ehtml", "text/html"),
        ("data.json", "application/json"),
        ("archive.tar.gz", "application/gzip"),
        ("page.html.gz", "application/gzip"),
        ("Packages.xz", "application/x-xz"),
        ("old.tar.Z", None),
        ("plain", None),
    ],
)
def test_the_content_type_is_what_the_name_tells(
    tmp_path: Path, name: str, kind: str | None
) -> None:
    (tmp_path / name.replace("%2E", ".")).write_bytes(b"x")
    response = ask(f"file://{tmp_path}/{name}")
    assert response.headers.get("Content-Type") == kind
    response.close()


def test_a_file_is_answered_with_its_bytes_size_and_date(file: Path) -> None:
    response = ask(f"file://{file}")
    assert (response.status_code, response.reason) == (200, "OK")
    assert dict(response.headers) == {"Content-Length": "10", "Last-Modified": MODIFIED}
    assert response.url == f"file://{file}"
    assert list(received(response)) == [b"0123", b"4567", b"89"]


def test_a_file_is_read_at_once_when_nobody_wants_a_stream(file: Path) -> None:
    response = FileAdapter().send(request_of(f"file://{file}"))
    assert response.content == BODY


def test_it_is_an_adapter_that_any_session_can_mount(file: Path) -> None:
    with requests.Session() as session:
        session.mount("file://", FileAdapter())
        with session.get(f"file://{file}", stream=True) as response:
            assert b"".join(response.iter_content(3)) == BODY
        assert session.get(f"file://{file}").content == BODY
        assert session.head(f"file://{file}").headers["Content-Length"] == "10"
        assert session.get(f"file://{file}-absent").status_code == 404


def test_an_empty_file_is_an_empty_answer(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    response = ask(f"file://{tmp_path}/a")
    assert response.headers["Content-Length"] == "0"
    assert list(received(response)) == []


def test_head_has_the_same_head_and_no_body(file: Path) -> None:
    response = ask(f"file://{file}", "HEAD")
    assert dict(response.headers) == {"Content-Length": "10", "Last-Modified": MODIFIED}
    assert list(received(response)) == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("since", "status"),
    [
        (MODIFIED, 304),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 304),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 304),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("yesterday", 200),
        ("", 200),
    ],
)
def test_a_file_that_has_not_changed_since_is_not_sent(
    file: Path, method: str, since: str, status: int
) -> None:
    response = ask(f"file://{file}", method, If_Modified_Since=since)
    assert response.status_code == status
    assert response.headers["Last-Modified"] == MODIFIED
    assert list(received(response)) == (
        [BODY[:4], BODY[4:8], BODY[8:]] if (status, method) == (200, "GET") else []
    )


def test_a_part_of_a_second_is_no_change(file: Path) -> None:
    os.utime(file, ns=(0, 784111777_999_000_000))
    assert ask(f"file://{file}", If_Modified_Since=MODIFIED).status_code == 304


def test_a_time_of_zero_is_none_that_is_told(file: Path) -> None:
    os.utime(file, (0, 0))
    answer = ask(f"file://{file}", If_Modified_Since=MODIFIED)
    assert (answer.status_code, dict(answer.headers)) == (200, {"Content-Length": "10"})
    answer.close()


@pytest.mark.fault(134)
@pytest.mark.parametrize("moment", [-1, 2**33, 2**38, 2**41])
def test_a_file_of_any_age_is_answered(file: Path, moment: int) -> None:
    os.utime(file, (moment, moment))
    assert b"".join(received(ask(f"file://{file}"))) == BODY


@pytest.mark.parametrize("name", ["absent", "absent/a", "a/b", "x" * 256, "x/" * 3000, "loop"])
def test_what_is_not_there_is_404(file: Path, name: str) -> None:
    (file.parent / "loop").symlink_to("loop")
    response = ask(f"file://{file.parent}/{name}")
    assert (response.status_code, response.content) == (404, b"")


def test_what_may_not_be_read_is_403(file: Path) -> None:
    file.chmod(0)
    file.parent.chmod(0o755)

    def story() -> int:
        become_nobody()
        os.chdir("/")
        return ask(f"file:///proc/self/fd/{here}/a").status_code

    # The test's own folder cannot be reached by everybody; a descriptor of it can.
    here = os.open(file.parent, os.O_RDONLY)
    try:
        assert in_child(story) == 403
    finally:
        os.close(here)


def test_a_folder_that_may_not_be_searched_is_403(file: Path) -> None:
    closed = file.parent / "closed"
    closed.mkdir(mode=0o700)
    file.parent.chmod(0o755)

    def story() -> int:
        become_nobody()
        return ask(f"file:///proc/self/fd/{here}/closed/a").status_code

    here = os.open(file.parent, os.O_RDONLY)
    try:
        assert in_child(story) == 403
    finally:
        os.close(here)


@pytest.mark.fault(138)
@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "endless device", "proc"])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = {
        "fifo": f"{tmp_path}/fifo",
        "directory": str(tmp_path),
        "device": "/dev/null",
        "endless device": "/dev/zero",
        "proc": "/proc/self/status",
    }[kind]
    for method in ("GET", "HEAD"):
        with pytest.raises(TransferError, match="not a regular file") as caught:
            ask(f"file://{path}", method)
        assert not caught.value.retryable
        assert caught.value.url == f"file://{path}"


@pytest.mark.fault(138)
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is at most 108 bytes
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("a")
        with pytest.raises(TransferError, match="not a regular file"):
            ask(f"file://{tmp_path}/a")


@pytest.mark.fault(138)
def test_a_link_to_a_file_is_that_file(file: Path) -> None:
    (file.parent / "link").symlink_to("a")
    assert b"".join(received(ask(f"file://{file.parent}/link"))) == BODY


@pytest.mark.fault(138)
def test_a_file_that_grows_ends_where_it_ended_when_it_was_opened(file: Path) -> None:
    response = ask(f"file://{file}")
    pieces = received(response)
    first = next(pieces)
    with file.open("ab") as more:
        more.write(b"more" * 1000)
    assert first + b"".join(pieces) == BODY


@pytest.mark.fault(138)
def test_a_file_that_shrinks_is_not_whole(file: Path) -> None:
    pieces = received(ask(f"file://{file}"))
    next(pieces)
    os.truncate(file, 5)
    with pytest.raises(Exception, match="IncompleteRead"):
        list(pieces)


@pytest.mark.fault(139)
def test_the_source_is_never_changed(file: Path) -> None:
    before = file.stat()
    list(received(ask(f"file://{file}")))
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_size) == (
        before.st_mtime_ns,
        before.st_ino,
        10,
    )


@pytest.mark.fault(140)
@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a b", "a%20b"),
        ("a b", "a b"),
        ("\u00e4", "%C3%A4"),
        ("\u00e4", "\u00e4"),
        ("100%", "100%25"),
        ("%41", "%2541"),
        ("a#b", "a%23b"),
        ("a?b", "a%3Fb"),
        ("d/a", "d%2fa"),
    ],
)
def test_a_path_is_decoded_once(tmp_path: Path, name: str, escaped: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / name).write_bytes(BODY)
    assert b"".join(received(ask(f"file://{tmp_path}/{escaped}"))) == BODY


def test_bytes_that_are_no_text_can_be_in_a_name(tmp_path: Path) -> None:
    with open(os.path.join(bytes(tmp_path), b"\xff"), "wb") as file:
        file.write(BODY)
    assert b"".join(received(ask(f"file://{tmp_path}/%ff"))) == BODY


@pytest.mark.fault(140)
def test_a_query_is_no_part_of_the_path(file: Path) -> None:
    assert ask(f"file://{file}?x=1", "HEAD").status_code == 200


@pytest.mark.fault(140)
@pytest.mark.parametrize("start", ["file://localhost", "file://LOCALHOST", "FILE://"])
def test_this_machine_may_be_named(file: Path, start: str) -> None:
    assert ask(f"{start}{file}", "HEAD").status_code == 200


@pytest.mark.fault(140)
@pytest.mark.parametrize(
    "url",
    ["file://host/a", "file://127.0.0.1/a", "file://me@/a", "file:a", "file:/a", "file://\\\\h/a"],
)
def test_another_machine_or_no_path_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        ask(url)


@pytest.mark.fault(123, 140)
def test_a_nul_is_refused(file: Path) -> None:
    with pytest.raises(InvalidURL, match="NUL"):
        ask(f"file://{file}%00.txt")


def test_closing_it_keeps_it_usable(file: Path) -> None:
    adapter = FileAdapter()
    adapter.close()
    assert adapter.send(request_of(f"file://{file}")).content == BODY
