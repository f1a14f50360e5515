"""What crosses to another process: descriptions, outcomes and errors by pickle, remotes by fork."""

import copy
import hashlib
import inspect
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    DigestValidation,
    Download,
    DownloadError,
    FailedTry,
    FileWriter,
    MemoryWriter,
    NotFound,
    Remote,
    Settings,
    SizeValidation,
    Throttled,
    errors,
)
from tests.functional.asking import basic, fetched, only_for
from tests.servers import FaultServer, authority, reply

ROOT = Path(__file__).parents[2]
TRIES = (
    FailedTry("http://a.test/", 503, "ServerFailed", "http://a.test/: 503 Later"),
    FailedTry("http://b.test/", None, "ConnectionFailed", "http://b.test/: refused"),
)

# One of each, with a fact in every argument that it takes.
SAMPLES: dict[str, DownloadError] = {
    error.__class__.__name__: error
    for error in (
        errors.DownloadError("a reason", url="http://a.test/", status=418),
        errors.InvalidInput("a reason", url="http://a.test/"),
        errors.InvalidURL("a reason", url="http://a.test/"),
        errors.InvalidSettings("a reason"),
        errors.InvalidExpectation("a reason"),
        errors.TransferError("a reason", url="http://a.test/", status=418),
        errors.ConnectionFailed("refused", url="http://a.test/"),
        errors.ProxyFailed("proxy: refused", url="http://a.test/"),
        errors.TLSFailed("not trusted", url="http://a.test/"),
        errors.TimedOut("total", 1.5, url="http://a.test/"),
        errors.Stalled(10, 30.0, 1000.0, url="http://a.test/"),
        errors.TooSlow(10.0, 50.0, url="http://a.test/"),
        errors.Truncated(3, 6, url="http://a.test/"),
        errors.UnverifiableLength("nothing tells", url="http://a.test/"),
        errors.ProtocolViolation("not HTTP", url="http://a.test/", status=204),
        errors.UnsupportedScheme("gopher", url="gopher://a.test/"),
        errors.TokenFailed("it raised", url="http://a.test/"),
        errors.UnsafeRedirect("refused", url="https://a.test/", status=302),
        errors.TooManyRedirects("a loop", url="http://a.test/", status=301),
        errors.BadStatus(418, "I'm a Teapot", url="http://a.test/"),
        errors.NotFound(410, "Gone", url="http://a.test/"),
        errors.NotAuthorized(403, "Forbidden", url="http://a.test/"),
        errors.ServerFailed(500, "Internal", url="http://a.test/"),
        errors.Throttled(429, "Slow Down", url="http://a.test/"),
        errors.ValidationError("wrong", url="http://a.test/"),
        errors.SizeMismatch(6, 7, url="http://a.test/"),
        errors.DigestMismatch("md5", "0" * 32, "1" * 32, url="http://a.test/"),
        errors.PieceMismatch(3, 300, 100, url="http://a.test/"),
        errors.ManifestError("two fields", line=7, url="http://a.test/"),
        errors.WriteError("no space", path="/a/b", errno=28),
        errors.DestinationBusy("another run is at work here", path="/a"),
        errors.CatalogError("made by a newer release"),
        errors.Cancelled("the batch was closed", url="http://a.test/"),
    )
}


def classes(root: type[DownloadError] = DownloadError) -> set[type[DownloadError]]:
    """The whole tree of public errors."""
    found = {root}
    for child in root.__subclasses__():
        found |= classes(child)
    return {kind for kind in found if vars(errors).get(kind.__name__) is kind}


def test_there_is_a_sample_of_every_error_and_the_tree_in_the_docstring_names_it() -> None:
    names = {kind.__name__ for kind in classes()}
    assert set(SAMPLES) == names
    drawing = inspect.getdoc(errors) or ""
    assert {name for name in names if name not in drawing} == set()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling_with_its_facts(name: str, protocol: int) -> None:
    error = copy.copy(SAMPLES[name])
    error.attempts = TRIES
    if isinstance(error, Throttled):
        error.retry_after = 12.5
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert again.args == error.args
    assert (str(again), again.message) == (str(error), error.message)
    assert (again.retryable, again.final) == (error.retryable, error.final)
    assert again.attempts == TRIES
    twice = pickle.loads(pickle.dumps(again, protocol))
    assert vars(twice) == vars(error)
    assert vars(copy.deepcopy(error)) == vars(error)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_an_error_of_a_real_run_pickles_with_all_its_tries(server: FaultServer) -> None:
    server.default([reply(503), reply(404)])
    with Remote() as remote, pytest.raises(NotFound) as caught:
        fetched(server.url("/a"), remote)
    again = pickle.loads(pickle.dumps(caught.value))
    assert [failed.status for failed in again.attempts] == [503, 404]
    assert str(again) == str(caught.value)


# -- descriptions


def laden(folder: Path) -> Settings:
    files = authority().client_cert_files(folder)
    return Settings(
        username="me",
        password="secret",
        headers={"X-Auth": "secret"},
        ca_cert=authority().pem,
        client_cert=files.cert_pem,
        client_key=files.key_pem,
        trusted_origins=["https://trusted.test"],
        max_retries=1,
    )


def test_settings_are_equal_and_hash_alike_after_pickling(tmp_path: Path) -> None:
    settings = laden(tmp_path)
    again = pickle.loads(pickle.dumps(settings))
    assert (again, hash(again)) == (settings, hash(settings))


def test_a_remote_pickles_as_its_settings_and_connects_anew(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(only_for(basic("me", "secret")))
    with Remote(laden(tmp_path)) as remote:
        remote.session.headers["X-Set-Later"] = "1"
        assert fetched(server.url("/a"), remote) == b"welcome"
        with pickle.loads(pickle.dumps(remote)) as again:
            assert again.settings == remote.settings
            assert fetched(server.url("/b"), again) == b"welcome"
            assert again.session is not remote.session
    first, second = server.requests
    assert (first.connection, second.connection) == (1, 2)
    assert second.headers["X-Auth"] == "secret"
    assert "X-Set-Later" not in second.headers


def test_a_remote_that_is_closed_opens_again_on_the_other_side(server: FaultServer) -> None:
    server.default(reply(200, b"a file"))
    remote = Remote(username="me", password="secret")
    remote.close()
    with pickle.loads(pickle.dumps(remote)) as again:
        assert fetched(server.url("/a"), again) == b"a file"


def test_a_download_pickles_with_all_it_holds(server: FaultServer, tmp_path: Path) -> None:
    server.default(only_for(basic("you", "other"), b"a file"))
    download = Download(
        server.url("/a?b=c", userinfo="you:other"),
        FileWriter(tmp_path / "file", fsync=True),
        validations=[
            SizeValidation(6),
            DigestValidation("md5", hashlib.md5(b"a file").hexdigest()),
        ],
        remote=Remote(headers={"X-Auth": "secret"}),
        attachment={"pk": 7},
        headers={"X-Own": "secret"},
    )
    again = pickle.loads(pickle.dumps(download))
    assert (again.source, again.path) == (download.source, download.path)
    assert again.validations == download.validations
    assert again.attachment == {"pk": 7}
    assert again.url.credentials == download.url.credentials
    with again.remote:
        again.run()
    assert (tmp_path / "file").read_bytes() == b"a file"
    (request,) = server.requests
    assert (request.headers["X-Auth"], request.headers["X-Own"]) == ("secret", "secret")
    with pytest.raises(AttributeError):
        again.attachment = 8


def module_level_source() -> tuple[str, None]:
    return "of-a-function", None


def test_a_token_source_that_pickles_goes_along(server: FaultServer) -> None:
    server.default(only_for("Bearer of-a-function"))
    with pickle.loads(pickle.dumps(Remote(token=module_level_source))) as again:
        assert fetched(server.url("/a"), again) == b"welcome"


@pytest.mark.parametrize("what", ["settings", "remote", "download"])
def test_a_token_source_that_does_not_pickle_is_named_by_the_error(what: str) -> None:
    secret = "S3CRET"
    settings = Settings(token=lambda: (secret, None))
    with Remote(settings) as remote:
        thing = {
            "settings": settings,
            "remote": remote,
            "download": Download("http://a.test/", MemoryWriter(), remote=remote),
        }[what]
        with pytest.raises((pickle.PicklingError, TypeError, AttributeError), match="token"):
            pickle.dumps(thing)


# -- another process


def runs(script: str, *arguments: str, data: bytes = b"") -> str:
    """Run a script in an interpreter of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        input=data,
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_download_runs_in_a_process_that_was_only_given_its_pickle(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(only_for(basic("me", "secret"), b"a file"))
    with Remote(laden(tmp_path)) as remote:
        download = Download(server.url("/a"), tmp_path / "file", remote=remote, attachment=7)
        said = runs(
            """
            import pickle, sys
            download = pickle.load(sys.stdin.buffer)
            with download.remote:
                result = download.run()
            sys.stdout.write(pickle.dumps(result).hex())
            """,
            data=pickle.dumps(download),
        )
    result = pickle.loads(bytes.fromhex(said))
    assert (result.size, result.download.attachment) == (6, 7)
    assert (tmp_path / "file").read_bytes() == b"a file"


def test_an_error_comes_back_from_a_pool_of_processes(server: FaultServer) -> None:
    server.default(reply(410))
    said = runs(
        """
        import sys
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        from pulp_download import Download, MemoryWriter, NotFound, Remote

        if __name__ == "__main__":
            download = Download(sys.argv[1], MemoryWriter(), remote=Remote(max_retries=0))
            with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
                try:
                    pool.submit(download.run).result()
                except NotFound as error:
                    print(error.status, error.url, len(error.attempts))
        """,
        server.url("/a"),
    )
    assert said.split() == ["410", server.url("/a"), "1"]


FORKING = """
import os, sys, signal
from pulp_download import Batch, Download, MemoryWriter, Remote

def fetched(url, remote):
    into = MemoryWriter()
    Download(url, into, remote=remote).run()
    return into.getvalue()

def in_child(action):
    "Run in a forked child, which ends without the parent's clean-up; tell whether it succeeded."
    child = os.fork()
    if not child:
        signal.alarm(20)
        code = 1
        try:
            action()
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_forked_child_connects_anew_and_leaves_its_parents_connection_alone(
    *, is_tls: bool
) -> None:
    tls = authority().server_context() if is_tls else None
    with FaultServer(tls=tls) as server:
        server.default(reply(200, b"a file"))
        runs(
            FORKING
            + """
with Remote(ca_cert=sys.stdin.read(), max_retries=0) as remote:
    assert fetched(sys.argv[1], remote) == b"a file"
    def use():
        assert fetched(sys.argv[1], remote) == b"a file"
        assert fetched(sys.argv[1], remote) == b"a file"
        remote.close()
    assert in_child(use)
    assert fetched(sys.argv[1], remote) == b"a file"
""",
            server.url("/a"),
            data=authority().pem.encode(),
        )
        assert [request.connection for request in server.requests] == [1, 2, 2, 1]


def test_what_was_set_on_the_session_is_still_set_after_a_fork(server: FaultServer) -> None:
    server.default(reply(200, b"a file"))
    runs(
        FORKING
        + """
with Remote(max_retries=0) as remote:
    remote.session.headers["X-Set"] = "1"
    assert in_child(lambda: fetched(sys.argv[1], remote))
""",
        server.url("/a"),
    )
    assert server.requests[0].headers["X-Set"] == "1"


def test_a_child_forked_while_others_download_is_not_stuck(server: FaultServer) -> None:
    """Threads that hold locks of the parent do not exist in the child."""
    gate = server.gate()

    def held(conn: Any, request: Any) -> None:
        gate(conn, request)
        reply(200, b"a file")(conn, request)

    server.on("/held", held)
    server.on("/free", reply(200, b"a file"))
    runs(
        FORKING
        + """
import threading
with Remote(max_retries=0, total_timeout=10) as remote:
    downloads = [Download(sys.argv[1], MemoryWriter(), remote=remote) for _ in range(4)]
    threads = [threading.Thread(target=download.run) for download in downloads]
    for thread in threads:
        thread.start()
    assert fetched(sys.argv[2], remote) == b"a file"
    assert in_child(lambda: fetched(sys.argv[2], remote))
    assert in_child(lambda: list(Batch([Download(sys.argv[2], MemoryWriter(), remote=remote)])))
    assert fetched(sys.argv[3], remote) == b"opened"
    for thread in threads:
        thread.join()
""",
        server.url("/held"),
        server.url("/free"),
        opens(server, gate),
    )


def opens(server: FaultServer, gate: Any) -> str:
    """A URL that opens the gate when it is asked for."""

    def script(conn: Any, request: Any) -> None:
        gate.open()
        reply(200, b"opened")(conn, request)

    server.on("/open", script)
    return server.url("/open")


def test_a_child_forked_while_a_token_is_asked_for_asks_for_its_own(server: FaultServer) -> None:
    server.default(only_for("Bearer a-token"))
    runs(
        FORKING
        + """
import threading
asking, may_answer = threading.Event(), threading.Event()
parent = os.getpid()

def source():
    if os.getpid() == parent:
        asking.set()
        may_answer.wait()
    return "a-token", None

with Remote(token=source, max_retries=0) as remote:
    first = threading.Thread(target=fetched, args=(sys.argv[1], remote))
    first.start()
    asking.wait()
    assert in_child(lambda: fetched(sys.argv[1], remote))
    may_answer.set()
    first.join()
""",
        server.url("/a"),
    )
    assert len(server.requests) == 2


def test_a_batch_that_was_started_before_the_fork_raises_in_the_child(server: FaultServer) -> None:
    server.default(reply(200, b"a file"))
    said = runs(
        FORKING
        + """
def raises():
    try:
        next(results)
    except RuntimeError as error:
        assert "fork" in str(error), error
    else:
        raise AssertionError("it went on")

with Remote(max_retries=0) as remote:
    downloads = (Download(sys.argv[1], MemoryWriter(), remote=remote) for _ in range(20))
    with Batch(downloads, concurrency=2) as batch:
        results = iter(batch)
        next(results).result()
        assert in_child(raises)
        print(1 + sum(1 for future in results if future.result()))
""",
        server.url("/a"),
    )
    assert said.strip() == "20"
