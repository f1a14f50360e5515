"""Header fields and the lines they are sent as: written once, and anew after every change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import InvalidHeader
from requests.structures import CaseInsensitiveDict

from pulp_download.fields import Fields, as_fields


class Interrupted(str):
    """A value at which another thread comes in, once, while the fields are read."""

    __slots__ = ("change",)
    change: Callable[[], object] | None

    def isascii(self) -> bool:
        change, self.change = self.change, None
        if change is not None:
            other = threading.Thread(target=change)
            other.start()
            other.join()
        return super().isascii()


class Sought(str):
    """A name at which another thread comes in, once, when the name is looked for."""

    __slots__ = ("change",)
    change: Callable[[], object] | None

    def lower(self) -> str:
        change, self.change = self.change, None
        if change is not None:
            other = threading.Thread(target=change)
            other.start()
            other.join()
        return super().lower()


def sought(name: str, change: Callable[[], object] | None = None) -> Sought:
    made = Sought(name)
    made.change = change
    return made


def interrupted_by(change: Callable[[Fields], object], fields: Fields) -> None:
    """Have another thread ``change`` the fields when the field Between is read next."""
    between = Interrupted("2")
    between.change = lambda: change(fields)
    fields["Between"] = between


# The lines.


@pytest.mark.parametrize(
    ("pairs", "lines"),
    [
        ([], ""),
        ([("A", "1")], "A: 1\r\n"),
        ([("b", "2"), ("A", "1")], "b: 2\r\nA: 1\r\n"),
        ([("A", "1"), ("a", "2")], "a: 2\r\n"),
        ([("A", "")], "A: \r\n"),
        ([("A", "b: c, d")], "A: b: c, d\r\n"),
        ([("A", "1"), ("B", None), ("C", "3")], "A: 1\r\nC: 3\r\n"),
        ([("A", None)], ""),
        ([("Hosts", "1"), ("X-Host", "2")], "Hosts: 1\r\nX-Host: 2\r\n"),
    ],
)
def test_fields_are_sent_in_their_order_and_none_is_left_out(
    pairs: list[tuple[str, str | None]], lines: str
) -> None:
    assert Fields(pairs).sent.lines == lines


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("Host", "other.test", id="Host"),
        pytest.param("hOST", "other.test", id="Host in any case"),
        pytest.param("X", b"1", id="bytes"),
        pytest.param(b"X", "1", id="a name of bytes"),
        pytest.param("X", 1, id="a number"),
        pytest.param("X", "\u03a9", id="Unicode"),
        pytest.param("X", "\u00e9", id="Latin-1"),
    ],
)
def test_fields_that_are_more_than_ascii_lines_have_no_lines(name: Any, value: Any) -> None:
    assert Fields([("A", "1"), (name, value), ("B", "2")]).sent.lines is None


@pytest.mark.parametrize("name", ["\u03a9", "\u00c9"], ids=["Unicode", "Latin-1"])
def test_a_name_that_is_not_ascii_has_no_lines(name: str) -> None:
    assert Fields([(name, "1")]).sent.lines is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "1"),
        (" A", "1"),
        ("A:", "1"),
        ("A: 1\r\nB", "2"),
        ("A\n", "1"),
        ("A", " 1"),
        ("A", "\t1"),
        ("A", "1\r\nB: 2"),
        ("A", "1\n"),
        ("A", "1\r"),
        ("Authorization", "Bearer x\r\nB: 2"),
    ],
)
def test_what_is_no_field_is_refused_at_every_reading_until_it_is_put_right(
    name: str, value: str
) -> None:
    fields = Fields([("First", "1"), (name, value)])
    for _ in range(2):
        with pytest.raises(InvalidHeader):
            _ = fields.sent
    del fields[name]
    assert fields.sent.lines == "First: 1\r\n"


def test_lines_are_written_once() -> None:
    fields = Fields({"A": "1"})
    assert fields.sent is fields.sent


# Changes.

CHANGES: dict[str, tuple[Callable[[Fields], object], str]] = {
    "set": (lambda fields: fields.__setitem__("C", "3"), "A: 1\r\nB: 2\r\nC: 3\r\n"),
    "set anew": (lambda fields: fields.__setitem__("A", "9"), "A: 9\r\nB: 2\r\n"),
    "set in another case": (lambda fields: fields.__setitem__("a", "1"), "a: 1\r\nB: 2\r\n"),
    "set to None": (lambda fields: fields.__setitem__("A", None), "B: 2\r\n"),
    "del": (lambda fields: fields.__delitem__("a"), "B: 2\r\n"),
    "update": (lambda fields: fields.update({"A": "9", "C": "3"}), "A: 9\r\nB: 2\r\nC: 3\r\n"),
    "update by names": (lambda fields: fields.update(A="9"), "A: 9\r\nB: 2\r\n"),
    "setdefault": (lambda fields: fields.setdefault("C", "3"), "A: 1\r\nB: 2\r\nC: 3\r\n"),
    "pop": (lambda fields: fields.pop("b"), "A: 1\r\n"),
    "popitem": (lambda fields: fields.popitem(), "B: 2\r\n"),
    "clear": (lambda fields: fields.clear(), ""),
}


@pytest.mark.parametrize(("change", "lines"), CHANGES.values(), ids=CHANGES)
def test_a_change_after_reading_is_seen(change: Callable[[Fields], object], lines: str) -> None:
    fields = Fields({"A": "1", "B": "2"})
    assert fields.sent.lines == "A: 1\r\nB: 2\r\n"
    change(fields)
    assert fields.sent.lines == lines
    assert fields.sent.lines == lines


def test_taking_away_what_is_not_there_changes_nothing() -> None:
    fields = Fields({"A": "1"})
    before = fields.sent
    with pytest.raises(KeyError):
        del fields["B"]
    assert fields.pop("B", None) is None
    assert fields.sent == before


def test_a_copy_goes_its_own_way() -> None:
    fields = Fields({"A": "1"})
    assert fields.sent.lines == "A: 1\r\n"
    copy = Fields(fields)
    copy["B"] = "2"
    del fields["A"]
    assert (fields.sent.lines, copy.sent.lines) == ("", "A: 1\r\nB: 2\r\n")


# Who asks.


@pytest.mark.parametrize(
    ("pairs", "authorization"),
    [
        ([], None),
        ([("Proxy-Authorization", "Basic no")], None),
        ([("Authorization", "Basic x")], "Basic x"),
        ([("authORIZATION", "Basic x")], "Basic x"),
        ([("Authorization", None)], None),
        ([("Authorization", ""), ("A", "1")], ""),
        ([("Host", "other.test"), ("Authorization", "Basic x")], "Basic x"),
    ],
)
def test_the_authorization_is_told_whether_there_are_lines_or_not(
    pairs: list[tuple[str, str | None]], authorization: str | None
) -> None:
    assert Fields(pairs).sent.authorization == authorization


def test_a_change_of_the_authorization_is_seen() -> None:
    fields = Fields({"Authorization": "Basic x"})
    assert fields.sent.authorization == "Basic x"
    fields["authorization"] = "Basic y"
    assert fields.sent == ("authorization: Basic y\r\n", "Basic y")
    del fields["Authorization"]
    assert fields.sent == ("", None)


# Whatever somebody put there.


def test_fields_are_taken_as_they_are_and_other_mappings_are_read() -> None:
    fields = Fields({"A": "1"})
    assert as_fields(fields) is fields
    for mapping in ({"A": "1", "b": "2"}, CaseInsensitiveDict({"A": "1", "b": "2"})):
        assert as_fields(mapping).sent.lines == "A: 1\r\nb: 2\r\n"


def test_a_dict_is_read_anew_every_time() -> None:
    mapping = {"A": "1"}
    assert as_fields(mapping).sent.lines == "A: 1\r\n"
    mapping["A"] = "2"
    assert as_fields(mapping).sent.lines == "A: 2\r\n"


# Another thread.


def test_what_another_thread_changes_while_they_are_read_is_there_at_the_next_reading() -> None:
    fields = Fields({"Before": "1", "Between": "", "After": "3"})
    interrupted_by(lambda fields: fields.update(Before="new", After="new"), fields)
    assert fields.sent.lines in (
        "Before: 1\r\nBetween: 2\r\nAfter: 3\r\n",
        "Before: 1\r\nBetween: 2\r\nAfter: new\r\n",  # either may have been first
    )
    assert fields.sent.lines == "Before: new\r\nBetween: 2\r\nAfter: new\r\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(New="4"),
        lambda fields: fields.pop("After"),
        lambda fields: fields.clear(),
    ],
    ids=["one more", "one less", "none left"],
)
def test_a_reading_is_not_disturbed_by_a_field_that_comes_or_goes(
    change: Callable[[Fields], object],
) -> None:
    fields = Fields({"Before": "1", "Between": "", "After": "3"})
    interrupted_by(change, fields)
    assert fields.sent.lines == "Before: 1\r\nBetween: 2\r\nAfter: 3\r\n"


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda fields: fields.update(New="4"), "Before: 1\r\nHere: 2\r\nAfter: 3\r\nNew: 4\r\n"),
        (lambda fields: fields.pop("After"), "Before: 1\r\nHere: 2\r\n"),
        (lambda fields: fields.pop("Here"), "Before: 1\r\nAfter: 3\r\n"),
        (lambda fields: fields.clear(), ""),
    ],
    ids=["one more", "one less", "the very one", "all"],
)
def test_what_comes_or_goes_while_they_are_looked_through_is_seen_at_once(
    change: Callable[[Fields], object], lines: str
) -> None:
    here = sought("Here")
    fields = Fields([("Before", "1"), (here, "2"), ("After", "3")])
    here.change = lambda: change(fields)
    assert fields.sent.lines == lines


def test_what_is_replaced_while_they_are_looked_through_is_seen_the_next_time() -> None:
    here = sought("Here")
    fields = Fields([("Before", "1"), (here, "2"), ("After", "3")])
    here.change = lambda: fields.update(Before="new")
    _ = fields.sent  # either may have been first
    assert fields.sent.lines == "Before: new\r\nHere: 2\r\nAfter: 3\r\n"


def test_the_authorization_is_the_one_in_the_lines() -> None:
    fields = Fields({"Authorization": "Basic old", "Between": ""})
    interrupted_by(lambda fields: fields.update(Authorization="Basic new"), fields)
    assert fields.sent == ("Authorization: Basic old\r\nBetween: 2\r\n", "Basic old")


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda fields, name: fields.__setitem__(name, "new"), "Name: new\r\n"),
        (lambda fields, name: fields.__delitem__(name), ""),
    ],
    ids=["set", "del"],
)
def test_who_reads_in_the_midst_of_a_change_sees_it_the_next_time(
    change: Callable[[Fields, str], object], lines: str
) -> None:
    fields = Fields({"Name": "old"})
    change(fields, sought("Name", lambda: fields.sent))
    assert fields.sent.lines == lines


def test_the_last_of_many_changes_by_another_thread_is_sent() -> None:
    fields = Fields({"A": "0"})
    finished = threading.Event()

    def change() -> None:
        for number in range(1, 5001):
            fields["A"] = str(number)
        finished.set()

    changing = threading.Thread(target=change)
    changing.start()
    seen = []
    while not finished.is_set():
        lines = fields.sent.lines
        assert lines is not None
        seen.append(int(lines.removeprefix("A: ")))
    changing.join()
    assert seen == sorted(seen)
    assert fields.sent.lines == "A: 5000\r\n"
