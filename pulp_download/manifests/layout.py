"""Where a manifest stands in the repository that it describes, by its format."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """The path of the repository's root, with a slash at its end, and the manifest's below it."""

    root: str
    path: str


class _Layout(NamedTuple):
    """``above``: the root is the folder that holds this one, if it is on the way.

    ``is_beside``: names are relative to the manifest's own folder, not to the root. ``has_lists``:
    it may name further lists.
    """

    above: str | None = None
    is_beside: bool = False
    kept_as: str | None = None
    has_lists: bool = False


_LAYOUTS = {
    "debian-packages": _Layout(above="dists"),
    "debian-release": _Layout(above="dists", is_beside=True, has_lists=True),
    "rpm": _Layout(above="repodata", has_lists=True),
    "rpm-primary": _Layout(above="repodata"),
    # Under a name of HTML, pip would take its links for further places to look at.
    "pypi": _Layout(kept_as="index.pypi"),
}
_PLAIN = _Layout()

# Lists of the caller's own: their URLs may hold secrets, and no client of a repository reads them.
_UNPUBLISHED = frozenset({"jsonl", "urls"})


def placed(format: str, path: str) -> Place:
    """Return the place of a manifest whose URL has this path, percent-decoded or a mere name."""
    layout = _LAYOUTS.get(format, _PLAIN)
    folder, _, name = path.rpartition("/")
    name = layout.kept_as or name or f"index.{format}"
    root, below = f"{folder}/" if folder or path.startswith("/") else "", ""
    if layout.above is not None:
        before, found, after = f"/{root}".rpartition(f"/{layout.above}/")
        if found:
            root, below = f"{before}/"[1:], f"{layout.above}/{after}"
    return Place(root, f"{below}{name}")


def folder_of_names(format: str, path: str) -> str:
    """Return what names in the manifest at ``path`` lack to be relative to the root."""
    if not _LAYOUTS.get(format, _PLAIN).is_beside:
        return ""
    return path[: path.rfind("/") + 1]


def is_published(format: str) -> bool:
    """Tell whether clients of the repository read manifests of this format."""
    return format not in _UNPUBLISHED


def has_lists(format: str) -> bool:
    """Tell whether a manifest of this format may name further lists."""
    return _LAYOUTS.get(format, _PLAIN).has_lists
