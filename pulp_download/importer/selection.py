"""Which of the listed files are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pulp_download.manifests import ManifestEntry


@dataclass(frozen=True, slots=True)
class Selection:
    """Globs over paths, of which ``*`` takes ``/``: what is included and not excluded.

    Without any ``include`` everything is included.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        return not (self.include or self.exclude)

    def wants(self, path: str) -> bool:
        """Tell whether a file is wanted."""
        return self._includes(path) and not self._excludes(path)

    def lists(self, entries: Iterable[ManifestEntry]) -> list[ManifestEntry]:
        """Return which lists are to be read.

        Those that are wanted; where ``include`` names none of them, it speaks of files alone, and
        all that are not excluded are read.
        """
        left = [entry for entry in entries if not self._excludes(entry.path)]
        return [entry for entry in left if self._includes(entry.path)] or left

    def _includes(self, path: str) -> bool:
        return not self.include or any(fnmatchcase(path, glob) for glob in self.include)

    def _excludes(self, path: str) -> bool:
        return any(fnmatchcase(path, glob) for glob in self.exclude)


EVERYTHING = Selection()
