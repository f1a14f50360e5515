"""Programs that people fetch files with, through a streamer."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.functional.cli.command import Command
from tests.functional.cli.shelf import asked, publish, sha256
from tests.functional.importer.stock import Stock, tree
from tests.functional.streamer.served import serving
from tests.servers import FaultServer, reply

# Seconds that no client here takes.
LONG = 30.0


def run(*command: object, cwd: Path, **env: str) -> str:
    """Run a client to its good end; return what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(cwd), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def installed(program: str) -> str:
    """Return the program's path, or skip the test."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed: NOT tested with it")
    return path


def test_curl_and_wget_get_files_and_see_that_they_have_them(
    command: Command, stock: Stock, tmp_path: Path
) -> None:
    body = stock.files["pool/a"]
    fields = {"ETag": '"a"', "Last-Modified": "Sat, 04 Nov 2023 05:06:07 GMT"}
    stock.server.on("/pool/a", reply(200, body, headers=fields))
    curl, wget = installed("curl"), installed("wget")
    with serving(command, stock.url) as streamer:
        url = f"{streamer.url}pool/a"
        etags = ("--etag-save", "etag", "--etag-compare", "etag")
        run(curl, "-sSfR", *etags, "-o", "curled", url, cwd=tmp_path)
        told = run(curl, "-sSf", *etags, "-o", "again", "-w", "%{http_code}", url, cwd=tmp_path)
        assert told == "304"
        run(wget, "-q", "-O", "gotten", url, cwd=tmp_path)
        run(wget, "-q", "-N", url, cwd=tmp_path)
        assert "304" in run(wget, "-N", url, cwd=tmp_path)
        run(wget, "-q", "-nH", "-x", f"{streamer.url}pool/b", cwd=tmp_path)
    for name in ("curled", "gotten", "a"):
        assert (tmp_path / name).read_bytes() == body
    assert (tmp_path / "pool/b").read_bytes() == stock.files["pool/b"]


def wheel(name: str) -> bytes:
    """A distribution of one module, as pip installs it."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": b"ANSWER = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, body in files.items():
            archive.writestr(path, body)
    return packed.getvalue()


@pytest.fixture
def index(server: FaultServer) -> FaultServer:
    """A Python index of one project, whose files are elsewhere than its page."""
    body = wheel("thing")
    link = f'<a href="../../files/thing-1.0-py3-none-any.whl#sha256={sha256(body)}">'
    page = f"<!DOCTYPE html><html><body>{link}thing-1.0-py3-none-any.whl</a></body></html>"
    server.on("/simple/thing/", reply(200, page.encode(), headers={"Content-Type": "text/html"}))
    server.on("/files/thing-1.0-py3-none-any.whl", reply(200, body))
    return server


PIP = (
    *(sys.executable, "-m", "pip", "--isolated", "--no-cache-dir", "--no-input"),
    *("--disable-pip-version-check", "install", "--no-deps", "--target", "target"),
)


def test_pip_installs_from_a_page_of_an_index(
    command: Command, index: FaultServer, tmp_path: Path
) -> None:
    with serving(command, index.url("/simple/thing/"), "--format", "pypi") as streamer:
        run(*PIP, "--no-index", "--find-links", streamer.url, "thing", cwd=tmp_path)
    assert (tmp_path / "target/thing.py").read_bytes() == b"ANSWER = 42\n"
    assert len(index.requests_to("/files/thing-1.0-py3-none-any.whl")) == 1


def test_pip_installs_from_an_index_below_a_base_url(
    command: Command, index: FaultServer, tmp_path: Path
) -> None:
    with serving(command, index.url("/")) as streamer:
        run(*PIP, "--index-url", f"{streamer.url}simple/", "thing", cwd=tmp_path)
    assert (tmp_path / "target/thing.py").read_bytes() == b"ANSWER = 42\n"


def debian_archive(pool: dict[str, bytes], architecture: str) -> dict[str, bytes]:
    """An archive as apt reads it, of packages by their paths."""
    packages = "\n".join(
        f"Package: {Path(path).name.partition('_')[0]}\nVersion: 1\nArchitecture: all\n"
        f"Maintainer: nobody\nDescription: nothing\nFilename: {path}\nSize: {len(body)}\n"
        f"SHA256: {sha256(body)}\n"
        for path, body in pool.items()
    ).encode()
    folder = f"main/binary-{architecture}"
    indices = {f"{folder}/Packages.xz": lzma.compress(packages)}
    indices[f"{folder}/Packages.gz"] = gzip.compress(packages)
    # which archives list, and do not have
    listed = {**indices, f"{folder}/Packages": packages}
    release = (
        f"Suite: sid\nCodename: sid\nComponents: main\nArchitectures: {architecture} all\n"
        "Date: Sat, 04 Nov 2023 05:06:07 UTC\nSHA256:\n"
    ) + "".join(f" {sha256(body)} {len(body)} {path}\n" for path, body in listed.items())
    below = {f"dists/sid/{path}": body for path, body in indices.items()}
    return {**pool, **below, "dists/sid/Release": release.encode()}


APT = """
Dir "{root}";
Dir::State::status "{root}/status";
Dir::Bin::Methods "/usr/lib/apt/methods";
Dir::Etc "{root}";
Dir::Log "{root}";
APT::Sandbox::User "root";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
Acquire::Languages "none";
Acquire::http::Proxy "DIRECT";
"""


@pytest.mark.parametrize("source", ["dists/sid/Release", ""])
def test_apt_takes_it_for_an_archive(
    command: Command, server: FaultServer, tmp_path: Path, source: str
) -> None:
    apt = installed("apt-get")
    architecture = run(installed("dpkg"), "--print-architecture", cwd=tmp_path).strip()
    pool = {
        f"pool/main/g/{name}/{name}_1_all.deb": name.encode() * 5000 for name in ("g++", "hello")
    }
    publish(server, debian_archive(pool, architecture))
    root = tmp_path / "root"
    for folder in (
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "apt.conf.d",
        "got",
    ):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    config = root / "apt.conf"
    config.write_text(APT.format(root=root, architecture=architecture))
    with serving(command, server.url(f"/{source}")) as streamer:
        line = f"deb [trusted=yes] {streamer.url} sid main\n"
        (root / "sources.list").write_text(line)
        for words in (["update"], ["download", "g++", "hello"]):
            run(apt, "-o", "Debug::NoLocking=1", *words, cwd=root / "got", APT_CONFIG=str(config))
        assert "Hit" in run(apt, "update", cwd=root, APT_CONFIG=str(config))
    got = {path: body for path, body in tree(root / "got").items() if path.endswith(".deb")}
    assert sorted(got.values()) == sorted(pool.values())
    assert {f"/{path}" for path in pool} <= set(asked(server))
