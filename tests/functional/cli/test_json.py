"""What the command says on stdout and stderr, to programs and to people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.asking import basic
from tests.functional.cli.command import Command, finished, refused_usage
from tests.functional.cli.shelf import BODY, HOUSE, dated, mirrored, sha256, sums, tree
from tests.servers import FaultServer, cut, hold, reply, send, steps


def timeless(file: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in file.items() if name != "seconds"}


def test_each_file_has_a_line_as_programs_rely_on_it_and_the_summary_is_last(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.on("/late", [reply(503), dated(BODY)])
    server.on("/gone", reply(410))
    server.on("/there", dated(BODY))
    command("get", server.url("/there"))
    paths = ("/late?signature=s3cret&x", "/gone?s3cret", "/there", "/folder/")
    urls = [server.url(path, userinfo="me:s3cret") for path in paths]
    ended = command("get", *urls, "--json", status=1)
    late, gone, folder = server.url("/late?signature=***&***"), server.url("/gone?***"), None
    folder = server.url("/folder/")
    unnamed = f"{folder}: its last segment is no file name; name the file"
    first = {"url": late, "status": 503, "type": "ServerFailed"}
    only = {"url": gone, "status": 410, "type": "NotFound", "message": f"{gone}: 410 Gone"}
    nothing: dict[str, Any] = {"size": None, "digests": {}, "attempts": [], "error": None}
    assert sorted(map(timeless, ended.files), key=lambda file: str(file["path"])) == [
        {"path": None, "url": folder, "status": "failed"}
        | nothing
        | {"error": {"type": "InvalidURL", "message": unnamed}},
        {"path": "gone", "url": gone, "status": "failed"}
        | nothing
        | {"attempts": [only], "error": {"type": "NotFound", "message": only["message"]}},
        {"path": "late", "url": late, "status": "downloaded"}
        | nothing
        | {
            "size": len(BODY),
            "attempts": [first | {"message": f"{late}: 503 Service Unavailable"}],
        },
        {"path": "there", "url": server.url("/there"), "status": "present"}
        | nothing
        | {"size": len(BODY)},
    ]
    counts = {"downloaded": 1, "present": 1, "failed": 2, "cancelled": 0}
    assert ended.summary == {**counts, "bytes": len(BODY)}
    assert ended.stderr == ""
    assert b"s3cret" not in ended.stdout


def test_the_end_never_depends_on_the_order(command: Command, server: FaultServer) -> None:
    server.default(reply(200, BODY))
    server.on("/bad", reply(404))
    server.on("/worse", steps(send(b"garbage\r\n\r\n"), cut()))
    urls = [server.url(path) for path in ("/bad", "/a", "/worse", "/b", "/a")]
    given = ("--retries", "0", "--concurrency", "1", "--json")
    ends = []
    for number, order in enumerate([urls, urls[::-1], urls[2:] + urls[:2]]):
        ended = command("get", *order, *given, "--into", str(number), status=1)
        ends.append((ended.summary, sorted(ended.outcomes)))
        assert tree(command.cwd / str(number)) == {"a": BODY, "b": BODY}
    assert ends[0] == ends[1] == ends[2]


def test_people_get_a_summary_and_what_failed_or_with_quiet_the_latter_only(
    command: Command, server: FaultServer
) -> None:
    server.on("/a", reply(200, BODY))
    given = ("get", server.url("/a"), server.url("/b"))
    failed = f"pulp-download: failed: b: {server.url('/b')}: 404 Not Found\n"
    ended = command(*given, "--into", "1", status=1)
    assert ended.text.startswith("1 downloaded, 0 present, 1 failed, 0 cancelled; 10.0 KiB in ")
    assert (len(ended.text.splitlines()), ended.stderr) == (1, failed)
    ended = command(*given, "--into", "2", "--quiet", status=1)
    assert (ended.text, ended.stderr) == ("", failed)
    ended = command(*given, "--into", "3", "--quiet", "--json", status=1)
    assert ended.summary["downloaded"] == 1
    ended = command(*given, "--into", "4", "--verbose", status=1)
    assert ended.text.startswith("downloaded: a\n1 downloaded")
    assert f"DEBUG pulp_download.run: {server.url('/b')}: 404 Not Found\n" in ended.stderr


@pytest.mark.fault(226)
def test_what_a_server_says_cannot_steer_the_terminal(
    command: Command, server: FaultServer, here: Path
) -> None:
    """That every line is printable is checked for each run."""
    words = b"\x1b[31mred\x07\x9b2J"
    server.on("/a", send(b"HTTP/1.1 404 " + words + b"\r\nContent-Length: 0\r\n\r\n"))
    server.on("/b", send(b"HTTP/1.1 302 x\r\nLocation: /" + words + b"\r\n\r\n"))
    server.on("/c", send(words + b"\r\n\r\n"))
    urls = [*(server.url(path) for path in "/a /b /c".split()), server.url("/%1b%5b31m")]
    ended = command("get", *urls, "--retries", "0", "--verbose", status=1)
    assert "4 failed" in ended.text
    ended = command("get", *urls, "--retries", "0", "--json", status=1)
    assert ended.stdout.replace(b"\n", b"").isascii()
    assert all(line.isprintable() for line in ended.text.splitlines())


def test_a_name_that_stdout_cannot_encode_is_no_failure(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.default(reply(200, BODY))
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ended = command("get", server.url("/%E2%82%AC"), "--verbose", env=ascii_only)
    assert ended.text.startswith("downloaded: \\u20ac\n1 downloaded")
    assert tree(here) == {"€": BODY}


class TestSecrets:
    CANARIES = ("pw-canary", "token-canary", "header-canary", "query-canary", "info-canary")

    @pytest.mark.fault(227)
    @pytest.mark.fault(232)
    @pytest.mark.parametrize(
        "given",
        [["--username", "me", "--password-file", "pw"], ["--token-file", "token"]],
        ids=["password", "token"],
    )
    @pytest.mark.parametrize("kind", ["get", "mirror"])
    def test_are_nowhere_in_what_is_said_or_kept(
        self, command: Command, server: FaultServer, here: Path, given: list[str], kind: str
    ) -> None:
        (here / "pw").write_text("pw-canary\n")
        (here / "token").write_text("token-canary\n")
        (here / "headers").write_text("X-Key: header-canary\n")
        server.default(steps(send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123"), cut()))
        server.on("/good", reply(200, BODY))
        server.on("/denied", reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
        paths = ("/good", "/denied", "/cut")
        urls = [server.url(f"{path}?k=query-canary", userinfo="me:info-canary") for path in paths]
        server.on("/urls", reply(200, "\n".join(urls).encode()))
        what = urls
        if kind == "mirror":
            what = [server.url("/urls?k=query-canary", userinfo="me:info-canary"), "."]
        common = ("--header", "@headers", "--retries", "1", "--verbose", "--failures", "failed")
        asked_for = (kind, *what, *given, *common)
        ended = command(*asked_for, "--json", status=1)
        said = ended.text + ended.stderr
        ended = command(*asked_for, status=1)
        said += ended.text + ended.stderr
        assert "2 failed" in said
        assert not [canary for canary in self.CANARIES if canary in said]
        kept = mirrored(here) if kind == "mirror" else tree(here)
        for name, body in kept.items():
            if name not in ("pw", "token", "headers", "good", "failed"):
                pytest.fail(f"{name} was left: {body!r}")
        failed = (here / "failed").read_text()
        assert [canary for canary in self.CANARIES if canary in failed] == ["query-canary"]
        assert (here / "failed").stat().st_mode & 0o777 == 0o600
        if kind == "mirror":
            catalog = (here / HOUSE / "catalog.sqlite").read_bytes()
            found = [canary for canary in self.CANARIES if canary.encode() in catalog]
            assert found == ["query-canary"], "without it no file could be asked for again"
            assert (here / HOUSE).stat().st_mode & 0o777 == 0o700
        # They did arrive where they belong.
        headers = [dict(request.headers) for request in server.requests_to("/good")]
        assert {said["X-Key"] for said in headers} == {"header-canary"}
        assert {said["Authorization"] for said in headers} == {basic("me", "info-canary")}

    @pytest.mark.fault(232)
    def test_are_never_taken_from_the_command_line_and_not_to_be_seen_there(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        options = ("--password", "--token")
        cases = [["get", server.url("/a"), option, "pw-canary"] for option in options]
        told = refused_usage(cases, cwd=here)
        assert all("No such option" in text and "canary" not in text for text in told)
        assert server.accepted == 0
        (here / "token").write_text("token-canary")
        server.default(hold)
        with command.started("get", server.url("/a"), "--token-file", "token") as process:
            (request,) = server.wait_for_requests(1)
            shown = b"".join(
                Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")
            )
            process.terminate()
            assert finished(process).status == 143
        assert request.headers["Authorization"] == "Bearer token-canary"
        assert b"canary" not in shown


def test_the_digests_of_a_line_are_all_that_were_computed(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.on("/a", reply(200, BODY))
    server.on("/SHA256SUMS", reply(200, sums({"a": BODY})))
    ended = command("mirror", server.url("/SHA256SUMS"), "dest", "--json")
    told = {file["path"]: file for file in ended.files}
    assert told["a"]["digests"] == {"sha256": sha256(BODY)}
    assert told["a"]["url"] == server.url("/a")
    manifest = sums({"a": BODY})
    assert list(told) == ["a", "SHA256SUMS"]
    assert timeless(told["SHA256SUMS"]) == {
        "path": "SHA256SUMS",
        "url": server.url("/SHA256SUMS"),
        "status": "downloaded",
        "size": len(manifest),
        "digests": {"sha256": sha256(manifest)},
        "attempts": [],
        "error": None,
    }
    assert json.loads(ended.stdout.splitlines()[-1])["summary"]["seconds"] > 0
