import json

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests import ManifestEntry
from pulp_download.mirrors.mirror import Mirror
from tests.unit.manifests.reading import MD5, OTHER, SHA256, read, refusal, spool

GOOD = '{"path": "good"}'
MIRROR = '{{"path": "a", "mirrors": [{{"url": {}}}]}}'


def test_every_line_is_an_object_with_a_path_and_what_else_is_known() -> None:
    whole = {
        "path": "./a/b",
        "url": "https://me:secret@host/x?y=z",
        "size": 0,
        "digests": {"SHA-256": SHA256.upper(), "md5": MD5},
    }
    text = "\n".join(
        [
            json.dumps(whole),
            "",
            '  {"path": "caf\\u00e9 \\"1\\"", "url": null, "size": null, "digests": null}  ',
            f'{{"digests": {{"sha256": "{OTHER}"}}, "size": 9223372036854775807, "path": "c"}}',
            '{"path": "d", "digests": {}}',
        ]
    )
    assert read(text, name="x.jsonl") == [
        ManifestEntry(
            "a/b",
            url="https://me:secret@host/x?y=z",
            size=0,
            digests=(("sha256", SHA256), ("md5", MD5)),
            line=1,
        ),
        ManifestEntry('café "1"', line=3),
        ManifestEntry("c", size=9223372036854775807, digests=(("sha256", OTHER),), line=4),
        ManifestEntry("d", line=5),
    ]


def test_a_file_may_have_several_places_with_what_was_said_of_them() -> None:
    mirrors = [
        {"url": "http://me:secret@h/a", "priority": 2, "location": "DE", "learnt": True},
        {"url": "ftp://h/b", "location": None, "learnt": False},
    ]
    (entry,) = read(json.dumps({"path": "a", "url": "http://h/a", "mirrors": mirrors}))
    assert entry.url == "http://h/a"
    assert entry.mirrors == (
        Mirror("http://h/a", priority=2, location="de", is_learnt=True),
        Mirror("ftp://h/b"),
    )
    assert "secret" not in repr(entry)


@pytest.mark.fault(160)
def test_a_fetched_list_names_no_local_places() -> None:
    text = json.dumps({"path": "a", "mirrors": [{"url": "http://h/a"}, {"url": "File:///a"}]})
    with (
        spool(text, name="x.jsonl", local=False) as manifest,
        pytest.raises(ManifestError, match="line 1: a fetched list may not name local files"),
    ):
        manifest.check()


@pytest.mark.fault(161)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "not a JSON object"),
        ('"path"', "not a JSON object"),
        ("path", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "path is missing, or no text"),
        ('{"path": null}', "path is missing, or no text"),
        ('{"path": 1}', "path is missing, or no text"),
        ('{"path": ["a"]}', "path is missing, or no text"),
        ('{"path": "a", "digest": "x"}', "unknown member 'digest'"),
        ('{"path": "a", "Size": 1}', "unknown member 'Size'"),
        ('{"path": "a", "": 1}', "unknown member ''"),
        ('{"path": "a", "path": "b"}', "not a JSON object"),
        ('{"path": "a", "size": 1, "size": 1}', "not a JSON object"),
        (f'{{"path": "a", "digests": {{"md5": "{MD5}", "md5": "{MD5}"}}}}', "not a JSON object"),
        ('{"path": "a", "size": NaN}', "not a JSON object"),
        ('{"path": "a", "size": -Infinity}', "not a JSON object"),
        ('{"path": "a", "size": 1e999}', "size is no whole number"),
        ('{"path": "a", "size": 1.0}', "size is no whole number"),
        ('{"path": "a", "size": true}', "size is no whole number"),
        ('{"path": "a", "size": "1"}', "size is no whole number"),
        ('{"path": "a", "size": -1}', "size '-1' is not a number of bytes"),
        (
            '{"path": "a", "size": 9223372036854775808}',
            "size '9223372036854775808' is not a number of bytes",
        ),
        (
            f'{{"path": "a", "size": {"1" * 4000}}}',
            f"size '{'1' * 80}...' is not a number of bytes",
        ),
        (f'{{"path": "a", "size": {"1" * 5000}}}', "not a JSON object"),
        ('{"path": "a", "digests": []}', "digests are no object of texts"),
        ('{"path": "a", "digests": "x"}', "digests are no object of texts"),
        ('{"path": "a", "digests": false}', "digests are no object of texts"),
        ('{"path": "a", "digests": 0}', "digests are no object of texts"),
        ('{"path": "a", "digests": ""}', "digests are no object of texts"),
        ('{"path": "a", "digests": {"md5": null}}', "digests are no object of texts"),
        ('{"path": "a", "digests": {"md5": ["x"]}}', "digests are no object of texts"),
        ('{"path": "a", "digests": {"crc7": "00"}}', "unknown digest algorithm 'crc7'"),
        (
            '{"path": "a", "digests": {"md5": "00"}}',
            "a md5 digest has 32 hexadecimal digits, not 2",
        ),
        (f'{{"path": "a", "digests": {{"md5": "{MD5[1:]}x"}}}}', "md5 digest is not hexadecimal"),
        (
            f'{{"path": "a", "digests": {{"md5": "{MD5}", "MD5": "{MD5}"}}}}',
            "one algorithm in two spellings",
        ),
        ('{"path": "a", "url": 1}', "url is no text"),
        ('{"path": "a", "url": ""}', "not an absolute URL (scheme://host/path)"),
        ('{"path": "a", "url": "b/c"}', "not an absolute URL (scheme://host/path)"),
        (
            '{"path": "a", "url": "gopher://host/a"}',
            "the URL's scheme is none of http, https, ftp, ftps, file",
        ),
        ('{"path": "a", "mirrors": {}}', "mirrors are no list of objects"),
        ('{"path": "a", "mirrors": ["http://h/a"]}', "mirrors are no list of objects"),
        ('{"path": "a", "mirrors": [{}]}', "a mirror without a url"),
        ('{"path": "a", "mirrors": [{"url": null}]}', "a mirror without a url"),
        (MIRROR.format('"b/c"'), "not an absolute URL (scheme://host/path)"),
        (
            MIRROR.format('"rsync://h/a"'),
            "the URL's scheme is none of http, https, ftp, ftps, file",
        ),
        (MIRROR.format('"http://h/a", "pri": 1'), "unknown member 'pri'"),
        (
            MIRROR.format('"http://h/a", "priority": 0'),
            "a mirror's priority is 1 to 999999, not 0",
        ),
        (
            MIRROR.format('"http://h/a", "priority": null'),
            "a mirror's priority is a whole number, not None",
        ),
        (
            MIRROR.format('"http://h/a", "location": 1'),
            "a mirror's location is no text, or learnt not true or false",
        ),
        (
            MIRROR.format('"http://h/a", "learnt": 1'),
            "a mirror's location is no text, or learnt not true or false",
        ),
        (f'{{"path": "a", "mirrors": [{"{}," * 1000}{{}}]}}', "more than 1000 mirrors"),
        ('{"path": "../a"}', "unsafe path '../a': it leaves its folder by '..'"),
        ('{"path": "/a"}', "unsafe path '/a': it is absolute"),
        ('{"path": ""}', "unsafe path '': it is empty"),
        ('{"path": "a\\u0000b"}', "unsafe path 'a\\\\x00b': it has a control character"),
        ('{"path": "a\\ud800"}', "unsafe path 'a\\\\ud800': it is not valid Unicode"),
        ('{"path": "a"} {"path": "b"}', "not a JSON object"),
        ('{"path": "a"},', "not a JSON object"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, reason: str) -> None:
    error = refusal(f"{GOOD}\n{line}\n{GOOD}\n", format="jsonl")
    assert (error.line, str(error)) == (2, f"line 2: {reason}")


@pytest.mark.fault(161)
@pytest.mark.parametrize(
    "line",
    ["[" * 50_000, '{"path": "a", "size": ' + "[" * 50_000, '{"path": ' * 5_000, '{"a":[' * 9_000],
)
def test_depth_is_refused_and_overflows_nothing(line: str) -> None:
    error = refusal(f"{GOOD}\n{line}\n", format="jsonl")
    assert str(error) == "line 2: not a JSON object"


@pytest.mark.fault(161)
def test_a_depth_of_a_hundred_thousand_is_too_long_a_line() -> None:
    error = refusal(f"{GOOD}\n{'[' * 100_000}\n", format="jsonl")
    assert str(error) == "line 2: longer than 65536 bytes"


@pytest.mark.fault(162)
def test_a_line_cut_short_at_any_byte_is_refused() -> None:
    line = json.dumps({"path": "a", "url": "http://host/a", "size": 12, "digests": {"md5": MD5}})
    for cut in range(1, len(line)):
        error = refusal(f"{GOOD}\n{line[:cut]}", format="jsonl")
        assert str(error) == "line 2: not a JSON object"
    assert len(read(f"{GOOD}\n{line}", format="jsonl")) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host:port/a",
        "http://me:sec/ret@host/a",
        "gopher://me:secret@host/a",
        "me:secret@host/a",
        "http://host\\\\/?secret",
    ],
)
def test_no_refusal_shows_a_password(url: str) -> None:
    error = refusal(f'{GOOD}\n{{"path": "a", "url": "{url}"}}\n', format="jsonl")
    assert error.line == 2
    assert "secret" not in f"{error} {error!r} {error.args}"
    assert "ret@" not in str(error)


@pytest.mark.parametrize("line", [GOOD, ' {"url": "http://h/a", "path" : "good"} '])
def test_it_is_recognised_by_its_first_line(line: str) -> None:
    assert [entry.path for entry in read(f"\n{line}\n")] == ["good"]
