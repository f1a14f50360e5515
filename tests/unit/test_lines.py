from io import BytesIO

import pytest

from pulp_download.errors import ManifestError
from pulp_download.lines import numbered_lines


def lines_of(data: bytes, *, limit: int = 20) -> list[tuple[int, str]]:
    return list(numbered_lines(BytesIO(data), limit=limit))


@pytest.mark.fault(162)
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", [(1, "")]),
        (b"a\nb\n", [(1, "a"), (2, "b")]),
        (b"a\nb", [(1, "a"), (2, "b")]),
        (b"a\r\nb\r\n", [(1, "a"), (2, "b")]),
        (b"\n\na\tb\n", [(1, ""), (2, ""), (3, "a\tb")]),
        (b"\xef\xbb\xbfa\n\xc3\xa9\n", [(1, "a"), (2, "é")]),
    ],
)
def test_lines_end_in_lf_or_crlf_and_a_bom_may_come_first(
    data: bytes, lines: list[tuple[int, str]]
) -> None:
    assert lines_of(data) == lines


@pytest.mark.fault(162)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_line_may_be_as_long_as_the_limit_and_no_longer(start: bytes, end: bytes) -> None:
    assert lines_of(start + b"x" * 20 + end) == [(1, "x" * 20)]
    with pytest.raises(ManifestError, match="line 1: longer than 20 bytes"):
        lines_of(start + b"x" * 21 + end)


@pytest.mark.fault(162)
def test_an_endless_line_is_refused_without_reading_it() -> None:
    class Endless(BytesIO):
        asked = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size < 200
            Endless.asked += size
            return b"x" * size

    with pytest.raises(ManifestError, match="line 1: longer than 100 bytes"):
        list(numbered_lines(Endless(), limit=100))
    assert Endless.asked < 200


@pytest.mark.fault(123)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a\nb\0c\n", "line 2: control character 0x00"),
        (b"a\nb\x1bc\n", "line 2: control character 0x1b"),
        (b"a\nb\x7fc\n", "line 2: control character 0x7f"),
        (b"a\nb\rc\n", "line 2: control character 0x0d"),
        (b"a\nb\r\r\n", "line 2: control character 0x0d"),
        (b"a\n\xff\n", "line 2: not UTF-8"),
        (b"a\n\xed\xa0\x80\n", "line 2: not UTF-8"),
        (b"a\n\xc0\xaf\n", "line 2: not UTF-8"),
        (b"\xff\xfea\0\n\0", "line 1: control character 0x00"),
    ],
)
def test_control_characters_and_other_encodings_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ManifestError) as caught:
        lines_of(data)
    assert str(caught.value) == reason
