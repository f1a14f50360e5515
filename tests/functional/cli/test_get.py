"""``get``: files named by the last segments of their URLs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.functional.cli.command import Command, finished, next_line, refused_usage
from tests.functional.cli.shelf import (
    BODY,
    LATER,
    LATER_AT,
    MODIFIED_AT,
    asked,
    dated,
    mirrored,
    sha256,
    tree,
)
from tests.servers import FaultServer, redirect, reply

WRONG = sha256(b"something else")


class TestNames:
    @pytest.mark.need("I1")
    def test_a_file_is_named_by_the_last_segment_as_given_and_decoded_once(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        urls = ["/a/b%20c.iso?x=1", "/d/%C3%A9%2520", "/plain#part", "/a+b;c=d", "/[ab]*"]
        ended = command("get", *map(server.url, urls))
        names = ["b c.iso", "é%20", "plain", "a+b;c=d", "[ab]*"]
        assert tree(here) == dict.fromkeys(names, BODY)
        assert ended.text.startswith("5 downloaded, 0 present, 0 failed, 0 cancelled; 50.0 KiB in ")
        assert ended.stderr == ""

    def test_neither_a_redirect_nor_a_content_disposition_renames_it(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        headers = {"Content-Disposition": 'attachment; filename="evil"'}
        server.on("/first", redirect("/second"))
        server.on("/second", reply(200, BODY, headers=headers))
        command("get", server.url("/first"))
        assert tree(here) == {"first": BODY}

    def test_into_names_the_folder_which_is_made(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        ended = command("get", server.url("/x/a"), "--into", "new/folder", "--json")
        assert tree(here) == {"new/folder/a": BODY}
        assert ended.file["path"] == "a"

    @pytest.mark.fault(163)
    def test_what_looks_like_an_option_is_a_name_after_two_dashes(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        command("get", "--into", "--", "--", server.url("/--json"))
        command("get", "--output", "-rf", server.url("/x"))
        ended = command("get", "--json", "--", "--insecure", status=1)
        assert tree(here) == {"--/--json": BODY, "-rf": BODY}
        assert ended.file["error"]["type"] == "InvalidURL"
        command("get", "--insecureX", server.url("/x"), status=2)

    @pytest.mark.parametrize(
        ("url", "error"),
        [
            ("{}/folder/", "InvalidURL"),
            ("{}/a/..", "InvalidURL"),
            ("{}/a%2fb", "InvalidURL"),
            ("{}/%00", "InvalidURL"),
            ("relative/path", "InvalidURL"),
            ("gopher://127.0.0.1/a", "UnsupportedScheme"),
        ],
    )
    def test_what_gives_no_name_or_has_no_protocol_is_one_failed_item(
        self, command: Command, server: FaultServer, here: Path, url: str, error: str
    ) -> None:
        server.default(reply(200, BODY))
        bad = url.format(server.url(""))
        ended = command("get", bad, server.url("/good"), "--json", status=1)
        assert [file["error"]["type"] for file in ended.files if file["error"]] == [error]
        assert ended.summary == {
            "downloaded": 1,
            "present": 0,
            "failed": 1,
            "cancelled": 0,
            "bytes": len(BODY),
        }
        assert tree(here) == {"good": BODY}

    def test_a_folder_of_a_server_can_be_had_under_a_given_name(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/folder/", reply(200, BODY))
        command("get", server.url("/folder/"), "--output", "deep/index.html")
        assert tree(here) == {"deep/index.html": BODY}

    def test_a_name_given_twice_is_one_failed_item(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/1/a", reply(200, BODY))
        urls = [server.url(path) for path in ("/1/a", "/2/a", "/1/%61")]
        ended = command("get", *urls, "--json", status=1)
        assert [file["error"] and file["error"]["type"] for file in ended.files].count(
            "WriteError"
        ) == 2
        assert ended.summary["downloaded"] == 1
        assert asked(server) == ["/1/a"]
        assert tree(here) == {"a": BODY}


class TestStdout:
    def test_output_dash_is_the_file_and_nothing_else(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        digest = f"sha256:{sha256(BODY)}"
        ended = command("get", server.url("/a"), "--output", "-", "--digest", digest, "--verbose")
        assert ended.stdout == BODY
        assert tree(here) == {}

    @pytest.mark.need("I3")
    def test_the_last_byte_of_a_wrong_file_is_never_written(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        digest = f"sha256:{WRONG}"
        ended = command("get", server.url("/a"), "--output", "-", "--digest", digest, status=1)
        assert ended.stdout == BODY[:-1]
        assert f"expected sha256 {WRONG}" in ended.stderr
        assert tree(here) == {}

    def test_nothing_is_written_where_the_head_tells_already(
        self, command: Command, server: FaultServer
    ) -> None:
        server.on("/a", reply(200, BODY))
        one_try = ("--output", "-", "--retries", "0")
        ended = command("get", server.url("/a"), *one_try, "--size", "9", status=1)
        assert ended.stdout == b""
        ended = command("get", server.url("/b"), "--output", "-", status=1)
        assert ended.stdout == b""
        assert "404" in ended.stderr
        ended = command("get", "no/url", "--output", "-", status=1)
        assert ended.stdout == b""

    def test_what_failed_is_written_down_for_mirror_too(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/a", [reply(404), reply(200, BODY)])
        url = server.url("/a")
        command("get", url, "--output", "-", "--failures", "failed.jsonl", status=1)
        command("mirror", "failed.jsonl", "dest")
        assert mirrored(here / "dest") == {"a": BODY}


class TestExpectations:
    def test_any_number_of_digests_and_a_size_are_verified_in_one_run(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        digests = {"sha256": sha256(BODY), "md5": hashlib.md5(BODY).hexdigest()}
        given = [f"--digest={name}:{value.upper()}" for name, value in digests.items()]
        ended = command("get", server.url("/a"), *given, "--size", "10K", "--json")
        assert ended.file["digests"] == digests
        assert ended.file["size"] == len(BODY)
        assert ended.file["attempts"] == []
        assert tree(here) == {"a": BODY}

    @pytest.mark.need("I3")
    @pytest.mark.parametrize(
        ("expected", "error"),
        [
            (["--digest", f"sha256:{WRONG}"], "DigestMismatch"),
            (["--digest", f"sha256:{sha256(BODY)}", "--digest", f"md5:{0:032}"], "DigestMismatch"),
            (["--size", "10239"], "SizeMismatch"),
        ],
    )
    def test_a_mismatch_leaves_the_old_file_and_no_debris(
        self, command: Command, server: FaultServer, here: Path, expected: list[str], error: str
    ) -> None:
        server.default(reply(200, BODY))
        (here / "a").write_bytes(b"old")
        url = server.url("/a")
        ended = command("get", url, *expected, "--retries", "0", "--json", status=1)
        assert ended.file["error"]["type"] == error
        assert tree(here) == {"a": b"old"}

    @pytest.mark.fault(150)
    def test_a_digest_of_wrong_form_is_wrong_usage(self, server: FaultServer, here: Path) -> None:
        wrong = ["", "sha256", WRONG, "sha256:12", f"sha256:{'x' * 64}", f"sha256: {WRONG}"]
        wrong += [f"crc7:{WRONG}", f"shake_128:{WRONG}", f"sha256:{WRONG}=", f":{WRONG}"]
        url = server.url("/a")
        told = refused_usage([["get", url, "--digest", digest] for digest in wrong], cwd=here)
        assert all("Invalid value for '--digest'" in text for text in told)
        assert server.accepted == 0

    def test_options_that_contradict_each_other_are_wrong_usage(
        self, server: FaultServer, here: Path
    ) -> None:
        (here / "file").touch()
        url = server.url("/a")
        wrong = [
            [url, url, "--output", "x"],
            [url, url, "--digest", f"sha256:{WRONG}"],
            [url, url, "--size", "1"],
            [url, "--input", "-", "--size", "1"],
            ["--input", "-", "--output", "x"],
            ["--input", "-", "--digest", f"sha256:{WRONG}"],
            [url, "--output", "x", "--into", "y"],
            [url, "--output", "-", "--json"],
            [url, "--output", "/dev/null"],
            [url, "--size", "-1"],
            [url, url, "--mirror", url],
            [url, "--input", "-", "--mirror", url],
            [url, "--mirror", "relative"],
            [url, "--mirror", "http://host:port/"],
            [url, "--into", "file"],
            [url, "--failures", "no/such/folder"],
            [url, "--output", "-", "--failures", "/"],
            ["--input", "absent"],
            ["--input", "."],
            [],
        ]
        refused_usage([["get", *arguments] for arguments in wrong], cwd=here)
        assert server.accepted == 0
        assert tree(here) == {"file": b""}


BAD_LINES = b"not a url\nhttp://host:port/a\n\xff\xfe\nhttp://host/a\x01b\nftp:/x\nhttp://[::1/a\n"


class TestInput:
    @pytest.mark.parametrize("source", ["list", "-"])
    def test_a_bad_line_is_one_failed_item_and_the_others_go_on(
        self, command: Command, server: FaultServer, here: Path, source: str
    ) -> None:
        server.default(reply(200, BODY))
        good = "\n".join(f"  {server.url(f'/{name}')} \r" for name in "bcd")
        lines = f"# comment\n\n{server.url('/a')}\n".encode() + BAD_LINES + good.encode()
        (here / "list").write_bytes(lines)
        given = server.url("/argument")
        strict = {"PYTHONIOENCODING": "utf-8:strict"}
        arguments = ("get", given, "--input", source, "--json")
        ended = command(*arguments, stdin=lines, env=strict, status=1)
        (here / "list").unlink()
        assert tree(here) == dict.fromkeys(["argument", *"abcd"], BODY)
        assert (ended.summary["downloaded"], ended.summary["failed"]) == (5, 6)
        failed = [file for file in ended.files if file["status"] == "failed"]
        assert {file["path"] for file in failed} == {None}
        assert {file["error"]["type"] for file in failed} == {"InvalidURL"}

    def test_lines_are_taken_as_they_arrive_and_told_before_the_next(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        with command.started("get", "--input", "-", "--json") as process:
            assert process.stdin is not None
            for line, expected in [
                (server.url("/a"), "downloaded"),
                ("no url", "failed"),
                (server.url("/b"), "downloaded"),
                (server.url("/again/b"), "failed"),
            ]:
                process.stdin.write(f"{line}\n".encode())
                process.stdin.flush()
                assert next_line(process)["status"] == expected
            ended = finished(process)
        assert ended.status == 1
        assert tree(here) == {"a": BODY, "b": BODY}


class TestTheSecondRun:
    @pytest.mark.need("I3")
    def test_what_has_a_digest_is_not_even_asked_for(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        arguments = ["get", server.url("/a"), "--digest", f"sha256:{sha256(BODY)}", "--json"]
        assert command(*arguments).file["status"] == "downloaded"
        ended = command(*arguments)
        assert ended.file["status"] == "present"
        assert ended.file["digests"] == {"sha256": sha256(BODY)}
        assert ended.summary["bytes"] == 0
        assert len(server.requests) == 1
        (here / "a").write_bytes(b"damaged")
        assert command(*arguments).file["status"] == "downloaded"
        assert tree(here) == {"a": BODY}

    def test_what_has_none_is_asked_for_conditionally(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/a", dated(BODY))
        arguments = ["get", server.url("/a"), "--json"]
        assert command(*arguments).file["status"] == "downloaded"
        assert (here / "a").stat().st_mtime == MODIFIED_AT
        ended = command(*arguments)
        assert (ended.file["status"], ended.file["size"]) == ("present", len(BODY))
        server.on("/a", dated(b"newer", LATER))
        assert command(*arguments).file["status"] == "downloaded"
        assert tree(here) == {"a": b"newer"}
        assert (here / "a").stat().st_mtime == LATER_AT
        conditions = ["If-Modified-Since" in request.headers for request in server.requests]
        assert conditions == [False, True, True]
