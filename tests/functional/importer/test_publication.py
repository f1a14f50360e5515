"""What a source lists, to be had file by file, without a destination."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pulp_download import Download, ManifestError, NotFound, Remote
from pulp_download.errors import CatalogError
from pulp_download.importer.copies import copy_of
from pulp_download.importer.importer import Importer
from pulp_download.importer.publication import Publication, published
from pulp_download.importer.source import Source
from pulp_download.validations import DigestValidation
from tests.functional.cli.shelf import sha256
from tests.functional.importer.rpms import REPOMD, rpm_repository
from tests.functional.importer.stock import LIST, Stock
from tests.functional.importer.test_repositories import debian_repository
from tests.servers import FaultServer, reply


def got(download: Download) -> bytes:
    with download.iter_content() as content:
        return b"".join(content)


def source_of(stock: Stock) -> Source:
    return Source.parse(stock.url)


@pytest.mark.need("S1", "S3")
def test_each_listed_file_comes_from_upstream_verified(stock: Stock, remote: Remote) -> None:
    with published(remote, source_of(stock)) as publication:
        assert stock.news() == [LIST]
        for path, body in stock.files.items():
            download = publication.get_download(path)
            assert DigestValidation("sha256", sha256(body)) in download.validations
            assert got(download) == body
        assert stock.news() == sorted(stock.files)


def test_for_what_is_not_listed_upstream_is_not_asked(stock: Stock, remote: Remote) -> None:
    stock.files["pool/secret"] = b"there, and not listed"
    stock.listed = stock.manifest.replace(b"pool/secret", b"pool/other")
    with published(remote, source_of(stock)) as publication:
        stock.news()
        for path in ("pool/secret", "pool", "pool/", "", "/pool/a", "POOL/a", "pool/a/"):
            with pytest.raises(NotFound):
                publication.get_download(path)
    assert stock.news() == []


def test_the_list_is_answered_as_it_was_read(stock: Stock, remote: Remote) -> None:
    before = stock.manifest
    with published(remote, source_of(stock)) as publication:
        stock.files["pool/new"] = b"new"
        stock.news()
        assert got(publication.get_download(LIST)) == before
        with pytest.raises(NotFound):
            publication.get_download("pool/new")
    assert stock.news() == []


def test_a_list_of_the_callers_own_is_nobodys_business(
    server: FaultServer, remote: Remote, tmp_path: Path
) -> None:
    server.on("/a", reply(200, b"a"))
    (tmp_path / "list.txt").write_text(server.url("/a") + "?token=secret\n")
    source = Source.parse(str(tmp_path / "list.txt"))
    with published(remote, source, format="urls") as publication:
        assert got(publication.get_download("a")) == b"a"
        with pytest.raises(NotFound):
            publication.get_download("list.txt")


def test_the_lists_of_a_repository_are_answered_as_they_were_read(
    server: FaultServer, remote: Remote
) -> None:
    stock = Stock(server, rpm_repository({"Packages/a.rpm": b"a" * 500}))
    files = dict(stock.files)
    with published(remote, Source.parse(server.url(f"/{REPOMD}"))) as publication:
        (primary,) = [path for path in files if "primary" in path]
        assert stock.news() == sorted([REPOMD, primary])
        stock.files = {
            path: body for path, body in files.items() if not path.startswith("repodata")
        }
        for path in (REPOMD, primary, "Packages/a.rpm"):
            assert got(publication.get_download(path)) == files[path]
        assert stock.news() == ["Packages/a.rpm"]


def test_a_distribution_is_published_with_its_indices(server: FaultServer, remote: Remote) -> None:
    stock = Stock(server, debian_repository({"pool/a.deb": b"a" * 900}))
    with published(remote, Source.parse(server.url("/dists/sid/Release"))) as publication:
        for path, body in stock.files.items():
            assert got(publication.get_download(path)) == body


def test_a_bad_list_is_refused_with_its_line_and_leaves_nothing(
    stock: Stock, remote: Remote
) -> None:
    stock.listed = stock.manifest + b"no digest  pool/z\n"
    with pytest.raises(ManifestError, match="line 6"), published(remote, source_of(stock)):
        pass
    assert stock.news() == [LIST]


def test_the_page_of_an_index_links_the_files_beside_it(
    server: FaultServer, remote: Remote
) -> None:
    body = b"a wheel"
    link = f'<a href="../../files/x+1-1.0.whl#sha256={sha256(body)}">x+1-1.0.whl</a>'
    server.on("/simple/x/", reply(200, f"<html><body>{link}</body></html>".encode()))
    server.on("/files/x+1-1.0.whl", reply(200, body))
    source = Source.parse(server.url("/simple/x/"))
    with published(remote, source, format="pypi") as publication:
        page = got(publication.get_download("")).decode()
        assert f'<a href="./x%2B1-1.0.whl#sha256={sha256(body)}">x+1-1.0.whl</a>' in page
        assert page.count("<a ") == 1
        assert got(publication.get_download("x+1-1.0.whl")) == body


def test_many_threads_may_ask_at_once(stock: Stock, remote: Remote) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(16)

    def ask(publication: Publication) -> None:
        try:
            barrier.wait(10)
            for path in [*stock.files] * 10:
                assert publication.get_download(path).source == stock.server.url(f"/{path}")
        except BaseException as error:
            errors.append(error)

    with published(remote, source_of(stock)) as publication:
        threads = [threading.Thread(target=ask, args=[publication]) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


class TestCopies:
    def test_a_catalog_of_its_own_leads_to_its_folder(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        with Importer(remote, dest) as importer:
            importer.sync(stock.url)
        url = f"sqlite:///{dest}/.pulp-download/catalog.sqlite"
        assert copy_of(source_of(stock), url) == (dest, None)

    def test_a_shared_catalog_leads_to_the_copy_that_is_newest(
        self, stock: Stock, remote: Remote, tmp_path: Path
    ) -> None:
        url = f"sqlite:///{tmp_path}/shared.sqlite"
        for name in ("two", "one"):
            with Importer(remote, tmp_path / name, catalog=url) as importer:
                importer.sync(stock.url)
        assert copy_of(source_of(stock), url) == (tmp_path / "one", url)

    def test_what_no_catalog_knows_is_an_error(
        self, stock: Stock, remote: Remote, dest: Path, tmp_path: Path
    ) -> None:
        with Importer(remote, dest) as importer:
            importer.sync(stock.url)
        url = f"sqlite:///{dest}/.pulp-download/catalog.sqlite"
        with pytest.raises(CatalogError, match="no mirror of this source"):
            copy_of(Source.parse(f"{stock.url}.other"), url)
        with pytest.raises(CatalogError, match="no such catalog"):
            copy_of(source_of(stock), f"sqlite:///{tmp_path}/none.sqlite")
        assert not (tmp_path / "none.sqlite").exists()
        (dest / ".pulp-download/catalog.sqlite").rename(tmp_path / "moved.sqlite")
        with pytest.raises(CatalogError, match="moved out of its folder"):
            copy_of(source_of(stock), f"sqlite:///{tmp_path}/moved.sqlite")
