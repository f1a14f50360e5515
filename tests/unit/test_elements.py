"""XML as a stream of wanted elements: what is told, and what is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_download.elements import Begun, Ended, below, elements
from pulp_download.errors import ManifestError
from tests.unit.memory import peak_of

PLACES = below("urn:x", {"list": "list", "list/item": "item", "list/item/name": "name"})


def read(text: str | bytes, *, piece: int = 7) -> list[Begun | Ended]:
    data = text.encode() if isinstance(text, str) else text
    chunks = (data[start : start + piece] for start in range(0, len(data), piece))
    return list(elements(chunks, PLACES, what="list"))


def refusal(text: str | bytes, *, piece: int = 4096) -> str:
    with pytest.raises(ManifestError) as caught:
        read(text, piece=piece)
    return str(caught.value)


def listed(inside: str, *, before: str = "") -> str:
    return f'{before}<list xmlns="urn:x">{inside}</list>'


def test_wanted_elements_are_told_in_order_with_their_attributes_texts_and_lines() -> None:
    text = '<item id="1">\n<name> a&amp;b&#x41;<![CDATA[<c>]]> </name></item>\n<item/>'
    assert read(listed(text, before="<?xml version='1.0'?>\n<!-- c -->")) == [
        Begun("list", {}, 2),
        Begun("item", {"id": "1"}, 2),
        Ended("name", {}, 3, " a&bA<c> "),
        Ended("item", {"id": "1"}, 2, ""),
        Begun("item", {}, 4),
        Ended("item", {}, 4, ""),
        Ended("list", {}, 2, ""),
    ]


def test_what_is_not_wanted_is_read_over_with_all_that_is_in_it() -> None:
    text = (
        "<name>outside</name><item><other><name>no</name></other><name>ye<b>no</b>s</name></item>"
        '<y:item xmlns:y="urn:y"><name>no</name></y:item><item xmlns=""><name>no</name></item>'
    )
    assert [event.text for event in read(listed(text)) if event.place == "name"] == ["yes"]


def test_a_prefix_is_as_good_as_a_default_namespace() -> None:
    (name,) = (
        event
        for event in read(
            '<p:list xmlns:p="urn:x" p:a="1" b="2"><p:item><p:name p:c="3"/></p:item></p:list>'
        )
        if event.place == "name"
    )
    assert name.attributes == {"urn:x c": "3"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_utf_8_and_utf_16_are_read(encoding: str) -> None:
    name = "utf-16" if "16" in encoding else "UTF-8"
    before = f'<?xml version="1.0" encoding="{name}"?>'
    text = listed("<item><name>é日</name></item>", before=before).encode(encoding)
    assert next(event for event in read(text) if event.place == "name").text == "é日"


@pytest.mark.fault(157)
@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "iso-8859-1", "utf-32", "x" * 200, "idna"])
def test_other_encodings_are_refused(encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    told = refusal(listed("", before=declaration))
    assert told.startswith("line 1: encoding ") or "malformed" in told or "not well-formed" in told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html/>", "line 1: no list: its root element is 'html'"),
        ("<list/>", "line 1: no list: its root element is 'list'"),
        ('\n<list xmlns="urn:y"/>', "line 2: no list: its root element is 'list'"),
        ("", "line 1: not well-formed XML (no element found)"),
        ("hello", "line 1: not well-formed XML (syntax error)"),
        (listed("") + "<list/>", "line 1: not well-formed XML (junk after document element)"),
        (listed("\n<item>"), "line 2: not well-formed XML (mismatched tag)"),
        (listed("<p:item/>"), "line 1: not well-formed XML (unbound prefix)"),
        (listed("&nbsp;"), "line 1: not well-formed XML (undefined entity)"),
        (listed("&#0;"), "line 1: not well-formed XML (reference to invalid character number)"),
        (listed("<item a='1' a='2'/>"), "line 1: not well-formed XML (duplicate attribute)"),
    ],
)
def test_what_is_no_document_of_this_kind_is_refused_with_its_line(text: str, reason: str) -> None:
    assert refusal(text) == reason


def test_bytes_that_are_no_text_are_refused() -> None:
    told = refusal(b'<list xmlns="urn:x"><item>\xff\xed\xa0\x80</item></list>')
    assert told == "line 1: not well-formed XML (not well-formed (invalid token))"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.mark.fault(155, 156)
def test_a_document_type_is_refused_and_nothing_it_names_is_looked_at(
    listener: socket.socket, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("canary")
    place = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    local = (tmp_path / "secret").as_uri()
    bomb = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    for declared in (
        "list",
        f'list SYSTEM "{place}"',
        f'list PUBLIC "x" "{place}"',
        f'list [<!ENTITY e SYSTEM "{local}">]',
        f'list [<!ENTITY % e SYSTEM "{place}"> %e;]',
        f'list [<!ENTITY e0 "{"x" * 10_000}">{bomb}]',
    ):
        text = listed("<item><name>&e;&e9;</name></item>", before=f"<!DOCTYPE {declared}>")
        assert refusal(text) == "line 1: a document type declaration, which is not allowed"
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.fault(157)
class TestBounds:
    def test_depth(self) -> None:
        for inside in ("<a>", "<item>"):
            assert (
                refusal(listed(inside * 1_000_000))
                == "line 1: more than 32 elements in one another"
            )
        read(listed("<a>" * 31 + "</a>" * 31))

    def test_attributes(self) -> None:
        many = " ".join(f'a{n}=""' for n in range(65))
        assert refusal(listed(f"<item {many}/>")) == "line 1: more than 64 attributes"
        assert refusal(listed(f"<other {many}/>")) == "line 1: more than 64 attributes"

    def test_a_text_that_is_wanted(self) -> None:
        right = listed(f"<item><name>{'x' * 65_536}</name></item>")
        read(right)
        told = refusal(right.replace("x</", "xy</"))
        assert told == "line 1: a text of more than 65536 characters"

    @pytest.mark.parametrize(
        "token", ["<item a='{}'/>", "<other a='{}'/>", "<!--{}-->", "<?p {}?>"]
    )
    def test_a_tag_a_comment_and_an_instruction(self, token: str) -> None:
        read(listed(token.format("x" * 100_000)))
        told = refusal(listed(token.format("x" * 6_000_000)))
        assert told == "line 1: a tag or a comment of more than 1048576 bytes"

    def test_a_text_that_is_not_wanted_is_not_kept(self) -> None:
        def chunks() -> Iterator[bytes]:
            yield b'<list xmlns="urn:x"><other>'
            for _ in range(300):
                yield b"x" * 65_536
            yield b"</other>"
            for _ in range(300):
                yield b" \n" * 32_768
            yield b"</list>"

        events, peak = peak_of(lambda: list(elements(chunks(), PLACES, what="list")))
        assert len(events) == 2
        assert peak < 2_000_000


MARKS = """< & ; &amp; ' " = x é ]]> <![CDATA[ <!-- --> utf-16 '?> <!DOCTYPE <a > />""".split()
TAGS = "<item> </item> <name> </name> </list>".split()
FRAGMENTS = st.sampled_from(
    [*MARKS, *TAGS, '<list xmlns="urn:x">', "<?xml version='1.0' encoding='", *" \n\0\ufeff\ufffe"]
)


@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.lists(FRAGMENTS, max_size=30).map(lambda parts: "".join(parts).encode()),
        st.lists(FRAGMENTS, max_size=30).map(lambda parts: "".join(parts).encode("utf-16")),
    )
)
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_events_or_a_manifest_error(data: bytes) -> None:
    with suppress(ManifestError):
        assert all(event.line > 0 for event in read(data))
