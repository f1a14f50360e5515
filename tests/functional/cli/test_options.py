"""Every shared option does what it says."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import click
import pytest

from pulp_download.cli.options import size
from tests.functional.asking import basic, only_for
from tests.functional.cli.command import Command, finished, refused_usage
from tests.functional.cli.shelf import BODY, tree
from tests.servers import (
    Blackhole,
    FaultProxy,
    FaultServer,
    authority,
    dripped_body,
    endless_trickle,
    other_authority,
    reply,
    stalled_body,
    steps,
)


class TestTries:
    @pytest.mark.parametrize(("retries", "tries"), [("0", 1), ("1", 2)])
    def test_retries_are_further_tries_after_the_first(
        self, command: Command, server: FaultServer, retries: str, tries: int
    ) -> None:
        server.default(reply(500))
        ended = command("get", server.url("/a"), "--retries", retries, "--json", status=1)
        assert len(ended.file["attempts"]) == len(server.requests) == tries

    def test_a_connect_that_nobody_answers_ends_by_its_time_limit(self, command: Command) -> None:
        with Blackhole() as nobody:
            given = ("--connect-timeout", "0.3", "--retries", "0", "--json")
            ended = command("get", nobody.url("/a"), *given, status=1)
        assert ended.file["error"]["type"] == "TimedOut"
        assert "connect timeout of 0.3 s" in ended.file["error"]["message"]

    def test_a_silence_ends_by_the_read_timeout(
        self, command: Command, server: FaultServer
    ) -> None:
        server.default(stalled_body(BODY, sent=5000))
        given = ("--read-timeout", "0.3", "--retries", "0", "--json")
        ended = command("get", server.url("/a"), *given, status=1)
        assert ended.file["error"]["type"] == "TimedOut"
        assert "read timeout of 0.3 s" in ended.file["error"]["message"]

    def test_all_tries_together_end_by_the_total_timeout(
        self, command: Command, server: FaultServer
    ) -> None:
        server.default(endless_trickle(every=0.05))
        server.on("/b", reply(503, headers={"Retry-After": "100"}))
        urls = [server.url(path) for path in ("/a", "/b")]
        ended = command("get", *urls, "--total-timeout", "0.4", "--json", status=1)
        assert {file["error"]["type"] for file in ended.files} == {"TimedOut"}
        assert all("total timeout of 0.4 s" in file["error"]["message"] for file in ended.files)
        assert len(server.requests) == 2

    @pytest.mark.slow
    def test_less_than_the_least_speed_over_half_a_minute_is_a_stall(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        # Faster than 10 bytes a second and slower than 1000; over after 33 seconds.
        server.default(dripped_body(bytes(33 * 60), every=1.0, size=60))
        common = ("--retries", "0", "--json")
        url = server.url("/a")
        with (
            command.started("get", url, "--into", "1", *common) as strict,
            command.started("get", url, "--into", "2", "--min-speed", "10", *common) as patient,
        ):
            stalled, _ = strict.communicate(timeout=50)
            _, _ = patient.communicate(timeout=50)
        assert (strict.returncode, patient.returncode) == (1, 0)
        assert b'"type": "Stalled"' in stalled
        assert tree(here) == {"2/a": bytes(33 * 60)}


class TestSharing:
    @pytest.mark.need("I9")
    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_no_more_transfers_than_asked_for_run_at_once(
        self, command: Command, server: FaultServer, here: Path, concurrency: int
    ) -> None:
        gate = server.gate()
        server.default(steps(gate, reply(200, BODY)))
        urls = [server.url(f"/{number}") for number in range(3 * concurrency)]
        with command.started("get", *urls, "--concurrency", concurrency) as process:
            gate.wait_for(concurrency)
            gate.open()
            assert finished(process).status == 0
        assert server.peak == server.accepted == concurrency
        assert len(tree(here)) == 3 * concurrency


class TestSecurity:
    def test_a_given_authority_is_trusted_and_no_other(
        self, command: Command, secure: FaultServer, here: Path
    ) -> None:
        secure.default(reply(200, BODY))
        (here / "pem").mkdir()
        good = authority().file(here / "pem")
        (here / "other.pem").write_text(other_authority().pem)
        for given in ([], ["--ca-cert", "other.pem"]):
            ended = command("get", secure.url("/a"), *given, "--json", status=1)
            assert ended.file["error"]["type"] == "TLSFailed"
        assert secure.requests == []
        command("get", secure.url("/a"), "--ca-cert", good)
        command("get", secure.url("/b"), "--insecure")
        assert {"a", "b"} < set(tree(here))

    def test_a_client_certificate_is_shown_to_who_asks(
        self, command: Command, here: Path, tmp_path: Path
    ) -> None:
        context = authority().server_context(client_certs=ssl.CERT_REQUIRED)
        files = authority().client_cert_files(tmp_path)
        trust = ("--ca-cert", authority().file(tmp_path))
        with FaultServer(tls=context) as server:
            server.default(reply(200, BODY))
            pair = ("--client-cert", files.cert, "--client-key", files.key)
            command("get", server.url("/a"), *trust, *pair)
            command("get", server.url("/b"), *trust, "--client-cert", files.both)
            assert all(request.client_certificate for request in server.requests)
            command("get", server.url("/c"), *trust, "--retries", "0", status=1)
            assert len(server.requests) == 2
        assert tree(here) == {"a": BODY, "b": BODY}

    def test_a_proxy_is_used_with_its_credentials(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        address = ("127.0.0.1", server.port)
        with FaultProxy(credentials=("me", "secret"), resolve={"files.test": address}) as proxy:
            url = "http://files.test/a"
            by_environment = {"http_proxy": proxy.url("", userinfo="me:secret")}
            command("get", url, "--into", "1", "--proxy", proxy.url(userinfo="me:secret"))
            command("get", url, "--into", "2", env=by_environment)
            ended = command("get", url, "--into", "3", "--proxy", proxy.url(), "--json", status=1)
            assert "407" in ended.file["error"]["message"]
            assert len(proxy.requests) == 3
        assert tree(here) == {"1/a": BODY, "2/a": BODY}


class TestCredentials:
    def test_netrc_is_read_when_asked_for(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(only_for(basic("me", "secret"), BODY))
        netrc = here / "credentials"
        netrc.write_text("machine 127.0.0.1 login me password secret\n")
        netrc.chmod(0o600)
        env = {"NETRC": str(netrc)}
        command("get", server.url("/a"), env=env, status=1)
        command("get", server.url("/a"), "--netrc", env=env)
        netrc.rename(here / ".netrc")
        command("get", server.url("/b"), "--netrc")
        (here / ".netrc").chmod(0o644)
        for given in (["get", server.url("/c")], ["mirror", "-", "dest"]):
            ended = command(*given, "--netrc", status=2)
            assert "others may read" in ended.stderr
        assert {"a", "b"} < set(tree(here))

    @pytest.mark.parametrize("given", ["pw", "-"])
    def test_a_password_is_the_first_line_of_a_file_or_of_stdin(
        self, command: Command, server: FaultServer, here: Path, given: str
    ) -> None:
        text = "sécret: \r\nmore\n".encode()
        (here / "pw").write_bytes(text)
        server.default(only_for(basic("me", "sécret: "), BODY))
        who = ("--username", "me", "--password-file", given)
        command("get", server.url("/a"), *who, stdin=text)

    def test_headers_are_given_one_by_one_or_in_a_file(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        server.default(reply(200, BODY))
        (here / "headers").write_text("X-A: 1\r\n\nX-B:two words\n")
        given = ("--header", "@headers", "--header", "X-C: a: b", "--header", "User-Agent: me")
        command("get", server.url("/a"), *given)
        said = dict(server.requests[0].headers)
        assert {name: said[name] for name in ("X-A", "X-B", "X-C", "User-Agent")} == {
            "X-A": "1",
            "X-B": "two words",
            "X-C": "a: b",
            "User-Agent": "me",
        }

    def test_a_token_is_sent_as_a_bearer_token(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        (here / "token").write_text("abc.def\n")
        server.default(only_for("Bearer abc.def", BODY))
        command("get", server.url("/a"), "--token-file", "token")


WRONG = [
    ["--retries", "-1"],
    ["--concurrency", "0"],
    ["--connect-timeout", "0"],
    ["--read-timeout", "soon"],
    ["--total-timeout", "nan"],
    ["--total-timeout", "inf"],
    ["--min-speed", "10X"],
    ["--password-file", "pw"],
    ["--username", "me"],
    ["--username", "me", "--password-file", "absent"],
    ["--username", "me", "--password-file", "empty"],
    ["--username", "me", "--token-file", "pw"],
    ["--token-file", "."],
    ["--token-file", "latin-1"],
    ["--header", "no colon secret"],
    ["--header", "@absent"],
    ["--header", "Na me: secret"],
    ["--header", "Host: secret"],
    ["--header", "X: secret\nY: secret"],
    ["--ca-cert", "pw"],
    ["--ca-cert", "absent"],
    ["--client-cert", "pw"],
    ["--client-key", "pw"],
    ["--proxy", "me:secret@host"],
]


def test_what_cannot_be_meant_is_wrong_usage_before_anything_is_asked_for(
    server: FaultServer, here: Path
) -> None:
    (here / "pw").write_text("secret\n")
    (here / "empty").write_text("\nsecret\n")
    (here / "latin-1").write_bytes(b"secr\xe9t\n")
    serve = ["serve", server.url("/"), "--listen", "127.0.0.1:0"]
    told = refused_usage(
        [
            *(["get", server.url("/a"), *wrong] for wrong in WRONG),
            [*serve, "--username", "me"],
            [*serve, "--grace", "nan"],
            [*serve, "--stall-timeout", "inf"],
            [*serve, "--metrics-path", "/.."],
            [*serve, "--metrics-path", "/a/./b"],
        ],
        cwd=here,
    )
    assert not [text for text in told if "secret" in text]
    assert server.accepted == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("500", 500),
        ("10K", 10240),
        ("10k", 10240),
        ("2M", 2 << 20),
        ("1G", 1 << 30),
        ("3T", 3 << 40),
        ("10KiB", 10240),
        ("7B", 7),
    ],
)
def test_sizes_take_suffixes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "10X", "M", "1_0", "\uff11", "1 K", "9" * 16])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        size(text)


class TestTheCommandItself:
    def test_the_module_and_the_script_are_one_command(self, command: Command) -> None:
        script = Path(sys.executable).with_name("pulp-download")
        if not script.exists():
            pytest.skip("the package is not installed, only imported")
        for arguments in (["--version"], ["get", "--help"], ["mirror", "--help"]):
            ended = command(*arguments, program=(str(script),))
            assert command(*arguments) == ended
            assert ended.stdout != b""
            assert ended.stderr == ""

    def test_without_a_command_it_says_which_there_are(self, command: Command) -> None:
        ended = command(status=2)
        assert "mirror" in ended.stderr
        assert command("serve-me", status=2).stdout == b""
