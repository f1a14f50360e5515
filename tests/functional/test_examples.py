"""Every example runs by itself, offline, and shows what it says."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

from tests.functional.cli.command import ROOT, Command

EXAMPLES = ROOT / "examples"

# Seconds of traffic that people watch; ./dev demo runs it, and it checks itself.
RUN_BY_ITSELF = {"demo.py"}

STREAMED = """\
files/pool/000.bin: 200, 1000 bytes
mine/pool/001.bin: 200, 1001 bytes
files/pool/002.bin: 502 Bad Gateway: what upstream gave is not the file that is listed
files/x: 404 Not Found: no such file
"""
SAID = {
    "orm_loop.py": """\
first run: 200 requests, 199 files present
  pool/137.bin: http://127.0.0.1:PORT/pool/137.bin: 404 Not Found
second run: 1 requests, 200 files present
""",
    "own_mirrors.py": """\
pool/000.bin: near
pool/001.bin: far, after DigestMismatch
pool/002.bin: far, after NotFound
""",
    "token_source.py": """\
40 files with 2 tokens; tries that failed: 0
""",
    "second_protocol.py": """\
pool/000.bin: 1000 bytes by zip
pool/001.bin: 1001 bytes by zip
pool/002.bin: 1002 bytes by zip
pool/003.bin: 1003 bytes by zip
pool/004.bin: 1004 bytes by http
pool/005.bin: 1005 bytes by http
""",
    "importer.py": """\
A part of it:
  the manifest is good: some files
  pool/000.bin: fetched or found
  SHA256SUMS: downloaded
  downloaded 2, present 0
All of it:
  the manifest is good: 4 files
  pool/000.bin: present
  pool/001.bin: fetched or found
  pool/002.bin: fetched or found
  SHA256SUMS: present
  downloaded 2, present 2
For a streamer:
  pool/000.bin: 200, 1000 bytes from disk
  pool/001.bin: 200, 1001 bytes from upstream
""",
    "asgi_streamer.py": STREAMED,
    "wsgi_streamer.py": STREAMED,
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("orm_loop.py", marks=[pytest.mark.need("I5"), pytest.mark.need("I6")]),
        pytest.param("own_mirrors.py", marks=pytest.mark.need("I8")),
        pytest.param("token_source.py", marks=pytest.mark.need("I7")),
        pytest.param("second_protocol.py", marks=pytest.mark.need("I11")),
        pytest.param("importer.py", marks=pytest.mark.need("S1")),
        pytest.param("asgi_streamer.py", marks=[pytest.mark.need("S1"), pytest.mark.need("S3")]),
        pytest.param("wsgi_streamer.py", marks=[pytest.mark.need("S1"), pytest.mark.need("S3")]),
    ],
)
def test_an_example_runs_offline_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    strict = (sys.executable, "-W", "error", "-X", "dev", str(EXAMPLES / name))

    ended = Command(tmp_path)(program=strict, env={"TMPDIR": str(tmp_path)})

    assert re.sub(r":\d+/", ":PORT/", ended.text) == SAID[name]
    # asyncio's debug mode, which belongs to -X dev, tells how slow this machine is at the moment
    assert [line for line in ended.stderr.splitlines() if not line.startswith("Executing <")] == []
    assert list(tmp_path.iterdir()) == []


def test_every_example_is_run_by_a_test() -> None:
    there = {path.name for path in EXAMPLES.glob("*.py") if not path.name.startswith("_")}

    assert SAID.keys() == there - RUN_BY_ITSELF


@pytest.mark.parametrize("name", SAID)
def test_the_documentation_shows_an_example_and_behind_it_what_it_prints(name: str) -> None:
    pages = "".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.rst")))

    _, _, behind = pages.partition(f"\n.. literalinclude:: ../examples/{name}\n")
    text, _, _ = behind.partition("\n.. literalinclude::")

    assert textwrap.indent(SAID[name], "    ") in text
