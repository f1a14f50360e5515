"""The work that every contender gets: files below a URL or several, with digests, into a folder."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self


class Item(NamedTuple):
    """One file: relative path, bytes, SHA-256; no digest where upstream has no such file."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Job:
    """What to fetch, from where, to where, over how many connections, trusting which CA.

    Where there are ``mirrors``, each has all files; ``connect_timeout`` is what every contender is
    told then, in seconds: the least that aria2c and librepo take, because one mirror is dead.
    """

    base_url: str
    items: tuple[Item, ...]
    destination: str
    connections: int
    ca: str | None = None
    mirrors: tuple[str, ...] = ()
    connect_timeout: int = 1

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.__dict__))

    @classmethod
    def load(cls, path: Path) -> Self:
        fields = json.loads(path.read_text())
        fields["items"] = tuple(Item(*item) for item in fields["items"])
        fields["mirrors"] = tuple(fields["mirrors"])
        return cls(**fields)

    def url(self, item: Item) -> str:
        return f"{self.base_url}/{item.path}"

    def urls(self, item: Item) -> list[str]:
        """Return the URLs of a file at all mirrors, in their order."""
        return [f"{mirror}/{item.path}" for mirror in self.mirrors]

    def target(self, item: Item) -> Path:
        return Path(self.destination, item.path)

    @property
    def present(self) -> Iterator[Item]:
        """The items that upstream has."""
        return (item for item in self.items if item.sha256)

    def faults(self) -> list[str]:
        """Return what is wrong in the destination, empty if every file is there and right."""
        wrong = []
        for item in self.present:
            try:
                with self.target(item).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                wrong.append(f"{item.path}: {error.strerror}")
                continue
            if digest != item.sha256:
                wrong.append(f"{item.path}: wrong digest")
        return wrong


def make_files(folder: Path, sizes: list[int]) -> tuple[Item, ...]:
    """Write files of these sizes, of incompressible bytes, and return them as items."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(len(sizes))  # the same bytes in every run
    items = []
    for number, size in enumerate(sizes):
        name = f"file-{number:06}.bin"
        digest, left = hashlib.sha256(), size
        with (folder / name).open("wb") as file:
            while left:
                block = chance.randbytes(min(left, 1 << 20))
                file.write(block)
                digest.update(block)
                left -= len(block)
        items.append(Item(name, size, digest.hexdigest()))
    return tuple(items)


def small_sizes(count: int) -> list[int]:
    """Return log-normal sizes with a median of 10 KB, as repositories of small files have them."""
    return _sizes(count, 9.2)


def package_sizes(count: int) -> list[int]:
    """Return log-normal sizes with a median of 100 KB, as repositories of packages have them."""
    return _sizes(count, 11.5)


def _sizes(count: int, log_of_median: float) -> list[int]:
    chance = random.Random(7)
    return [max(1, int(chance.lognormvariate(log_of_median, 1.0))) for _ in range(count)]
