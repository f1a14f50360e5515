"""Which fields pass."""

from __future__ import annotations

import pytest

from pulp_download.streamer.headers import HOP_BY_HOP, OWN, POLICY, forwarded, of_not_modified


def passed(*fields: tuple[str, str], accept_ranges: bool = False) -> list[tuple[bytes, bytes]]:
    return list(forwarded(fields, accept_ranges=accept_ranges))


def test_order_case_and_repeats_are_kept() -> None:
    fields = [("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("X-Empty", "")]
    assert passed(*fields) == [(b"X-B", b"1"), (b"x-a", b"2"), (b"X-B", b"3"), (b"X-Empty", b"")]


@pytest.mark.need("S7")
@pytest.mark.fault(200)
@pytest.mark.parametrize("name", [*HOP_BY_HOP, *OWN, *POLICY, "X-Accel-Redirect", "x-accel-limit"])
def test_what_the_tables_name_does_not_pass(name: str) -> None:
    assert passed((name, "v"), (name.upper(), "v"), ("X-Other", "v")) == [(b"X-Other", b"v")]


@pytest.mark.fault(200)
def test_what_connection_names_does_not_pass() -> None:
    fields = [("Connection", "close, X-One"), ("connection", "x-two"), ("X-One", "1")]
    assert passed(*fields, ("X-TWO", "2"), ("X-Three", "3")) == [(b"X-Three", b"3")]


@pytest.mark.fault(201)
@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\x7fb", "\x80", "\xe9", "Ā"])
def test_a_value_that_is_not_plain_takes_its_field_away(value: str) -> None:
    assert passed(("X", value), ("Y", "v")) == [(b"Y", b"v")]


@pytest.mark.fault(201)
@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\n", "\xe9", "X\0"])
def test_a_name_that_is_no_token_takes_its_field_away(name: str) -> None:
    assert passed((name, "v")) == []


def test_accept_ranges_pass_only_where_ranges_do() -> None:
    assert passed(("Accept-Ranges", "bytes")) == []
    assert passed(("Accept-Ranges", "bytes"), accept_ranges=True) == [(b"Accept-Ranges", b"bytes")]


def test_a_304_has_what_a_cache_needs() -> None:
    fields = passed(("ETag", '"e"'), ("Content-Type", "a/b"), ("Vary", "X"), ("X-Other", "v"))
    assert of_not_modified(tuple(fields)) == ((b"ETag", b'"e"'), (b"Vary", b"X"))
