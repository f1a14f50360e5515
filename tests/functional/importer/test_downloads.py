"""Downloads of listed files that are handed out, and how a synchronisation is watched and ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pulp_download import Cancelled, DigestMismatch, NotFound, Remote
from pulp_download.download import Download
from pulp_download.importer.importer import Importer
from pulp_download.importer.telling import Listed, Settled
from pulp_download.importer.work import Summary
from tests.functional.cli.shelf import sums
from tests.functional.fetch import remote_for
from tests.functional.importer.stock import LIST, OWN, Ends, Stock, Sync, tree
from tests.servers import FaultServer, Request, reply, steps, when

# Seconds that nothing here takes.
PATIENCE = 20.0


def content_of(download: Download) -> bytes:
    with download.iter_content() as content:
        return b"".join(content)


@contextmanager
def syncing(importer: Importer, url: str, ends: Ends | None = None) -> Iterator[Future[Summary]]:
    """A synchronisation in a thread of its own."""
    with ThreadPoolExecutor(1, "sync") as pool:
        yield pool.submit(importer.sync, url, observer=ends)


class TestGetDownload:
    def test_what_is_there_is_read_from_disk_and_what_is_not_comes_from_upstream(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        (dest / "pool/b").unlink()
        (dest / "pool/c").write_bytes(b"not as it is listed")
        stock.news()
        with Importer(remote, dest) as importer:
            assert content_of(importer.get_download("pool/a")) == stock.files["pool/a"]
            assert stock.news() == []
            for path in ("pool/b", "pool/c"):
                assert content_of(importer.get_download(path)) == stock.files[path]
            assert stock.news() == ["pool/b", "pool/c"]
            assert content_of(importer.get_download(LIST)) == stock.manifest
            assert stock.news() == []

    def test_what_is_not_listed_is_not_found_and_nobody_is_asked(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        stock.files["pool/there"] = b"but in no list"
        (dest / "pool/here").write_bytes(b"but in no list")
        stock.news()
        with Importer(remote, dest) as importer:
            for path in ("pool/there", "pool/here", "../dest/pool/a", "", f"{OWN}/lock"):
                with pytest.raises(NotFound, match="not listed"):
                    importer.get_download(path)
        assert stock.news() == []

    def test_upstream_gets_the_remotes_credentials(self, stock: Stock, dest: Path) -> None:
        def is_known(request: Request) -> bool:
            return request.headers["Authorization"] == "Basic bWU6c2VjcmV0"

        answer = when(is_known, reply(200, stock.files["pool/a"]), reply(403))
        stock.server.on("/pool/a", answer)
        with remote_for(username="me", password="secret") as remote:
            Sync(remote, dest, stock.url)
            (dest / "pool/a").unlink()
            with Importer(remote, dest) as importer:
                assert content_of(importer.get_download("pool/a")) == stock.files["pool/a"]

    def test_two_threads_ask_while_a_synchronisation_runs(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        (dest / "pool/e").unlink()
        gate = stock.server.gate()
        stock.server.on("/pool/e", steps(gate, reply(200, stock.files["pool/e"])))
        wanted = ["pool/a", "pool/b", "pool/c", "pool/d"] * 25
        with Importer(remote, dest) as importer, syncing(importer, stock.url) as running:
            gate.wait_for(1)
            with ThreadPoolExecutor(2) as pool:
                got = list(pool.map(lambda path: content_of(importer.get_download(path)), wanted))
            assert not running.done()
            gate.open()
            assert running.result(PATIENCE).downloaded == 1
        assert got == [stock.files[path] for path in wanted]

    def test_a_download_that_fails_its_digest_says_so(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        good = stock.manifest
        stock.files["pool/a"] = b"x" * 1000
        stock.listed = good
        assert Sync(remote, dest, stock.url).counts == {"downloaded": 4, "failed": 1}
        with Importer(remote, dest) as importer, pytest.raises(DigestMismatch):
            content_of(importer.get_download("pool/a"))


class TestPublishing:
    @pytest.mark.fault(244)
    def test_the_list_appears_behind_the_last_file(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/c", steps(gate, reply(200, stock.files["pool/c"])))
        there: list[set[str]] = []

        def observe(event: object) -> None:
            if isinstance(event, Settled) and event.path == LIST:
                there.append(set(tree(dest)))

        with Importer(remote, dest) as importer, ThreadPoolExecutor(1) as pool:
            running = pool.submit(importer.sync, stock.url, observer=observe)
            gate.wait_for(1)
            stock.server.wait_for(lambda: len(stock.server.requests) == 6)
            assert not (dest / LIST).exists()
            gate.open()
            running.result(PATIENCE)
        assert there == [set(stock.all)]

    @pytest.mark.fault(244)
    def test_the_list_is_withheld_while_a_file_is_missing(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        old = stock.manifest
        stock.files |= {"pool/f": b"f", "pool/g": b"g"}
        stock.server.on("/pool/f", reply(500))
        failed = Sync(remote, dest, stock.url)
        assert failed.ends.of("failed") == ["pool/f"]
        assert failed.ends.of("cancelled") == [LIST]
        assert str(failed.ends.errors[LIST]) == "not published: a file is missing"
        assert failed.counts == {"downloaded": 1, "present": 5, "failed": 1}
        assert (dest / LIST).read_bytes() == old
        assert (dest / "pool/g").read_bytes() == b"g"
        stock.server.on("/pool/f", reply(200, b"f"))
        stock.news()
        healed = Sync(remote, dest, stock.url)
        assert healed.ends.of("downloaded") == [LIST, "pool/f"]
        assert stock.news() == [LIST, "pool/f"]
        assert tree(dest) == stock.all


class TestObservers:
    def test_each_file_has_one_end_and_the_list_is_told_first(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        stock.files["pool/broken"] = b"never comes whole"
        stock.server.on("/pool/broken", reply(404))
        sync = Sync(remote, dest, stock.url)  # whose observer refuses a second end
        assert sync.ends.listed == [7]
        assert sync.ends.outcomes == {
            **dict.fromkeys(stock.files, "downloaded"),
            "pool/broken": "failed",
            LIST: "cancelled",
        }
        assert dict(sync.ends.times) == dict.fromkeys(stock.all, 1)

    def test_an_observer_that_raises_is_dropped_and_stops_nothing(
        self, stock: Stock, remote: Remote, dest: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        told: list[object] = []

        def observe(event: object) -> None:
            told.append(event)
            if not isinstance(event, Listed):
                raise RuntimeError("a bug of the caller's")

        with Importer(remote, dest) as importer:
            assert importer.sync(stock.url, observer=observe).downloaded == 6
        assert tree(dest) == stock.all
        assert "an observer raised and is dropped" in caplog.text
        assert len(told) <= 1 + 8  # Listed, and what other workers told at that moment


class TestStopping:
    def test_while_the_list_is_fetched(self, stock: Stock, remote: Remote, dest: Path) -> None:
        gate = stock.server.gate()
        stock.server.on(f"/{LIST}", steps(gate, reply(200, stock.manifest)))
        with Importer(remote, dest) as importer, syncing(importer, stock.url) as running:
            gate.wait_for(1)
            importer.stop()
            with pytest.raises(Cancelled):
                running.result(PATIENCE)
        assert not dest.exists()

    def test_while_files_come(self, stock: Stock, remote: Remote, dest: Path) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/c", steps(gate, reply(200, stock.files["pool/c"])))
        stock.server.on("/pool/d", steps(gate, reply(200, stock.files["pool/d"])))
        ends = Ends()
        with Importer(remote, dest) as importer, syncing(importer, stock.url, ends) as running:
            gate.wait_for(2)
            stock.server.wait_for(lambda: len(stock.server.requests) == 6)
            importer.stop()
            with pytest.raises(Cancelled):
                running.result(PATIENCE)
            gate.open()
        assert {"pool/c", "pool/d"} <= set(ends.of("cancelled"))
        assert set(ends.outcomes.values()) <= {"cancelled", "downloaded"}
        assert LIST not in tree(dest)
        finished = set(tree(dest))
        stock.news()
        assert Sync(remote, dest, stock.url).summary.downloaded == 6 - len(finished)
        assert stock.news() == sorted({LIST, *stock.files} - finished)
        assert tree(dest) == stock.all

    def test_before_it_begins(self, stock: Stock, remote: Remote, dest: Path) -> None:
        with Importer(remote, dest) as importer:
            importer.stop()
            with pytest.raises(Cancelled):
                importer.sync(stock.url)
        assert stock.news() == []
        assert not dest.exists()

    def test_the_run_after_the_one_that_was_stopped_goes_its_way(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        with Importer(remote, dest) as importer:
            importer.stop()
            with pytest.raises(Cancelled):
                importer.sync(stock.url)
            assert importer.sync(stock.url).downloaded == 6
        assert tree(dest) == stock.all

    def test_a_stop_from_an_observer_of_a_file_that_is_present(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        told = threading.Event()
        with Importer(remote, dest) as importer:

            def observe(event: object) -> None:
                if isinstance(event, Settled):
                    assert not told.is_set(), "it went on"
                    told.set()
                    importer.stop()

            with pytest.raises(Cancelled):
                importer.sync(stock.url, observer=observe)
        assert told.is_set()


def test_a_catalog_elsewhere_is_shared_by_destinations(
    server: FaultServer, remote: Remote, tmp_path: Path
) -> None:
    catalog = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    stock = Stock(server, {"a": b"a"})
    assert Sync(remote, tmp_path / "one", stock.url, catalog=catalog).summary.downloaded == 2
    assert Sync(remote, tmp_path / "two", stock.url, catalog=catalog).summary.downloaded == 2
    stock.files = {"b": b"b"}
    one = Sync(remote, tmp_path / "one", stock.url, catalog=catalog, delete_extra=True)
    assert one.ends.of("deleted") == ["a"]
    assert tree(tmp_path / "one") == {"b": b"b", LIST: sums({"b": b"b"})}
    assert tree(tmp_path / "two") == {"a": b"a", LIST: sums({"a": b"a"})}
