"""Link fields: the mirrors and the metalink that an answer names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_download.mirrors.links import Links, links
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror
from pulp_download.urls import URL

BASE = URL.parse("http://origin.test/d/x.iso?k=v")


def mirrors(*values: str) -> list[str]:
    return [str(mirror) for mirror in links(values, BASE).mirrors]


def learnt(url: str, priority: int = LOWEST_PRIORITY, location: str | None = None) -> Mirror:
    return Mirror(url, priority=priority, location=location, is_learnt=True)


def test_what_rfc_6249_shows_is_understood() -> None:
    found = links(
        [
            "<http://c.test/x>; rel=duplicate; pri=1; pref",
            "<ftp://b.test/x>; rel=duplicate; pri=2; geo=GB; depth=1",
            '<http://a.test/x.torrent>; rel=describedby; type="application/x-bittorrent"',
            '<http://a.test/x.meta4>; rel=describedby; type="application/metalink4+xml"',
            '<http://a.test/x.asc>; rel=describedby; type="application/pgp-signature"',
        ],
        BASE,
    )
    assert found == Links(
        (
            learnt("http://c.test/x", 1),
            learnt("ftp://b.test/x", 2, "gb"),
        ),
        URL.parse("http://a.test/x.meta4"),
    )


def test_several_links_of_one_field_come_by_priority_and_each_place_once() -> None:
    value = (
        '<http://c.test/x,y>;rel=duplicate , <http://a.test/x>; REL="Prefetch DUPLICATE"; Pri="3",,'
        "<http://b.test/x> ; rel=duplicate;pri = 1;,<http://b.test/x>;rel=duplicate"
    )
    assert links([value, "<http://d.test/>;rel=duplicate"], BASE).mirrors == (
        learnt("http://b.test/x", 1),
        learnt("http://a.test/x", 3),
        learnt("http://c.test/x,y"),
        learnt("http://d.test/"),
    )


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("y.iso", "http://origin.test/d/y.iso"),
        ("/y.iso", "http://origin.test/y.iso"),
        ("//other.test/y", "http://other.test/y"),
        ("../y", "http://origin.test/y"),
        (" http://a.test/ ", "http://a.test/"),
    ],
)
def test_a_relative_target_is_resolved_against_the_answers_url(target: str, url: str) -> None:
    assert mirrors(f"<{target}>; rel=duplicate") == [url]
    assert (
        str(links([f"<{target}>; rel=describedby; type=application/metalink4+xml"], BASE)[1]) == url
    )


def test_the_first_metalink_counts_and_its_type_may_have_parameters() -> None:
    value = (
        '<1>;rel=describedby;type="text/html",'
        '<2>;rel="x describedBy";type="Application/Metalink4+XML; charset=utf-8",'
        "<3>;rel=describedby;type=application/metalink4+xml"
    )
    assert str(links([value], BASE).metalink) == "http://origin.test/d/2"


@pytest.mark.parametrize(
    "bad",
    [
        "http://b.test/; rel=duplicate",
        "<http://b.test/",
        "<http://b.test/> rel=duplicate",
        "<http://b.test/>; rel=duplicate x",
        '<http://b.test/>; rel="duplicate',
        '<http://b.test/>; rel="duplicate\\',
        "<http://b.test/>; =duplicate",
        "<http://b.test/>; rel=",
        "<http://b.test/>; rel",
        "<http://b.test/>",
        "<http://b.test/>; rel=duplicated",
        "<http://b.test/>; rel=next; rel=duplicate",
        '<http://b.test/>; rel=duplicate; anchor="http://other.test/"',
        "<http://b.test:x/>; rel=duplicate",
        "<http://b.test/\x01>; rel=duplicate",
        "<file:///etc/passwd>; rel=duplicate",
        "<gopher://b.test/>; rel=duplicate",
        "<mailto:b@b.test>; rel=duplicate",
        "<http://origin.test/d/x.iso?k=v#here>; rel=duplicate",
        "",
        ",;<>",
    ],
)
def test_what_is_malformed_or_no_mirror_is_skipped_and_the_others_count(bad: str) -> None:
    assert mirrors(bad) == []
    assert mirrors(bad, "<http://c.test/>;rel=duplicate") == ["http://c.test/"]
    assert mirrors(f"<http://c.test/>;rel=duplicate,{bad}") == ["http://c.test/"]
    if bad.count('"') % 2 == 0 and bad != "<http://b.test/":
        assert mirrors(f"{bad},<http://c.test/>;rel=duplicate") == ["http://c.test/"]


def test_a_comma_in_quotes_ends_no_link() -> None:
    value = '<http://a.test/>; title="\\", <http://evil.test/>; rel=duplicate, "; rel=duplicate'
    assert mirrors(value) == ["http://a.test/"]
    assert mirrors(f"bad {value[1:]}") == []


@pytest.mark.parametrize(
    ("parameters", "priority", "location"),
    [
        ("pri=999999", 999_999, None),
        ("pri=0", LOWEST_PRIORITY, None),
        ("pri=1000000", LOWEST_PRIORITY, None),
        ("pri=-1", LOWEST_PRIORITY, None),
        ("pri=best; geo=europe", LOWEST_PRIORITY, None),
        ('pri="5"; geo="de"', 5, "de"),
        ("pri; geo", LOWEST_PRIORITY, None),
    ],
)
def test_a_priority_or_a_country_that_is_none_says_nothing(
    parameters: str, priority: int, location: str | None
) -> None:
    found = links([f"<http://a.test/>; rel=duplicate; {parameters}"], BASE)
    assert found.mirrors == (learnt("http://a.test/", priority, location),)


@pytest.mark.fault(160)
def test_the_best_hundred_are_kept() -> None:
    values = [f"<http://m{n}.test/>; rel=duplicate; pri={1000 - n}" for n in range(1000)]
    found = links(values, BASE).mirrors
    assert [mirror.priority for mirror in found] == list(range(1, 101))


@pytest.mark.parametrize("text", ['"\\', "<", "<a>;", ";a=", ",", '<a>;a="\\"', "\\", "<a>; a"])
def test_a_hostile_value_takes_no_time(text: str) -> None:
    assert links([text * 20_000, f'"{text * 20_000}'], BASE).metalink is None


PARAMETERS = ["rel=duplicate", "rel=describedby", "type=application/metalink4+xml", "anchor="]
FRAGMENTS = st.sampled_from(
    [*PARAMETERS, "<http://a.test/>", "file:///", "//", "pri=", "geo=de", *'<>;"\\,=1 a\t\n\0é']
)


@given(
    values=st.lists(
        st.one_of(st.text(max_size=100), st.lists(FRAGMENTS, max_size=20).map("".join)), max_size=3
    )
)
@settings(max_examples=500, deadline=None)
def test_no_value_raises(values: list[str]) -> None:
    found = links(values, BASE)
    assert all(mirror.is_learnt for mirror in found.mirrors)
    assert all(
        mirror.absolute.scheme in ("http", "https", "ftp", "ftps") for mirror in found.mirrors
    )
