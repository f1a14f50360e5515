"""aiohttp: one ClientSession, as many workers as connections, files written as they come."""

import asyncio
import hashlib
import os
import ssl
from collections.abc import Iterator

import aiohttp

from benchmarks.contenders._storing import CHUNK
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    asyncio.run(fetch_all(job))


async def fetch_all(job: Job) -> None:
    context = ssl.create_default_context(cafile=job.ca) if job.ca else True
    connector = aiohttp.TCPConnector(limit=job.connections, ssl=context)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, headers={"Accept-Encoding": "identity"}
    ) as session:
        items = iter(job.items)
        await asyncio.gather(*(worker(job, session, items) for _ in range(job.connections)))


async def worker(job: Job, session: aiohttp.ClientSession, items: Iterator[Item]) -> None:
    for item in items:
        async with session.get(job.url(item)) as response:
            if response.status == 404 and not item.sha256:
                await response.read()
                continue
            response.raise_for_status()
            target = job.target(item)
            digest = hashlib.sha256()
            with open(f"{target}.part", "wb") as file:
                async for chunk in response.content.iter_chunked(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != item.sha256:
                raise ValueError(f"wrong digest: {item.path}")
            os.replace(f"{target}.part", target)
