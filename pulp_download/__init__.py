"""Download files, many at once, verified, over any protocol that a ``requests.Session`` speaks.

The map of the house, from the ground up; a room imports from lower floors only::

    errors, events, urls, settings     values: what is said, asked for, and gone wrong
    validations, pieces, writers,
    retries                            what must hold, where bytes go, when to try again
    mirrors/, bases                    where a file can be had, what tells it, in which order
    files, sinks, partials, sweeping,
    telling                            files on disk, whole or in the making; what is told
    watchdog, sockets, tls, auth,
    proxies, foreign                   time and cancelling, connecting, who to trust and to be
    hosts, scores, rivals, speed       whom to ask, how much at once, how well each does
    adapters/                          one requests transport adapter per protocol
    session, redirects, remote         a requests.Session assembled, and asked
    making, repair, sharing            a file that goes on, is mended, or comes in parts
    content, result, fetch, sources,
    run, download                      one file: description, run, open answer, outcome
    crew, batch                        many files: workers, and the loop over their results
    manifests/                         lists of files, parsed as streams
    importer/                          a folder as an upstream lists it, and a catalog of it
    streamer/                          files passed on to a server's clients as they come
    cli/                               the command ``pulp-download``

One file::

    Download("https://host/file.iso", "file.iso",
             validations=[DigestValidation("sha256", hexdigest)]).run()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pulp_download.batch import Batch
from pulp_download.content import Content
from pulp_download.download import Download
from pulp_download.errors import (
    BadStatus,
    Cancelled,
    ConnectionFailed,
    DigestMismatch,
    DownloadError,
    FailedTry,
    InvalidExpectation,
    InvalidInput,
    InvalidSettings,
    InvalidURL,
    ManifestError,
    NotAuthorized,
    NotFound,
    PieceMismatch,
    ProtocolViolation,
    ProxyFailed,
    ServerFailed,
    SizeMismatch,
    Stalled,
    Throttled,
    TimedOut,
    TLSFailed,
    TokenFailed,
    TooManyRedirects,
    TooSlow,
    TransferError,
    Truncated,
    UnsafeRedirect,
    UnsupportedScheme,
    UnverifiableLength,
    ValidationError,
    WriteError,
)
from pulp_download.files import FileWriter
from pulp_download.futures import DownloadFuture
from pulp_download.mirrors.mirror import Mirror, Mirrors
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.settings import Settings
from pulp_download.telling import Observer
from pulp_download.validations import DigestValidation, SizeValidation, Validation
from pulp_download.version import VERSION as __version__
from pulp_download.writers import MemoryWriter, Writer

if TYPE_CHECKING:
    from pulp_download.events import Event, Finished, Progressed, Started, TryFailed
    from pulp_download.pieces import Pieces
    from pulp_download.sweeping import sweep_partials

__all__ = [
    "BadStatus",
    "Batch",
    "Cancelled",
    "ConnectionFailed",
    "Content",
    "DigestMismatch",
    "DigestValidation",
    "Download",
    "DownloadError",
    "DownloadFuture",
    "Event",
    "FailedTry",
    "FileWriter",
    "Finished",
    "InvalidExpectation",
    "InvalidInput",
    "InvalidSettings",
    "InvalidURL",
    "ManifestError",
    "MemoryWriter",
    "Mirror",
    "Mirrors",
    "NotAuthorized",
    "NotFound",
    "Observer",
    "PieceMismatch",
    "Pieces",
    "Progressed",
    "ProtocolViolation",
    "ProxyFailed",
    "Remote",
    "Result",
    "ServerFailed",
    "Settings",
    "SizeMismatch",
    "SizeValidation",
    "Stalled",
    "Started",
    "TLSFailed",
    "Throttled",
    "TimedOut",
    "TokenFailed",
    "TooManyRedirects",
    "TooSlow",
    "TransferError",
    "Truncated",
    "TryFailed",
    "UnsafeRedirect",
    "UnsupportedScheme",
    "UnverifiableLength",
    "Validation",
    "ValidationError",
    "WriteError",
    "Writer",
    "__version__",
    "sweep_partials",
]

# What few programs need, by its room: every program waits while the package is imported.
_SELDOM = {
    "events": ("Event", "Finished", "Progressed", "Started", "TryFailed"),
    "pieces": ("Pieces",),
    "sweeping": ("sweep_partials",),
}


def __getattr__(name: str) -> Any:
    """Find what few programs need, where it is first asked for."""
    for room, names in _SELDOM.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
