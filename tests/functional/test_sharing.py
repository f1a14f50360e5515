"""What downloads of one remote share: session, pools, SSL contexts, tokens; and who they are."""

import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pulp_download import (
    Batch,
    Download,
    DownloadError,
    InvalidSettings,
    MemoryWriter,
    NotAuthorized,
    Remote,
    TLSFailed,
    TokenFailed,
)
from pulp_download.settings import TLSSettings
from pulp_download.tls import ssl_context
from tests.functional.asking import basic, fetched, fetched_together, one_try, only_for
from tests.servers import (
    Authority,
    Conversation,
    FaultServer,
    Request,
    authority,
    other_authority,
    redirect,
    reply,
    steps,
    when,
)

pytestmark = pytest.mark.need("I7")

MANY = 32


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, b"a file"))
        yield server


class Source:
    """A token source that counts how often it is asked, and by how many threads at once."""

    def __init__(self, *answers: tuple[str, float | None]) -> None:
        self.answers = answers
        self.asked = 0
        self.at_once = 0
        self._inside = threading.Semaphore(1)

    def __call__(self) -> tuple[str, float | None]:
        if not self._inside.acquire(blocking=False):
            self.at_once += 1
            raise AssertionError("asked by two threads at once")
        try:
            answer = self.answers[min(self.asked, len(self.answers) - 1)]
            self.asked += 1
            return answer
        finally:
            self._inside.release()


# -- one session, one adapter, one context


def test_all_downloads_of_a_remote_share_one_session_and_one_pool_of_connections(
    server: FaultServer,
) -> None:
    with Remote() as remote:
        session = remote.session
        adapter = session.get_adapter(server.url("/"))
        for number in range(20):
            assert fetched(server.url(f"/{number}"), remote) == b"a file"
        assert remote.session is session
        assert session.get_adapter("https://elsewhere.test/") is adapter
    assert (server.accepted, len(server.requests)) == (1, 20)


def test_a_session_is_made_once_however_many_threads_ask_first() -> None:
    with Remote() as remote:
        together = threading.Barrier(MANY)
        sessions = set()

        def ask() -> None:
            together.wait()
            sessions.add(id(remote.session))

        threads = [threading.Thread(target=ask) for _ in range(MANY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(sessions) == 1


def test_remotes_with_equal_tls_settings_load_their_authorities_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = ssl.SSLContext.load_verify_locations

    def counted(self: ssl.SSLContext, *args: object, **named: object) -> None:
        loads.append(self)
        load(self, *args, **named)

    bundle = str(authority().file(tmp_path))
    with FaultServer(tls=authority().server_context()) as server:
        server.default(reply(200, b"a file", close=True))
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
        for _ in range(3):
            with one_try(ca_cert=bundle) as remote:
                for _ in range(2):
                    assert fetched(server.url("/a"), remote) == b"a file"
        assert server.accepted == 6
    assert len(loads) == 1


def test_equal_tls_settings_are_one_context_and_others_another(tmp_path: Path) -> None:
    bundle = str(authority().file(tmp_path))
    shared = ssl_context(TLSSettings(bundle))
    assert ssl_context(TLSSettings(bundle)) is shared
    assert ssl_context(TLSSettings(authority().pem)) is not shared
    assert ssl_context(TLSSettings(bundle, validation=False)) is not shared


def test_a_changed_bundle_is_read_again(tmp_path: Path) -> None:
    bundle = other_authority().file(tmp_path)
    with FaultServer(tls=authority().server_context()) as server:
        server.default(reply(200, b"a file"))
        with one_try(ca_cert=str(bundle)) as remote, pytest.raises(TLSFailed):
            fetched(server.url("/a"), remote)
        bundle.write_text(authority().pem + other_authority().pem)
        with one_try(ca_cert=str(bundle)) as remote:
            assert fetched(server.url("/a"), remote) == b"a file"


# -- bearer tokens


def test_a_token_source_is_asked_once_for_many_threads(server: FaultServer) -> None:
    server.default(only_for("Bearer shared"))
    source = Source(("shared", time.time() + 3600))
    with one_try(token=source) as remote:
        assert fetched_together(server.url("/a"), remote, MANY) == [b"welcome"] * MANY
    assert source.asked == 1


def test_an_expired_token_is_renewed_once_by_many_threads(server: FaultServer) -> None:
    source = Source(("first", time.time() - 1), ("second", time.time() + 3600))
    with one_try(token=source) as remote:
        fetched(server.url("/first"), remote)
        fetched_together(server.url("/second"), remote, MANY)
    assert source.asked == 2
    assert {r.headers["Authorization"] for r in server.requests_to("/first")} == {"Bearer first"}
    assert {r.headers["Authorization"] for r in server.requests_to("/second")} == {"Bearer second"}


@pytest.mark.fault(56)
def test_a_token_rejected_under_many_workers_is_renewed_once_and_each_asks_again_once(
    server: FaultServer,
) -> None:
    """All workers hold the old token when the first rejection comes."""
    gate = server.gate()

    def is_old(request: Request) -> bool:
        return request.headers["Authorization"] == "Bearer old"

    server.default(when(is_old, steps(gate, reply(401)), reply(200, b"welcome")))
    source = Source(("old", time.time() + 3600), ("new", time.time() + 3600))
    done: list[list[bytes]] = []
    with one_try(token=source) as remote:
        worker = threading.Thread(
            target=lambda: done.append(fetched_together(server.url("/a"), remote, MANY))
        )
        worker.start()
        gate.wait_for(MANY)
        gate.open()
        worker.join()
    assert done == [[b"welcome"] * MANY]
    assert source.asked == 2
    assert [is_old(request) for request in server.requests].count(True) == MANY
    assert len(server.requests) == 2 * MANY


def test_the_repeat_with_a_new_token_is_no_try_of_its_own(server: FaultServer) -> None:
    server.default(only_for("Bearer new"))
    into = MemoryWriter()
    with one_try(token=Source(("old", None), ("new", None))) as remote:
        result = Download(server.url("/a"), into, remote=remote).run()
    assert (into.getvalue(), result.attempts) == (b"welcome", ())


def test_a_renewed_token_reaches_the_next_try(server: FaultServer) -> None:
    new = only_for("Bearer new")
    server.on("/a", [only_for("Bearer new"), reply(503), new])
    with Remote(token=Source(("old", None), ("new", None)), max_retries=1) as remote:
        assert fetched(server.url("/a"), remote) == b"welcome"
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer old", "Bearer new", "Bearer new"]


@pytest.mark.fault(56)
def test_a_token_that_stays_rejected_is_an_authorization_error_after_one_renewal(
    server: FaultServer,
) -> None:
    server.default(reply(401))
    source = Source(("one", None), ("two", None), ("three", None))
    with one_try(token=source) as remote, pytest.raises(NotAuthorized) as caught:
        fetched(server.url("/a"), remote)
    assert (caught.value.status, source.asked, len(server.requests)) == (401, 2, 2)


def test_a_source_that_gives_the_rejected_token_again_is_not_tried_again(
    server: FaultServer,
) -> None:
    server.default(reply(401))
    source = Source(("same", None))
    with one_try(token=source) as remote, pytest.raises(NotAuthorized):
        fetched(server.url("/a"), remote)
    assert (source.asked, len(server.requests)) == (2, 1)


def test_a_fixed_token_is_sent_and_not_repeated_when_rejected(server: FaultServer) -> None:
    server.on("/good", only_for("Bearer fixed"))
    with one_try(token="fixed") as remote:
        assert fetched(server.url("/good"), remote) == b"welcome"
        with pytest.raises(NotAuthorized):
            fetched(server.url("/good"), remote, headers={"Authorization": "Bearer other"})
        server.on("/bad", reply(401))
        with pytest.raises(NotAuthorized):
            fetched(server.url("/bad"), remote)
    assert len(server.requests_to("/bad")) == 1


def test_basic_credentials_of_a_url_are_not_asked_twice_because_there_is_a_token(
    server: FaultServer,
) -> None:
    """A rejected password has nothing to do with the token, which is neither asked nor sent."""
    server.default(reply(401))
    source = Source(("token", None))
    with one_try(token=source) as remote, pytest.raises(NotAuthorized):
        fetched(server.url("/a", userinfo="me:wrong"), remote)
    assert [r.headers["Authorization"] for r in server.requests] == [basic("me", "wrong")]
    assert source.asked == 0


SECRET = "S3CRET-in-the-words-of-a-source"


def raising() -> tuple[str, None]:
    raise RuntimeError(f"cannot log in with {SECRET}")


def exiting_oddly() -> tuple[str, None]:
    raise OSError(5, SECRET, f"/run/{SECRET}")


@pytest.mark.fault(234)
@pytest.mark.parametrize(
    "source",
    [
        raising,
        exiting_oddly,
        lambda: (f"{SECRET}\r\nX-Injected: 1", None),
        lambda: (f"{SECRET} and more", None),
        lambda: (f"{SECRET}é", None),
        lambda: ("", None),
        lambda: (None, None),
        lambda: (SECRET.encode(), None),
        lambda: None,
        lambda: SECRET,
        lambda: (SECRET, "tomorrow"),
    ],
    ids=[
        "raises",
        "raises an OSError",
        "CRLF",
        "space",
        "not ASCII",
        "empty",
        "no token",
        "bytes",
        "None",
        "a string only",
        "an expiry that is no number",
    ],
)
def test_a_token_source_that_misbehaves_fails_the_download_without_its_words(
    server: FaultServer, source: Callable[[], tuple[str, float | None]]
) -> None:
    with one_try(token=source) as remote, pytest.raises(TokenFailed) as caught:
        fetched(server.url("/a"), remote)
    shown = f"{caught.value} {caught.value!r} {caught.value.__dict__} {caught.value.__context__!r}"
    assert SECRET not in shown
    assert caught.value.url == server.url("/a")
    assert server.requests == []


@pytest.mark.fault(56)
def test_a_source_that_failed_is_not_asked_again_by_every_download(server: FaultServer) -> None:
    asked = []

    def source() -> tuple[str, None]:
        asked.append(1)
        raise RuntimeError

    with one_try(token=source) as remote:
        downloads = [Download(server.url("/a"), MemoryWriter(), remote=remote) for _ in range(MANY)]
        with Batch(downloads, concurrency=8) as batch:
            errors = [future.exception() for future in batch]
    assert {type(error) for error in errors} == {TokenFailed}
    assert len(asked) == 1
    assert server.requests == []


# -- Basic credentials


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("me", "secret"),
        ("me", "with:colons:in it"),
        ("me", "пароль ☃ ü"),
        ("mé@example.com", "%41/?#"),
        ("me", ""),
        ("", "secret"),
    ],
)
def test_basic_credentials_are_sent_in_utf_8(
    server: FaultServer, username: str, password: str
) -> None:
    server.default(only_for(basic(username, password)))
    with one_try(username=username, password=password) as remote:
        assert fetched(server.url("/a"), remote) == b"welcome"


@pytest.mark.fault(230)
@pytest.mark.parametrize(
    ("userinfo", "username", "password"),
    [
        ("me:secret", "me", "secret"),
        ("me", "me", ""),
        ("me:", "me", ""),
        (":secret", "", "secret"),
        ("me:a:b", "me", "a:b"),
        ("me%40example.com:a%3Ab%2F%40", "me@example.com", "a:b/@"),
        ("me:100%25", "me", "100%"),
        ("me:%2541", "me", "%41"),
        ("me:50%", "me", "50%"),
        ("me:p+q", "me", "p+q"),
        ("m%C3%BC:%E2%98%83", "mü", "☃"),
        ("mü:☃", "mü", "☃"),
        ("me:!$&'()*+,;=~._-", "me", "!$&'()*+,;=~._-"),
    ],
)
def test_userinfo_is_taken_out_of_the_url_decoded_once_and_sent_as_basic(
    server: FaultServer, userinfo: str, username: str, password: str
) -> None:
    server.default(only_for(basic(username, password)))
    download = Download(server.url("/a?b", userinfo=userinfo), MemoryWriter())
    assert download.source == server.url("/a?b")
    result = download.run()
    assert result.final_url == server.url("/a")
    assert server.requests[0].target == "/a?b"
    assert "@" not in server.requests[0].headers["Host"]


@pytest.mark.fault(231)
def test_nothing_is_sent_that_says_where_somebody_comes_from(server: FaultServer) -> None:
    server.on("/from", redirect("/to"))
    fetched(server.url("/from?token=1", userinfo="me:secret"))
    said = {name.lower() for request in server.requests for name, _ in request.headers}
    assert said == {"host", "user-agent", "accept", "accept-encoding", "authorization"}


def test_userinfo_wins_over_the_remote_and_stays_with_its_own_download(
    server: FaultServer,
) -> None:
    with one_try(username="me", password="secret") as remote:
        fetched(server.url("/own", userinfo="you:other"), remote)
        fetched(server.url("/remote"), remote)
    own, other = server.requests
    assert own.headers["Authorization"] == basic("you", "other")
    assert other.headers["Authorization"] == basic("me", "secret")


# -- netrc


def netrc_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "netrc"
    path.write_text(text)
    path.chmod(mode)
    return path


ENTRIES = """
machine 127.0.0.1 login me password secret
machine 127.0.0.2 login you password other
"""


@pytest.mark.fault(221)
def test_netrc_is_read_only_when_asked_for(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(netrc_file(tmp_path, ENTRIES)))
    fetched(server.url("/a"))
    with one_try(netrc=True) as remote:
        fetched(server.url("/b"), remote)
    not_asked, asked = server.requests
    assert "Authorization" not in not_asked.headers
    assert asked.headers["Authorization"] == basic("me", "secret")


def test_netrc_is_found_at_home(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc_file(tmp_path, ENTRIES).rename(tmp_path / ".netrc")
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with one_try(netrc=True) as remote:
        fetched(server.url("/a"), remote)
    assert server.requests[0].headers["Authorization"] == basic("me", "secret")


def test_no_netrc_at_home_is_no_credentials(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with one_try(netrc=True) as remote:
        fetched(server.url("/a"), remote)
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.fault(221)
def test_a_default_entry_of_netrc_is_for_hosts_without_one(
    server: FaultServer, tmp_path: Path
) -> None:
    text = "machine elsewhere.test login no password no\ndefault login any password thing\n"
    with one_try(netrc=str(netrc_file(tmp_path, text))) as remote:
        fetched(server.url("/a"), remote)
    assert server.requests[0].headers["Authorization"] == basic("any", "thing")


@pytest.mark.fault(221)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_netrc_that_others_may_read_is_refused(
    server: FaultServer, tmp_path: Path, mode: int
) -> None:
    path = netrc_file(tmp_path, ENTRIES, mode)
    with one_try(netrc=str(path)) as remote, pytest.raises(InvalidSettings, match="chmod 600"):
        fetched(server.url("/a"), remote)
    assert server.requests == []


def test_a_netrc_that_cannot_be_used_is_named_without_its_words(
    server: FaultServer, tmp_path: Path
) -> None:
    broken = netrc_file(tmp_path, f"machine 127.0.0.1 login me password\n{SECRET} {SECRET}\n")
    with one_try(netrc=str(broken)) as remote, pytest.raises(InvalidSettings) as caught:
        fetched(server.url("/a"), remote)
    assert str(broken) in str(caught.value)
    assert SECRET not in f"{caught.value!s}{caught.value!r}{caught.value.__dict__}"
    absent = str(tmp_path / "absent")
    with one_try(netrc=absent) as remote, pytest.raises(InvalidSettings, match="absent"):
        fetched(server.url("/a"), remote)


@pytest.mark.fault(221)
@pytest.mark.parametrize(
    ("fields", "facts", "userinfo", "expected"),
    [
        ({"username": "you", "password": "other"}, {}, "", basic("you", "other")),
        ({"token": "mine"}, {}, "", "Bearer mine"),
        ({"headers": {"Authorization": "Bearer mine"}}, {}, "", "Bearer mine"),
        ({}, {"headers": {"authorization": "Bearer mine"}}, "", "Bearer mine"),
        ({}, {}, "you:other", basic("you", "other")),
    ],
    ids=["username", "token", "header", "header of the download", "userinfo"],
)
def test_whatever_is_said_explicitly_wins_over_netrc(
    server: FaultServer,
    tmp_path: Path,
    fields: dict[str, object],
    facts: dict[str, object],
    userinfo: str,
    expected: str,
) -> None:
    with one_try(netrc=str(netrc_file(tmp_path, ENTRIES)), **fields) as remote:
        fetched(server.url("/a", userinfo=userinfo), remote, **facts)
    assert server.requests[0].headers.all("Authorization") == [expected]


@pytest.mark.fault(221)
def test_netrc_is_never_for_the_target_of_a_redirect(server: FaultServer, tmp_path: Path) -> None:
    with FaultServer(host="127.0.0.2") as other:
        other.default(reply(200, b"moved"))
        server.on("/a", redirect(other.url("/b")))
        with one_try(netrc=str(netrc_file(tmp_path, ENTRIES))) as remote:
            assert fetched(server.url("/a"), remote) == b"moved"
        with one_try(
            netrc=str(netrc_file(tmp_path, ENTRIES)), trusted_origins=[other.url("/")]
        ) as remote:
            assert fetched(server.url("/a"), remote) == b"moved"
        assert [r.headers.get("Authorization") for r in other.requests] == [None, None]
    assert {r.headers["Authorization"] for r in server.requests} == {basic("me", "secret")}


# -- client certificates


@pytest.fixture
def demanding() -> Iterator[FaultServer]:
    """A server that wants a certificate of our authority, and says whom it met."""

    def who(conn: Conversation, request: Request) -> None:
        assert request.client_certificate is not None
        names = [value for _, value in request.client_certificate["subjectAltName"]]
        reply(200, ",".join(names).encode())(conn, request)

    context = authority().server_context(client_certs=ssl.CERT_REQUIRED)
    with FaultServer(tls=context) as server:
        server.default(who)
        yield server


@pytest.mark.fault(64)
def test_a_client_certificate_may_be_paths_or_pem_text(
    demanding: FaultServer, tmp_path: Path
) -> None:
    files = authority().client_cert_files(tmp_path, "me.test")
    forms = [
        {"client_cert": str(files.cert), "client_key": str(files.key)},
        {"client_cert": str(files.both)},
        {"client_cert": files.cert_pem, "client_key": files.key_pem},
        {"client_cert": files.key_pem + files.cert_pem},
        {"client_cert": str(files.cert), "client_key": files.key_pem},
    ]
    for form in forms:
        with one_try(ca_cert=authority().pem, **form) as remote:
            assert fetched(demanding.url("/who"), remote) == b"me.test"


@pytest.mark.fault(64)
def test_a_server_that_wants_a_certificate_and_gets_none_or_a_wrong_one_is_a_tls_failure(
    demanding: FaultServer, tmp_path: Path
) -> None:
    wrong = other_authority().client_cert_files(tmp_path)
    for form in ({}, {"client_cert": str(wrong.both)}):
        with one_try(ca_cert=authority().pem, **form) as remote, pytest.raises(TLSFailed):
            fetched(demanding.url("/who"), remote)
    assert demanding.requests == []


@pytest.mark.fault(64)
@pytest.mark.parametrize("form", ["two paths", "one path", "text"])
def test_a_key_with_a_passphrase_is_refused_at_once_and_nobody_is_prompted(
    tmp_path: Path, form: str
) -> None:
    files = authority().client_cert_files(tmp_path, password="S3CRET")
    fields = {
        "two paths": {"client_cert": str(files.cert), "client_key": str(files.key)},
        "one path": {"client_cert": str(files.both)},
        "text": {"client_cert": files.cert_pem, "client_key": files.key_pem},
    }[form]
    with pytest.raises(InvalidSettings, match="passphrase"):
        Remote(**fields)


@pytest.mark.fault(64)
@pytest.mark.parametrize("field", ["ca_cert", "client_cert", "client_key"])
def test_a_missing_file_is_named_with_its_setting_when_the_remote_is_made(
    tmp_path: Path, field: str
) -> None:
    files = authority().client_cert_files(tmp_path)
    fields = {"client_cert": str(files.cert), "client_key": str(files.key)}
    fields[field] = str(tmp_path / "absent.pem")
    with pytest.raises(InvalidSettings) as caught:
        Remote(**fields)
    assert f"{field}: " in str(caught.value)
    assert "absent.pem" in str(caught.value)


@pytest.mark.fault(64)
def test_a_key_that_does_not_fit_is_named_and_its_text_is_not_shown(tmp_path: Path) -> None:
    one = authority().client_cert_files(tmp_path, "one.test")
    other = authority().client_cert_files(tmp_path, "other.test")
    with pytest.raises(InvalidSettings, match="client_") as caught:
        Remote(client_cert=one.cert_pem, client_key=other.key_pem)
    with pytest.raises(InvalidSettings, match="client_") as garbled:
        Remote(client_cert=one.cert_pem, client_key="-----BEGIN PRIVATE KEY-----\nS3CRET\n")
    shown = f"{caught.value!s}{garbled.value!s}"
    assert "S3CRET" not in shown
    assert other.key_pem.splitlines()[1] not in shown


# -- whom to trust


def hashed_directory(folder: Path, known: Authority) -> Path:
    """A directory of authorities as OpenSSL looks them up: by a hash of the subject."""
    path = folder / "authorities"
    path.mkdir()
    subject = x509.load_pem_x509_certificate(known.pem.encode()).subject
    (path / f"{subject_hash(subject)}.0").write_text(known.pem)
    return path


def subject_hash(subject: x509.Name) -> str:
    """What ``openssl x509 -subject_hash`` says: of the parts in canonical DER, by SHA-1."""
    canonical = b""
    for part in subject:
        text = " ".join(str(part.value).lower().split()).encode()
        fact = der(0x06, OIDS[part.oid]) + der(0x0C, text)
        canonical += der(0x31, der(0x30, fact))
    return f"{int.from_bytes(hashlib.sha1(canonical).digest()[:4], 'little'):08x}"


OIDS = {
    NameOID.ORGANIZATION_NAME: b"\x55\x04\x0a",
    NameOID.ORGANIZATIONAL_UNIT_NAME: b"\x55\x04\x0b",
}


def der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def test_custom_authorities_may_be_a_file_a_directory_or_pem_text(tmp_path: Path) -> None:
    forms = [
        str(authority().file(tmp_path)),
        str(hashed_directory(tmp_path, authority())),
        authority().pem,
    ]
    with FaultServer(tls=authority().server_context()) as server:
        server.default(reply(200, b"a file"))
        for form in forms:
            with one_try(ca_cert=form) as remote:
                assert fetched(server.url("/a"), remote) == b"a file"


@pytest.mark.parametrize("fields", [{}, {"ca_cert": other_authority().pem}], ids=["none", "other"])
def test_a_server_of_an_unknown_authority_is_refused(fields: dict[str, str]) -> None:
    with FaultServer(tls=authority().server_context()) as server:
        with one_try(**fields) as remote, pytest.raises(TLSFailed, match="certificate"):
            fetched(server.url("/a"), remote)
        assert server.requests == []


def test_tls_validation_false_asks_nobody() -> None:
    with FaultServer(tls=authority().expired("elsewhere.test")) as server:
        server.default(reply(200, b"a file"))
        with one_try(tls_validation=False) as remote:
            assert fetched(server.url("/a"), remote) == b"a file"


@pytest.mark.fault(66)
def test_a_connection_made_without_validation_is_not_used_with_it() -> None:
    with FaultServer(tls=authority().server_context()) as server:
        server.default(reply(200, b"a file"))
        with one_try(tls_validation=False) as remote:
            assert fetched(server.url("/a"), remote) == b"a file"
            remote.session.verify = True
            with pytest.raises(TLSFailed):
                fetched(server.url("/a"), remote)
        assert len(server.requests) == 1


@pytest.mark.fault(66)
def test_a_connection_made_with_one_certificate_is_not_used_with_another(
    demanding: FaultServer, tmp_path: Path
) -> None:
    me = authority().client_cert_files(tmp_path, "me.test")
    you = authority().client_cert_files(tmp_path, "you.test")
    with one_try(ca_cert=authority().pem, client_cert=str(me.both)) as remote:
        assert fetched(demanding.url("/who"), remote) == b"me.test"
        remote.session.cert = str(you.both)
        assert fetched(demanding.url("/who"), remote) == b"you.test"
        remote.session.cert = None
        with pytest.raises(TLSFailed):
            fetched(demanding.url("/who"), remote)


def test_errors_of_shared_parts_are_this_librarys(server: FaultServer) -> None:
    server.default(reply(401))
    with one_try(username="me", password="wrong") as remote, pytest.raises(DownloadError) as caught:
        fetched(server.url("/a"), remote)
    assert isinstance(caught.value, NotAuthorized)
