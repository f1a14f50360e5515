"""The format ``pypi``: pages of JSON, with either of ijson's kinds of reader."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from io import BytesIO

import ijson
import pytest

from pulp_download.manifests import ManifestEntry, parse
from pulp_download.manifests.reference import Reference
from tests.unit.manifests.reading import MD5, SHA256, read, refusal
from tests.unit.manifests.test_pypi import file, page

# What pypi.org serves, in short: its members in its order, on one line.
REAL = json.dumps(
    {
        "alternate-locations": [],
        "files": [
            {
                "core-metadata": {"sha256": "00"},
                "filename": "foo-1.whl",
                "hashes": {"sha256": SHA256},
                "provenance": None,
                "requires-python": ">=3.8",
                "size": 12,
                "upload-time": "2024-01-02T03:04:05.678Z",
                "url": "https://files.test/aa/foo-1.whl",
                "yanked": False,
            },
            {
                "filename": "foo-é.zip",
                "hashes": {},
                "url": "../../x",
                "yanked": [[{"size": 1}], 1e9],
            },
        ],
        "meta": {"_last-serial": 30115855, "api-version": "1.3"},
        "name": "foo",
        "versions": ["1"],
    },
    separators=(",", ":"),
)


@pytest.fixture(params=["yajl2_c", "python"], autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every test is run with ijson's C reader, where it has been built, and with its own."""
    try:
        found = ijson.get_backend(request.param)
    except ImportError:
        pytest.skip(f"ijson has no {request.param} here")
    monkeypatch.setattr(ijson, "basic_parse_coro", found.basic_parse_coro)
    yield request.param
    gc.collect()  # what is not closed complains when it is collected


def test_every_file_of_a_real_page_is_an_entry() -> None:
    assert read(REAL, name="") == [
        ManifestEntry(
            "foo-1.whl",
            size=12,
            digests=(("sha256", SHA256),),
            line=1,
            reference=Reference("https://files.test/aa/foo-1.whl"),
        ),
        ManifestEntry("foo-é.zip", line=1, reference=Reference("../../x")),
    ]


def test_an_entry_has_the_line_where_its_object_begins() -> None:
    pretty = json.dumps(json.loads(REAL), indent=1).replace("\n", "\r\n")
    assert [entry.line for entry in read(pretty, format="pypi")] == [4, 19]


def test_members_that_nobody_wants_may_be_anything() -> None:
    other = (
        '"x": [[[{"files": null}]], null, true, -1.5e-3], "x": {"meta": {}}, "files[]": 3, "": 1'
    )
    text = page(file("x"), file("y")).replace('"name": "foo"', other)
    assert [entry.path for entry in read(text, format="pypi")] == ["x", "y"]


@pytest.mark.fault(161)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (page(file("x", x=float("nan"))), "line 2: not well-formed JSON"),
        (page(file("x", x=float("inf"))), "line 2: not well-formed JSON"),
        (page('{"size": 1e999}'), "line 2: not well-formed JSON"),
        (page('{"x": 1e300}'), "line 2: a number that is too large"),
        (page('{"x": -1e300}'), "line 2: a number that is too large"),
        (page('{"x": [1' + "0" * 5000 + "]}"), "line 2: not well-formed JSON"),
        (page('{"size": 1' + "0" * 5000 + "}"), "line 2: not well-formed JSON"),
        (page(file("x", size=1.0)), "line 2: size '1.0' is not a number of bytes"),
        (page(file("x", size=-1)), "line 2: size '-1' is not a number of bytes"),
        (page(file("x", size="1")), "line 2: files[].size is a text, not a number"),
        (page(file("x", size=True)), "line 2: files[].size is true or false, not a number"),
        (page(file("x", size=[1])), "line 2: files[].size is an array, not a number"),
        (page(file("x", hashes=[])), "line 2: files[].hashes is an array, not an object"),
        (page(file("x", hashes=None)), "line 2: files[].hashes is null, not an object"),
        (page(file("x", hashes={"md5": 1})), "line 2: files[].hashes[] is a number, not a text"),
        (page(file("x", hashes={"y": None})), "line 2: files[].hashes[] is null, not a text"),
        (page(file("x", filename=1)), "line 2: files[].filename is a number, not a text"),
        (page(file("x", url=None)), "line 2: files[].url is null, not a text"),
        (page("null"), "line 2: files[] is null, not an object"),
        (page('{"url": "x"}'), "line 2: a file without filename"),
        (page('{"filename": "x"}'), "line 2: a file without url"),
        (page('{"size": 1, "size": 1}'), "line 2: a second 'size' in one object"),
        (page('{"size": null, "size": 1}'), "line 2: a second 'size' in one object"),
        (page('{"url": "x", "\\u0075rl": "y"}'), "line 2: a second 'url' in one object"),
        (
            page(f'{{"hashes": {{"md5": "{MD5}", "md5": "{MD5}"}}}}'),
            "line 2: a second 'md5' in one object",
        ),
        (page(file("x"))[:-1] + ', "files": []}', "line 3: a second 'files' in one object"),
        (page()[:-1] + ', "meta": {}}', "line 3: a second 'meta' in one object"),
        ('{"meta": {"api-version": 1.0}}', "line 1: meta.api-version is a number, not a text"),
        ('{"meta": []}', "line 1: meta is an array, not an object"),
        ('{"files": {}}', "line 1: files is an object, not an array"),
        (page("[" * 40 + "]" * 40), "line 2: files[] is an array, not an object"),
        (page(f'{{"x": {"[" * 100_000}'), "line 2: nested more than 32 deep"),
        ('{"x":' * 100_000, "line 1: nested more than 32 deep"),
        (page(file("x", hashes={f"{n}": "" for n in range(65)})), "line 2: more than 64 digests"),
        (page(file("\ud800")[:-1]), "line 3: not well-formed JSON"),
        (page() + "x", "line 3: not well-formed JSON"),
        (page() + page(), "line 3: not well-formed JSON"),
        (page("{'x': 1}"), "line 2: not well-formed JSON"),
        (page("{},"), "line 2: a file without filename"),
        (page('{"x": "\x01"}'), "line 2: not well-formed JSON"),
    ],
)
def test_a_page_that_may_mean_something_else_is_refused(text: str, reason: str) -> None:
    assert str(refusal(text, format="pypi")).startswith(reason)


@pytest.mark.parametrize("size", [None, 0, 2**63 - 1])
def test_a_size_is_told_or_not(size: int | None) -> None:
    assert [entry.size for entry in read(page(file("x", size=size)), format="pypi")] == [size]


def test_a_document_that_is_no_projects_page_is_refused_at_its_end() -> None:
    projects = '{"meta": {"api-version": "1.0"},\n"projects": [{"name": "foo"}]}'
    told = "no project's page of a package index: it has no"
    assert str(refusal(projects, format="pypi")) == f"line 2: {told} files"
    assert str(refusal("{}", format="pypi")) == f"line 1: {told} meta.api-version"
    text = page(file("x")).replace("api-version", "version")
    assert str(refusal(text, format="pypi")) == f"line 3: {told} meta.api-version"


@pytest.mark.fault(162)
def test_a_page_cut_at_any_byte_is_refused() -> None:
    data = REAL.encode()
    for cut in range(len(data)):
        assert refusal(data[:cut], format="pypi").line == 1
    assert str(refusal(data[:-1], format="pypi")) == (
        "line 1: the JSON has no end; it is truncated"
    )


@pytest.mark.fault(162)
@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xa0\x80", "é".encode("utf-16")])
def test_a_page_in_another_encoding_is_refused(text: bytes) -> None:
    data = page(file("NAME")).encode().replace(b"NAME", text)
    assert str(refusal(data, format="pypi")) == "line 2: not well-formed JSON"


@pytest.mark.fault(157, 162)
@pytest.mark.parametrize("token", ['"' + "x" * 2**21, "1" * 2**21, " " * 2**21, "\n" * 2**21])
def test_a_token_of_more_than_a_mebibyte_is_refused(token: str) -> None:
    error = refusal('{"x": ' + token, format="pypi")
    assert "a token of more than 1048576 bytes" in str(error)


def test_entries_come_before_what_is_wrong_further_down_and_before_the_rest_is_read() -> None:
    entries = parse(BytesIO(page(file("x"), file("y"), "?").encode()), name="", format="pypi")
    assert [next(entries).path, next(entries).path] == ["x", "y"]
    source = BytesIO(page(*[file("x")] * 100_000).encode())
    assert next(parse(source, name="", format="pypi")).path == "x"
    assert source.tell() < 500_000


def test_without_ijson_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ijson", None)
    error = refusal(page(), format="pypi")
    assert str(error) == (
        "JSON pages need the package ijson: pip install 'pulp_download[importer]'"
    )
