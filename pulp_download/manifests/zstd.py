"""Zstandard (RFC 8878), which Python 3.11 cannot read itself: the package ``zstandard`` does."""

from __future__ import annotations

from pulp_download.errors import ManifestError

# Compressed bytes at a time, for the package cannot be told how much to give at most. A block has
# at least 4 bytes if there is anything in it, and gives at most 128 KiB (RFC 8878 section 3.1.1.2):
# so 32 bytes, with the beginning of another block before them, give about a mebibyte. They cost
# 0.3 s for 16 MB, which 64 KiB at a time would do in 0.1 s.
_BITE = 32


class Frame:
    """One frame, or one that is skipped, with the manners of bz2's and lzma's decompressors."""

    def __init__(self, window: int):
        """Refuse, when its header has been read, a frame that needs more memory than ``window``."""
        import zstandard

        self._frame = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
        self._data = b""
        self._at = 0

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        return self._at == len(self._data)

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data + self._data[self._at :]

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return the next ``max_length`` bytes, if there are as many, and 1.2 MB more at most."""
        if data:
            self._data = self._data[self._at :] + data
            self._at = 0
        pieces = []
        length = 0
        while length < max_length and not (self.needs_input or self.eof):
            bite = self._data[self._at : self._at + _BITE]
            self._at += len(bite)
            piece = self._frame.decompress(bite)
            pieces.append(piece)
            length += len(piece)
        return b"".join(pieces)


def start(window: int) -> tuple[Frame, type[Exception]]:
    """Return a frame's decompressor, and the error that it raises for damage."""
    try:
        from zstandard import ZstdError
    except ImportError:
        raise ManifestError(
            "Zstandard compression needs an extra: pip install 'pulp_download[importer]'"
        ) from None
    return Frame(window), ZstdError
