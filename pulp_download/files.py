"""The writer of files: where one goes, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pulp_download.errors import WriteError
from pulp_download.paths import safe_path
from pulp_download.sinks import FileSink


@dataclass(frozen=True, slots=True, init=False)
class FileWriter:
    """Write to ``path``, by way of a temporary file beside it and an atomic rename.

    Parent directories are made; the mode follows the umask; a symbolic link at ``path`` is
    replaced, never followed. ``fsync`` puts file and directory on disk before success is told.
    With ``within``, ``path`` is relative, may not leave that directory, and is walked from it
    without following symbolic links, so that nothing planted there leads outside. With ``keep``, a
    file that is already there is kept, and nothing fetched, if it meets the download's validations
    or, where no digest tells, if upstream says that it has not changed since; what is fetched bears
    upstream's Last-Modified, for the next time, and ``etag``, which the caller had from upstream
    for what is there, is asked by as well. With ``resume``, what a run has written when it is
    interrupted, even by a kill, is kept beside the target for the next one, which goes on with it
    if it can be trusted: by a digest that will judge the file, or by upstream's validator.
    """

    target: str
    within: str | os.PathLike[str] | None
    fsync: bool
    keep: bool
    resume: bool
    etag: str | None
    shown: str = field(repr=False, compare=False)  # the path as errors name it
    _given: Path | None = field(repr=False, compare=False)

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        within: str | os.PathLike[str] | None = None,
        fsync: bool = False,
        keep: bool = False,
        resume: bool = False,
        etag: str | None = None,
    ):
        path = shown = os.fspath(target)
        if not isinstance(path, str):
            raise TypeError("a path is text")
        if within is not None:
            path = safe_path(path)
            shown = os.path.join(within, path)
        elif not path or "\0" in path or path[-1] == "/":
            raise WriteError("not the name of a file", path=path)
        fill = object.__setattr__
        fill(self, "target", path)
        fill(self, "within", within)
        fill(self, "fsync", fsync)
        fill(self, "keep", keep)
        fill(self, "resume", resume)
        fill(self, "etag", etag)
        fill(self, "shown", shown)
        fill(self, "_given", target if within is None and isinstance(target, Path) else None)

    @property
    def path(self) -> Path:
        return Path(self.shown) if self._given is None else self._given

    def open(self) -> FileSink:
        return FileSink(self)
