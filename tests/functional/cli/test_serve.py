"""``pulp-download serve`` as people run it."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import ssl
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.cli.command import PATIENCE, Command, finished, refused_usage, said
from tests.functional.importer.rpms import REPOMD, rpm_repository
from tests.functional.importer.stock import LIST, Stock
from tests.functional.streamer.served import Streamer, serving
from tests.servers import FaultServer, authority, cut, head, redirect, reply, send, steps, when
from tests.servers.ftp_pyftpd import PyFtpd


@pytest.fixture
def stock(server: FaultServer) -> Stock:
    return Stock(server, {f"pool/{name}": name.encode() * 1000 for name in "abc"})


class TestSource:
    @pytest.mark.need("S1", "S3")
    def test_a_manifest_is_served_with_all_that_it_lists(
        self, command: Command, stock: Stock
    ) -> None:
        with serving(command, stock.url) as streamer:
            stock.news()
            for path, body in stock.all.items():
                assert streamer.get(f"/{path}")[::2] == (200, body)
            assert stock.news() == sorted(stock.files)
            assert streamer.get("/pool/d").status == 404
        assert stock.news() == []

    def test_a_base_url_is_served_with_all_that_is_below(
        self, command: Command, server: FaultServer
    ) -> None:
        server.on("/pub/", reply(200, b"a page"))
        server.on("/pub/a/b%20c", reply(200, b"a file"))
        server.on("/secret", reply(200, b"beside it"))
        with serving(command, server.url("/pub/")) as streamer:
            assert server.requests == []
            assert streamer.get("/").body == b"a page"
            assert streamer.get("/a/b%20c").body == b"a file"
            assert streamer.get("/a/").status == 404
            assert streamer.get("/../secret").status == 400
            assert streamer.get("/%2e%2e/secret").status == 400
        assert server.requests_to("/secret") == []

    @pytest.mark.fault(214)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_from_a_folders_name_clients_are_led_to_its_page_and_nowhere_else(
        self, command: Command, server: FaultServer, method: str
    ) -> None:
        server.on("/pub/a/b%3A%20c", redirect(server.url("/pub/a/b:%20c/?key=secret")))
        server.on("/pub/a/b%3A%20c/", reply(200, b"a page"))
        server.on("/pub/a/b:%20c/", reply(200, b"a page"))
        server.on("/pub/old", redirect("/pub/a/b:%20c/"))
        server.on("/pub/file", redirect("/elsewhere/file"))
        server.on("/elsewhere/file", reply(200, b"a file"))
        with serving(command, server.url("/pub/")) as streamer:
            folder = streamer.get("/a/b:%20c?x=1", method=method)
            assert (folder.status, folder.body) == (301, b"")
            assert folder.headers["Location"] == "b%3A%20c/"
            assert streamer.get("/a/b%3A%20c/").body == b"a page"
            assert streamer.get("/old", method=method).status == 200
            assert streamer.get("/file", method=method).status == 200

    def test_a_listed_file_that_upstream_has_as_a_folder_is_no_folder_here(
        self, command: Command, stock: Stock
    ) -> None:
        body = stock.files["pool/a"]
        stock.server.on("/pool/a", redirect("/pool/a/"))
        stock.server.on("/pool/a/", reply(200, body))
        with serving(command, stock.url) as streamer:
            assert streamer.get("/pool/a")[::2] == (200, body)

    def test_a_repository_is_served_by_its_root(
        self, command: Command, server: FaultServer
    ) -> None:
        stock = Stock(server, rpm_repository({"Packages/a.rpm": b"a" * 500}))
        with serving(command, server.url("/"), "--format", "rpm") as streamer:
            for path in (REPOMD, *stock.files):
                assert streamer.get(f"/{path}").body == stock.files[path]

    @pytest.mark.need("S5")
    def test_further_base_urls_are_mirrors(
        self, command: Command, server: FaultServer, stock: Stock
    ) -> None:
        with FaultServer() as dead:
            gone = dead.url("/")
        with serving(command, gone, "--base-url", server.url("/")) as streamer:
            assert streamer.get("/pool/a").body == stock.files["pool/a"]
        with serving(
            command, stock.url, "--base-url", gone, "--base-url", server.url("/"), "--retries", 0
        ) as streamer:
            assert streamer.get("/pool/a").body == stock.files["pool/a"]

    def test_a_mirror_is_served_from_its_folder_and_the_rest_from_upstream(
        self, command: Command, stock: Stock, tmp_path: Path
    ) -> None:
        dest = tmp_path / "dest"
        command("mirror", stock.url, dest, "--quiet")
        (dest / "pool/b").unlink()
        stock.news()
        with serving(command, dest) as streamer:
            for path, body in stock.all.items():
                assert streamer.get(f"/{path}")[::2] == (200, body)
            assert streamer.get("/.pulp-download/catalog.sqlite").status == 404
        assert stock.news() == ["pool/b"]

    @pytest.mark.parametrize("is_shared", [False, True])
    def test_with_a_catalog_what_is_there_comes_from_disk(
        self, command: Command, stock: Stock, tmp_path: Path, is_shared: bool
    ) -> None:
        dest = tmp_path / "dest"
        shared = ("--catalog", f"sqlite:///{tmp_path}/shared.sqlite")
        own = ("--catalog", f"sqlite:///{dest}/.pulp-download/catalog.sqlite")
        command("mirror", stock.url, dest, "--quiet", *(shared if is_shared else ()))
        stock.server.default(reply(500))
        with serving(command, stock.url, *(shared if is_shared else own)) as streamer:
            for path, body in stock.all.items():
                assert streamer.get(f"/{path}")[::2] == (200, body)

    @pytest.mark.fault(241)
    def test_another_listed_file_under_this_ones_name_is_not_this_one(
        self, command: Command, stock: Stock
    ) -> None:
        stock.server.on("/pool/a", reply(200, stock.files["pool/b"]))
        with serving(command, stock.url) as streamer:
            assert streamer.get("/pool/a").status == 502
            assert streamer.get("/pool/b").body == stock.files["pool/b"]
            first, second = streamer.end()
        assert first["error"]["type"] == "DigestMismatch"
        assert second["complete"]

    @pytest.mark.fault(228)
    def test_what_it_keeps_of_the_lists_is_nobody_elses_and_goes_with_it(
        self, command: Command, stock: Stock, tmp_path: Path
    ) -> None:
        kept = tmp_path / "kept"
        kept.mkdir()
        start = "import os; os.umask(0); from pulp_download.cli.main import main; main()"
        run = {"env": {"TMPDIR": str(kept)}, "program": (sys.executable, "-c", start)}
        with serving(command, stock.url, **run) as streamer:
            assert streamer.get(f"/{LIST}").body == stock.manifest
            (folder,) = kept.iterdir()
            assert folder.stat().st_mode & 0o777 == 0o700
            streamer.end()
        assert list(kept.iterdir()) == []

    def test_a_bad_manifest_is_refused_with_its_line(self, command: Command, stock: Stock) -> None:
        stock.listed = stock.manifest + b"no digest  pool/z\n"
        ended = command("serve", stock.url, "--listen", "127.0.0.1:0", status=2)
        assert "line 4" in ended.stderr
        assert "serving" not in ended.stderr

    def test_a_listed_file_is_not_hidden_behind_the_numbers(
        self, command: Command, stock: Stock
    ) -> None:
        stock.files["metrics"] = b"a file"
        ended = command("serve", stock.url, "--listen", "127.0.0.1:0", status=2)
        assert "SOURCE lists 'metrics'; give another --metrics-path" in ended.stderr
        with serving(command, stock.url, "--metrics-path", "/-/numbers") as streamer:
            assert streamer.get("/metrics").body == b"a file"
            assert b"pulp_download_open_streams" in streamer.get("/-/numbers").body

    def test_what_is_no_source_is_wrong_usage(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "list").write_text("no URL\n")
        told = refused_usage(
            [
                ["serve", "folder"],
                ["serve", "missing"],
                ["serve", "http://127.0.0.1:1/", "--catalog", "sqlite:///none.sqlite"],
                ["serve", "http://127.0.0.1:1/list", "--catalog", "sqlite:///none.sqlite"],
                ["serve", "folder", "--listen", "nowhere"],
                ["serve", "http://127.0.0.1:1/", "--listen", "203.0.113.1:0"],
                ["serve", "http://127.0.0.1:1/", "--metrics-path", "metrics"],
                ["serve", "http://127.0.0.1:1/", "--mirror-list", "list"],
                ["serve", "gopher://127.0.0.1/"],
                ["serve", "http://127.0.0.1:1/", "--base-url", "gopher://me:pw@127.0.0.1/x"],
                ["serve", "http://127.0.0.1:1/list", "--base-url", "127.0.0.1"],
                ["serve", "gopher://127.0.0.1/list"],
            ],
            cwd=tmp_path,
        )
        words = [
            "no mirror has been made here",
            "404",
            "a catalog is of what a manifest lists",
            "there is no such catalog",
            "'nowhere' is not HOST:PORT",
            "cannot listen at http://203.0.113.1:0/",
            "'metrics' is no path",
            "list: line 1: ",
            "base URL: gopher://127.0.0.1/: its scheme is none of http, https, ftp, ftps, file",
            "base URL: gopher://127.0.0.1/x: its scheme is none of http",
            "base URL: not an absolute URL (scheme://host/path): '127.0.0.1'",
            "gopher://127.0.0.1/list: nothing here fetches URLs of this scheme",
        ]
        for text, word in zip(told, words, strict=True):
            assert word in text

    def test_a_manifest_may_be_piped_in(self, command: Command, stock: Stock) -> None:
        run = ("serve", "-", "--base-url", stock.server.url("/"), "--listen", "127.0.0.1:0")
        with command.started(*run, "--format", "checksums", "--quiet") as process:
            assert process.stdin is not None
            process.stdin.write(stock.manifest)
            process.stdin.close()
            process.stdin = None
            told = said(process, process.stderr, b"serving at").decode()
            streamer = Streamer(process, told.split()[-1], Path())
            assert streamer.get("/pool/a").body == stock.files["pool/a"]
            assert streamer.get("/stdin").status == 404
            process.send_signal(signal.SIGTERM)
            assert finished(process).status == 0


class TestExtras:
    @staticmethod
    def without(name: str) -> tuple[str, ...]:
        """The command where a package is not installed."""
        start = "from pulp_download.cli.main import main; main()"
        code = f"import sys; sys.modules[{name!r}] = None; {start}"
        return (sys.executable, "-c", code)

    @pytest.mark.parametrize(
        ("name", "needs", "extra"),
        [
            ("twisted", "serve needs twisted", "streamer"),
            ("prometheus_client", "serve needs prometheus_client", "streamer"),
            ("sqlalchemy", "the catalog needs sqlalchemy", "importer"),
        ],
    )
    def test_what_is_missing_is_said(
        self, command: Command, stock: Stock, name: str, needs: str, extra: str
    ) -> None:
        ended = command("serve", stock.url, program=self.without(name), status=2)
        assert ended.stderr == f"Error: {needs}: pip install 'pulp_download[{extra}]'\n"
        assert stock.news() == []

    def test_a_base_url_needs_no_database(self, command: Command, stock: Stock) -> None:
        url = stock.server.url("/")
        with serving(command, url, program=self.without("sqlalchemy")) as streamer:
            assert streamer.get("/pool/a").status == 200


class TestConnections:
    @pytest.mark.need("S2", "S4")
    def test_options_of_connections_hold(self, command: Command, tmp_path: Path) -> None:
        context = authority().server_context(client_certs=ssl.CERT_REQUIRED)
        client = authority().client_cert_files(tmp_path)
        (tmp_path / "token").write_text("canary\n")
        has_token = when(
            lambda request: request.headers.get("Authorization") == "Bearer canary",
            reply(200, b"a file"),
            reply(401),
        )
        options = (
            *("--ca-cert", authority().file(tmp_path), "--token-file", tmp_path / "token"),
            *("--client-cert", client.cert, "--client-key", client.key),
        )
        with FaultServer(tls=context) as server:
            server.default(has_token)
            with serving(command, server.url("/"), *options) as streamer:
                assert streamer.get("/a").body == b"a file"

    @pytest.mark.need("S2")
    def test_ftp(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "a file").write_bytes(b"by FTP")
        (tmp_path / "password").write_text("pa:ss\n")
        who = ("--username", "me", "--password-file", tmp_path / "password")
        with (
            PyFtpd(tmp_path, user=("me", "pa:ss")) as ftp,
            serving(command, ftp.url("/"), *who) as streamer,
        ):
            assert streamer.get("/a%20file").body == b"by FTP"
            assert streamer.get("/none").status == 404

    @pytest.mark.need("S5")
    def test_a_mirror_list_whose_first_mirror_is_dead(
        self, command: Command, stock: Stock, tmp_path: Path
    ) -> None:
        with FaultServer() as gone:
            dead = gone.url("/")
        (tmp_path / "list").write_text(f"{dead}\n{stock.server.url('/')}\n")
        (tmp_path / LIST).write_bytes(stock.manifest)
        run = (tmp_path / LIST, "--base-url", dead, "--mirror-list", tmp_path / "list")
        with serving(command, *run) as streamer:
            for path, body in stock.files.items():
                assert streamer.get(f"/{path}").body == body

    @pytest.mark.fault(224, 225)
    def test_no_secret_is_said(self, command: Command, server: FaultServer) -> None:
        stock = Stock(server, {"a": b"a", "b": b"b", "c": b"c"})
        stock.server.on("/a", reply(401))
        stock.server.on("/b", reply(200, b"B"))
        stock.server.on("/c", redirect("http://user:canary@127.0.0.1:1/c?key=canary"))
        url = stock.server.url(f"/{LIST}", userinfo="me:canary") + "?key=canary"
        with serving(
            command, url, "--verbose", "--retries", 0, "--format", "checksums"
        ) as streamer:
            said_by_all = [streamer.get(f"/{name}?key=canary") for name in "abc"]
            streamer.metrics()
            streamer.process.send_signal(signal.SIGTERM)
            _, stderr = streamer.process.communicate(timeout=20)
            log = (command.cwd / "access.log").read_text()
        assert [answer.status for answer in said_by_all] == [502, 502, 502]
        told = f"{said_by_all}{[str(answer.headers) for answer in said_by_all]}{stderr!r}{log}"
        assert "DigestMismatch" in told
        assert "canary" not in told


class TestTelling:
    def test_each_request_is_a_line(self, command: Command, stock: Stock) -> None:
        run = ("serve", stock.url, "--listen", "127.0.0.1:0")
        with command.started(*run) as process:
            told = said(process, process.stderr, b"serving at").decode()
            match = re.search(r"serving at (http://127\.0\.0\.1:[1-9][0-9]*/)\n", told)
            assert match is not None
            streamer = Streamer(process, match[1], Path())
            stock.server.on("/pool/b", reply(200, b"c" * 1000))
            streamer.get("/pool/a?token=secret")
            streamer.get("/pool/b")
            streamer.get("/%22x")
            process.send_signal(signal.SIGTERM)
            ended = finished(process)
        assert ended.status == 0
        first, second, third = ended.text.splitlines()
        when = r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\]"
        assert re.fullmatch(
            rf'127\.0\.0\.1 - - {when} "GET /pool/a HTTP/1\.1" 200 1000 [0-9.]+ complete', first
        )
        assert '"GET /pool/b HTTP/1.1" 502 ' in second
        assert "DigestMismatch: " in second
        assert '"GET /%22x HTTP/1.1" 404 ' in third
        assert "secret" not in ended.text

    def test_with_json_each_request_is_an_object(self, command: Command, stock: Stock) -> None:
        with serving(command, stock.url) as streamer:
            streamer.get("/pool/a?token=secret", method="HEAD")
            streamer.get("/pool/d")
            first, second = streamer.end()
        assert list(first) == [
            *("time", "client", "method", "path", "status", "bytes", "seconds"),
            *("upstream_seconds", "complete", "error"),
        ]
        assert (first["method"], first["path"], first["status"], first["bytes"]) == (
            *("HEAD", "/pool/a", 200, 0),
        )
        assert first["seconds"] > first["upstream_seconds"] > 0
        assert second["upstream_seconds"] is None
        assert second["error"]["type"] == "NotFound"

    def test_quiet_says_only_where_it_is(self, command: Command, stock: Stock) -> None:
        with command.started("serve", stock.url, "--listen", "127.0.0.1:0", "--quiet") as process:
            told = said(process, process.stderr, b"serving at").decode()
            Streamer(process, told.split()[-1], Path()).get("/pool/a")
            process.send_signal(signal.SIGTERM)
            ended = finished(process)
        assert (ended.status, ended.stdout, ended.stderr) == (0, b"", "")

    def test_a_reader_that_leaves_does_not_end_it(self, command: Command, stock: Stock) -> None:
        with command.started("serve", stock.url, "--listen", "127.0.0.1:0") as process:
            told = said(process, process.stderr, b"serving at").decode()
            assert process.stdout is not None
            process.stdout.close()
            process.stdout = None
            streamer = Streamer(process, told.split()[-1], Path())
            for _ in range(3):
                assert streamer.get("/pool/a").status == 200
            process.send_signal(signal.SIGTERM)
            assert finished(process).status == 0

    @pytest.mark.fault(211)
    def test_a_reader_that_is_slow_holds_up_no_request(
        self, command: Command, stock: Stock
    ) -> None:
        long = f"/{'x' * 200}" * 15
        with command.started("serve", stock.url, "--listen", "127.0.0.1:0") as process:
            told = said(process, process.stderr, b"serving at").decode()
            streamer = Streamer(process, told.split()[-1], Path())
            for _ in range(50):  # more than a pipe holds
                assert streamer.get(long).status == 404
            assert streamer.get("/pool/a").status == 200
            process.send_signal(signal.SIGTERM)
            ended = finished(process)  # which reads
        assert ended.status == 0
        assert len(ended.text.splitlines()) == 51

    @pytest.mark.parametrize(
        "target", ["/metrics", "/%6detrics", "/metrics?x=1", "http://evil.example/metrics"]
    )
    def test_the_numbers_are_answered_as_all_else_is(
        self, command: Command, server: FaultServer, target: str
    ) -> None:
        server.default(reply(200, b"upstream's"))
        with serving(command, server.url("/")) as streamer:
            first = streamer.get(target)
            again = streamer.metrics()
            assert streamer.get(target, method="HEAD").body == b""
            assert streamer.get(target, method="POST").status == 405
            lines = streamer.end()
        assert b'pulp_download_requests_total{code="200"}' not in first.body
        assert again['pulp_download_requests_total{code="200"}'] == 1
        assert again["pulp_download_bytes_total"] == len(first.body)
        assert first.headers["Content-Type"].startswith("text/plain; version=")
        assert "Server" not in first.headers
        assert [(line["method"], line["status"]) for line in lines] == [
            *(("GET", 200), ("GET", 200), ("HEAD", 200), ("POST", 405)),
        ]
        assert server.requests == []

    def test_the_numbers_are_counted(self, command: Command, stock: Stock) -> None:
        stock.server.on("/pool/b", reply(200, b"c" * 1000))
        with serving(command, stock.url) as streamer:
            for path in ("/pool/a", "/pool/a", "/pool/b", "/pool/d", f"/{LIST}"):
                streamer.get(path)
            numbers = streamer.metrics()
        refusals = len(b"502 Bad Gateway: what upstream gave is not the file that is listed\n")
        refusals += len(b"404 Not Found: no such file\n")
        assert numbers['pulp_download_requests_total{code="200"}'] == 3
        assert numbers['pulp_download_requests_total{code="404"}'] == 1
        assert numbers['pulp_download_requests_total{code="502"}'] == 1
        assert numbers["pulp_download_bytes_total"] == 2000 + len(stock.manifest) + refusals
        assert numbers["pulp_download_upstream_seconds_count"] == 3  # what was passed on
        assert numbers["pulp_download_validation_failures_total"] == 1
        assert numbers["pulp_download_open_streams"] == 0


class TestLimits:
    @pytest.mark.need("S4")
    def test_more_than_the_most_streams_are_told_to_come_back(
        self, command: Command, stock: Stock
    ) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/a", steps(gate, reply(200, stock.files["pool/a"])))
        with serving(command, stock.url, "--max-streams", 2) as streamer:
            waiting = [threading.Thread(target=streamer.get, args=["/pool/a"]) for _ in range(2)]
            for thread in waiting:
                thread.start()
            gate.wait_for(2)
            full = streamer.get("/pool/b")
            assert (full.status, full.headers["Retry-After"]) == (503, "1")
            assert streamer.metrics()["pulp_download_open_streams"] == 2
            gate.open()
            for thread in waiting:
                thread.join()
            assert streamer.get("/pool/b").status == 200

    def test_ranges_are_ignored_unless_forwarded(self, command: Command, stock: Stock) -> None:
        body = stock.files["pool/a"]
        partial = reply(206, body[:10], headers={"Content-Range": "bytes 0-9/1000"})
        with serving(command, stock.url) as streamer:
            assert streamer.get("/pool/a", Range="bytes=0-9")[::2] == (200, body)
        stock.server.on("/pool/a", partial)
        with serving(command, stock.url, "--ranges", "forward") as streamer:
            assert streamer.get("/pool/a", Range="bytes=0-9")[::2] == (206, body[:10])

    @pytest.mark.fault(192)
    def test_a_client_that_takes_nothing_is_cut_off(self, command: Command, stock: Stock) -> None:
        stock.files = {"large": bytes(32_000_000)}  # more than sockets hold
        with (
            serving(command, stock.url, "--stall-timeout", 0.2) as streamer,
            socket.create_connection(("127.0.0.1", streamer.port), timeout=10) as client,
        ):
            client.sendall(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.recv(1) == b"H"
            eventually(lambda: streamer.metrics()["pulp_download_open_streams"] == 0)
            with pytest.raises(ConnectionResetError):
                while client.recv(65536):
                    pass
            told = [line for line in streamer.end() if line["path"] == "/large"]
        assert told[0]["error"]["message"] == "the client took nothing for 0.2 s"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_list(command: Command, server: FaultServer) -> None:
    peaks = []
    for count in (1000, 200_000):
        lines = (f"{number:064x}  pool/{number % 100}/{number}.deb\n" for number in range(count))
        server.on(f"/{LIST}", reply(200, "".join(lines).encode()))
        with serving(command, server.url(f"/{LIST}")) as streamer:
            assert streamer.get("/pool/1/1.dev").status == 404
            status = Path(f"/proc/{streamer.process.pid}/status").read_text()
            (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
            peaks.append(int(peak))
    assert peaks[1] - peaks[0] < 20_000, "kilobytes"


class TestEnd:
    @pytest.mark.fault(216)
    def test_an_open_stream_ends_before_the_server_does(
        self, command: Command, stock: Stock
    ) -> None:
        body = stock.files["pool/a"]
        gate = stock.server.gate()
        begin = head(200, {"Content-Length": str(len(body))})
        stock.server.on("/pool/a", steps(begin, send(body[:500]), gate, send(body[500:])))
        with serving(command, stock.url) as streamer:
            got: list[bytes] = []
            client = threading.Thread(target=lambda: got.append(streamer.get("/pool/a").body))
            client.start()
            gate.wait_for(1)
            streamer.process.send_signal(signal.SIGTERM)
            refused_soon(streamer.port)
            gate.open()
            (line,) = streamer.ended()
            client.join()
        assert got == [body]
        assert line["complete"]

    @pytest.mark.fault(216)
    @pytest.mark.parametrize(
        ("how", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
    )
    def test_what_does_not_end_in_time_is_cut(
        self, command: Command, stock: Stock, how: signal.Signals, status: int
    ) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/a", steps(head(200, {"Content-Length": "1000"}), send(b"a"), gate))
        with serving(command, stock.url, "--grace", 0.1) as streamer:
            client = http.client.HTTPConnection("127.0.0.1", streamer.port, timeout=10)
            client.request("GET", "/pool/a")
            gate.wait_for(1)
            (line,) = streamer.end(how, status=status)
            with pytest.raises((http.client.HTTPException, OSError)):
                client.getresponse().read()
            client.close()
        assert not line["complete"]
        assert line["error"] == {"type": "Cancelled", "message": "the server stops"}

    @pytest.mark.need("S3")
    @pytest.mark.fault(216)
    def test_what_is_cut_at_the_end_never_looks_whole(self, command: Command, stock: Stock) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/a", steps(head(200), send(bytes(1000)), gate))
        with (
            serving(command, stock.server.url("/"), "--grace", 0.1) as streamer,
            socket.create_connection(("127.0.0.1", streamer.port), timeout=PATIENCE) as client,
        ):
            client.sendall(b"GET /pool/a HTTP/1.0\r\n\r\n")
            got = bytearray()
            while not got.endswith(bytes(999)):
                data = client.recv(65536)
                assert data
                got += data
            (line,) = streamer.end(signal.SIGTERM, status=143)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert not line["complete"]

    @pytest.mark.fault(216)
    def test_who_still_waits_at_the_end_is_told(self, command: Command, stock: Stock) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/a", gate)
        with serving(command, stock.server.url("/"), "--grace", 0.1) as streamer:
            client = http.client.HTTPConnection("127.0.0.1", streamer.port, timeout=PATIENCE)
            client.request("GET", "/pool/a")
            gate.wait_for(1)
            (line,) = streamer.end(signal.SIGTERM, status=143)
            answer = client.getresponse()
            assert (answer.status, answer.getheader("Retry-After")) == (503, "30")
            assert answer.read() == b"503 Service Unavailable: the server is stopping\n"
            client.close()
        assert (line["status"], line["complete"]) == (503, True)

    def test_a_second_signal_ends_it_at_once(self, command: Command, stock: Stock) -> None:
        gate = stock.server.gate()
        stock.server.on("/pool/a", steps(gate, cut()))
        with serving(command, stock.server.url("/")) as streamer:
            client = http.client.HTTPConnection("127.0.0.1", streamer.port, timeout=10)
            client.request("GET", "/pool/a")
            gate.wait_for(1)
            streamer.process.send_signal(signal.SIGTERM)
            refused_soon(streamer.port)
            assert streamer.end(status=143) == []
            client.close()

    @pytest.mark.fault(216)
    @pytest.mark.parametrize(
        "broken", ["tcp.Port.stopListening", "epollreactor.EPollReactor.getReaders"]
    )
    def test_what_goes_wrong_at_the_end_does_not_keep_it_from_ending(
        self, command: Command, stock: Stock, broken: str
    ) -> None:
        code = f"""
            import pulp_download.cli.serving, twisted.internet.epollreactor as epollreactor
            from pulp_download.cli.main import main
            from twisted.internet import tcp
            def fail(self):
                raise LookupError("no such thing")
            {broken} = fail
            main()
        """
        program = (sys.executable, "-c", textwrap.dedent(code))
        with serving(command, stock.url, program=program) as streamer:
            assert streamer.get("/pool/a").status == 200  # it runs
            streamer.process.send_signal(signal.SIGTERM)
            _, stderr = streamer.process.communicate(timeout=PATIENCE)
        assert streamer.process.returncode == 1
        assert b"LookupError: no such thing" in stderr

    def test_an_idle_connection_does_not_hold_it_up(self, command: Command, stock: Stock) -> None:
        with serving(command, stock.url) as streamer:
            client = http.client.HTTPConnection("127.0.0.1", streamer.port, timeout=10)
            client.request("GET", "/pool/a")
            assert client.getresponse().read() == stock.files["pool/a"]
            streamer.end(signal.SIGINT)
            assert client.sock is not None
            assert client.sock.recv(1) == b""
            client.close()

    def test_a_signal_while_the_list_is_fetched_ends_it(
        self, command: Command, stock: Stock
    ) -> None:
        gate = stock.server.gate()
        stock.server.on(f"/{LIST}", steps(gate, reply(200, stock.manifest)))
        with command.started("serve", stock.url, "--listen", "127.0.0.1:0") as process:
            gate.wait_for(1)
            process.send_signal(signal.SIGTERM)
            ended = finished(process)
        assert (ended.status, ended.stdout, ended.stderr) == (143, b"", "")


def refused_soon(port: int) -> None:
    """Wait until nobody listens any more."""

    def is_refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
        return False

    eventually(is_refused)


def eventually(holds: Callable[[], bool]) -> None:
    """Ask again and again, for nobody would tell; fail if it does not come."""
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it has not come")
