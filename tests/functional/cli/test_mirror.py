"""``mirror``: all that a manifest lists, into a folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.functional.cli.command import Command, finished
from tests.functional.cli.shelf import (
    BODY,
    HOUSE,
    asked,
    dated,
    mirrored,
    publish,
    sha256,
    sums,
    tree,
)
from tests.servers import FaultServer, reply, steps

FILES = {
    "a.iso": BODY,
    "pool/b c+d.deb": b"another file\n",
    "pool/deep/50%.rpm": b"",
    "-é[x]*": b"x",
}


def sha1(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


PACKAGES = "\n".join(
    f"Package: p\nFilename: ./{path}\nSize: {len(body)}\nMD5sum: {md5(body)}\n"
    f"SHA256: {sha256(body)}\nDescription: d\n more\n"
    for path, body in FILES.items()
).encode()
BINARY = "".join(f"{sha256(body)} *{path}\n" for path, body in FILES.items()).encode()
TAGGED = "".join(f"MD5 ({path}) = {md5(body)}\n" for path, body in FILES.items()).encode()
PULP = "".join(f"{path},{sha256(body)},{len(body)}\n" for path, body in FILES.items()).encode()
JSONL = b"".join(
    json.dumps({"path": path, "size": len(body), "digests": {"sha1": sha1(body)}}).encode() + b"\n"
    for path, body in FILES.items()
)


class Listed(NamedTuple):
    """A manifest, where it is published, and the folder that its names are relative to.

    ``copy`` is its place in the mirror, if it gets one.
    """

    place: str
    content: bytes
    copy: str | None
    root: str = "/repo"


_INDEX = gzip.compress(PACKAGES)
MANIFESTS = {
    "checksums, text": Listed("/repo/SHA256SUMS", sums(FILES), "SHA256SUMS"),
    "checksums, binary": Listed("/repo/x.iso.sha256?token=1", BINARY, "x.iso.sha256"),
    "checksums, tagged": Listed("/repo/CHECKSUM", TAGGED, "CHECKSUM"),
    "PULP_MANIFEST": Listed("/repo/PULP_MANIFEST", PULP, "PULP_MANIFEST"),
    "Packages": Listed(
        "/repo/dists/sid/main/binary-all/Packages", PACKAGES, "dists/sid/main/binary-all/Packages"
    ),
    "Packages.gz": Listed(
        "/dists/x/dists/a/b/Packages.gz", _INDEX, "dists/a/b/Packages.gz", "/dists/x"
    ),
    "Packages.xz, flat": Listed("/repo/Packages.xz", lzma.compress(PACKAGES), "Packages.xz"),
    "jsonl": Listed("/repo/failed.jsonl", JSONL, None),
}


@pytest.mark.need("I2")
@pytest.mark.parametrize("listed", MANIFESTS.values(), ids=MANIFESTS)
def test_each_format_is_mirrored_once_and_then_found_present(
    command: Command, server: FaultServer, here: Path, listed: Listed
) -> None:
    place = listed.place.partition("?")[0]
    publish(server, FILES, below=listed.root)
    server.on(place, reply(200, listed.content))
    expected = FILES if listed.copy is None else {**FILES, listed.copy: listed.content}
    ended = command("mirror", server.url(listed.place), "dest", "--json")
    assert ended.outcomes == dict.fromkeys(expected, "downloaded")
    assert listed.copy in (None, ended.files[-1]["path"]), "behind what it lists"
    assert ended.summary["bytes"] == sum(map(len, expected.values()))
    assert mirrored(here) == {f"dest/{path}": body for path, body in expected.items()}
    assert len(server.requests) == 1 + len(FILES)
    ended = command("mirror", server.url(listed.place), "dest", "--json")
    assert ended.outcomes == dict.fromkeys(expected, "present")
    assert ended.summary["bytes"] == 0
    assert [request.path for request in server.requests[1 + len(FILES) :]] == [place]


def test_a_list_of_urls_lands_under_their_paths_and_is_asked_for_conditionally(
    command: Command, server: FaultServer, here: Path
) -> None:
    publish(server, {"x/a": BODY, "y/b c": b"b"})
    urls = f"# mine\n{server.url('/x/a')}\n{server.url('/y/b%20c?q=1')}\n".encode()
    server.on("/urls.txt", reply(200, urls))
    command("mirror", server.url("/urls.txt"), "dest")
    assert mirrored(here / "dest") == {"x/a": BODY, "y/b c": b"b"}
    ended = command("mirror", server.url("/urls.txt"), "dest", "--json")
    assert ended.outcomes == {"x/a": "present", "y/b c": "present"}
    assert len(server.requests) == 6
    server.on("/x/a", dated(b"newer", "Mon, 06 Nov 2023 00:00:00 GMT"))
    ended = command("mirror", server.url("/urls.txt"), "dest", "--json")
    assert ended.outcomes == {"x/a": "downloaded", "y/b c": "present"}
    assert mirrored(here / "dest") == {"x/a": b"newer", "y/b c": b"b"}


@pytest.mark.need("I3")
def test_a_rerun_fetches_only_what_is_missing_or_wrong(
    command: Command, server: FaultServer, here: Path
) -> None:
    files = {name: name.encode() * 50 for name in ("right", "damaged", "cut", "missing")}
    publish(server, files)
    server.on("/SHA256SUMS", reply(200, sums(files)))
    arguments = ("mirror", server.url("/SHA256SUMS"), "dest", "--json")
    command(*arguments)
    before = (here / "dest/right").stat()
    (here / "dest/damaged").write_bytes(b"x" * len(files["damaged"]))
    (here / "dest/cut").write_bytes(files["cut"][:-1])
    (here / "dest/missing").unlink()
    (here / "dest/unlisted").write_bytes(b"mine")
    ended = command(*arguments)
    assert ended.outcomes == {
        "right": "present",
        "damaged": "downloaded",
        "cut": "downloaded",
        "missing": "downloaded",
        "SHA256SUMS": "present",
    }
    again = [request.path for request in server.requests[5:]]
    assert sorted(again) == ["/SHA256SUMS", "/cut", "/damaged", "/missing"]
    assert mirrored(here / "dest") == {
        **files,
        "SHA256SUMS": sums(files),
        "unlisted": b"mine",
    }
    after = (here / "dest/right").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


class TestSources:
    def test_a_path_a_file_url_and_stdin_are_sources_too(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        shelf = here / "a shelf#1"
        for path, body in FILES.items():
            (shelf / path).parent.mkdir(parents=True, exist_ok=True)
            (shelf / path).write_bytes(body)
        (shelf / "SHA256SUMS").write_bytes(sums(FILES))
        command("mirror", "a shelf#1/SHA256SUMS", "one")
        command("mirror", (shelf / "SHA256SUMS").as_uri(), "two")
        publish(server, FILES, below="/base")
        base = server.url("/base")
        command("mirror", "-", "three", "--base-url", base, stdin=sums(FILES))
        command("mirror", "a shelf#1/SHA256SUMS", "four", "--base-url", base)
        copied = {**FILES, "SHA256SUMS": sums(FILES)}
        for dest in ("one", "two", "four"):
            assert mirrored(here / dest) == copied
        assert mirrored(here / "three") == FILES

    def test_what_stdin_lists_by_name_alone_needs_a_base_url(
        self, command: Command, here: Path
    ) -> None:
        for listed in (sums(FILES), b'{"path": "etc/passwd"}\n'):
            ended = command("mirror", "-", "dest", stdin=listed, status=2)
            assert "--base-url" in ended.stderr
        assert tree(here) == {}

    def test_a_base_url_and_a_format_override_what_would_be_guessed(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"other/a": BODY})
        server.on("/r/urls", reply(200, sums({"a": BODY})))
        assert "checksums" in command("mirror", server.url("/r/urls"), "dest", status=2).stderr
        base = server.url("/other/")
        arguments = ("--format", "checksums", "--base-url", base)
        command("mirror", server.url("/r/urls"), "dest", *arguments)
        assert mirrored(here) == {"dest/a": BODY, "dest/urls": sums({"a": BODY})}

    @pytest.mark.fault(160)
    def test_a_fetched_list_of_local_files_is_refused(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        secret = here / "secret"
        secret.write_bytes(b"canary")
        for place, line in [
            ("/urls", f"{server.url('/a')}\n{secret.as_uri()}\n"),
            ("/x.jsonl", json.dumps({"path": "a", "url": secret.as_uri().replace("f", "F", 1)})),
        ]:
            server.on(place, reply(200, line.encode()))
            ended = command("mirror", server.url(place), "dest", status=2)
            assert "may not name local files" in ended.stderr
        assert asked(server) == ["/urls", "/x.jsonl"]
        assert tree(here) == {"secret": b"canary"}

    def test_a_manifest_that_cannot_be_had_is_wrong_usage(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/html", reply(200, b"<html>login first</html>"))
        server.on("/gone.sha256", reply(410))
        for source, words in [
            (server.url("/gone.sha256"), "410"),
            (server.url("/html"), "looks like HTML"),
            ("absent", "No such file"),
            ("gopher://127.0.0.1/urls", "gopher"),
            ("http://host:port/urls", "malformed"),
        ]:
            assert words in command("mirror", source, "dest", status=2).stderr
        assert os.listdir(here) == []


class TestSelection:
    def test_include_and_exclude_choose_by_whole_paths(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        files = dict.fromkeys(("pool/a/a.deb", "pool/b/b.deb", "pool/b/b.udeb", "other"), b"x")
        publish(server, files)
        server.on("/SHA256SUMS", reply(200, sums(files)))
        chosen = ("--include", "pool/*", "--include", "none", "--exclude", "*.udeb")
        command("mirror", server.url("/SHA256SUMS"), "dest", *chosen)
        assert sorted(mirrored(here / "dest")) == ["SHA256SUMS", "pool/a/a.deb", "pool/b/b.deb"]
        assert asked(server) == ["/SHA256SUMS", "/pool/a/a.deb", "/pool/b/b.deb"]

    def test_a_dry_run_says_what_would_be_done_and_does_nothing(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        files = {"here": b"here", "missing": BODY, "wrong": b"wrong", "folder": b"", "extra": b""}
        lines = "".join(f"{name},{sha256(body)},{len(body)}\n" for name, body in files.items())
        copy = len(lines)
        server.on("/PULP_MANIFEST", reply(200, lines.encode()))
        for name, body in {"here": b"here", "wrong": b"other", "folder/x": b"x"}.items():
            (here / "dest" / name).parent.mkdir(parents=True, exist_ok=True)
            (here / "dest" / name).write_bytes(body)
        before = tree(here)
        source = server.url("/PULP_MANIFEST")
        ended = command("mirror", source, "dest", "--dry-run", "--json", status=1)
        assert ended.outcomes == {
            "here": "present",
            "missing": "would-download",
            "wrong": "would-download",
            "folder": "failed",
            "extra": "would-download",
            "PULP_MANIFEST": "would-download",
        }
        assert ended.summary["bytes"] == len(BODY) + len(b"wrong") + copy
        ended = command("mirror", source, "dest", "--dry-run", "--exclude", "folder", "--quiet")
        assert sorted(ended.text.splitlines()) == [
            "would-download: PULP_MANIFEST",
            "would-download: extra",
            "would-download: missing",
            "would-download: wrong",
        ]
        chosen = ("--include", "here")
        ended = command("mirror", source, "dest", "--dry-run", "--json", *chosen)
        assert ended.outcomes == {"here": "present", "PULP_MANIFEST": "would-download"}
        assert ended.summary == {"would-download": 1, "present": 1, "failed": 0, "bytes": copy}
        command("mirror", source, "absent", "--dry-run", "--include", "missing")
        assert set(asked(server)) == {"/PULP_MANIFEST"}
        assert tree(here) == before
        assert not (here / "absent").exists()


DIGEST = "0" * 64

# What is wrong on the third line, and how the refusal says it.
REFUSED = {
    "PULP_MANIFEST": [
        (f"a,{DIGEST}", "2 fields"),
        (f"a,{DIGEST[1:]},1", "63"),
        (f"a,{DIGEST},-1", "'-1'"),
        (f"a\0b,{DIGEST},1", "control character"),
    ],
    "SHA256SUMS": [
        (f"{DIGEST}  ../a", "'..'"),
        (f"{DIGEST}  /etc/passwd", "absolute"),
        (f"{DIGEST}  C:\\a", "backslash"),
        (f"{DIGEST}  c:a", "drive letter"),
        (f"{DIGEST}  GOOD1", "differ only by case"),
        (f"{DIGEST}  good1/below", "is the folder of"),
        ("no checksum", "neither"),
        (f"\\{DIGEST}  a\\nb", "control character"),
    ],
}


@pytest.mark.fault(162)
@pytest.mark.parametrize("name", REFUSED)
def test_a_manifest_with_a_bad_line_is_refused_as_a_whole_and_nothing_fetched(
    command: Command, server: FaultServer, here: Path, name: str
) -> None:
    good = {
        "PULP_MANIFEST": f"good1,{DIGEST},1\ngood2,{DIGEST},1\n",
        "SHA256SUMS": f"{DIGEST}  good1\n{DIGEST}  good2\n",
    }[name]
    (here / "old").mkdir()
    (here / "old/good1").write_bytes(b"old")
    for number, (line, reason) in enumerate(REFUSED[name]):
        server.on(f"/{number}/{name}", reply(200, f"{good}{line}\n".encode()))
        source, dest = server.url(f"/{number}/{name}"), "old" if number % 2 else "new"
        ended = command("mirror", source, dest, "--json", status=2)
        assert f"{source}: line 3: " in ended.stderr
        assert reason in ended.stderr
        assert ended.stdout == b""
    assert asked(server) == sorted(f"/{number}/{name}" for number in range(len(REFUSED[name])))
    assert tree(here) == {"old/good1": b"old"}
    assert os.listdir(here / "old") == ["good1"]
    assert not (here / "new").exists()


@pytest.mark.fault(162)
def test_a_truncated_compressed_index_is_refused_as_a_whole(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.on("/Packages.gz", reply(200, gzip.compress(PACKAGES)[:-9]))
    ended = command("mirror", server.url("/Packages.gz"), "dest", status=2)
    assert "truncated gzip data" in ended.stderr
    assert len(server.requests) == 1
    assert os.listdir(here) == []


@pytest.mark.fault(161)
def test_a_hostile_json_list_is_refused_with_its_line(command: Command, here: Path) -> None:
    (here / "x.jsonl").write_text('{"path": "a"}\n{"path": "b", "size": ' + "[" * 30_000 + "\n")
    ended = command("mirror", "x.jsonl", "dest", status=2)
    assert "line 2: not a JSON object" in ended.stderr
    assert sorted(tree(here)) == ["x.jsonl"]


class TestTheDestination:
    def test_a_file_is_no_destination(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        (here / "dest").write_bytes(b"mine")
        command("mirror", server.url("/SHA256SUMS"), "dest", status=2)
        assert server.accepted == 0
        assert tree(here) == {"dest": b"mine"}

    def test_a_folder_in_the_place_of_a_file_is_one_failure(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        files = {"a": b"a", "b/c": b"c", "d": b"d"}
        publish(server, files)
        server.on("/SHA256SUMS", reply(200, sums(files)))
        (here / "dest/a/x").mkdir(parents=True)
        (here / "dest/b").write_bytes(b"a file in the place of a folder")
        ended = command("mirror", server.url("/SHA256SUMS"), "dest", "--json", status=1)
        assert ended.outcomes == {
            "a": "failed",
            "b/c": "failed",
            "d": "downloaded",
            "SHA256SUMS": "cancelled",
        }
        assert {file["error"]["type"] for file in ended.files if file["status"] == "failed"} == {
            "WriteError"
        }
        assert ended.files[-1]["error"]["message"] == "not published: 2 files are missing"
        assert mirrored(here / "dest") == {"b": b"a file in the place of a folder", "d": b"d"}

    def test_a_planted_symlink_never_leads_outside(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        files = dict.fromkeys(("folder/canary", "deep/er/canary", "file", "loop/a"), b"new")
        publish(server, files)
        server.on("/SHA256SUMS", reply(200, sums(files)))
        (here / "outside").mkdir()
        (here / "outside/canary").write_bytes(b"canary")
        (here / "dest/deep").mkdir(parents=True)
        os.symlink("../outside", here / "dest/folder")
        os.symlink(here / "outside", here / "dest/deep/er")
        os.symlink("../outside/canary", here / "dest/file")
        os.symlink("loop", here / "dest/loop")
        source = server.url("/SHA256SUMS")
        command("mirror", source, "dest", "--dry-run", status=1)
        assert tree(here / "outside") == {"canary": b"canary"}
        ended = command("mirror", source, "dest", "--json", status=1)
        assert ended.outcomes == {
            "folder/canary": "failed",
            "deep/er/canary": "failed",
            "file": "downloaded",
            "loop/a": "failed",
            "SHA256SUMS": "cancelled",
        }
        assert tree(here / "outside") == {"canary": b"canary"}
        assert (here / "dest/file").read_bytes() == b"new"
        assert not (here / "dest/file").is_symlink()

    @pytest.mark.parametrize("given", [[], ["--dry-run"]])
    @pytest.mark.parametrize("planted", ["a folder", "a database"])
    def test_a_symlink_planted_for_the_catalog_is_not_followed(
        self, command: Command, server: FaultServer, here: Path, planted: str, given: list[str]
    ) -> None:
        publish(server, {"a": BODY})
        server.on("/SHA256SUMS", reply(200, sums({"a": BODY})))
        (here / "outside").mkdir()
        (here / "outside/catalog.sqlite").touch()
        (here / "dest").mkdir()
        if planted == "a folder":
            os.symlink("../outside", here / "dest" / HOUSE)
        else:
            (here / "dest" / HOUSE).mkdir()
            os.symlink("../../outside/catalog.sqlite", here / "dest" / HOUSE / "catalog.sqlite")
        before = sorted(here.rglob("*"))
        ended = command("mirror", server.url("/SHA256SUMS"), "dest", *given, status=2)
        assert "a symbolic link, which is not followed" in ended.stderr
        assert tree(here / "outside") == {"catalog.sqlite": b""}
        assert sorted(here.rglob("*")) == before

    def test_a_second_run_at_the_same_time_is_turned_away(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/SHA256SUMS", reply(200, sums({"a": BODY})))
        gate = server.gate()
        server.on("/a", steps(gate, reply(200, BODY)))
        arguments = ("mirror", server.url("/SHA256SUMS"), "dest", "--json")
        with command.started(*arguments) as process:
            gate.wait_for(1)
            ended = command(*arguments, status=2)
            assert f"dest: another run (process {process.pid}) is at work here" in ended.stderr
            assert ended.stdout == b""
            gate.open()
            assert finished(process).status == 0
        assert mirrored(here / "dest") == {"a": BODY, "SHA256SUMS": sums({"a": BODY})}
        assert asked(server) == ["/SHA256SUMS", "/a"]

    def test_a_symlink_to_the_destination_itself_is_the_callers_wish(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        publish(server, {"a": BODY})
        server.on("/SHA256SUMS", reply(200, sums({"a": BODY})))
        (here / "real").mkdir()
        os.symlink("real", here / "dest")
        command("mirror", server.url("/SHA256SUMS"), "dest")
        assert mirrored(here / "real") == {"a": BODY, "SHA256SUMS": sums({"a": BODY})}


class TestFailures:
    def test_what_failed_is_fetched_from_the_list_once_the_server_is_well(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        files = {name: name.encode() for name in ("good", "x/gone", "x/wrong", "y?z&é")}
        publish(server, files)
        for path in ("/x/gone", "/y%3Fz%26%C3%A9"):
            server.on(path, reply(404))
        server.on("/x/wrong", reply(200, b"other"))
        server.on("/SHA256SUMS", reply(200, sums(files)))
        (here / "failed").touch(mode=0o644)
        common = ("--retries", "0", "--json", "--failures", "failed")
        ended = command("mirror", server.url("/SHA256SUMS"), "dest", *common, status=1)
        assert ended.outcomes["SHA256SUMS"] == "cancelled"
        assert sorted(ended.outcomes.values()) == ["cancelled", "downloaded", *["failed"] * 3]
        assert (here / "failed").stat().st_mode & 0o777 == 0o600
        assert [set(json.loads(line)) for line in (here / "failed").read_text().splitlines()] == [
            {"path", "url", "size", "digests"}
        ] * 3

        server.on("/x/gone", reply(200, files["x/gone"]))
        server.on("/x/wrong", reply(200, files["x/wrong"]))
        server.on("/y%3Fz%26%C3%A9", reply(200, files["y?z&é"]))
        seen = len(server.requests)
        ended = command("mirror", "failed", "dest", "--json", "--failures", "failed")
        assert ended.outcomes == dict.fromkeys(["x/gone", "x/wrong", "y?z&é"], "downloaded")
        assert len(server.requests) == seen + 3
        assert mirrored(here / "dest") == files
        assert (here / "failed").read_bytes() == b""
        command("mirror", server.url("/SHA256SUMS"), "dest")
        assert mirrored(here / "dest") == {**files, "SHA256SUMS": sums(files)}
        assert len(server.requests) == seen + 4

    def test_the_old_list_stays_if_the_manifest_is_refused(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/SHA256SUMS", reply(200, b"no checksum\n"))
        (here / "failed").write_bytes(b"what failed before\n")
        given = ("--failures", "failed")
        command("mirror", server.url("/SHA256SUMS"), "dest", *given, status=2)
        assert (here / "failed").read_bytes() == b"what failed before\n"

    def test_what_could_not_be_put_in_its_place_is_listed_too(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        """In a dry run as well: what fails is a place that is taken."""
        manifest = sums({"a": BODY})
        publish(server, {"a": BODY})
        server.on("/SHA256SUMS", reply(200, manifest))
        (here / "dest/SHA256SUMS/x").mkdir(parents=True)
        arguments = ("mirror", server.url("/SHA256SUMS"), "dest", "--json", "--failures", "failed")
        for done, given in [("would-download", ["--dry-run"]), ("downloaded", [])]:
            ended = command(*arguments, *given, status=1)
            assert ended.outcomes == {"a": done, "SHA256SUMS": "failed"}
            (failed,) = (file for file in ended.files if file["path"] == "SHA256SUMS")
            assert failed["error"]["type"] == "WriteError"
            (entry,) = [json.loads(line) for line in (here / "failed").read_text().splitlines()]
            assert entry == {
                "path": "SHA256SUMS",
                "url": server.url("/SHA256SUMS"),
                "size": len(manifest),
                "digests": {"sha256": sha256(manifest)},
            }
        (here / "dest/SHA256SUMS/x").rmdir()
        (here / "dest/SHA256SUMS").rmdir()
        command("mirror", "failed", "dest")
        assert mirrored(here / "dest") == {"a": BODY, "SHA256SUMS": manifest}

    def test_what_get_could_not_fetch_is_a_list_too(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.on("/a", [reply(404), reply(200, BODY)])
        server.on("/b", [reply(404), reply(200, BODY)])
        urls = ["gopher://127.0.0.1/x", "no url", server.url("/a?key=v"), server.url("/f/")]
        command("get", *urls, "--failures", "1.jsonl", status=1)
        elsewhere = ("--output", here / "elsewhere" / "b~", "--size", "10K")
        command("get", server.url("/b"), *elsewhere, "--failures", "2.jsonl", status=1)
        command("mirror", "1.jsonl", "dest")
        command("mirror", "2.jsonl", "dest")
        assert mirrored(here / "dest") == {"a": BODY, "b~": BODY}
        assert server.requests[-2].target == "/a?key=v"


class TestCredentials:
    @pytest.fixture
    def other(self) -> Iterator[FaultServer]:
        with FaultServer(host="127.0.0.2") as other:
            yield other

    @pytest.mark.fault(160)
    @pytest.mark.parametrize(
        ("given", "userinfo", "field", "expected"),
        [
            (
                ["--username", "me", "--password-file", "pw"],
                "",
                "Authorization",
                "Basic bWU6c2VjcmV0",
            ),
            ([], "me:secret", "Authorization", "Basic bWU6c2VjcmV0"),
            (["--token-file", "pw"], "", "Authorization", "Bearer secret"),
            (["--header", "X-Key: secret"], "", "X-Key", "secret"),
            (["--header", "@headers"], "", "Cookie", "k=secret"),
        ],
        ids=["password", "userinfo", "token", "header", "header-file"],
    )
    def test_secrets_stay_with_the_origin_of_the_manifest(
        self,
        command: Command,
        server: FaultServer,
        other: FaultServer,
        here: Path,
        given: list[str],
        userinfo: str,
        field: str,
        expected: str,
    ) -> None:
        (here / "pw").write_text("secret\n")
        (here / "headers").write_text("Cookie: k=secret\n\n")
        publish(server, {"a": b"a"})
        publish(other, {"b": b"b"})
        urls = f"{server.url('/a')}\n{other.url('/b')}\n"
        server.on("/urls", reply(200, urls.encode()))
        source = server.url("/urls", userinfo=userinfo)
        command("mirror", source, "dest", *given)
        assert mirrored(here / "dest") == {"a": b"a", "b": b"b"}
        assert [request.headers.all(field) for request in server.requests] == [[expected]] * 2
        (request,) = other.requests
        assert b"secret" not in request.raw
        assert b"bWU6c2VjcmV0" not in request.raw

    def test_the_userinfo_of_each_given_url_is_for_its_own_origin(
        self, command: Command, server: FaultServer, other: FaultServer, here: Path
    ) -> None:
        publish(other, {"x/a": b"a"})
        server.on("/SHA256SUMS", reply(200, sums({"a": b"a"})))
        source = server.url("/SHA256SUMS", userinfo="me:secret")
        command("mirror", source, "one", "--base-url", other.url("/x"))
        command("mirror", source, "two", "--base-url", other.url("/x", userinfo="you:other"))
        said = [request.headers.all("Authorization") for request in other.requests]
        assert said == [[], ["Basic eW91Om90aGVy"]]
        assert {request.headers["Authorization"] for request in server.requests} == {
            "Basic bWU6c2VjcmV0"
        }

    def test_a_given_base_url_is_known_and_gets_what_was_given(
        self, command: Command, server: FaultServer, other: FaultServer, here: Path
    ) -> None:
        (here / "token").write_text("secret")
        publish(other, {"a": b"a"})
        server.on("/SHA256SUMS", reply(200, sums({"a": b"a"})))
        source = server.url("/SHA256SUMS")
        given = ("--base-url", other.url("/"), "--token-file", "token")
        command("mirror", source, "dest", *given)
        assert other.requests[0].headers["Authorization"] == "Bearer secret"
