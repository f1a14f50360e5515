import bz2
import gzip
import lzma
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from pulp_download.errors import ManifestError
from pulp_download.manifests import recognise
from pulp_download.manifests.compression import decompressed, opened
from tests.unit.manifests.reading import read, refusal

# Compresses badly, so that there is something to cut.
PLAIN = b"".join(b"http://host/%d\n" % (number**7) for number in range(200))

KINDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "Zstandard": zstandard.ZstdCompressor(write_checksum=True).compress,
}

# What "zstd --no-check" and "zstd" make of "http://host/a" and a newline, read from a pipe.
UNCHECKED = bytes.fromhex("28b52ffd0058710000687474703a2f2f686f73742f610a")
CHECKED = bytes.fromhex("28b52ffd0458710000687474703a2f2f686f73742f610a16b502e1")
each_kind = pytest.mark.parametrize("kind", KINDS)


def zstandard_of(data: bytes, *, window_log: int = 0) -> bytes:
    """Return a frame that tells neither its size nor a checksum."""
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


@each_kind
@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
def test_a_compressed_stream_is_decompressed_however_it_is_cut_into_chunks(
    kind: str, size: int
) -> None:
    data = KINDS[kind](PLAIN)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert b"".join(decompressed(chunks)) == PLAIN


@each_kind
@pytest.mark.parametrize("size", [1, 10**6])
def test_several_members_are_one_stream(kind: str, size: int) -> None:
    compress = KINDS[kind]
    data = compress(PLAIN) + compress(b"") + compress(b"more")
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert b"".join(decompressed(chunks)) == PLAIN + b"more"


@each_kind
def test_nothing_compressed_is_nothing(kind: str) -> None:
    assert b"".join(decompressed([KINDS[kind](b"")])) == b""


@pytest.mark.parametrize("data", [b"", b"a", b"BZh1.rpm", b"\x1f\x8b", b"plain text " * 9])
def test_what_is_not_compressed_stays_as_it_is(data: bytes) -> None:
    assert b"".join(decompressed([data[:1], data[1:]])) == data


@pytest.mark.fault(162)
@each_kind
def test_a_cut_at_any_byte_is_noticed(kind: str) -> None:
    data = KINDS[kind](PLAIN[:150])
    for cut in range(1, len(data)):
        error = refusal(data[:cut], format="urls")
        if cut > 10:
            assert str(error) == f"truncated {kind} data"


@pytest.mark.fault(162)
@pytest.mark.parametrize("suffix", ["gz", "xz", "bz2", "zst"])
def test_an_empty_file_named_like_a_compressed_one_is_truncated(suffix: str) -> None:
    error = refusal(b"", name=f"Packages.{suffix}")
    assert str(error) == "truncated: empty, which no compressed file is"
    assert read(b"", name="Packages") == []


@each_kind
def test_every_flipped_byte_of_the_data_is_noticed(kind: str) -> None:
    data = KINDS[kind](PLAIN)
    for place in range(12, len(data), 97):
        flipped = bytearray(data)
        flipped[place] ^= 0x55
        error = refusal(bytes(flipped), format="urls")
        assert error.line or "damaged" in str(error) or "truncated" in str(error)


@each_kind
@pytest.mark.parametrize("garbage", [b"\0", b"garbage", b"\n", b"http://host/evil\n"])
def test_garbage_after_the_end_is_refused(kind: str, garbage: bytes) -> None:
    error = refusal(KINDS[kind](PLAIN) + garbage, format="urls")
    assert str(error).startswith((f"garbage after the end of the {kind} data", "truncated"))


@each_kind
def test_a_bomb_is_stopped_at_the_ceiling(kind: str) -> None:
    data = KINDS[kind](b"\n" * 20_000_000)
    stream = opened([data], limit=1_000_000)
    with pytest.raises(ManifestError, match="larger than 1000000 bytes"):
        stream.read()


def test_the_ceiling_is_what_may_be_read() -> None:
    assert opened([b"abc", b"de"], limit=5).read() == b"abcde"
    assert opened([gzip.compress(b"abcde")], limit=5).read() == b"abcde"
    with pytest.raises(ManifestError, match="larger than 4 bytes"):
        opened([b"abc", b"de"], limit=4).read()


def test_an_xz_header_cannot_ask_for_endless_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**28, "preset": 0}]
    compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    data = compressor.compress(PLAIN) + compressor.flush()
    assert str(refusal(data, format="urls")) == "damaged xz data (Memory usage limit exceeded)"


class TestZstandard:
    def test_what_its_own_command_writes_is_read(self) -> None:
        for data in (UNCHECKED, CHECKED):
            assert [entry.path for entry in read(data, name="urls.zst")] == ["a"]
        told = str(refusal(CHECKED[:-1] + b"\0", format="urls"))
        assert told.startswith("damaged Zstandard data (")

    @pytest.mark.parametrize("size", [1, 9, 10**6])
    def test_frames_to_be_skipped_may_stand_anywhere(self, size: int) -> None:
        skipped = b"\x50\x2a\x4d\x18\x05\0\0\0hello"
        last = b"\x5f\x2a\x4d\x18\0\0\0\0"
        compress = KINDS["Zstandard"]
        data = skipped + compress(PLAIN) + skipped + skipped + compress(b"more") + last
        chunks = [data[start : start + size] for start in range(0, len(data), size)]
        assert b"".join(decompressed(chunks)) == PLAIN + b"more"
        assert str(refusal(data[:-1], format="urls")) == "truncated Zstandard data"

    @pytest.mark.fault(236)
    def test_a_header_cannot_ask_for_endless_memory(self) -> None:
        assert b"".join(decompressed([zstandard_of(PLAIN, window_log=27)])) == PLAIN
        told = str(refusal(zstandard_of(PLAIN, window_log=28), format="urls"))
        assert told.startswith("damaged Zstandard data (")
        assert "too much memory" in told

    @pytest.mark.fault(236)
    def test_a_bomb_comes_in_pieces_whose_size_is_bounded(self) -> None:
        """300 MB from 9 KB, all of them in one chunk."""
        data = zstandard_of(b"\n" * 300_000_000)
        assert len(data) < 65_536
        tracemalloc.start()
        try:
            sizes = [len(piece) for piece in decompressed([data])]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sum(sizes) == 300_000_000
        assert max(sizes) < 65_536 + 9 * 131_072
        assert peak < 10_000_000

    def test_without_its_package_the_extra_that_brings_it_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "zstandard", None)
        reason = "Zstandard compression needs an extra: pip install 'pulp_download[importer]'"
        data = KINDS["Zstandard"](b"http://host/a\n")
        for name, format in (("Packages.zst", None), ("list", None), ("list", "urls")):
            assert str(refusal(data, name=name, format=format)) == reason
        with pytest.raises(ManifestError) as caught:
            recognise("list", data)
        assert str(caught.value) == reason
        assert len(read(gzip.compress(b"http://host/a\n"))) == 1

    def test_damage_is_noticed_without_a_checksum_where_it_is_no_valid_data(self) -> None:
        flipped = UNCHECKED.replace(b"\x71", b"\x77")  # a block of the reserved type
        assert str(refusal(flipped, format="urls")).startswith("damaged Zstandard data (")


@pytest.mark.parametrize(
    ("magic", "name"),
    [(b"\x04\x22\x4d\x18", "LZ4"), (b"PK\x03\x04", "zip")],
)
def test_an_unsupported_compression_is_named(magic: bytes, name: str) -> None:
    reason = f"{name} compression is not supported; use gzip, xz, bzip2 or Zstandard"
    assert str(refusal(magic + b"x" * 20, name="Packages.lz4")) == reason
    assert str(refusal(magic, format="urls")) == reason


def test_a_raw_deflate_or_zlib_stream_is_no_text() -> None:
    assert refusal(zlib.compress(PLAIN), format="urls").line == 1
