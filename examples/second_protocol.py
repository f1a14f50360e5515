"""Take files out of ZIP archives by a protocol of one's own, beside HTTP, in one loop."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from _upstream import Upstream, serving, sha256, some_files
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from pulp_download import Batch, DigestValidation, Download, Mirrors, Remote


class ZipAdapter(BaseAdapter):
    """Answers ``zip://NAME/PATH`` with the member PATH of ``NAME.zip`` in a folder.

    A transport adapter of ``requests``: that is all a protocol is. The body is read as it is asked
    for; whoever reads it judges it, retries it and writes it as any other.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        url = urlsplit(request.url or "")
        response = Response()
        response.request, response.url = request, request.url or ""
        try:
            with zipfile.ZipFile(self.folder / f"{url.hostname}.zip") as archive:
                member = unquote(url.path).lstrip("/")
                size = archive.getinfo(member).file_size
                body: Any = archive.open(member)  # keeps the archive open for itself
        except (FileNotFoundError, KeyError):
            response.status_code, response.reason = 404, "no such member"
            response.raw = HTTPResponse(b"", status=404, preload_content=False)
            return response
        response.status_code = 200
        response.headers["Content-Length"] = str(size)
        response.raw = HTTPResponse(
            body, headers=response.headers, status=200, preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is kept open between two requests."""


def main() -> None:
    files = some_files(6)
    with tempfile.TemporaryDirectory() as scratch, serving(Upstream(files)) as upstream:
        folder = Path(scratch)
        with zipfile.ZipFile(folder / "shelf.zip", "w") as archive:
            for path in list(files)[:4]:  # the shelf lacks two
                archive.writestr(path, files[path])
        with Remote(mirror_policy="order") as remote:
            remote.session.mount("zip://", ZipAdapter(folder))
            downloads = (
                Download(
                    Mirrors([f"zip://shelf/{path}", upstream.url(path)]),
                    folder / "files" / path,
                    validations=[DigestValidation("sha256", sha256(data))],
                    remote=remote,
                    attachment=path,
                )
                for path, data in files.items()
            )
            with Batch(downloads, concurrency=4) as batch:
                results = [future.result() for future in batch]
    for done in sorted(results, key=lambda result: result.download.attachment):
        print(f"{done.download.attachment}: {done.size} bytes by {done.url.partition(':')[0]}")


if __name__ == "__main__":
    main()
