"""Say yourself where each file can be had, and which of the places is asked first."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from _upstream import Upstream, serving, sha256, some_files

from pulp_download import Batch, DigestValidation, Download, Mirror, Mirrors, Remote
from pulp_download.mirrors.policies import Standing

HOME = "nz"


def nearest_first(standings: Sequence[Standing]) -> Sequence[Standing]:
    """The mirrors of this country, then the others; of several, the one with the least to do.

    One that failed again and again is left for last.
    """
    return sorted(
        standings,
        key=lambda each: (each.is_rested, each.mirror.location != HOME, each.active),
    )


def main() -> None:
    files = some_files(3)
    near = Upstream(dict(files))
    near.files["pool/001.bin"] = bytes(1001)  # its disk has spoilt this one
    del near.files["pool/002.bin"]  # and this one it has not got yet
    far = Upstream(files)
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(near),
        serving(far),
        Remote(mirror_policy=nearest_first) as remote,
    ):
        # What a database would know of mirrors; the order is not that of asking.
        known = [(far.url(), "is"), (near.url(), HOME)]
        downloads = (
            Download(
                Mirrors([Mirror(f"{base}{path}", location=country) for base, country in known]),
                Path(scratch) / path,
                validations=[DigestValidation("sha256", sha256(data))],
                remote=remote,
                attachment=path,
            )
            for path, data in files.items()
        )
        with Batch(downloads, concurrency=1) as batch:
            for future in batch:
                done = future.result()
                whose = "near" if done.url.startswith(near.url()) else "far"
                why = "".join(f", after {each.type}" for each in done.attempts)
                print(f"{done.download.attachment}: {whose}{why}")


if __name__ == "__main__":
    main()
