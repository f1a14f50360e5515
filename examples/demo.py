"""Mirror a small sample upstream on loopback, three times, and show what each run does.

The first run fetches everything, the second finds nothing to do, and the third repairs the one file
that was damaged in between; then the catalog tells what it knows. Each step is checked: against the
requests that the upstream saw, and against the bytes on disk. Exits with 1 if one of them did not
do what it says.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

MANIFEST = "SHA256SUMS"

# Where the command keeps its catalog and its lock, in the destination.
OWN_FOLDER = ".pulp-download"

# Sizes grow from 1 KiB to about 4.5 MiB, 22 MiB in all: small files and large ones.
FILES = 40
GROWTH = 1.24

# What one connection gets, so that there is something to watch: some seconds for the whole.
BYTES_PER_SECOND = 2_000_000
SLICE = 65_536

# Far more than a run takes; a demo must end by itself.
LONGEST_RUN = 120


class DemoFailed(Exception):
    """A step did not do what it says."""


class SampleHandler(SimpleHTTPRequestHandler):
    """Serves a folder at a modest pace over kept-alive connections, and notes what was fetched."""

    protocol_version = "HTTP/1.1"
    # Headers and the first slice leave in separate writes; without this the second one waits for
    # the acknowledgement of the first.
    disable_nagle_algorithm = True
    server: SampleUpstream

    def do_GET(self) -> None:
        self.server.fetched.append(self.path.lstrip("/"))
        super().do_GET()

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:
        while data := source.read(SLICE):
            outputfile.write(data)
            time.sleep(len(data) / BYTES_PER_SECOND)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for the command."""


class SampleUpstream(ThreadingHTTPServer):
    """A web server on a free loopback port. ``fetched`` lists the paths that were asked for."""

    # The default of 5 turns away a client that opens its connections all at once.
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        self.fetched: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(SampleHandler, directory=str(folder)))

    @property
    def manifest_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{MANIFEST}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about clients that hang up: a stopped demo is no server error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def take_fetched(self) -> list[str]:
        """Return the files fetched since the last call, the manifest left out."""
        fetched, self.fetched = self.fetched, []
        return sorted(path for path in fetched if path != MANIFEST)


@contextmanager
def sample_upstream(folder: Path) -> Iterator[SampleUpstream]:
    with SampleUpstream(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def make_files(folder: Path) -> dict[str, str]:
    """Fill the folder with files and their manifest; return the digests of all by their paths."""
    # A fixed seed: every demo shows the same files.
    generator = random.Random(2)
    digests = {}
    for number in range(FILES):
        name = f"pool/{'abcd'[number % 4]}/sample-{number:02}.bin"
        data = generator.randbytes(int(1024 * GROWTH**number))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digests[name] = hashlib.sha256(data).hexdigest()
    manifest = "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()
    (folder / MANIFEST).write_bytes(manifest)
    return {**digests, MANIFEST: hashlib.sha256(manifest).hexdigest()}


def run(*arguments: str) -> None:
    """Run the real command, with this terminal as its own."""
    print(f"\n$ pulp-download {shlex.join(arguments)}", flush=True)
    # A proxy from the environment has no business on loopback.
    environment = {**os.environ, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "pulp_download", *arguments]
    try:
        status = subprocess.run(command, env=environment, timeout=LONGEST_RUN).returncode
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"the command did not end within {LONGEST_RUN} seconds") from None
    if status != 0:
        raise DemoFailed(f"the command ended with status {status}")


def check_mirror(destination: Path, digests: dict[str, str]) -> None:
    """Compare what is on disk with what the upstream has, byte for byte, and look for debris."""
    files = (path for path in destination.rglob("*") if path.is_file())
    found = {
        str(path.relative_to(destination)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.relative_to(destination).parts[0] != OWN_FOLDER
    }
    if found != digests:
        wrong = sorted(
            name for name in found.keys() | digests if found.get(name) != digests.get(name)
        )
        raise DemoFailed(f"missing, wrong or left over in {destination}: {', '.join(wrong)}")


def check_fetched(upstream: SampleUpstream, expected: list[str]) -> None:
    fetched = upstream.take_fetched()
    if fetched != sorted(expected):
        raise DemoFailed(f"the upstream was asked for {len(fetched)} files, not {len(expected)}")


def damage(path: Path) -> None:
    """Turn one byte in the middle over; size and name stay as they are."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def show(destination: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pulp-download-demo-") as scratch:
        folder = Path(scratch)
        digests = make_files(folder)
        size = sum((folder / name).stat().st_size for name in digests)
        with sample_upstream(folder) as upstream:
            print(f"A sample upstream with {FILES} files and their checksums,")
            print(f"{size / 1e6:.1f} MB in all, answers at {upstream.manifest_url}")

            print("\n1. Mirror it.")
            run("mirror", upstream.manifest_url, str(destination))
            check_fetched(upstream, [name for name in digests if name != MANIFEST])
            check_mirror(destination, digests)
            print(f"=> {FILES} files fetched, and then the list published; every SHA-256 is right.")

            print("\n2. Do it again.")
            run("mirror", upstream.manifest_url, str(destination))
            check_fetched(upstream, [])
            check_mirror(destination, digests)
            print("=> Nothing fetched but the checksums: every file is as the catalog has it.")

            victim = "pool/c/sample-30.bin"
            print(f"\n3. Damage one byte of {victim}, and do it again.")
            damage(destination / victim)
            run("mirror", upstream.manifest_url, str(destination))
            check_fetched(upstream, [victim])
            check_mirror(destination, digests)
            print("=> That one file fetched; the mirror is whole again.")

            print("\n4. Ask what is known of it.")
            run("status", str(destination))


FAREWELL = """
The same with a real upstream: give the URL of its SHA256SUMS, PULP_MANIFEST or Debian Packages
file and a folder, for example

  ./dev run mirror https://HOST/PATH/SHA256SUMS some-folder
  ./dev run mirror https://HOST/debian/dists/stable/main/binary-amd64/Packages.xz some-folder \\
      --include 'pool/main/h/hello/*'

One file: ./dev run get https://HOST/PATH/FILE. All options: ./dev run mirror --help"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", metavar="DIR", type=Path, help="mirror into DIR, and leave it")
    keep: Path | None = parser.parse_args().keep
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        parser.error(f"{keep} is in use; name a new or an empty folder")
    try:
        if keep is not None:
            show(keep)
            print(f"\nThe mirror stays in {keep}.")
        else:
            with tempfile.TemporaryDirectory(prefix="pulp-download-demo-") as scratch:
                show(Path(scratch) / "mirror")
    except DemoFailed as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(FAREWELL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
