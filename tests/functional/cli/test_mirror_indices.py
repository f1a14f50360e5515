"""``mirror``: pages of a package index, and a repository's list of its own indices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.cli.command import Command
from tests.functional.cli.shelf import BODY, asked, publish, sha256, tree
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
    assert ended.outcomes == dict.fromkeys(FILES, "downloaded")
    assert tree(here / "dest") == FILES
    again = command("mirror", server.url("/simple/foo/"), "dest", "--json")
    assert again.outcomes == dict.fromkeys(FILES, "present")


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
        dict.fromkeys(FILES, "downloaded")
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
    assert ended.outcomes == {"foo-1.tar.gz": "downloaded", "foo-1+b-py2.whl": "failed"}
    assert not any(path.startswith("/other") for path in asked(server))


def test_a_release_brings_the_best_form_of_each_index_beside_itself(
    command: Command, server: FaultServer, here: Path
) -> None:
    files = {"main/binary-amd64/Packages.xz": BODY, "main/Contents.gz": b"x"}
    unserved = {"main/binary-amd64/Packages": b"plain", "main/Contents": b"xx"}
    listed = "".join(
        f" {sha256(body)} {len(body)} {path}\n" for path, body in {**unserved, **files}.items()
    )
    publish(server, files, below="/debian/dists/sid")
    server.on("/debian/dists/sid/Release", reply(200, f"Suite: sid\nSHA256:\n{listed}".encode()))
    ended = command("mirror", server.url("/debian/dists/sid/Release"), "dest", "--json")
    assert ended.outcomes == dict.fromkeys(files, "downloaded")
    assert tree(here / "dest") == files
