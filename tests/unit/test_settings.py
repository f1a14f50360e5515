"""Settings: one frozen value, its secrets out of sight, its nonsense refused."""

import pickle

import pytest

from pulp_download.errors import InvalidInput, InvalidSettings
from pulp_download.headers import header_pairs
from pulp_download.settings import Settings, TimeLimits, TLSSettings
from pulp_download.urls import Origin

NAN, INFINITY = float("nan"), float("inf")


def token() -> tuple[str, None]:
    return "c4n4ry", None


def test_the_defaults_are_finite() -> None:
    settings = Settings()
    assert settings.time_limits == TimeLimits(30.0, None, 30.0, None, 1000.0, 30.0)
    assert (settings.max_retries, settings.retry_after_limit, settings.max_redirects) == (
        3,
        300,
        10,
    )
    assert settings.tls == TLSSettings(None, None, None, True)
    assert settings.credentials is None and settings.trusted == frozenset()


TIMES = ("connect_timeout", "sock_connect_timeout", "sock_read_timeout", "total_timeout")
WHOLE = ("max_retries", "max_redirects", "max_size")
OPTIONAL = ("sock_connect_timeout", "total_timeout", "max_size")
NUMBERS = (*TIMES, *WHOLE, "retry_after_limit", "min_speed", "stall_period")


@pytest.mark.fault(170)
@pytest.mark.parametrize("value", [-1, NAN, INFINITY, True, "1", b"1", [1]])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_finite_and_not_negative(name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings(**{name: value})


@pytest.mark.fault(26, 170)
@pytest.mark.parametrize("name", [*TIMES, "stall_period"])
def test_no_time_is_zero(name: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings(**{name: 0})


@pytest.mark.fault(26)
@pytest.mark.parametrize("name", sorted({*NUMBERS} - {*OPTIONAL}))
def test_none_does_not_switch_a_limit_off_that_must_be_there(name: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings(**{name: None})


@pytest.mark.parametrize("name", OPTIONAL)
def test_none_is_no_limit_where_there_is_none_by_default(name: str) -> None:
    assert getattr(Settings(**{name: None}), name) is None


@pytest.mark.parametrize("name", WHOLE)
def test_a_count_is_a_whole_number(name: str) -> None:
    assert getattr(Settings(**{name: 0}), name) == 0
    with pytest.raises(InvalidSettings, match=name):
        Settings(**{name: 1.0})


def test_zero_switches_the_stall_limit_off() -> None:
    assert Settings(min_speed=0).time_limits.min_speed == 0


@pytest.mark.fault(170)
@pytest.mark.parametrize(
    "fields",
    [
        {"password": "c4n4ry"},
        {"token": "c4n4ry", "username": "me"},
        {"client_key": "c4n4ry"},
        {"proxy_username": "me"},
        {"proxy_url": "c4n4ry"},
        {"proxy_url": "http://me:c4n4ry@ho st/"},
        {"proxy_url": ""},
        {"proxy_url": "socks5://me:c4n4ry@proxy"},
        {"proxy_url": "ftp://proxy"},
        {"proxy_password": "c4n4ry"},
        {"proxy_url": "http://proxy", "proxy_password": "c4n4ry"},
        {"trusted_origins": "c4n4ry"},
        {"trusted_origins": ["http://me:c4n4ry@ho st"]},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_settings_that_contradict_each_other_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Settings(**fields)  # type: ignore[arg-type]
    if "@" in str(fields) or "proxy_url" in fields:
        assert "c4n4ry" not in str(caught.value)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="verify"):
        Settings(verify=False)  # type: ignore[call-arg]


@pytest.mark.fault(224, 235)
def test_settings_show_no_secret_and_pickle_all() -> None:
    settings = Settings(
        username="c4n4ry",
        password="c4n4ry",
        headers={"X-Key": "c4n4ry"},
        ca_cert="-----BEGIN c4n4ry",
        client_cert="c4n4ry",
        client_key="c4n4ry",
        proxy_url="http://c4n4ry@proxy",
        proxy_username="c4n4ry",
        proxy_password="c4n4ry",
        trusted_origins=("https://me:c4n4ry@other",),
    )
    assert "c4n4ry" not in f"{settings!r}{settings}{settings.credentials!r}{settings.tls!r}"
    again = pickle.loads(pickle.dumps(settings))
    assert again == settings and hash(again) == hash(settings)
    assert again.credentials == ("c4n4ry", "c4n4ry")
    assert "c4n4ry" not in repr(Settings(token="c4n4ry"))
    assert pickle.loads(pickle.dumps(Settings(token=token))).token is token


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().max_retries = 5  # type: ignore[misc]


def test_a_user_without_a_password_has_an_empty_one() -> None:
    assert Settings(username="me").credentials == ("me", "")


@pytest.mark.parametrize(
    "trusted",
    ["https://cdn.example", ["https://cdn.example/ignored?x"], ("HTTPS://CDN.example:443",)],
)
def test_trusted_origins_are_one_or_several(trusted: tuple[str, ...]) -> None:
    assert Settings(trusted_origins=trusted).trusted == {Origin("https", "cdn.example", 443)}


PAIRS = (("X-A", "1"), ("X-B", "2"))


@pytest.mark.parametrize(
    ("headers", "pairs"),
    [
        ({"X-A": "1", "X-B": "2"}, PAIRS),
        (PAIRS, PAIRS),
        ([["X-A", "1"], ["X-B", "2"]], PAIRS),
        ([{"X-A": "1"}, {"X-B": "2"}], PAIRS),
        (iter(PAIRS), PAIRS),
        ((("X-A", "1"), ("X-A", "2")), (("X-A", "1"), ("X-A", "2"))),
        (None, ()),
        ({}, ()),
        ({"X-Empty": ""}, (("X-Empty", ""),)),
        ({"X-Latin": "\u00e4\tb c"}, (("X-Latin", "\u00e4\tb c"),)),
    ],
)
def test_headers_are_kept_as_pairs(headers: object, pairs: object) -> None:
    assert header_pairs(headers) == pairs
    assert Settings(headers=pairs).headers == pairs  # type: ignore[arg-type]


@pytest.mark.fault(169)
@pytest.mark.parametrize(
    "value",
    [
        "a\r\nb",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\x7fb",
        " a",
        "a ",
        "\ta",
        "\u20ac",
        "\ud800",
        b"a",
        None,
        1,
    ],
)
def test_a_malformed_header_value_is_refused_without_repeating_it(value: object) -> None:
    with pytest.raises(InvalidSettings, match="malformed value of header 'X-A'"):
        header_pairs({"X-A": value})


@pytest.mark.fault(169)
@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\nA", "X\0", "\u00dc", "X-A ", b"X-A", None])
def test_a_malformed_header_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidSettings, match="malformed header name"):
        header_pairs([(name, "1")])


@pytest.mark.fault(169)
@pytest.mark.parametrize(
    "name",
    [
        *("Host", "RANGE", "Accept-Encoding", "content-length", "Transfer-Encoding", "Connection"),
        *("TE", "Trailer", "Upgrade", "Keep-Alive", "Expect", "Proxy-Authorization"),
    ],
)
def test_a_header_that_belongs_to_the_library_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match="is set by the library"):
        Settings(headers={name: "1"})  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", ["X-A: 1", ["X-A: 1"], [("X-A",)], [("X", "1", "2")], [1]])
def test_what_are_no_headers_is_refused(headers: object) -> None:
    with pytest.raises(InvalidSettings):
        header_pairs(headers)
