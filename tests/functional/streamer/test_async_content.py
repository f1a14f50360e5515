"""Views of one's own: an answer's bytes in a coroutine, under servers that people use."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from pulp_download import Cancelled, DigestMismatch, Download, Remote
from pulp_download.streamer.asgi import aiter_content, passed_on
from tests.functional.streamer.running import PATIENCE, Shelf, listed
from tests.functional.streamer.test_asgi import MODERN, each_server, release
from tests.functional.streamer.test_clients_that_leave import LETTING_GO, Last
from tests.functional.streamer.test_never_clean import BODY, WRONGS
from tests.functional.streamer.web_servers import Serve
from tests.servers import FaultServer, head, reply, send, steps


def views(shelf: Shelf) -> Starlette:
    """Return an application whose view opens first, to pass fields on."""

    async def view(request: Request) -> StreamingResponse:
        download = shelf.get_download(request.path_params["path"])
        content = await run_in_threadpool(download.iter_content)
        return StreamingResponse(aiter_content(content), content.status, dict(passed_on(content)))

    return Starlette(routes=[Route("/{path:path}", view)])


@pytest.mark.need("S6", "S7")
@each_server
def test_a_view_passes_a_file_on(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY, headers={"ETag": '"e"', "Set-Cookie": "a"}))
    with serve(views(shelf)) as site:
        answer = requests.get(site.url("/f"), timeout=10)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["ETag"] == '"e"'
    assert answer.headers["Content-Length"] == str(len(BODY))
    assert "Set-Cookie" not in answer.headers


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_server
@pytest.mark.parametrize("wrong", ["wrong last byte", "wrong last byte, chunked"])
def test_what_is_wrong_never_ends_well(
    server: FaultServer, shelf: Shelf, serve: Serve, wrong: str
) -> None:
    listed(server, shelf, "f", BODY, WRONGS[wrong])
    with serve(views(shelf)) as site:
        assert [name for name, client in MODERN.items() if client(site.url("/f"))] == []


@pytest.mark.need("S1", "S4")
@pytest.mark.fault(191)
@each_server
@pytest.mark.parametrize("moment", ["reading", "parked"])
def test_a_client_that_goes_releases_upstream(
    server: FaultServer, shelf: Shelf, serve: Serve, moment: str
) -> None:
    release(server, shelf, serve(views(shelf)), moment)


def waiting(server: FaultServer, remote: Remote, *, is_open: bool) -> tuple[Download, Last]:
    """Return a download that waits for its head, or in the middle of its body."""
    last = Last()
    begun = steps(head(200, {"Content-Length": "9999"}), send(b"begun"))
    server.on("/f", steps(begun, last) if is_open else last)
    return Download(server.url("/f"), remote=remote), last


@pytest.mark.fault(191)
@pytest.mark.parametrize("is_open", [False, True])
def test_cancelling_lets_go_wherever_it_waits(
    server: FaultServer, remote: Remote, *, is_open: bool
) -> None:
    download, last = waiting(server, remote, is_open=is_open)

    async def read() -> None:
        async for _ in aiter_content(download):
            pass

    async def main() -> None:
        reading = asyncio.create_task(read())
        await asyncio.to_thread(last.reached.wait, PATIENCE)
        begun = time.monotonic()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert time.monotonic() - begun < LETTING_GO
        assert await asyncio.to_thread(last.gone.wait, LETTING_GO)

    asyncio.run(main())


@pytest.mark.fault(191)
def test_what_is_opened_for_one_who_has_left_is_closed(server: FaultServer, remote: Remote) -> None:
    download, last = waiting(server, remote, is_open=True)
    busy = threading.Event()

    async def main(threads: ThreadPoolExecutor) -> None:
        threads.submit(busy.wait, PATIENCE)
        reading = asyncio.create_task(anext(aiter_content(download, executor=threads)))
        await asyncio.sleep(0)  # it has its place in the queue now
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        busy.set()
        # It may be stopped on its way there as well.
        if await asyncio.to_thread(last.reached.wait, LETTING_GO):
            assert await asyncio.to_thread(last.gone.wait, LETTING_GO)

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(main(threads))


@pytest.mark.fault(191)
def test_leaving_cancels_nobody_who_has_the_same_download(
    server: FaultServer, remote: Remote
) -> None:
    gate = server.gate()
    server.on("/f", steps(gate, reply(200, BODY)))
    download = Download(server.url("/f"), remote=remote)

    async def read() -> bytes:
        return b"".join([chunk async for chunk in aiter_content(download)])

    async def main() -> bytes:
        leaving, staying = asyncio.create_task(read()), asyncio.create_task(read())
        await asyncio.to_thread(gate.wait_for, 2)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        gate.open()
        return await staying

    assert asyncio.run(main()) == BODY


@pytest.mark.fault(191)
@pytest.mark.parametrize("how", ["aclose", "forget"])
def test_leaving_the_loop_lets_go(server: FaultServer, remote: Remote, how: str) -> None:
    download, last = waiting(server, remote, is_open=True)

    async def main() -> None:
        chunks = aiter_content(download, chunk_size=3)
        assert await anext(chunks)
        if how == "aclose":
            await chunks.aclose()
        del chunks
        assert await asyncio.to_thread(last.gone.wait, LETTING_GO)

    asyncio.run(main())


@pytest.mark.need("S3")
def test_the_last_byte_waits_for_the_verdict(server: FaultServer, shelf: Shelf) -> None:
    wrong = BODY[:-1] + b"!"
    listed(server, shelf, "f", BODY, reply(200, wrong))
    got = []

    async def main() -> None:
        async for chunk in aiter_content(shelf.get_download("f")):
            got.append(chunk)

    with pytest.raises(DigestMismatch):
        asyncio.run(main())
    assert b"".join(got) == wrong[:-1]


@pytest.mark.fault(192)
def test_a_thread_is_taken_for_each_chunk_only(server: FaultServer, remote: Remote) -> None:
    """Ten readers that stand still leave the only thread to an eleventh."""
    server.on("/f", reply(200, BODY))

    async def main(threads: ThreadPoolExecutor) -> None:
        opened = [
            aiter_content(Download(server.url("/f"), remote=remote), 1000, executor=threads)
            for _ in range(11)
        ]
        for chunks in opened:
            assert await anext(chunks)
        whole = [chunk async for chunk in opened.pop()]
        assert sum(map(len, whole)) > len(BODY) - 1000 - 1
        for chunks in opened:
            await chunks.aclose()

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(main(threads))
    assert threading.active_count() < 20


def test_an_executor_that_is_gone_does_not_keep_it_open(
    server: FaultServer, remote: Remote
) -> None:
    download, last = waiting(server, remote, is_open=True)

    async def main() -> None:
        threads = ThreadPoolExecutor(1)
        chunks = aiter_content(download, 3, executor=threads)
        assert await anext(chunks)
        threads.shutdown()
        with pytest.raises((RuntimeError, Cancelled)):
            await anext(chunks)
        assert await asyncio.to_thread(last.gone.wait, LETTING_GO)

    asyncio.run(main())
