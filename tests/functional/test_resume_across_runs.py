"""What a run that broke off leaves beside its target, and what the next one makes of it."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Cancelled,
    DigestMismatch,
    Download,
    DownloadError,
    FileWriter,
    Result,
    SizeValidation,
    Truncated,
    Validation,
    WriteError,
)
from pulp_download.mirrors.mirror import Mirrors
from pulp_download.partials import claim, stem_of
from tests.functional.fetch import BODY, OLD, SOON, remote_for, running, sha256, whole
from tests.servers import (
    FaultServer,
    Script,
    chunk,
    chunked,
    hold,
    published,
    reply,
    send,
    steps,
    truncated,
)
from tests.servers.faults import response_prefix
from tests.servers.ftp import FtpFaultServer
from tests.servers.ftp import truncated as ftp_truncated

ROOT = Path(__file__).parents[2]
TAG = {"ETag": '"v1"'}
HALF = 5000  # of 10240 bytes
OTHER = bytes(reversed(BODY))
GOOD = published(BODY, etag='"v1"')
NOTHING = (None, None)
REST = ("bytes=5000-", '"v1"')
REST_UNCONDITIONALLY = ("bytes=5000-", None)
WEEK = 7 * 86_400

LISTED = pytest.mark.parametrize("validations", [whole(BODY), []], ids=["listed", "unlisted"])


def broken(body: bytes = BODY, sent: int = HALF, **fields: str) -> Script:
    return truncated(body, sent=sent, headers=fields or TAG)


def asked_of(server: FaultServer) -> list[tuple[str | None, str | None]]:
    """What each request asked for: its Range and its If-Range."""
    return [
        (request.headers.get("Range"), request.headers.get("If-Range"))
        for request in server.requests
    ]


def run(
    source: str | Mirrors,
    target: Path,
    validations: list[Validation] | None = None,
    *,
    keep: bool = False,
    within: Path | None = None,
    **settings: Any,
) -> Result:
    """One run of a writer that resumes."""
    path = target if within is None else target.relative_to(within)
    writer = FileWriter(path, within=within, keep=keep, resume=True)
    with remote_for(backoff=0, **settings) as remote:
        return Download(source, writer, remote=remote, validations=validations or []).run()


def breaks(
    source: str | Mirrors,
    target: Path,
    validations: list[Validation] | None = None,
    kind: type[DownloadError] = Truncated,
    **options: Any,
) -> None:
    """One run that must fail, and leave the target as it was."""
    before = target.read_bytes() if target.exists() else None
    with pytest.raises(kind):
        run(source, target, validations, **options)
    assert (target.read_bytes() if target.exists() else None) == before


def partial(target: Path) -> Path:
    return target.parent / f".{stem_of(target.name)}.part"


def facts(target: Path) -> Path:
    return target.parent / f".{stem_of(target.name)}.facts.part"


def left_beside(target: Path) -> set[str]:
    return {name for name in os.listdir(target.parent) if name != target.name}


def both_files(target: Path) -> set[str]:
    return {partial(target).name, facts(target).name}


def until(condition: Callable[[], bool]) -> None:
    """Look at what another process does to a file until it has come."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# Going on.


@LISTED
@pytest.mark.parametrize("is_within", [False, True])
def test_the_next_run_goes_on_where_the_last_one_broke_off(
    server: FaultServer, target: Path, validations: list[Validation], is_within: bool
) -> None:
    within = target.parent.parent if is_within else None
    server.default([broken(), GOOD])
    breaks(server.url("/f"), target, validations, within=within)
    assert left_beside(target) == both_files(target)
    assert partial(target).read_bytes() == BODY[:HALF]
    result = run(server.url("/f"), target, validations, within=within)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, REST]
    assert left_beside(target) == set()
    assert (result.size, result.present, result.length_verified) == (10_240, False, True)
    assert result.digests == ({"sha256": sha256(BODY).hexdigest} if validations else {})


def test_it_may_take_many_runs(server: FaultServer, target: Path) -> None:
    part = {"Content-Range": "bytes 5000-10239/10240"}
    server.default(
        [broken(), truncated(BODY[HALF:], sent=1000, status=206, headers=part), GOOD],
    )
    for _ in range(2):
        breaks(server.url("/f"), target, whole(BODY))
    run(server.url("/f"), target, whole(BODY))
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, REST, ("bytes=6000-", '"v1"')]


def test_a_run_that_gets_nothing_more_loses_nothing(server: FaultServer, target: Path) -> None:
    server.default([broken(), reply(503), reply(404), GOOD])
    breaks(server.url("/f"), target)
    for _ in range(2):
        breaks(server.url("/f"), target, kind=DownloadError)
    run(server.url("/f"), target)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, REST, REST, REST]


def test_what_was_cancelled_can_be_gone_on_with(server: FaultServer, target: Path) -> None:
    server.default([steps(send(response_prefix(200, BODY, HALF, TAG)), hold), GOOD])
    with remote_for() as remote:
        writer = FileWriter(target, resume=True)
        download = Download(server.url("/f"), writer, remote=remote)
        with running(download) as future:
            until(lambda: partial(target).exists() and partial(target).stat().st_size == HALF)
            assert download.cancel()
            with pytest.raises(Cancelled):
                future.result(SOON)
    assert target.read_bytes() == OLD
    run(server.url("/f"), target)
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, REST])


def test_all_of_it_may_be_there_already(server: FaultServer, target: Path) -> None:
    server.default([broken(sent=10_239), GOOD])
    breaks(server.url("/f"), target, whole(BODY))
    with partial(target).open("ab") as file:
        file.write(BODY[-1:])
    run(server.url("/f"), target, whole(BODY))
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, ("bytes=10240-", '"v1"')]


def test_over_ftp_it_goes_on_as_well(ftp: FtpFaultServer, target: Path) -> None:
    ftp.publish("/f", BODY)
    ftp.on("RETR", ftp_truncated(HALF, then="426 Cut."))
    breaks(ftp.url("/f"), target, whole(BODY))
    with FtpFaultServer() as other:
        other.publish("/f", BODY)
        run(other.url("/f"), target, whole(BODY))
        assert other.arguments("REST") == ["5000"]
    assert target.read_bytes() == BODY


# Crashes.

CHILD = """
import sys
from pulp_download import DigestValidation, Download, FileWriter, Remote

url, path, digest = sys.argv[1:]
validations = [DigestValidation("sha256", digest)] if digest else []
with Remote(max_retries=0) as remote:
    Download(url, FileWriter(path, resume=True), validations=validations, remote=remote).run()
"""


@contextmanager
def child(url: str, target: Path, validations: list[Validation]) -> Iterator[Any]:
    """A process that downloads; killed at the end of the block unless it has ended."""
    digest = sha256(BODY).hexdigest if validations else ""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(target), digest],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.fault(125)
@LISTED
def test_a_killed_process_leaves_what_the_next_one_goes_on_with(
    server: FaultServer, target: Path, validations: list[Validation]
) -> None:
    server.default([steps(send(response_prefix(200, BODY, HALF, TAG)), hold), GOOD])
    with child(server.url("/f"), target, validations) as process:
        until(lambda: partial(target).exists() and partial(target).stat().st_size == HALF)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert target.read_bytes() == OLD
    assert left_beside(target) == both_files(target)
    run(server.url("/f"), target, [sha256(BODY)] if validations else [])
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, REST]
    assert left_beside(target) == set()


@pytest.mark.fault(120, 128)
@LISTED
def test_two_processes_at_one_target_do_not_disturb_each_other(
    server: FaultServer, target: Path, validations: list[Validation]
) -> None:
    gate = server.gate()
    halves = steps(send(response_prefix(200, BODY, HALF, TAG)), gate, send(BODY[HALF:]))
    server.default([halves, GOOD])
    with child(server.url("/f"), target, validations) as process:
        until(lambda: partial(target).exists() and partial(target).stat().st_size == HALF)
        run(server.url("/f"), target, validations)
        assert target.read_bytes() == BODY
        assert left_beside(target) == both_files(target)
        target.unlink()
        gate.open()
        assert process.wait(SOON) == 0
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, NOTHING]
    assert left_beside(target) == set()


def test_while_another_process_has_the_partial_a_run_that_breaks_off_leaves_nothing(
    server: FaultServer, target: Path
) -> None:
    server.default([broken(), broken(sent=7000), GOOD])
    breaks(server.url("/f"), target, whole(BODY))
    with facts(target).open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        breaks(server.url("/f"), target, whole(BODY))
        assert left_beside(target) == both_files(target)
    run(server.url("/f"), target, whole(BODY))
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, NOTHING, REST]


# What is not trusted.


def test_without_a_validator_or_a_digest_nothing_is_left(server: FaultServer, target: Path) -> None:
    server.default(truncated(BODY, sent=HALF))
    breaks(server.url("/f"), target, [SizeValidation(10_240)])
    assert left_beside(target) == set()


def test_a_digest_alone_is_enough(server: FaultServer, target: Path) -> None:
    server.default([truncated(BODY, sent=HALF), published(BODY)])
    breaks(server.url("/f"), target, whole(BODY))
    run(server.url("/f"), target, whole(BODY))
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, REST_UNCONDITIONALLY])


def test_what_is_known_to_be_wrong_is_not_left(server: FaultServer, target: Path) -> None:
    server.default(reply(200, OTHER, headers=TAG))
    breaks(server.url("/f"), target, [sha256(BODY)], DigestMismatch)
    assert left_beside(target) == set()
    in_pieces = chunked([chunk(OTHER)], headers=TAG)
    server.default([broken(), in_pieces])
    breaks(server.url("/f"), target, [sha256(BODY)], DigestMismatch, max_retries=1)
    assert left_beside(target) == set()
    server.default(in_pieces)
    breaks(server.url("/f"), target, [sha256(BODY)], DigestMismatch)
    assert left_beside(target) == set()


def test_what_came_after_a_wrong_try_is_all_that_is_left(server: FaultServer, target: Path) -> None:
    server.default([reply(200, OTHER, headers=TAG), broken(), GOOD])
    breaks(server.url("/f"), target, [sha256(BODY)], max_retries=1)
    assert left_beside(target) == both_files(target)
    run(server.url("/f"), target, [sha256(BODY)])
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, NOTHING, REST])


def test_a_try_without_a_byte_leaves_nothing(server: FaultServer, target: Path) -> None:
    server.default(broken(sent=0))
    breaks(server.url("/f"), target)
    assert left_beside(target) == set()


@pytest.mark.fault(109)
def test_a_disk_that_is_full_gets_its_space_back(
    server: FaultServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write, gate = os.write, server.gate()

    def full(descriptor: int, data: bytes) -> int:
        if os.fstat(descriptor).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert left_beside(target) == both_files(target)
        gate.open()
        return really_write(descriptor, data)

    server.default(steps(send(response_prefix(200, BODY, HALF, TAG)), gate, send(BODY[HALF:])))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        breaks(server.url("/f"), target, kind=WriteError)
    assert left_beside(target) == set()


def wants(validations: list[Validation], body: bytes = BODY) -> Callable[..., None]:
    """A next run that must take nothing of what was left: it asks for the whole file."""

    def check(server: FaultServer, target: Path, path: str = "/f") -> None:
        before = len(server.requests)
        server.default(published(body, etag='"v1"'))
        run(server.url(path), target, validations)
        assert target.read_bytes() == body
        assert asked_of(server)[before:] == [NOTHING]
        assert left_beside(target) == set()

    return check


@pytest.mark.fault(45)
def test_what_was_left_of_another_file_is_not_gone_on_with(
    server: FaultServer, target: Path
) -> None:
    server.default(broken())
    breaks(server.url("/f"), target, whole(BODY))
    wants(whole(OTHER), OTHER)(server, target)


@pytest.mark.fault(45)
def test_without_a_digest_what_was_left_of_another_url_is_not_gone_on_with(
    server: FaultServer, target: Path
) -> None:
    server.default(broken())
    breaks(server.url("/f"), target)
    wants([], OTHER)(server, target, "/g")


def test_another_url_that_is_down_does_not_cost_what_was_left(
    server: FaultServer, target: Path
) -> None:
    server.on("/f", [broken(), GOOD])
    breaks(server.url("/f"), target)
    breaks(server.url("/absent"), target, kind=DownloadError)
    run(server.url("/f"), target)
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, NOTHING, REST])


@pytest.mark.fault(44)
def test_with_a_digest_another_url_gives_the_rest(server: FaultServer, target: Path) -> None:
    server.default([broken(), published(BODY, etag='"another"')])
    breaks(server.url("/f"), target, whole(BODY))
    run(server.url("/g"), target, whole(BODY))
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, REST_UNCONDITIONALLY])


@pytest.mark.fault(42)
def test_a_file_that_has_changed_since_is_fetched_whole(server: FaultServer, target: Path) -> None:
    server.default([broken(), published(OTHER, etag='"v2"')])
    breaks(server.url("/f"), target)
    run(server.url("/f"), target)
    assert (target.read_bytes(), asked_of(server)) == (OTHER, [NOTHING, REST])
    assert left_beside(target) == set()


def test_what_is_older_than_a_week_is_not_gone_on_with(server: FaultServer, target: Path) -> None:
    server.default(broken())
    breaks(server.url("/f"), target)
    os.utime(partial(target), (0, time.time() - WEEK - 60))
    wants([])(server, target)


@pytest.mark.parametrize(
    ("validations", "asked"),
    [(whole(BODY), ("bytes=5000-", '"v1"')), ([], NOTHING)],
    ids=["listed", "unlisted"],
)
def test_after_a_restart_of_the_system_only_a_digest_tells_whether_it_reached_the_disk(
    server: FaultServer, target: Path, validations: list[Validation], asked: tuple[str, str]
) -> None:
    server.default([broken(), GOOD])
    breaks(server.url("/f"), target, validations)
    left = claim(f"{target.parent}/", stem_of(target.name), None, make=False)
    assert left is not None
    note = left.facts()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert boot in note
    left.describe(note.replace(boot, "00000000-0000-0000-0000-000000000000"))
    left.keep()
    run(server.url("/f"), target, validations)
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, asked])


@pytest.mark.parametrize("at", [0, 100, HALF - 1])
def test_bytes_that_have_changed_on_disk_cost_a_clean_start_and_no_try(
    server: FaultServer, target: Path, at: int
) -> None:
    server.default([broken(), GOOD])
    breaks(server.url("/f"), target, whole(BODY))
    with partial(target).open("rb+") as file:
        file.seek(at)
        file.write(bytes([BODY[at] ^ 1]))
    result = run(server.url("/f"), target, whole(BODY))
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, REST, NOTHING]
    assert result.attempts == ()
    assert left_beside(target) == set()


@pytest.mark.parametrize("validations", [[SizeValidation(10_240)], []], ids=["size", "told"])
def test_more_bytes_than_the_file_has_are_not_gone_on_with(
    server: FaultServer, target: Path, validations: list[Validation]
) -> None:
    server.default(broken())
    breaks(server.url("/f"), target, validations)
    with partial(target).open("ab") as file:
        file.write(bytes(6000))
    wants(validations)(server, target)


@pytest.mark.fault(125)
@LISTED
def test_a_crash_between_the_facts_and_the_first_byte_leaves_nothing_to_go_on_with(
    server: FaultServer, target: Path, validations: list[Validation]
) -> None:
    server.default(broken())
    breaks(server.url("/f"), target, validations)
    os.truncate(partial(target), 0)
    wants(validations)(server, target)


@pytest.mark.fault(132)
def test_facts_that_were_cut_or_changed_anywhere_are_none(
    server: FaultServer, target: Path
) -> None:
    server.default(broken())
    breaks(server.url("/f"), target, whole(BODY))
    good = facts(target).read_bytes()
    there = partial(target).read_bytes()
    spoilt = [good[:length] for length in range(0, len(good), 7)]
    spoilt += [good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :] for at in range(0, len(good), 7)]
    for data in spoilt:
        facts(target).write_bytes(data)
        partial(target).write_bytes(there)
        wants(whole(BODY))(server, target)


@pytest.mark.fault(132)
@pytest.mark.parametrize(
    "note", ["next", "{}", "[]", "null", "nonsense", '{"version": 2}', '{"unknown": 1}', "9" * 5000]
)
def test_facts_of_another_version_are_none(server: FaultServer, target: Path, note: str) -> None:
    server.default(broken())
    breaks(server.url("/f"), target, whole(BODY))
    left = claim(f"{target.parent}/", stem_of(target.name), None, make=False)
    assert left is not None
    left.describe(left.facts().replace('"version": 1', '"version": 2') if note == "next" else note)
    left.keep()
    wants(whole(BODY))(server, target)


@pytest.mark.fault(132)
@pytest.mark.parametrize("gone", [partial, facts])
def test_one_without_the_other_is_nothing(
    server: FaultServer, target: Path, gone: Callable[[Path], Path]
) -> None:
    server.default(broken())
    breaks(server.url("/f"), target, whole(BODY))
    gone(target).unlink()
    server.default([broken(sent=6000), GOOD])
    breaks(server.url("/f"), target, whole(BODY))
    run(server.url("/f"), target, whole(BODY))
    assert asked_of(server) == [NOTHING, NOTHING, ("bytes=6000-", '"v1"')]
    assert left_beside(target) == set()


@pytest.mark.fault(45)
def test_what_somebody_else_put_there_is_replaced(server: FaultServer, target: Path) -> None:
    partial(target).write_bytes(os.urandom(HALF))
    server.default([broken(), GOOD])
    breaks(server.url("/f"), target, whole(BODY))
    run(server.url("/f"), target, whole(BODY))
    assert (target.read_bytes(), asked_of(server)) == (BODY, [NOTHING, REST])


@pytest.mark.fault(118)
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize("planted", [partial, facts])
def test_a_link_in_the_place_of_a_partial_leads_nowhere(
    server: FaultServer, target: Path, kind: str, planted: Callable[[Path], Path]
) -> None:
    precious = target.parent / "precious"
    precious.write_bytes(b"precious")
    server.default(broken())
    breaks(server.url("/f"), target, whole(BODY))
    planted(target).unlink()
    if kind == "hard":
        planted(target).hardlink_to(precious)
    else:
        planted(target).symlink_to(precious)
    for body in (broken(), GOOD):
        server.default(body)
        try:
            run(server.url("/f"), target, whole(BODY))
        except Truncated:
            pass
        assert precious.read_bytes() == b"precious"
    assert target.read_bytes() == BODY
    for path in (partial(target), facts(target)):
        path.unlink(missing_ok=True)


@pytest.mark.fault(119)
@pytest.mark.timeout(10)
@pytest.mark.parametrize("planted", [partial, facts])
def test_a_fifo_in_the_place_of_a_partial_hangs_nobody(
    server: FaultServer, target: Path, planted: Callable[[Path], Path]
) -> None:
    os.mkfifo(planted(target))
    server.default(broken())
    breaks(server.url("/f"), target, whole(BODY))
    server.default(GOOD)
    run(server.url("/f"), target, whole(BODY))
    assert target.read_bytes() == BODY
    facts(target).unlink(missing_ok=True)


# Nothing piles up.


def test_a_file_that_came_in_one_piece_had_no_partial(
    server: FaultServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    really_open = os.open

    def recording(path: str, *args: Any, **options: Any) -> int:
        opened.append(str(path))
        return really_open(path, *args, **options)

    server.default(reply(200, b"small", headers=TAG))
    monkeypatch.setattr(os, "open", recording)
    run(server.url("/f"), target)
    monkeypatch.undo()
    made = [path for path in opened if path.startswith(str(target.parent))]
    assert made[0] == str(facts(target))  # looked for
    assert len(made) == 2
    assert len(Path(made[1]).name) == len(".0123456789abcdef.part")


def test_a_writer_that_does_not_resume_leaves_nothing_and_takes_nothing(
    server: FaultServer, target: Path
) -> None:
    server.default(broken())
    with remote_for() as remote, pytest.raises(Truncated):
        Download(server.url("/f"), target, remote=remote, validations=whole(BODY)).run()
    assert left_beside(target) == set()
    breaks(server.url("/f"), target, whole(BODY))
    server.default(GOOD)
    with remote_for() as remote:
        Download(server.url("/f"), target, remote=remote, validations=whole(BODY)).run()
    assert asked_of(server) == [NOTHING] * 3
    assert left_beside(target) == both_files(target)
    run(server.url("/f"), target, whole(BODY), keep=True)  # which finds it finished


def test_a_file_that_is_there_and_right_needs_no_partial(server: FaultServer, target: Path) -> None:
    server.default([broken()])
    breaks(server.url("/f"), target, whole(BODY), keep=True)
    target.write_bytes(BODY)
    assert run(server.url("/f"), target, whole(BODY), keep=True).present
    assert left_beside(target) == set()


def test_looking_whether_a_file_is_present_takes_nothing_away(
    server: FaultServer, target: Path
) -> None:
    server.default([broken(), GOOD])
    breaks(server.url("/f"), target, whole(BODY), keep=True)
    writer = FileWriter(target, keep=True, resume=True)
    assert not Download(server.url("/f"), writer, validations=whole(BODY)).is_present()
    run(server.url("/f"), target, whole(BODY), keep=True)
    assert asked_of(server) == [NOTHING, REST]


@pytest.mark.fault(201)
def test_the_facts_hold_no_secrets(server: FaultServer, target: Path) -> None:
    server.default([broken(), GOOD])
    url = server.url("/f?signature=hidden", userinfo="name:hidden")
    breaks(url, target)
    assert b"hidden" not in facts(target).read_bytes()
    assert b"name" not in facts(target).read_bytes()
    assert facts(target).stat().st_mode & 0o777 == 0o600
    run(server.url("/f?signature=hidden", userinfo="name:other"), target)
    assert asked_of(server) == [NOTHING, REST]


@pytest.mark.fault(122)
def test_the_longest_name_has_a_partial_as_well(server: FaultServer, target: Path) -> None:
    long = target.with_name("\u20ac" * 85)
    server.default([broken(), GOOD])
    breaks(server.url("/f"), long, whole(BODY))
    run(server.url("/f"), long, whole(BODY))
    assert (long.read_bytes(), asked_of(server)) == (BODY, [NOTHING, REST])


def test_folders_are_made_for_a_partial(server: FaultServer, target: Path) -> None:
    deep = target.parent / "x" / "y" / "file"
    server.default([broken(), GOOD])
    breaks(server.url("/f"), deep, whole(BODY))
    run(server.url("/f"), deep, whole(BODY))
    assert (deep.read_bytes(), asked_of(server)) == (BODY, [NOTHING, REST])
