"""Names that are safe to write: what is refused, and what is kept as it is."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulp_download.errors import InvalidInput, InvalidURL
from pulp_download.paths import file_name, path_segments, safe_path

UNSAFE = {
    "empty": "",
    "a slash": "/",
    "absolute": "/etc/passwd",
    "two slashes": "//host/share",
    "dots": "..",
    "dots first": "../a",
    "dots inside": "a/../../b",
    "dots that lead nowhere": "a/../b",
    "dots last": "a/..",
    "a dot": ".",
    "a dot inside": "a/./b",
    "two dots first": "././a",
    "an empty component": "a//b",
    "a slash last": "x/",
    "mixed": "a/./..//../x",
    "backslashes": "..\\x",
    "a backslash": "a\\b",
    "a share": "\\\\srv\\x",
    "a drive": "C:x",
    "a drive with a path": "c:/x",
    "a home": "~",
    "somebody's home": "~root/x",
    "a home with a file": "~/x",
    "a standard stream": "-",
    "a NUL": "a\0b",
    "a newline": "a\nb",
    "an escape": "a\x1b[2Jb",
    "a DEL": "a\x7f",
    "a C1 control": "a\x9bb",
    "a lone surrogate": "a\ud800",
    "a name of 256 bytes": "a/" + "b" * 256,
    "a name of 86 letters and 258 bytes": "\u20ac" * 86,
    "a dot and nothing": "./",
    "a dot and an absolute path": ".//etc",
}


@pytest.mark.fault(116, 123)
@pytest.mark.parametrize("name", UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="unsafe path") as caught:
        safe_path(name)
    assert str(caught.value).isprintable()


SAFE = {
    "a name": ("a", "a"),
    "a path": ("pool/main/a_1.0~rc1+b2_amd64.deb", "pool/main/a_1.0~rc1+b2_amd64.deb"),
    "a dot before it": ("./a/b", "a/b"),
    "three dots": (".../a", ".../a"),
    "dots in a name": ("a..b/..c", "a..b/..c"),
    "a hidden file": (".a", ".a"),
    "a blank": ("a b", "a b"),
    "a hyphen first": ("-rf", "-rf"),
    "a hyphen below": ("a/-", "a/-"),
    "a tilde below": ("a/~b", "a/~b"),
    "a colon": ("ab:c", "ab:c"),
    "escaped dots, which are not decoded": ("%2e%2e%2f", "%2e%2e%2f"),
    "dots that only look like dots": ("\uff0e\uff0e/a", "\uff0e\uff0e/a"),
    "a reserved name of another system": ("CON", "CON"),
    "a final dot": ("a.", "a."),
    "a final blank": ("a ", "a "),
    "a name of 255 bytes": ("b" * 255, "b" * 255),
    "85 letters of three bytes": ("\u20ac" * 85, "\u20ac" * 85),
}


@pytest.mark.fault(116, 122)
@pytest.mark.parametrize(("name", "path"), SAFE.values(), ids=SAFE)
def test_a_safe_path_is_kept(name: str, path: str) -> None:
    assert safe_path(name) == path


@pytest.mark.fault(121)
def test_names_that_differ_by_normal_form_or_case_stay_different_names() -> None:
    assert safe_path("caf\u00e9") != safe_path("cafe\u0301")
    assert safe_path("README") != safe_path("readme")


@pytest.mark.parametrize("name", ["a/b", "./a", "/a", "..", ""])
def test_a_single_name_has_no_directory(name: str) -> None:
    with pytest.raises(InvalidInput):
        safe_path(name, single=True)


@given(st.one_of(st.text(), st.lists(st.sampled_from([*"a./\\:~C-", "..", "%2e"])).map("".join)))
@example("a/../../b")
@example("/etc")
@pytest.mark.fault(116)
def test_no_safe_path_leads_out_of_the_folder_it_is_joined_to(name: str) -> None:
    try:
        path = safe_path(name)
    except InvalidInput:
        return
    joined = os.path.join("/dest", path)
    assert os.path.normpath(joined) == joined
    assert joined.startswith("/dest/") and len(joined) > len("/dest/")


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b.iso", "b.iso"),
        ("http://h/a%20b", "a b"),
        ("http://h/a?x=/y", "a"),
        ("http://h/%252e%252e%252f", "%2e%2e%2f"),
        ("http://h/%C3%A4", "\u00e4"),
        ("http://h/\u00e4", "\u00e4"),
        ("http://me:pw@h/a#b", "a"),
    ],
)
def test_a_file_is_named_by_the_last_segment_decoded_once(url: str, name: str) -> None:
    assert file_name(url) == name


@pytest.mark.fault(116, 123)
@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "http://h/",
        "http://h/a/",
        "http://h/..",
        "http://h/%2e%2e",
        "http://h/a%2fb",
        "http://h/..%2fa",
        "http://h/%00",
        "http://h/a%0ab",
        "http://h/a%5cb",
        "http://h/C:a",
        "http://h/~",
        "http://h/%ff",
        "http://h/-",
        "http://h/" + "a" * 256,
        "not a url",
    ],
)
def test_a_url_without_a_usable_last_segment_names_no_file(url: str) -> None:
    with pytest.raises(InvalidURL):
        file_name(url)


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    ("path", "segments"),
    [("/a/b", "a/b"), ("/a%20b/c", "a b/c"), ("//a", "a"), ("/%252e%252e/a", "%2e%2e/a")],
)
def test_a_path_of_a_url_is_a_relative_path_decoded_once(path: str, segments: str) -> None:
    assert path_segments(path) == segments


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    "path", ["/", "", "/a/", "/../a", "/%2e%2e/a", "/a/..%2fb", "/a%2fb", "/a%00", "/a//b", "/C:"]
)
def test_a_path_of_a_url_that_is_no_safe_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        path_segments(path)
