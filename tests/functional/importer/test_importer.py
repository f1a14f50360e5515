"""An importer's synchronisations: what is fetched, what is kept, and what is known of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pulp_download import Remote
from pulp_download.importer.artifact import Artifact
from pulp_download.importer.importer import Importer
from pulp_download.importer.selection import Selection
from pulp_download.importer.telling import Listed, Settled
from tests.functional.cli.shelf import LATER, MODIFIED, dated, sha256, sums
from tests.functional.importer.stock import LIST, OWN, Ends, Stock, Sync, rot, rows, tree
from tests.servers import FaultServer, published, reply


class TestKnown:
    @pytest.mark.need("I2")
    @pytest.mark.need("I3")
    def test_a_second_run_fetches_nothing_and_asks_for_the_list_alone(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        first = Sync(remote, dest, stock.url)
        assert first.ends.outcomes == dict.fromkeys(stock.all, "downloaded")
        assert first.ends.listed == [6]
        assert first.summary.changes == (6, 0, 0)
        assert first.counts == {"downloaded": 6}
        assert first.summary.bytes == sum(map(len, stock.all.values()))
        assert stock.news() == sorted(stock.all)
        assert tree(dest) == stock.all
        second = Sync(remote, dest, stock.url)
        assert second.ends.outcomes == dict.fromkeys(stock.all, "present")
        assert second.summary.changes == (0, 0, 0)
        assert second.counts == {"present": 6}
        assert second.summary.bytes == 0
        assert stock.news() == [LIST]

    def test_a_file_that_looks_otherwise_is_read_and_kept_if_it_is_right(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        os.utime(dest / "pool/a", (1, 1))
        twin = dest / "pool/twin"
        twin.write_bytes(stock.files["pool/b"])  # the same bytes in another inode
        twin.rename(dest / "pool/b")
        (dest / "pool/c").write_bytes(b"c" * 999)
        (dest / "pool/d").write_bytes(b"D" * 1000)
        (dest / "pool/e").unlink()
        inodes = {name: (dest / "pool" / name).stat().st_ino for name in "ab"}
        stock.news()
        again = Sync(remote, dest, stock.url)
        assert again.ends.of("downloaded") == ["pool/c", "pool/d", "pool/e"]
        assert stock.news() == [LIST, "pool/c", "pool/d", "pool/e"]
        assert tree(dest) == stock.all
        assert {name: (dest / "pool" / name).stat().st_ino for name in "ab"} == inodes
        assert Sync(remote, dest, stock.url).counts == {"present": 6}
        assert stock.news() == [LIST]

    def test_bit_rot_is_found_by_whoever_asks_for_it(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        rot(dest / "pool/c")
        assert Sync(remote, dest, stock.url).counts == {"present": 6}
        assert tree(dest) != stock.all
        stock.news()
        verified = Sync(remote, dest, stock.url, verify=True)
        assert verified.ends.of("downloaded") == ["pool/c"]
        assert verified.counts == {"downloaded": 1, "present": 5}
        assert stock.news() == [LIST, "pool/c"]
        assert tree(dest) == stock.all

    def test_a_lists_own_bit_rot_is_mended_from_what_was_fetched(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        rot(dest / LIST)
        stock.news()
        assert Sync(remote, dest, stock.url, verify=True).ends.of("downloaded") == [LIST]
        assert stock.news() == [LIST]
        assert tree(dest) == stock.all

    def test_what_a_lost_catalog_knew_is_found_out_by_digests(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        for path in (dest / OWN).iterdir():
            path.unlink()
        stock.news()
        adopted = Sync(remote, dest, stock.url)
        assert adopted.ends.outcomes == dict.fromkeys(stock.all, "present")
        assert stock.news() == [LIST]
        # and it is known again: nothing is read
        rot(dest / "pool/a")
        assert Sync(remote, dest, stock.url).counts == {"present": 6}

    def test_new_changed_and_gone_files_are_told_apart(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        stock.files.pop("pool/a")
        stock.files |= {"pool/b": b"a new edition", "pool/f": b"a new file"}
        stock.news()
        again = Sync(remote, dest, stock.url)
        assert again.summary.changes == (1, 2, 1)  # the list itself has changed
        assert again.ends.of("downloaded") == [LIST, "pool/b", "pool/f"]
        assert stock.news() == [LIST, "pool/b", "pool/f"]
        assert tree(dest) == {**stock.all, "pool/a": b"a" * 1000}


class TestWithoutDigests:
    """Files of which a list says nothing but their places."""

    @pytest.mark.parametrize("kind", ["etag", "date"])
    def test_a_file_is_asked_for_by_the_validator_of_the_one_that_is_there(
        self, server: FaultServer, remote: Remote, dest: Path, kind: str
    ) -> None:
        validator = {"etag": '"one"'} if kind == "etag" else {"last_modified": MODIFIED}
        by_date = kind == "date"
        server.on("/f", dated(b"one") if by_date else published(b"one", etag='"one"'))
        server.on("/urls.txt", reply(200, f"{server.url('/f')}\n".encode()))
        assert Sync(remote, dest, server.url("/urls.txt")).ends.outcomes == {"f": "downloaded"}
        again = Sync(remote, dest, server.url("/urls.txt"))
        assert again.ends.outcomes == {"f": "present"}
        asked = server.requests_to("/f")
        assert len(asked) == 2
        assert asked[1].headers.get("If-None-Match") == validator.get("etag")
        if by_date:
            assert asked[1].headers.get("If-Modified-Since") == MODIFIED
        server.on("/f", dated(b"two", LATER) if by_date else published(b"two", etag='"two"'))
        assert Sync(remote, dest, server.url("/urls.txt")).ends.outcomes == {"f": "downloaded"}
        assert tree(dest) == {"f": b"two"}

    def test_the_etag_of_what_was_there_is_not_that_of_what_somebody_else_put_there(
        self, server: FaultServer, remote: Remote, dest: Path
    ) -> None:
        server.on("/f", published(b"one", etag='"one"'))
        server.on("/urls.txt", reply(200, f"{server.url('/f')}\n".encode()))
        Sync(remote, dest, server.url("/urls.txt"))
        (dest / "f").write_bytes(b"another")
        os.utime(dest / "f", (1, 1))
        assert Sync(remote, dest, server.url("/urls.txt")).ends.outcomes == {"f": "downloaded"}
        assert server.requests_to("/f")[1].headers.get("If-None-Match") is None
        assert tree(dest) == {"f": b"one"}

    def test_a_file_of_a_server_without_validators_is_fetched_each_time(
        self, server: FaultServer, remote: Remote, dest: Path
    ) -> None:
        server.on("/f", reply(200, b"one"))
        server.on("/urls.txt", reply(200, f"{server.url('/f')}\n".encode()))
        for _ in range(2):
            assert Sync(remote, dest, server.url("/urls.txt")).ends.outcomes == {"f": "downloaded"}
        assert len(server.requests_to("/f")) == 2


class TestSelections:
    def test_a_narrower_selection_forgets_nothing_and_the_whole_fetches_the_rest(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        some = Selection(include=("pool/[ab]", "pool/c"), exclude=("*/c",))
        chosen = Sync(remote, dest, stock.url, selection=some)
        assert chosen.ends.of("downloaded") == [LIST, "pool/a", "pool/b"]
        assert chosen.ends.listed == [None]
        assert stock.news() == [LIST, "pool/a", "pool/b"]
        whole = Sync(remote, dest, stock.url)
        assert whole.ends.of("downloaded") == ["pool/c", "pool/d", "pool/e"]
        narrow = Sync(remote, dest, stock.url, selection=Selection(include=("pool/a",)))
        assert narrow.ends.outcomes == {"pool/a": "present", LIST: "present"}
        assert narrow.summary.changes == (0, 0, 0)
        stock.news()
        assert Sync(remote, dest, stock.url).counts == {"present": 6}
        assert stock.news() == [LIST]

    def test_two_sources_fill_one_destination_and_know_nothing_of_each_other(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        others = {"other/x": b"x", "other/y": b"y"}
        stock.server.on("/other.sha256", reply(200, sums(others)))
        for path, body in others.items():
            stock.server.on(f"/{path}", reply(200, body))
        both = {**stock.all, **others, "other.sha256": sums(others)}
        Sync(remote, dest, stock.url)
        second = Sync(remote, dest, stock.server.url("/other.sha256"), delete_extra=True)
        assert second.summary.changes == (3, 0, 0)
        assert second.counts == {"downloaded": 3}
        assert tree(dest) == both
        again = Sync(remote, dest, stock.url, delete_extra=True)
        assert (again.summary.changes, again.counts) == ((0, 0, 0), {"present": 6})
        assert tree(dest) == both

    def test_a_file_of_two_sources_stays_while_one_of_them_lists_it(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        other = {"pool/a": stock.files["pool/a"]}
        stock.server.on("/other.sha256", reply(200, sums(other)))
        second = stock.server.url("/other.sha256")
        Sync(remote, dest, stock.url)
        stock.news()
        assert Sync(remote, dest, second).ends.outcomes == {
            "pool/a": "present",
            "other.sha256": "downloaded",
        }
        assert stock.news() == ["other.sha256"]
        stock.server.on("/other.sha256", reply(200, b"# nothing any more\n"))
        emptied = Sync(remote, dest, second, format="checksums", delete_extra=True)
        assert emptied.summary.changes == (0, 1, 1)
        assert emptied.ends.of("deleted") == []
        assert (dest / "pool/a").exists()
        assert Sync(remote, dest, stock.url).counts == {"present": 6}


class TestRehearsals:
    def test_a_rehearsal_changes_nothing(self, stock: Stock, remote: Remote, dest: Path) -> None:
        Sync(remote, dest, stock.url)
        (dest / "pool/e").write_bytes(b"damaged")
        (dest / "pool/extra").write_bytes(b"extra")
        stock.files.pop("pool/a")
        stock.files |= {"pool/b": b"a new edition", "pool/f": b"a new file"}
        before, known = tree(dest), rows(dest)
        catalog = (dest / OWN / "catalog.sqlite").read_bytes()
        stock.news()
        ends = Ends()
        with Importer(remote, dest) as importer:
            planned = importer.sync(stock.url, dry_run=True, delete_extra=True, observer=ends)
        assert ends.outcomes == {
            LIST: "would-download",
            "pool/b": "would-download",
            "pool/c": "present",
            "pool/d": "present",
            "pool/e": "would-download",
            "pool/f": "would-download",
            "pool/a": "would-delete",
            "pool/extra": "would-delete",
        }
        assert (planned.downloaded, planned.present, planned.deleted) == (4, 2, 2)
        assert planned.changes == (1, 2, 1)
        assert stock.news() == [LIST]
        assert (tree(dest), rows(dest)) == (before, known)
        assert (dest / OWN / "catalog.sqlite").read_bytes() == catalog
        real = Sync(remote, dest, stock.url, delete_extra=True)
        assert real.ends.of("downloaded") == ends.of("would-download")
        assert real.ends.of("deleted") == ends.of("would-delete")
        assert tree(dest) == stock.all

    def test_a_rehearsal_of_a_first_run_makes_nothing(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        ends = Ends()
        with Importer(remote, dest) as importer:
            assert importer.sync(stock.url, dry_run=True, observer=ends).downloaded == 6
        assert ends.outcomes == dict.fromkeys(stock.all, "would-download")
        assert not dest.exists()


@pytest.mark.need("I5")
def test_each_file_ends_with_the_artifact_that_it_belongs_to(
    stock: Stock, remote: Remote, dest: Path
) -> None:
    linked: dict[str, tuple[object, ...]] = {}

    def observe(event: object) -> None:
        result = getattr(event, "result", None)
        if result is not None and not isinstance(event, (Listed, Settled)):
            artifact = result.download.attachment
            assert isinstance(artifact, Artifact)
            linked[artifact.path] = (artifact.entry.digests, result.path, result.digests)

    with Importer(remote, dest) as importer:
        importer.sync(stock.url, observer=observe)
        standing = importer.standing()
    assert linked == {
        path: ((("sha256", sha256(body)),), dest / path, {"sha256": sha256(body)})
        for path, body in stock.files.items()
    }
    assert standing.files == {"present": 6, "missing": 0, "failed": 0}
