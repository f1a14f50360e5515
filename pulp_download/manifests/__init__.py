"""Lists of files to download: every format is read as a stream of :class:`ManifestEntry`.

::

    bytes -> compression.py -> numbered lines -> one format -> entries
                                                            |
             manifest.py (spooled, checked as a whole) <- names.py (clashes, on disk)

A format is one file with a ``parse(lines, name)`` and one row in ``formats.TABLE``.
:class:`Manifest` is what a program should use; :func:`parse` reads a stream once and does not see
clashes between lines.
"""

from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.formats import FORMATS, parse, recognise
from pulp_download.manifests.manifest import Manifest

__all__ = ["FORMATS", "Manifest", "ManifestEntry", "parse", "recognise"]
