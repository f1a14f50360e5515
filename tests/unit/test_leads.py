"""Places that answers name: which are heard, and which may be followed."""

from __future__ import annotations

from typing import Any

import pytest
from urllib3 import HTTPHeaderDict

from pulp_download.adapters.head import Head
from pulp_download.asking import Opened, Question
from pulp_download.leads import Leads
from pulp_download.mirrors.mirror import Mirror
from pulp_download.urls import URL
from pulp_download.validations import DigestValidation, SizeValidation, Validation

DIGEST = DigestValidation("sha256", "0" * 64)
HERE = "http://origin/d/x.iso"
META = 'rel=describedby; type="application/metalink4+xml"'


class NoBody:
    """The body of an answer that nobody reads."""


def answer(*links: str, url: str = HERE, status: int = 200) -> Opened:
    """An answer from a URL, with these Link fields."""
    question = Question("GET", URL.parse(url), {}, None, is_known=True, is_first=True)
    head = Head(1, status, "", "".join(f"Link: {link}\r\n" for link in links))
    nobody: Any = NoBody()
    return Opened(question, nobody, head)


def leads(*validations: Validation) -> Leads:
    return Leads(validations or (DIGEST,))


def taken(heard: Leads, *known: str) -> list[str]:
    return [str(mirror) for mirror in heard.take(Mirror(url) for url in known)]


def led(*links: str, url: str = HERE) -> list[str]:
    """Where an answer leads whom a digest protects."""
    heard = leads()
    heard.hear(answer(*links, url=url))
    return taken(heard)


def test_what_an_answer_names_is_told_once_by_priority() -> None:
    heard = leads()
    heard.hear(answer("<http://b/x>; rel=duplicate; pri=2", "</y>; rel=duplicate; pri=1"))
    assert taken(heard) == ["http://origin/y", "http://b/x"]
    assert taken(heard) == []


def test_what_is_known_already_is_not_told() -> None:
    heard = leads()
    heard.hear(answer("<http://b/x>; rel=duplicate, <http://c/x>; rel=duplicate"))
    assert taken(heard, HERE, "http://b/x") == ["http://c/x"]


def test_places_that_are_named_get_no_secrets() -> None:
    heard = leads()
    heard.hear(answer("<http://b/x>; rel=duplicate", f"<http://b/m>; {META}"))
    assert [mirror.is_learnt for mirror in heard.take([])] == [True]
    assert heard.metalink == Mirror("http://b/m", is_learnt=True)


@pytest.mark.fault(242)
@pytest.mark.parametrize("validations", [(), (SizeValidation(5),)], ids=["nothing", "a size"])
def test_where_no_digest_judges_what_comes_nobody_is_heard(
    validations: tuple[Validation, ...],
) -> None:
    heard = Leads(validations)
    heard.hear(answer("<http://b/x>; rel=duplicate", f"<http://b/m>; {META}"))
    assert taken(heard) == []
    assert heard.metalink is None


def test_the_first_answer_that_names_places_counts() -> None:
    heard = leads()
    heard.hear(answer())
    heard.hear(answer("<http://b/x>; rel=duplicate", status=302))
    heard.hear(answer("<http://c/x>; rel=duplicate", url="http://b/x"))
    assert taken(heard) == ["http://b/x"]


def test_fields_as_requests_has_them_are_heard_as_well() -> None:
    opened = answer("<http://b/x>; rel=duplicate")
    opened.fields = HTTPHeaderDict({"Link": "<http://c/x>; rel=duplicate"})
    heard = leads()
    heard.hear(opened)
    assert taken(heard) == ["http://c/x"]


# From where to where.

WAYS = {
    "https": {"https": True, "ftps": True, "http": False, "ftp": False},
    "http": {"https": True, "ftps": True, "http": True, "ftp": True},
    "ftp": {"https": False, "ftps": False, "http": False, "ftp": False},
}


@pytest.mark.fault(160)
@pytest.mark.parametrize(
    ("here", "there", "may"),
    [(here, there, may) for here, ways in WAYS.items() for there, may in ways.items()],
)
def test_a_lead_never_goes_from_tls_to_what_anybody_may_read(
    here: str, there: str, may: bool
) -> None:
    url = f"{there}://b/x"
    assert led(f"<{url}>; rel=duplicate", url=f"{here}://origin/x") == ([url] if may else [])
    heard = leads()
    heard.hear(answer(f"<{url}>; {META}", url=f"{here}://origin/x"))
    assert (heard.metalink is not None) is may


@pytest.mark.fault(160)
def test_nothing_leads_to_local_files() -> None:
    assert led("<file:///etc/passwd>; rel=duplicate") == []


# A metalink.

FILE = '<file name="{name}">{size}<url>{url}</url></file>'


def metalink(*files: str) -> bytes:
    body = "".join(files)
    return f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{body}</metalink>'.encode()


def file(name: str, url: str, size: int | None = None) -> str:
    told = "" if size is None else f"<size>{size}</size>"
    return FILE.format(name=name, size=told, url=url)


def read(
    document: bytes, *validations: Validation, name: str = "x.iso", at: str = "http://origin/m"
) -> list[str]:
    """Where a metalink leads whoever wants the file of this name."""
    heard = leads(*validations)
    heard.hear(answer(f"<{at}>; {META}", url=at.replace("/m", "/x.iso")))
    assert heard.metalink is not None
    heard.read(document, name)
    assert heard.metalink is None, "it is read once"
    return taken(heard)


def test_of_a_metalink_the_file_of_that_name_counts() -> None:
    document = metalink(file("y.iso", "http://b/y"), file("d/x.iso", "http://b/x"))
    assert read(document) == ["http://b/x"]
    assert read(document, name="z.iso") == []


def test_the_only_file_of_a_metalink_is_it_whatever_its_name() -> None:
    assert read(metalink(file("other", "http://b/x"))) == ["http://b/x"]


@pytest.mark.parametrize(("size", "is_it"), [(5, True), (None, True), (6, False)])
def test_a_metalink_of_a_file_of_another_size_leads_nowhere(size: int | None, is_it: bool) -> None:
    document = metalink(file("x.iso", "http://b/x", size))
    assert read(document, DIGEST, SizeValidation(5)) == (["http://b/x"] if is_it else [])


@pytest.mark.fault(160)
def test_a_metalink_over_tls_leads_to_tls() -> None:
    document = metalink(file("x.iso", "http://b/x</url><url>https://b/x"))
    assert read(document, at="https://origin/m") == ["https://b/x"]


def test_a_place_that_is_relative_to_the_metalink_is_none() -> None:
    assert read(metalink(file("x.iso", "x.iso</url><url>http://b/x"))) == ["http://b/x"]


@pytest.mark.fault(159)
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>not found</html>",
        metalink(file("x.iso", "http://b/x"))[:-5],
        metalink(file("x.iso", "http://b/x"), file("../up", "http://b/up")),
        metalink(),
    ],
    ids=["empty", "a page", "cut", "an unsafe name", "no file"],
)
def test_of_nonsense_nothing_is_taken(document: bytes) -> None:
    assert read(document) == []


def test_a_large_metalink_is_read_to_its_end() -> None:
    others = [file(f"{n}.iso", f"http://b/{n}") for n in range(3000)]
    document = metalink(*others, file("x.iso", "http://b/x"))
    assert len(document) > 2 * 65_536
    assert read(document) == ["http://b/x"]
