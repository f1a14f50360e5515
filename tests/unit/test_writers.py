"""The buffer, as a writer."""

import pytest

from pulp_download.writers import MemoryWriter


def test_the_value_is_what_was_last_committed() -> None:
    writer = MemoryWriter()
    with pytest.raises(ValueError, match="nothing has been downloaded yet"):
        writer.getvalue()
    for value in (b"one", b"two"):
        with writer.open() as sink:
            sink.write(value)
            if value == b"two":
                assert writer.getvalue() == b"one"
    assert writer.getvalue() == b"two"


def test_an_exception_discards() -> None:
    writer = MemoryWriter()
    with writer.open() as sink:
        sink.write(b"good")
    with pytest.raises(KeyError), writer.open() as sink:
        sink.write(b"bad")
        raise KeyError
    assert writer.getvalue() == b"good"


def test_a_restart_begins_at_byte_zero() -> None:
    writer = MemoryWriter()
    with writer.open() as sink:
        sink.write(b"a longer failed try")
        sink.restart()
        sink.write(b"good")
    assert writer.getvalue() == b"good"


def test_what_was_written_can_be_written_over_and_read_back() -> None:
    writer = MemoryWriter()
    with writer.open() as sink:
        sink.write(b"012345")
        sink.write_at(2, b"xy")
        sink.write(b"67")
        assert b"".join(sink.chunks()) == b"01xy4567"
    assert writer.getvalue() == b"01xy4567"


def test_memory_outlives_no_run() -> None:
    with MemoryWriter().open() as sink:
        assert not sink.is_lasting
        sink.describe("facts")
        assert sink.found() == ""


def test_nothing_written_is_an_empty_file() -> None:
    writer = MemoryWriter()
    with writer.open():
        pass
    assert writer.getvalue() == b""


def test_every_run_has_a_sink_of_its_own() -> None:
    writer = MemoryWriter()
    with writer.open() as one:
        with writer.open() as other:
            other.write(b"other")
        one.write(b"one")
        assert writer.getvalue() == b"other"
    assert writer.getvalue() == b"one"


def test_a_chunk_is_copied_and_may_be_used_again() -> None:
    writer, buffer = MemoryWriter(), bytearray(b"abc")
    with writer.open() as sink:
        sink.write(memoryview(buffer))
        buffer[:] = b"xyz"
        sink.write(buffer)
    assert writer.getvalue() == b"abcxyz"


def test_what_is_kept_stays_as_it_was() -> None:
    writer = MemoryWriter()
    with writer.open() as sink:
        sink.write(b"good")
    with writer.open() as sink:
        assert sink.existing() is None
        sink.keep()
    assert writer.getvalue() == b"good"


def test_a_buffer_has_no_path() -> None:
    assert MemoryWriter().path is None
