import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests.compression import decompressed, opened
from tests.unit.manifests.reading import read, refusal

# Compresses badly, so that there is something to cut.
PLAIN = b"".join(b"http://host/%d\n" % (number**7) for number in range(200))

KINDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
each_kind = pytest.mark.parametrize("kind", KINDS)


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
@pytest.mark.parametrize("suffix", ["gz", "xz", "bz2"])
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


@pytest.mark.parametrize(
    ("magic", "name"),
    [(b"\x28\xb5\x2f\xfd", "Zstandard"), (b"\x04\x22\x4d\x18", "LZ4"), (b"PK\x03\x04", "zip")],
)
def test_an_unsupported_compression_is_named(magic: bytes, name: str) -> None:
    reason = f"{name} compression is not supported; use gzip, xz or bzip2"
    assert str(refusal(magic + b"x" * 20, name="Packages.zst")) == reason
    assert str(refusal(magic, format="urls")) == reason


def test_a_raw_deflate_or_zlib_stream_is_no_text() -> None:
    assert refusal(zlib.compress(PLAIN), format="urls").line == 1
