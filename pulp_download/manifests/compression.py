"""Compressed manifests, recognised by their first bytes and decompressed as a stream.

Every kind ends itself and carries a checksum, so truncation and damage are always noticed, and
what follows the end is refused unless it is another member of the same kind. Only Zstandard's
checksum may be left out: damage is then noticed where it is no valid data.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pulp_download.errors import ManifestError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer  # collections.abc.Buffer is of Python 3.12

# Decompressed bytes of one manifest. Debian's largest index is about 50 MB, a checksum file of
# ten million lines about 1 GB; what is larger is a bomb or a mistake.
MAX_BYTES = 4 * 2**30

# Decompressed bytes at a time; not measured.
_PIECE = 64 * 1024

# "xz -9" needs 65 MiB to decompress, "zstd --long" 128 MiB; a header can ask for more than 4 GiB.
_MEMORY = 128 * 2**20

# The longest of the magic patterns below.
_MAGIC_SIZE = 10


class _Codec(Protocol):
    """What bz2 and lzma agree on: one member, decompressed in pieces of bounded size."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Kind(NamedTuple):
    name: str
    magic: re.Pattern[bytes]
    start: Callable[[], tuple[_Codec, type[Exception]]]


class _Gzip:
    """zlib's decompressor with the manners of the other two."""

    def __init__(self) -> None:
        import zlib

        self.error = zlib.error
        self._inflate = zlib.decompressobj(wbits=31)  # 16 + 15: a gzip header, any window

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def _gzip() -> tuple[_Codec, type[Exception]]:
    codec = _Gzip()
    return codec, codec.error


def _xz() -> tuple[_Codec, type[Exception]]:
    import lzma  # not in every build of Python

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY), lzma.LZMAError


def _zstandard() -> tuple[_Codec, type[Exception]]:
    from pulp_download.manifests import zstd

    return zstd.start(_MEMORY)


def _bzip2() -> tuple[_Codec, type[Exception]]:
    import bz2  # not in every build of Python

    return bz2.BZ2Decompressor(), OSError


_KINDS = (
    _Kind("gzip", re.compile(rb"\x1f\x8b\x08"), _gzip),
    _Kind("xz", re.compile(rb"\xfd7zXZ\x00"), _xz),
    # Skippable frames may stand anywhere between the others; pzstd begins with one.
    _Kind("Zstandard", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _zstandard),
    # The first block's magic, or that of the end, keeps a file name "BZh1..." apart.
    _Kind("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _bzip2),
)

_UNSUPPORTED = {
    b"\x04\x22\x4d\x18": "LZ4",
    b"PK\x03\x04": "zip",
}


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the chunks decompressed if they begin like a known kind, else as they are.

    Raises ManifestError at once for a kind that is recognised but not supported here, and from the
    iterator for truncated or damaged data and for garbage after its end.
    """
    rest = iter(chunks)
    start = b""
    for chunk in rest:
        start += chunk
        if len(start) >= _MAGIC_SIZE:
            break
    for magic, name in _UNSUPPORTED.items():
        if start.startswith(magic):
            reason = "compression is not supported; use gzip, xz, bzip2 or Zstandard"
            raise ManifestError(f"{name} {reason}")
    everything = chain([start], rest)
    kind = next((kind for kind in _KINDS if kind.magic.match(start)), None)
    return everything if kind is None else _members(kind, *kind.start(), everything)


def _members(
    kind: _Kind, codec: _Codec, error: type[Exception], chunks: Iterable[bytes]
) -> Iterator[bytes]:
    ended = False
    trouble = f"damaged {kind.name} data"
    for data in chunks:
        while data or not (ended or codec.needs_input):
            if ended:
                codec, error = kind.start()
                trouble = f"garbage after the end of the {kind.name} data"
            try:
                piece = codec.decompress(data, _PIECE)
            except error as caught:
                raise ManifestError(f"{trouble} ({caught})") from None
            if piece:
                trouble = f"damaged {kind.name} data"
                yield piece
            ended = codec.eof
            data = codec.unused_data if ended else b""
    if not ended:
        raise ManifestError(f"truncated {kind.name} data")


class _Stream(io.RawIOBase):
    """Chunks as a file; refuses to give more than ``limit`` bytes."""

    def __init__(self, chunks: Iterator[bytes], limit: int):
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self._limit = limit
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer as far as there is anything; less than asked only at the end."""
        target = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(target):
            if not self._chunk and not self._advance():
                break
            part = self._chunk[: len(target) - filled]
            target[filled : filled + len(part)] = part
            self._chunk = self._chunk[len(part) :]
            filled += len(part)
        return filled

    def _advance(self) -> bool:
        for chunk in self._chunks:
            self._left -= len(chunk)
            if self._left < 0:
                raise ManifestError(f"larger than {self._limit} bytes")
            if chunk:
                self._chunk = memoryview(chunk)
                return True
        return False


def opened(chunks: Iterable[bytes], *, limit: int = MAX_BYTES) -> io.BufferedReader:
    """Return a manifest's bytes as a readable file, decompressed, of at most ``limit`` bytes."""
    return io.BufferedReader(_Stream(decompressed(chunks), limit), buffer_size=_PIECE)
