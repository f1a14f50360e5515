"""What ``mirror`` has a catalog for: where it is, when it is trusted, what goes because of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.functional.cli.command import ROOT, Command
from tests.functional.cli.shelf import BODY, HOUSE, asked, mirrored, publish, sums, tree
from tests.servers import FaultServer, reply

FILES = {"a": BODY, "pool/b": b"another"}


def damaged_unseen(path: Path) -> None:
    """Change a file's bytes, and neither its size nor its time nor its inode."""
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)


class TestOptions:
    @pytest.fixture
    def source(self, server: FaultServer) -> str:
        publish(server, FILES)
        server.on("/SHA256SUMS", reply(200, sums(FILES)))
        return server.url("/SHA256SUMS")

    def test_a_database_of_ones_own_is_used_in_the_place_of_a_file_in_the_destination(
        self, command: Command, source: str, here: Path
    ) -> None:
        given = ("mirror", source, "dest", "--catalog", "sqlite:///mine.sqlite", "--json")
        copied = {**FILES, "SHA256SUMS": sums(FILES)}
        assert command(*given).outcomes == dict.fromkeys(copied, "downloaded")
        there = tree(here / "dest")
        assert there.pop(f"{HOUSE}/lock").strip().isdigit()
        assert there == copied
        assert sorted(os.listdir(here)) == ["dest", "mine.sqlite"]
        damaged_unseen(here / "dest/a")
        assert command(*given).outcomes == dict.fromkeys(copied, "present")

    def test_a_dry_run_makes_no_database(self, command: Command, source: str, here: Path) -> None:
        for catalog in ([], ["--catalog", "sqlite:///mine.sqlite"]):
            ended = command("mirror", source, "dest", "--dry-run", "--json", *catalog)
            assert ended.outcomes == dict.fromkeys([*FILES, "SHA256SUMS"], "would-download")
        assert os.listdir(here) == []

    @pytest.mark.parametrize(
        ("catalog", "words"),
        [
            ("s3cret", "not a database URL"),
            ("mysql://me:s3cret@127.0.0.1/x", "not in mysql"),
            ("sqlite:///absent/folder/x.sqlite", "no such folder: absent/folder"),
            ("postgresql+psycopg://me:s3cret@127.0.0.1:1/x", "the catalog cannot be used"),
        ],
    )
    def test_a_catalog_that_cannot_be_had_is_wrong_usage_and_no_file_is_fetched(
        self,
        command: Command,
        server: FaultServer,
        source: str,
        here: Path,
        catalog: str,
        words: str,
    ) -> None:
        ended = command("mirror", source, "dest", "--catalog", catalog, "--json", status=2)
        assert words in ended.stderr
        assert "s3cret" not in ended.stderr
        assert ended.stdout == b""
        assert asked(server) in ([], ["/SHA256SUMS"])

    @pytest.mark.need("I3")
    def test_verify_reads_what_looks_untouched(
        self, command: Command, server: FaultServer, source: str, here: Path
    ) -> None:
        command("mirror", source, "dest")
        damaged_unseen(here / "dest/a")
        ended = command("mirror", source, "dest", "--json")
        assert set(ended.outcomes.values()) == {"present"}
        ended = command("mirror", source, "dest", "--json", "--verify", "--dry-run")
        assert ended.outcomes["a"] == "would-download"
        ended = command("mirror", source, "dest", "--json", "--verify")
        assert ended.outcomes == {
            "a": "downloaded",
            "pool/b": "present",
            "SHA256SUMS": "present",
        }
        assert (here / "dest/a").read_bytes() == BODY
        assert len(server.requests_to("/a")) == 2
        assert len(server.requests_to("/pool/b")) == 1

    def test_delete_extra_deletes_what_is_selected_and_listed_nowhere(
        self, command: Command, source: str, here: Path
    ) -> None:
        copied = {**FILES, "SHA256SUMS": sums(FILES)}
        extra = {"extra": b"12", "pool/old/c": b"345", "kept/c": b"6"}
        command("mirror", source, "dest")
        for path, body in extra.items():
            (here / "dest" / path).parent.mkdir(parents=True, exist_ok=True)
            (here / "dest" / path).write_bytes(body)
        assert "deleted" not in command("mirror", source, "dest", "--json").summary

        given = ("mirror", source, "dest", "--delete-extra", "--exclude", "kept/*", "--json")
        ended = command(*given, "--dry-run")
        counts = {"would-download": 0, "present": 3, "failed": 0, "would-delete": 2}
        assert ended.summary == {**counts, "bytes": 0}
        assert mirrored(here / "dest") == copied | extra

        ended = command(*given)
        lines = {file["path"]: file for file in ended.files if file["status"] == "deleted"}
        assert {path: file["size"] for path, file in lines.items()} == {"extra": 2, "pool/old/c": 3}
        counts = {"downloaded": 0, "present": 3, "failed": 0, "cancelled": 0, "deleted": 2}
        assert ended.summary == {**counts, "bytes": 0}
        assert mirrored(here / "dest") == copied | {"kept/c": b"6"}
        assert sorted(os.listdir(here / "dest/pool")) == ["b"]

        ended = command("mirror", source, "dest", "--delete-extra")
        assert ended.text.startswith("deleted: kept/c\n0 downloaded, 3 present, 0 failed, ")
        assert mirrored(here / "dest") == copied

    def test_nothing_is_deleted_where_something_is_missing(
        self, command: Command, server: FaultServer, source: str, here: Path
    ) -> None:
        server.on("/a", reply(404))
        (here / "dest").mkdir()
        (here / "dest/extra").write_bytes(b"12")
        given = ("mirror", source, "dest", "--delete-extra", "--json")
        ended = command(*given, status=1)
        assert ended.summary["deleted"] == 0
        assert mirrored(here / "dest") == {"pool/b": FILES["pool/b"], "extra": b"12"}


class TestWithoutSQLAlchemy:
    @pytest.fixture
    def env(self, here: Path) -> dict[str, str]:
        """Where it cannot be imported, and whoever tries is written down."""
        (here / "hook").mkdir()
        (here / "hook/sitecustomize.py").write_text(
            "import sys\n"
            "class Hook:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name == 'sqlalchemy':\n"
            "            open('tried', 'a').close()\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, Hook())\n"
        )
        return {"PYTHONPATH": f"{here / 'hook'}{os.pathsep}{ROOT}"}

    def test_mirror_and_status_say_which_extra_they_need(
        self, command: Command, server: FaultServer, here: Path, env: dict[str, str]
    ) -> None:
        for given in (["mirror", server.url("/SHA256SUMS"), "dest"], ["status", "dest"]):
            ended = command(*given, env=env, status=2)
            assert ended.stderr == (
                "Error: the catalog needs sqlalchemy: pip install 'pulp_download[importer]'\n"
            )
        assert server.accepted == 0
        assert sorted(os.listdir(here)) == ["hook", "tried"]

    def test_get_and_the_help_work_and_do_not_try(
        self, command: Command, server: FaultServer, here: Path, env: dict[str, str]
    ) -> None:
        server.on("/a", reply(200, BODY))
        for given in (["--help"], ["mirror", "--help"], ["status", "--help"], ["--version"]):
            assert command(*given, env=env).stdout
        command("get", server.url("/a"), env=env)
        assert sorted(os.listdir(here)) == ["a", "hook"]
