"""Repositories whose manifest names further lists: RPM, Debian."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from pulp_download import DownloadError, Remote
from pulp_download.importer.importer import Importer
from pulp_download.importer.selection import Selection
from pulp_download.importer.telling import Settled
from tests.functional.cli.command import Command
from tests.functional.cli.shelf import sha256
from tests.functional.importer.rpms import REPOMD, rpm_repository
from tests.functional.importer.stock import Stock, Sync, rot, tree
from tests.servers import FaultServer, reply

PACKAGES = {f"Packages/{name}/{name}-1.noarch.rpm": name.encode() * 500 for name in "abc"}


def lists(stock: Stock) -> list[str]:
    return sorted(path for path in stock.files if path.startswith("repodata/"))


@pytest.fixture
def rpms(server: FaultServer) -> Stock:
    return Stock(server, rpm_repository(PACKAGES))


@pytest.mark.parametrize("compression", ["gz", "xz", "zst"])
def test_a_repository_is_mirrored_by_its_repomd_xml(
    server: FaultServer, remote: Remote, dest: Path, compression: str
) -> None:
    stock = Stock(server, rpm_repository(PACKAGES, compression))
    first = Sync(remote, dest, server.url(f"/{REPOMD}"))
    assert first.ends.outcomes == dict.fromkeys(stock.files, "downloaded")
    assert first.ends.listed == [6]
    assert tree(dest) == stock.files
    assert stock.news() == sorted(stock.files)
    again = Sync(remote, dest, server.url(f"/{REPOMD}"), delete_extra=True)
    assert again.counts == {"present": 6}
    assert stock.news() == [REPOMD]


@pytest.mark.parametrize("root", ["/", ""])
def test_a_repository_is_mirrored_by_its_root(
    command: Command, rpms: Stock, dest: Path, root: str
) -> None:
    run = ("mirror", rpms.server.url(root), dest, "--format", "rpm", "--json")
    assert command(*run).outcomes == dict.fromkeys(rpms.files, "downloaded")
    assert tree(dest) == rpms.files
    assert command(*run).outcomes == dict.fromkeys(rpms.files, "present")


@pytest.mark.fault(244)
def test_metadata_comes_behind_the_packages_and_repomd_xml_is_the_last(
    rpms: Stock, remote: Remote, dest: Path
) -> None:
    published: list[str] = []
    there: list[set[str]] = []

    def observe(event: object) -> None:
        if isinstance(event, Settled):
            published.append(event.path)
            there.append(set(tree(dest)))

    with Importer(remote, dest) as importer:
        importer.sync(rpms.server.url(f"/{REPOMD}"), observer=observe)
    primary = next(path for path in rpms.files if "primary" in path)
    assert published == [primary, REPOMD]
    assert there == [set(rpms.files) - {REPOMD}, set(rpms.files)]


@pytest.mark.fault(239)
def test_a_changed_package_brings_new_metadata_and_the_old_is_deleted(
    rpms: Stock, remote: Remote, dest: Path
) -> None:
    url = rpms.server.url(f"/{REPOMD}")
    Sync(remote, dest, url)
    (old,) = [path for path in rpms.files if "primary" in path]
    package = "Packages/a/a-1.noarch.rpm"
    rpms.files = rpm_repository({**PACKAGES, package: b"another edition"})
    (new,) = [path for path in rpms.files if "primary" in path]
    rpms.news()
    second = Sync(remote, dest, url, delete_extra=True)
    assert second.ends.of("downloaded") == sorted([package, new, REPOMD])
    assert second.ends.of("deleted") == [old]
    assert second.summary.changes == (1, 2, 1)
    assert rpms.news() == sorted([package, new, REPOMD])
    assert tree(dest) == rpms.files


@pytest.mark.fault(244)
def test_while_a_package_is_missing_the_old_metadata_stays(
    rpms: Stock, remote: Remote, dest: Path
) -> None:
    url = rpms.server.url(f"/{REPOMD}")
    Sync(remote, dest, url)
    old = dict(rpms.files)
    rpms.files = rpm_repository({**PACKAGES, "Packages/d.rpm": b"d", "Packages/e.rpm": b"e"})
    (new,) = [path for path in rpms.files if "primary" in path]
    rpms.server.on("/Packages/d.rpm", reply(404))
    failed = Sync(remote, dest, url, delete_extra=True)
    assert failed.ends.of("failed") == ["Packages/d.rpm"]
    assert failed.ends.of("cancelled") == sorted([new, REPOMD])
    assert tree(dest) == {**old, "Packages/e.rpm": b"e"}
    rpms.server.on("/Packages/d.rpm", reply(200, b"d"))
    Sync(remote, dest, url, delete_extra=True)
    assert tree(dest) == rpms.files


def test_a_selection_of_packages_takes_the_metadata_with_it(
    rpms: Stock, remote: Remote, dest: Path
) -> None:
    url = rpms.server.url(f"/{REPOMD}")
    only_a = Selection(include=("Packages/a/*",))
    some = Sync(remote, dest, url, selection=only_a)
    (primary,) = [path for path in rpms.files if "primary" in path]
    assert some.ends.of("downloaded") == sorted(["Packages/a/a-1.noarch.rpm", primary, REPOMD])
    rpms.news()
    whole = Sync(remote, dest, url)
    assert whole.summary.downloaded == 3
    assert tree(dest) == rpms.files


def test_damaged_metadata_in_the_destination_is_fetched_again(
    rpms: Stock, remote: Remote, dest: Path
) -> None:
    url = rpms.server.url(f"/{REPOMD}")
    Sync(remote, dest, url)
    (primary,) = [path for path in rpms.files if "primary" in path]
    rot(dest / primary)
    rpms.news()
    # it is read as a list each time, so that its rot is seen without being looked for
    Sync(remote, dest, url)
    assert rpms.news() == sorted([primary, REPOMD])
    Sync(remote, dest, url, verify=True)
    assert tree(dest) == rpms.files


def test_a_repository_that_was_copied_is_adopted(
    rpms: Stock, remote: Remote, dest: Path, tmp_path: Path
) -> None:
    url = rpms.server.url(f"/{REPOMD}")
    Sync(remote, tmp_path / "first", url)
    shutil.copytree(tmp_path / "first", dest, ignore=shutil.ignore_patterns(".pulp-download"))
    rpms.news()
    assert Sync(remote, dest, url).counts == {"present": 6}
    assert rpms.news() == [REPOMD]


def packages_file(files: dict[str, bytes]) -> bytes:
    return "\n".join(
        f"Package: p\nFilename: {path}\nSize: {len(body)}\nSHA256: {sha256(body)}\n"
        for path, body in files.items()
    ).encode()


def debian_repository(*components: dict[str, bytes]) -> dict[str, bytes]:
    """A distribution ``sid`` with a Packages.gz for each component."""
    indices = {
        f"c{number}/binary-all/Packages.gz": gzip.compress(packages_file(files), mtime=0)
        for number, files in enumerate(components)
    }
    release = "Suite: sid\nSHA256:\n" + "".join(
        f" {sha256(body)} {len(body)} {path}\n" for path, body in indices.items()
    )
    pool = {path: body for files in components for path, body in files.items()}
    below = {f"dists/sid/{path}": body for path, body in indices.items()}
    return {**pool, **below, "dists/sid/Release": release.encode()}


class TestDebian:
    def test_a_distribution_is_mirrored_by_its_release(
        self, server: FaultServer, remote: Remote, dest: Path
    ) -> None:
        shared = {"pool/shared.deb": b"in both components"}
        stock = Stock(server, debian_repository({"pool/a.deb": b"a" * 900, **shared}, shared))
        url = server.url("/dists/sid/Release")
        first = Sync(remote, dest, url)
        assert first.ends.outcomes == dict.fromkeys(stock.files, "downloaded")
        assert tree(dest) == stock.files
        assert stock.news() == sorted(stock.files)
        assert Sync(remote, dest, url, delete_extra=True).counts == {"present": 5}
        assert stock.news() == ["dists/sid/Release"]

    def test_one_file_with_two_digests_in_two_components_is_refused(
        self, server: FaultServer, remote: Remote, dest: Path
    ) -> None:
        one, other = {"pool/p.deb": b"one"}, {"pool/p.deb": b"two"}
        stock = Stock(server, debian_repository(one, other))
        with pytest.raises(DownloadError, match=r"pool/p\.deb.* another URL, size or digest"):
            Sync(remote, dest, server.url("/dists/sid/Release"))
        assert "pool/p.deb" not in stock.news()
        assert not dest.exists()
