"""``mirror``: pages of a package index, and a repository's list of its own indices."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.functional.cli.command import Command
from tests.functional.cli.shelf import BODY, asked, mirrored, publish, sha256, tree
from tests.servers import FaultServer, reply

FILES = {"foo-1.tar.gz": BODY, "foo-1+b-py3.whl": b"another file\n"}

HTML = (
    '<html><head><meta name="pypi:repository-version" content="1.1"></head><body>\n'
    f'<a href="../../files/foo-1.tar.gz#sha256={sha256(BODY)}">foo-1.tar.gz</a>\n'
    '<a href="/files/foo-1%2Bb-py3.whl">foo-1+b-py3.whl</a>\n</body></html>'
).encode()
JSON = json.dumps(
    {
        "files": [
            {
                "filename": name,
                "url": f"../../files/{name}",
                "size": len(body),
                "hashes": {"sha256": sha256(body)},
            }
            for name, body in FILES.items()
        ],
        "meta": {"api-version": "1.1"},
        "name": "foo",
    }
).encode()
each_form = pytest.mark.parametrize("page", [HTML, JSON], ids=["HTML", "JSON"])


@each_form
def test_a_projects_page_brings_its_files_from_wherever_its_links_lead(
    command: Command, server: FaultServer, here: Path, page: bytes
) -> None:
    publish(server, FILES, below="/files")
    server.on("/simple/foo/", reply(200, page))
    ended = command("mirror", server.url("/simple/foo/"), "dest", "--json")
    assert ended.outcomes == dict.fromkeys([*FILES, "index.pypi"], "downloaded")
    assert mirrored(here / "dest") == {**FILES, "index.pypi": page}
    again = command("mirror", server.url("/simple/foo/"), "dest", "--json")
    assert again.outcomes == dict.fromkeys([*FILES, "index.pypi"], "present")


@each_form
def test_a_saved_page_needs_the_url_that_it_had(
    command: Command, server: FaultServer, here: Path, page: bytes
) -> None:
    publish(server, FILES, below="/files")
    (here / "page").write_bytes(page)
    ended = command("mirror", "page", "dest", status=2)
    assert "a link to a file: URL" in ended.stderr
    assert "--base-url" in ended.stderr
    assert not (here / "dest").exists()
    base = server.url("/simple/foo")
    assert command("mirror", "page", "dest", "--base-url", base, "--json").outcomes == (
        dict.fromkeys([*FILES, "index.pypi"], "downloaded")
    )


@pytest.mark.fault(160)
def test_a_fetched_page_reaches_no_local_file_even_from_a_local_base(
    command: Command, server: FaultServer, here: Path
) -> None:
    (here / "secret").write_bytes(b"secret")
    server.on("/simple/foo/", reply(200, b'<html><a href="../secret">secret</a></html>'))
    arguments = ["mirror", server.url("/simple/foo/"), "dest", "--format", "pypi"]
    ended = command(*arguments, "--base-url", (here / "x").as_uri(), status=2)
    assert "line 1: a link to a file: URL" in ended.stderr
    assert tree(here) == {"secret": b"secret"}


def test_other_places_are_not_asked_for_what_a_link_leads_to(
    command: Command, server: FaultServer, here: Path
) -> None:
    publish(server, {"foo-1.tar.gz": BODY}, below="/files")
    server.on("/simple/foo/", reply(200, HTML.replace(b"py3", b"py2")))
    (here / "list").write_text(f"{server.url('/other/')}\n")
    ended = command(
        *("mirror", server.url("/simple/foo/"), "dest", "--mirror-list", "list", "--json"),
        status=1,
    )
    assert ended.outcomes == {
        "foo-1.tar.gz": "downloaded",
        "foo-1+b-py2.whl": "failed",
        "index.pypi": "cancelled",
    }
    assert not any(path.startswith("/other") for path in asked(server))


PACKAGES = (
    f"Package: a\nFilename: pool/a_1.deb\nSize: {len(BODY)}\nSHA256: {sha256(BODY)}\n\n"
).encode()


class Archive(NamedTuple):
    """A Debian archive of one suite, whose Release lists more than is served."""

    release: bytes
    below: dict[str, bytes]

    @property
    def everything(self) -> dict[str, bytes]:
        return {"dists/sid/Release": self.release, **self.below}


def archive(*architectures: str) -> Archive:
    indices = {
        **{f"main/binary-{name}/Packages.xz": lzma.compress(PACKAGES) for name in architectures},
        "main/Contents.gz": b"x",
    }
    unserved = {path.rpartition(".")[0]: b"plain" for path in indices}
    listed = "".join(
        f" {sha256(body)} {len(body)} {path}\n" for path, body in {**unserved, **indices}.items()
    )
    below = {f"dists/sid/{path}": body for path, body in indices.items()}
    release = f"Suite: sid\nSHA256:\n{listed}".encode()
    return Archive(release, {**below, "pool/a_1.deb": BODY})


def test_a_release_brings_the_best_form_of_each_index_and_what_they_list(
    command: Command, server: FaultServer, here: Path
) -> None:
    found = archive("amd64", "arm64")
    publish(server, found.everything, below="/debian")
    url = server.url("/debian/dists/sid/Release")
    ended = command("mirror", url, "dest", "--json")
    assert ended.outcomes == dict.fromkeys(found.everything, "downloaded")
    assert ended.files[0]["path"] == "pool/a_1.deb"
    assert ended.files[-1]["path"] == "dists/sid/Release"
    assert mirrored(here / "dest") == found.everything
    before = len(server.requests)
    again = command("mirror", url, "dest", "--json")
    assert again.outcomes == dict.fromkeys(found.everything, "present")
    assert asked(server)[0] == "/debian/dists/sid/Release"
    assert len(server.requests) == before + 1  # the lists are taken from DEST


def test_globs_choose_the_lists_of_one_architecture(
    command: Command, server: FaultServer, here: Path
) -> None:
    found = archive("amd64", "arm64")
    publish(server, found.everything, below="/debian")
    selection = ("--include", "*/binary-amd64/*", "--include", "pool/*")
    url = server.url("/debian/dists/sid/Release")
    ended = command("mirror", url, "dest", *selection, "--json")
    wanted = ["pool/a_1.deb", "dists/sid/main/binary-amd64/Packages.xz", "dists/sid/Release"]
    assert ended.outcomes == dict.fromkeys(wanted, "downloaded")
    assert sorted(mirrored(here / "dest")) == sorted(wanted)


@pytest.mark.fault(239)
def test_an_index_that_is_not_the_one_its_release_lists_is_refused_and_all_stays(
    command: Command, server: FaultServer, here: Path
) -> None:
    found = archive("amd64")
    publish(server, {**found.everything, "dists/sid/main/binary-amd64/Packages.xz": b"newer"})
    ended = command("mirror", server.url("/dists/sid/Release"), "dest", "--json", status=2)
    assert "Packages.xz: " in ended.stderr
    assert not (here / "dest").exists()
