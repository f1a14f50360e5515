"""URLs: what is refused, what is sent, what is shown, and which names may become paths."""

import pickle
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulp_download.errors import InvalidURL
from pulp_download.urls import (
    URL,
    Credentials,
    Origin,
    redacted,
)

MALFORMED = {
    "empty": "",
    "a blank": " ",
    "a path": "/pool/a.deb",
    "a relative path": "pool/a.deb",
    "a name": "a.deb",
    "no scheme": "//host/a",
    "a dot for a scheme": ".http://host/",
    "a digit before the scheme": "1http://host/",
    "a blank in the scheme": "ht tp://host/",
    "a blank before the scheme": " http://host/",
    "a drive": "C:\\x",
    "a drive with slashes": "C:/x",
    "a script": "javascript:alert(1)",
    "data": "data:text/plain,x",
    "mail": "mailto:someone@host",
    "no slashes": "http:host/a",
    "one slash": "http:/host/a",
    "no host": "http://",
    "no host but a path": "http:///a",
    "no host but a port": "http://:80/",
    "no host but userinfo": "http://me:pw@/",
    "no host but a query": "http://?a=1",
    "a blank host": "http:// /",
    "IPv6 without its end": "http://[::1",
    "IPv6 without its begin": "http://::1]/",
    "IPv6 without brackets": "http://::1/",
    "IPv6 of too many parts": "http://[1:2:3:4:5:6:7:8:9]/",
    "IPv6 of no digits": "http://[::g]/",
    "empty brackets": "http://[]/",
    "IPv4 in brackets": "http://[127.0.0.1]/",
    "a future address": "http://[v1.x]/",
    "text behind the brackets": "http://[::1]x/",
    "a zone": "http://[fe80::1%eth0]/",
    "an escaped zone": "http://[fe80::1%25eth0]/",
    "a host in a zone": "http://[::1%@evil]/",
    "port 0": "http://host:0/",
    "port 65536": "http://host:65536/",
    "port 655360": "http://host:655360/",
    "a port of many zeros": "http://host:0000080/",
    "port -1": "http://host:-1/",
    "port +80": "http://host:+80/",
    "port 1_0": "http://host:1_0/",
    "a port of Arabic digits": "http://host:\u0668\u0660/",
    "a blank in the port": "http://host:8 0/",
    "a port that is a name": "http://host:http/",
    "two ports": "http://host:80:81/",
    "an empty label": "http://a..b/",
    "an empty first label": "http://.a/",
    "nothing but a dot": "http://./",
    "a label of 64": f"http://{'a' * 64}.example/",
    "a host of 300": f"http://{'a.' * 149}aa/",
    "an IDN host of 10000": "http://" + "\u00fc" * 10_000 + "/",
    "a hyphen before a label": "http://-a.example/",
    "a percent sign in the host": "http://ho%41st/",
    "an escaped NUL in the host": "http://host%00.evil/",
    "a backslash before the at": "http://good\\@evil/",
    "a backslash behind the host": "http://good\\.evil/",
    "a semicolon in the host": "http://good;evil/",
    "a comma in the host": "http://good,evil/",
    "two ats": "http://good@evil@host/",
    "an at in the password": "http://me:p@w@host/",
    "a blank in the userinfo": "http://me :pw@host/",
    "a tab in the scheme": "ht\ttp://host/",
    "a tab in the host": "http://ho\tst/",
    "a newline in the host": "http://ho\nst/",
    "a newline in the path": "http://host/a\nb",
    "a newline at the end": "http://host/a\n",
    "a carriage return in the query": "http://host/a?b\rc",
    "a NUL in the host": "http://ho\0st/",
    "a NUL in the path": "http://host/a\0b",
    "a DEL in the path": "http://host/a\x7fb",
    "a C1 control in the path": "http://host/a\x85b",
    "a control before the scheme": "\x01http://host/",
    "a lone surrogate": "http://host/\ud800",
    "hexadecimal for four numbers": "http://0x7f000001/",
    "a number for four numbers": "http://2130706433/",
    "octal": "http://0177.0.0.1/",
    "hexadecimal and a number": "http://0x7f.1/",
    "two numbers": "http://127.1/",
    "five numbers": "http://127.0.0.0.1/",
    "a number above 255": "http://127.0.0.256/",
    "an address with a final dot": "http://127.0.0.1./",
    "a last label that is a number": "http://host.1/",
    "a last label that is hexadecimal": "http://host.0x1/",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1/",
    "a fraction slash": "http://h\u2044evil/",
    "a care-of sign": "http://h\u2100evil/",
    "a circled letter": "http://\u24d4xample.com/",
    "an ideographic full stop": "http://good\u3002evil/",
    "a soft hyphen": "http://ho\u00adst/",
    "a zero-width joiner": "http://ho\u200dst/",
    "a no-break space": "http://ho\u00a0st/",
    "a file of another machine": "file://host/a",
    "a file with a port": "file://localhost:80/a",
    "a file with userinfo": "file://me@localhost/a",
    "a file with nothing before its path": "file:/a",
    "too long": "http://host/" + "a" * 65_536,
}


@pytest.mark.fault(143, 144, 145, 146, 147, 148)
@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_or_ambiguous_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        URL.parse(text)
    assert caught.value.message.isprintable()
    assert not caught.value.retryable and caught.value.final


SENT = {
    "as it is": ("http://host/a/b.iso", "http://host/a/b.iso"),
    "scheme and host in lower case": ("HTTP://HOST.Example/A", "http://host.example/A"),
    "the default port": ("http://host:80/a", "http://host/a"),
    "the default port of TLS": ("https://host:443/a", "https://host/a"),
    "the default port of another scheme": ("http://host:443/a", "http://host:443/a"),
    "the port that is no port": ("http://host:/a", "http://host/a"),
    "a port with zeros": ("http://host:00081/a", "http://host:81/a"),
    "ports of FTP": ("ftp://host:21/a", "ftp://host/a"),
    "implicit TLS of FTP": ("ftps://host:990/a", "ftps://host/a"),
    "an unknown scheme": ("gopher://host:70/a", "gopher://host:70/a"),
    "no path": ("http://host", "http://host/"),
    "no path but a query": ("http://host?a=1", "http://host/?a=1"),
    "an empty query": ("http://host/a?", "http://host/a?"),
    "two question marks": ("http://host/a?b?c", "http://host/a?b?c"),
    "a fragment": ("http://host/a?b=1#part?no", "http://host/a?b=1"),
    "an at in the path": ("http://host/a@1.0", "http://host/a@1.0"),
    "an at in the query": ("http://host/?a=b@c", "http://host/?a=b@c"),
    "a blank": ("http://host/a b?c d", "http://host/a%20b?c%20d"),
    "non-ASCII": ("http://host/\u00e4?\u20ac", "http://host/%C3%A4?%E2%82%AC"),
    "beyond the first plane": ("http://host/\U0001f4e6", "http://host/%F0%9F%93%A6"),
    "escapes": ("http://host/%41%2f%2F%3f", "http://host/%41%2f%2F%3f"),
    "escaped dots": ("http://host/a/%2e%2e/b", "http://host/a/%2e%2e/b"),
    "dots": ("http://host/a/../b/./c", "http://host/a/../b/./c"),
    "two slashes": ("http://host//a//b", "http://host//a//b"),
    "a stray percent sign": ("http://host/100%", "http://host/100%25"),
    "a percent sign before no digits": ("http://host/%zz%4", "http://host/%25zz%254"),
    "an escaped percent sign": ("http://host/%25zz", "http://host/%25zz"),
    "a plus": ("http://host/g++_1.deb?a+b", "http://host/g++_1.deb?a+b"),
    "a tilde": ("http://host/~me/1.0~rc1", "http://host/~me/1.0~rc1"),
    "a backslash in the path": ("http://host/a\\b", "http://host/a%5Cb"),
    "what HTML quotes": ('http://host/<">`', "http://host/%3C%22%3E%60"),
    "braces": ("http://host/{a}^", "http://host/%7Ba%7D%5E"),
    "sub-delimiters": ("http://host/!$&'()*,;=:", "http://host/!$&'()*,;=:"),
    "brackets and bars": ("http://host/[a]|b", "http://host/[a]|b"),
    "a final dot": ("http://host./a", "http://host./a"),
    "an underscore": ("http://my_host/a", "http://my_host/a"),
    "IPv4": ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
    "IPv6": ("http://[::1]:8080/a", "http://[::1]:8080/a"),
    "IPv6 in another spelling": ("http://[0:0:0:0:0:0:0:A]/", "http://[::a]/"),
    "IDN": ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
    "IDN in upper case": ("http://B\u00dcCHER.example/", "http://xn--bcher-kva.example/"),
    "IDN decomposed": ("http://bu\u0308cher.example/", "http://xn--bcher-kva.example/"),
    "IDN by IDNA 2008": ("http://fa\u00df.example/", "http://xn--fa-hia.example/"),
    "IDN with a final dot": ("http://b\u00fccher./", "http://xn--bcher-kva./"),
    "userinfo": ("http://me:pw@host/a", "http://host/a"),
    "a file": ("file:///a b", "file:///a%20b"),
    "a file here": ("file://localhost/a", "file:///a"),
    "a file HERE": ("FILE://LOCALHOST/a", "file:///a"),
}


@pytest.mark.fault(146, 147)
@pytest.mark.parametrize(("text", "sent"), SENT.values(), ids=SENT)
def test_a_url_is_sent_as(text: str, sent: str) -> None:
    assert str(URL.parse(text)) == sent


@pytest.mark.fault(148)
def test_addresses_that_are_the_same_are_one_origin() -> None:
    mapped = URL.parse("http://[::ffff:127.0.0.1]/").origin
    assert mapped == URL.parse("http://[::FFFF:7f00:1]:80/").origin
    assert URL.parse("http://[::1]/").origin == Origin("http", "::1", 80)


@pytest.mark.parametrize(
    ("text", "path"),
    [("http://h/a/%2e?b=c/d", "/a/%2e"), ("http://h", "/"), ("http://h?x", "/")],
)
def test_the_path_stays_encoded_and_is_without_the_query(text: str, path: str) -> None:
    assert URL.parse(text).path == path


@pytest.mark.fault(230)
@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [
        ("me:pw", ("me", "pw")),
        ("me", ("me", "")),
        ("me:", ("me", "")),
        (":pw", ("", "pw")),
        ("me:p:w", ("me", "p:w")),
        ("me%40corp:p%3aw%25", ("me@corp", "p:w%")),
        ("me:%2525", ("me", "%25")),
        ("m\u00e4:p\u20ac", ("m\u00e4", "p\u20ac")),
        ("m%C3%A4:%E2%82%AC", ("m\u00e4", "\u20ac")),
    ],
)
def test_userinfo_becomes_credentials_decoded_once(
    userinfo: str, credentials: tuple[str, str]
) -> None:
    url = URL.parse(f"https://{userinfo}@host/a")
    assert url.credentials == credentials
    assert str(url) == "https://host/a"


def test_no_userinfo_is_no_credentials() -> None:
    assert URL.parse("http://host/").credentials is None
    assert URL.parse("http://@host/").credentials is None


def test_credentials_do_not_make_another_url() -> None:
    assert URL.parse("http://me:pw@host/a") == URL.parse("http://host/a")
    assert len({URL.parse("http://me:pw@host/a"), URL.parse("http://host/a")}) == 1


@pytest.mark.fault(224)
def test_a_url_shows_neither_credentials_nor_query_values() -> None:
    url = URL.parse("https://me:c4n4ry@host/a?token=c4n4ry&c4n4ry&sig=c4n4ry=#c4n4ry")
    assert url.redacted == "https://host/a?token=***&***&sig=***"
    assert repr(url) == "URL('https://host/a?token=***&***&sig=***')"
    assert str(Credentials("me", "c4n4ry")) == repr(Credentials("me", "c4n4ry"))
    assert "c4n4ry" not in f"{url!r}{url.credentials}{url.credentials!r}{url.origin}"
    assert pickle.loads(pickle.dumps(url)).credentials == ("me", "c4n4ry")


CANARIES = {
    "a blank in the host": "http://me:c4n4ry@ho st/",
    "a slash in the password": "http://me:pa/c4n4ry@host/",
    "a hash in the password": "http://me:pa#c4n4ry@host/",
    "a question mark in the password": "http://me:c4n4ry?pa@host/",
    "an at in the password": "http://me:c4n4@c4n4ry@host/",
    "a backslash in the password": "http://me:c4n4ry\\@host/",
    "two slashes in the password": "http://me:c4n4ry//x@host/",
    "no slashes": "http:me:c4n4ry@host/",
    "no scheme": "me:c4n4ry@host/a",
    "a scheme that is none": "//me:c4n4ry@host/",
    "a colon in the password": "me:c4n4ry:x@host/a",
    "a colon in the password and no host": "http://me:c4n4ry:x@ho st/",
    "a fragment": "http://ho st/#c4n4ry",
    "a long password": f"http://me:c4n4ry{'x' * 300}@ho st/",
    "a URL that is too long": f"http://me:c4n4ry{'x' * 70_000}@host/",
    "a token": "http://ho st/?token=c4n4ry",
    "a newline before the token": "http://ho st/\n?token=c4n4ry\nc4n4ry",
    "a token without a name": "/relative?c4n4ry",
}


@pytest.mark.fault(224)
@pytest.mark.parametrize("text", CANARIES.values(), ids=CANARIES)
def test_a_malformed_url_shows_no_secret_either(text: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        URL.parse(text)
    assert "c4n4ry" not in f"{caught.value}{caught.value!r}{caught.value.args}"
    assert "c4n4ry" not in redacted(text)


def test_any_text_can_be_redacted() -> None:
    assert redacted("http://me:pw@host/a?b=c") == "http://host/a?b=***"
    assert redacted("http://me:pw@ho st/a") == "http://***@ho st/a"
    assert redacted("pool/a b?c=d") == "pool/a b?***"
    assert redacted("a\x1b[31mb") == "a\\x1b[31mb"


REFERENCES = {
    "another host": ("http://other/x", "http://other/x"),
    "another scheme": ("https://host/x", "https://host/x"),
    "a host": ("//other/x", "http://other/x"),
    "a path": ("/x", "http://host/x"),
    "a name": ("x", "http://host/a/x"),
    "a step up": ("../x", "http://host/x"),
    "a query": ("?x=1", "http://host/a/b?x=1"),
    "escaped dots": ("%2e%2e/x", "http://host/a/%2e%2e/x"),
    "a blank": ("x y", "http://host/a/x%20y"),
    "non-ASCII": ("\u00e4", "http://host/a/%C3%A4"),
    "nothing": ("", "http://host/a/b?q=1"),
    "an empty host": ("//", "http://host/a/b?q=1"),
    "a colon behind a slash": ("./x:y", "http://host/a/x:y"),
}


@pytest.mark.parametrize(("reference", "joined"), REFERENCES.values(), ids=REFERENCES)
def test_a_reference_is_resolved(reference: str, joined: str) -> None:
    assert str(URL.parse("http://host/a/b?q=1").join(reference)) == joined


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "reference",
    [
        "http://[::1",
        "http://ho st/",
        "http://host:99999/",
        f"http://{'a' * 300}/",
        "\\\\evil/x",
        "/\\evil/x",
        "http:\\\\evil",
        "http://good\\@evil/",
        "a\tb",
        "a\nb",
        "data:text/plain,x",
        "http:x",
        "http://",
        "x:y",
        "x\ud800",
    ],
)
def test_a_malformed_reference_is_refused(reference: str) -> None:
    base = URL.parse("http://host/a/b?q=1")
    with pytest.raises(InvalidURL):
        base.join(reference)


@pytest.mark.fault(224)
@pytest.mark.parametrize("reference", ["\\\\me:c4n4ry@evil", "http://me:c4n4ry@[::1"])
def test_a_malformed_reference_shows_no_secret(reference: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        URL.parse("http://host/?t=c4n4ry").join(reference)
    assert "c4n4ry" not in f"{caught.value}{caught.value!r}"


def test_an_origin_is_written_with_the_port_it_needs() -> None:
    assert str(Origin("http", "host", 80)) == "http://host"
    assert str(Origin("https", "host", 80)) == "https://host:80"
    assert str(Origin("http", "::1", 8080)) == "http://[::1]:8080"
    assert str(Origin("gopher", "host", None)) == "gopher://host"
    assert str(Origin("file", "", None)) == "file://"


@pytest.mark.fault(149)
@pytest.mark.parametrize("piece", ["%", "@", ":", "//", "[", "a.", "a-", ".", "?", "&", "=", "#"])
@pytest.mark.parametrize("before", ["", "http://", "http://host/", "http://host/?"])
def test_a_long_text_is_not_slow(before: str, piece: str) -> None:
    text = before + piece * (65_000 // len(piece))
    begin = time.thread_time()
    redacted(text)
    assert time.thread_time() - begin < 0.5


# Text that is likely to reach every branch of the parser, and text of any kind.
PIECES = st.sampled_from(
    [*"hs0189:/?#[]@%.-_\\ \t\0\u00fc\u24d4\ud800", "http://", "://", "0x", "::"]
)
ANY_TEXT = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))
AFTER_SCHEME = ANY_TEXT.map("http://".__add__)


@given(st.one_of(ANY_TEXT, AFTER_SCHEME))
@example("http://[::1%@x]/")
@example("http://xn--a/")
@pytest.mark.fault(143)
def test_parsing_any_text_fails_as_an_invalid_url_or_is_stable(text: str) -> None:
    try:
        url = URL.parse(text)
    except InvalidURL:
        return
    again = URL.parse(str(url))
    assert (str(again), again) == (str(url), url)
    assert str(url).isascii() and str(url).isprintable() and " " not in str(url)
    assert URL.parse(url.redacted).origin == url.origin


@given(ANY_TEXT)
@pytest.mark.fault(34)
def test_joining_any_text_fails_as_an_invalid_url_or_gives_a_url(text: str) -> None:
    try:
        url = URL.parse("http://host/a").join(text)
    except InvalidURL:
        return
    assert URL.parse(str(url)) == url
