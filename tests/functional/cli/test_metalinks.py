"""Files with several places: metalinks for both commands, and mirrors that a caller names."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.cli.command import Command, finished
from tests.functional.cli.shelf import BODY, asked, mirrored, publish, sha256, tree
from tests.servers import FaultServer, hold, reply

# Seconds in which an interrupted command has ended.
AT_ONCE = 5.0

SECRETS = ("--token-file", "secret", "--header", "X-Key: secret")


@pytest.fixture
def other() -> Iterator[FaultServer]:
    with FaultServer(host="127.0.0.2") as other:
        yield other


def file(name: str, *urls: str, body: bytes | None = BODY) -> str:
    """A file of a metalink; the earlier a URL the higher its priority."""
    told = ""
    if body is not None:
        told = f'<size>{len(body)}</size><hash type="sha-256">{sha256(body)}</hash>'
    each = "".join(f'<url priority="{n}">{url}</url>' for n, url in enumerate(urls, 1))
    return f'<file name="{name}">{told}{each}</file>\n'


def metalink(*files: str) -> bytes:
    inside = "".join(files)
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n{inside}</metalink>'.encode()


class TestMirror:
    @pytest.mark.need("I8")
    @pytest.mark.fault(159)
    def test_what_a_metalink_lists_is_had_from_the_next_place_where_the_first_fails(
        self, command: Command, server: FaultServer, other: FaultServer, here: Path
    ) -> None:
        publish(server, {"x": b"old", "d/y": b"y"}, below="/r")
        publish(other, {"x": BODY})
        document = metalink(
            file("sub/x", "rsync://127.0.0.1/x", server.url("/r/x"), other.url("/x")),
            file("y", "http://127.0.0.1:1/y", "d/y", body=b"y"),
        )
        server.on("/r/list", reply(200, document))
        ended = command("mirror", server.url("/r/list"), "dest", "--json")
        assert ended.outcomes == dict.fromkeys(["sub/x", "y", "list"], "downloaded")
        assert mirrored(here / "dest") == {"sub/x": BODY, "y": b"y", "list": document}
        told = {line["path"]: line for line in ended.files}
        assert told["sub/x"]["url"] == other.url("/x")
        assert told["sub/x"]["digests"] == {"sha256": sha256(BODY)}
        assert [failed["type"] for failed in told["sub/x"]["attempts"]] == ["SizeMismatch"]
        ended = command("mirror", server.url("/r/list"), "dest", "--json")
        assert ended.outcomes == dict.fromkeys(["sub/x", "y", "list"], "present")
        assert [line["url"] for line in ended.files] == [
            server.url("/r/x"),
            "http://127.0.0.1:1/y",
            server.url("/r/list"),
        ]

    @pytest.mark.fault(159, 160)
    def test_a_bad_metalink_is_refused_as_a_whole_and_nothing_fetched(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        good = file("a", server.url("/a"))
        for number, (document, words) in enumerate(
            [
                (metalink(good, file("../b", server.url("/b"))), "line 3: unsafe path '../b'"),
                (metalink(good, file("~/b", server.url("/b"))), "line 3: unsafe path '~/b'"),
                (metalink(good, file("b", "magnet:?x")), "line 3: 'b' has no URL"),
                (metalink(good, file("A", server.url("/b"))), "line 3: 'A' and 'a'"),
                (
                    metalink(good, file("b", server.url("/b"), (here / "x").as_uri())),
                    "line 3: a fetched list may not name local files",
                ),
                (metalink(good)[:-1], "line 3: not well-formed XML"),
                (b"<!DOCTYPE metalink>" + metalink(good), "looks like HTML or XML"),
                (b"<html>log in</html>", "looks like HTML or XML"),
            ]
        ):
            place = f"/{number}.meta4"
            server.on(place, reply(200, document))
            ended = command("mirror", server.url(place), "dest", "--json", status=2)
            assert f"{server.url(place)}: {words}" in ended.stderr
            assert ended.stdout == b""
        assert all(path.endswith(".meta4") for path in asked(server))
        assert tree(here) == {}

    @pytest.mark.fault(160)
    def test_secrets_go_to_the_places_at_the_origins_that_the_caller_named_alone(
        self, command: Command, server: FaultServer, other: FaultServer, here: Path
    ) -> None:
        (here / "secret").write_text("secret")
        server.on("/a", reply(404))
        other.on("/a", reply(200, BODY))
        learnt = other.url("/a", userinfo="you:secret")
        document = metalink(file("a", server.url("/a"), learnt))
        server.on("/x.meta4", reply(200, document))
        (here / "x.meta4").write_bytes(document)
        command("mirror", server.url("/x.meta4"), "one", *SECRETS)
        command("mirror", "x.meta4", "two", *SECRETS)
        command("get", server.url("/x.meta4"), "--into", "three", *SECRETS)
        assert {path.partition("/")[0] for path in tree(here)} == {
            *("one", "two", "three", "secret", "x.meta4")
        }
        said = [request.headers.all("X-Key") for request in server.requests]
        assert said == [["secret"], ["secret"], [], ["secret"], ["secret"]]
        assert len(other.requests) == 3
        assert not [request for request in other.requests if b"secret" in request.raw]
        assert not [request for request in other.requests if "Authorization" in request.headers]

    def test_a_relative_place_in_a_list_from_stdin_needs_a_base_url(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"x/y": BODY}, below="/r")
        document = metalink(file("a", "http://127.0.0.1:1/a", "x/y"))
        ended = command("mirror", "-", "dest", stdin=document, status=2)
        assert "--base-url" in ended.stderr
        assert tree(here) == {}
        command("mirror", "-", "dest", "--base-url", server.url("/r"), stdin=document)
        assert mirrored(here) == {"dest/a": BODY}
        command("mirror", "-", "two", stdin=metalink(file("b", server.url("/r/x/y"))))
        assert (here / "two/b").read_bytes() == BODY

    def test_what_is_there_is_told_with_its_first_place_in_full(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"d/y": BODY}, below="/r")
        server.on("/r/x.meta4", reply(200, metalink(file("y", "d/y"))))
        arguments = ("mirror", server.url("/r/x.meta4"), "dest", "--json")
        for status in ("downloaded", "present"):
            line = command(*arguments).files[0]
            assert (line["path"], line["status"]) == ("y", status)
            assert line["url"] == server.url("/r/d/y")

    def test_what_failed_is_listed_with_all_its_places_and_learnt_ones_stay_so(
        self, command: Command, server: FaultServer, other: FaultServer, here: Path
    ) -> None:
        (here / "secret").write_text("secret")
        publish(server, {})
        publish(other, {})
        document = metalink(
            file("a", server.url("/a"), other.url("/a")), file("b", other.url("/b"), body=b"b")
        )
        server.on("/x.meta4", reply(200, document))
        failures = ("--failures", "failed", "--json")
        command("mirror", server.url("/x.meta4"), "dest", *failures, status=1)
        entries = [json.loads(line) for line in (here / "failed").read_text().splitlines()]
        assert sorted(entries, key=lambda entry: str(entry["path"])) == [
            {
                "path": "a",
                "url": server.url("/a"),
                "size": len(BODY),
                "digests": {"sha256": sha256(BODY)},
                "mirrors": [
                    {"url": server.url("/a"), "priority": 1},
                    {"url": other.url("/a"), "priority": 2, "learnt": True},
                ],
            },
            {
                "path": "b",
                "url": other.url("/b"),
                "size": 1,
                "digests": {"sha256": sha256(b"b")},
                "mirrors": [{"url": other.url("/b"), "priority": 1, "learnt": True}],
            },
        ]
        publish(other, {"a": BODY, "b": b"b"})
        seen = len(server.requests)
        command("mirror", "failed", "dest", *SECRETS)
        assert mirrored(here / "dest") == {"a": BODY, "b": b"b"}
        assert [request.headers["X-Key"] for request in server.requests[seen:]] == ["secret"]
        assert not [request for request in other.requests if b"secret" in request.raw]


class TestGet:
    @pytest.mark.fault(159)
    def test_a_metalink_stands_for_the_files_that_it_lists(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"1": BODY, "2": b"2", "plain": b"plain"})
        document = metalink(file("sub/a", server.url("/1")), file("b", "2", body=b"2"))
        server.on("/x.META4", reply(200, document))
        (here / "y z.metalink").write_bytes(metalink(file("c", server.url("/1"))))
        local = (here / "y z.metalink").as_uri()
        urls = (server.url("/x.META4?token=1"), server.url("/plain"), local)
        ended = command("get", *urls, "--into", "dest", "--json")
        assert ended.outcomes == dict.fromkeys(["sub/a", "b", "plain", "c"], "downloaded")
        assert tree(here / "dest") == {"sub/a": BODY, "b": b"2", "plain": b"plain", "c": BODY}

    def test_with_output_the_metalink_itself_is_saved(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        document = metalink(file("a", server.url("/a")))
        server.on("/x.meta4", reply(200, document))
        command("get", server.url("/x.meta4"), "--output", "x.meta4")
        assert tree(here) == {"x.meta4": document}
        ended = command("get", server.url("/x.meta4"), "--output", "-")
        assert ended.stdout == document
        assert asked(server) == ["/x.meta4"] * 2

    @pytest.mark.fault(159)
    def test_a_bad_metalink_is_one_failed_item_and_the_others_go_on(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"a": BODY, "b": b"b", "c": b"c"})
        bad = {
            "/1.meta4": metalink(file("x", server.url("/a")), file("../x", server.url("/a"))),
            "/2.meta4": b"<html>log in</html>",
            "/3.meta4": metalink(file("x", (here / "secret").as_uri())),
        }
        for place, document in bad.items():
            server.on(place, reply(200, document))
        server.on("/5.meta4", reply(200, metalink(file("c", server.url("/c"), body=b"c"))))
        absent = (here / "absent.meta4").as_uri()
        urls = ["/a", "/1.meta4", "/2.meta4", "/3.meta4", "/4.meta4", "/b", "/5.meta4"]
        ended = command("get", *map(server.url, urls), absent, "--json", status=1)
        failed = {line["url"]: line["error"] for line in ended.files if line["error"]}
        assert {url: error["type"] for url, error in failed.items()} == {
            server.url("/1.meta4"): "ManifestError",
            server.url("/2.meta4"): "ManifestError",
            server.url("/3.meta4"): "ManifestError",
            server.url("/4.meta4"): "NotFound",
            absent: "NotFound",
        }
        assert failed[server.url("/1.meta4")]["message"].startswith("line 3: unsafe path '../x'")
        assert tree(here) == {"a": BODY, "b": b"b", "c": b"c"}

    def test_a_name_that_was_given_before_is_one_failed_item(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"a": BODY, "b": b"b"})
        document = metalink(file("a", server.url("/1")), file("b", server.url("/b"), body=b"b"))
        server.on("/x.meta4", reply(200, document))
        ended = command("get", server.url("/a"), server.url("/x.meta4"), "--json", status=1)
        told = {line["url"]: line["error"] and line["error"]["type"] for line in ended.files}
        assert told == {
            server.url("/a"): None,
            server.url("/1"): "WriteError",
            server.url("/b"): None,
        }
        assert tree(here) == {"a": BODY, "b": b"b"}

    @pytest.mark.need("I3")
    def test_a_digest_and_a_mirror_that_are_given_are_the_metalinks_own(
        self, command: Command, server: FaultServer, other: FaultServer, here: Path
    ) -> None:
        publish(other, {"a": BODY})
        document = metalink(file("a", other.url("/a")))
        server.on("/x.meta4", reply(200, b"other"))
        other.on("/y.meta4", reply(200, document))
        given = ("--digest", f"sha256:{sha256(document)}", "--mirror", other.url("/y.meta4"))
        command("get", server.url("/x.meta4"), *given)
        assert tree(here) == {"a": BODY}
        wrong = ("--digest", f"sha256:{sha256(b'')}", "--retries", "0", "--json")
        ended = command("get", server.url("/x.meta4"), *wrong, status=1)
        assert ended.file["error"]["type"] == "DigestMismatch"

    @pytest.mark.need("I8")
    @pytest.mark.parametrize("output", [(), ("--output", "a"), ("--output", "-")])
    def test_a_given_mirror_is_asked_after_the_url_and_gets_what_the_caller_gave(
        self,
        command: Command,
        server: FaultServer,
        other: FaultServer,
        here: Path,
        output: tuple[str, ...],
    ) -> None:
        (here / "secret").write_text("secret")
        publish(server, {})
        publish(other, {"elsewhere/b": BODY})
        mirrors = ("--mirror", server.url("/2"), "--mirror", other.url("/elsewhere/b"))
        ended = command("get", server.url("/a"), *mirrors, *output, *SECRETS)
        if output == ("--output", "-"):
            assert ended.stdout == BODY
        else:
            assert (here / "a").read_bytes() == BODY
        assert [request.path for request in server.requests] == ["/a", "/2"]
        assert other.requests[0].headers["X-Key"] == "secret"
        assert other.requests[0].headers["Authorization"] == "Bearer secret"

    @pytest.mark.fault(124)
    def test_an_interruption_need_not_wait_for_a_metalink(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(hold)
        urls = (server.url("/a"), server.url("/x.meta4"))
        with command.started("get", *urls, "--json") as process:
            server.wait_for(lambda: server.held == 2)
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            ended = finished(process)
        assert time.monotonic() - started < AT_ONCE
        assert ended.status == 130
        assert ended.outcomes == {"a": "cancelled"}
        assert tree(here) == {}
