"""Text from outside, before it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.printable import printable


@pytest.mark.fault(21, 163)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain \u00e4\u20ac\U0001f4e6", "plain \u00e4\u20ac\U0001f4e6"),
        ("C:\\new", "C:\\new"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x1b[2J\x9b1m", "\\x1b[2J\\x9b1m"),
        ("\0\x7f\x85", "\\x00\\x7f\\x85"),
        ("line\u2028separator", "line\\u2028separator"),
        ("right\u202eto left", "right\\u202eto left"),
        ("lone\ud800surrogate\udcff", "lone\\ud800surrogate\\udcff"),
    ],
)
def test_what_could_steer_a_terminal_or_a_log_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_shown_and_encoded(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
