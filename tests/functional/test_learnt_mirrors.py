"""Places that nobody gave: named by answers, by metalinks, and by mirror lists."""

from __future__ import annotations

import base64
import hashlib
import pickle
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Batch,
    DigestMismatch,
    Download,
    DownloadError,
    ManifestError,
    MemoryWriter,
    NotFound,
    Remote,
    Result,
    ServerFailed,
)
from pulp_download.validations import Validation
from tests.functional.fetch import remote_for
from tests.functional.upstream import body_of, expectations
from tests.servers import FaultServer, authority, redirect, reply, steps, truncated

BODY = body_of(1, 5000)
SHA = base64.b64encode(hashlib.sha256(BODY).digest()).decode()


@pytest.fixture
def hosts() -> Iterator[list[FaultServer]]:
    """Three servers on addresses of their own; the second and third have the file."""
    with ExitStack() as stack:
        servers = [stack.enter_context(FaultServer(host=f"127.0.0.{n}")) for n in range(2, 5)]
        for server in servers[1:]:
            server.on("/file", reply(200, BODY))
        yield servers


def duplicate(url: str, **parameters: Any) -> str:
    told = "".join(f"; {name}={value}" for name, value in parameters.items())
    return f"<{url}>; rel=duplicate{told}"


def described(url: str) -> str:
    return f'<{url}>; rel=describedby; type="application/metalink4+xml"'


def fetch(url: str, *validations: Validation, **settings: Any) -> Result:
    with remote_for(mirror_policy="order", **settings) as remote:
        return Download(url, MemoryWriter(), remote=remote, validations=validations).run()


JUDGED = tuple(expectations(BODY))


@pytest.mark.need("I8")
def test_places_that_an_answer_names_are_asked_when_it_breaks(hosts: list[FaultServer]) -> None:
    links = ", ".join(
        [duplicate(hosts[2].url("/file"), pri=2), duplicate(hosts[1].url("/file"), pri=1)]
    )
    hosts[0].on("/file", truncated(BODY, sent=10, headers={"Link": links}))
    hosts[1].on("/file", reply(404))
    result = fetch(hosts[0].url("/file"), *JUDGED)
    assert result.url == hosts[2].url("/file")
    assert [failed.type for failed in result.attempts] == ["Truncated", "NotFound"]


def test_an_answer_that_refuses_may_name_places_as_well(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", reply(503, headers={"Link": duplicate(hosts[1].url("/file"))}))
    assert fetch(hosts[0].url("/file"), *JUDGED).url == hosts[1].url("/file")


def test_a_redirect_may_name_the_places_that_its_target_is_one_of(hosts: list[FaultServer]) -> None:
    hosts[0].on(
        "/file",
        reply(
            302,
            headers={
                "Location": hosts[1].url("/file"),
                "Link": duplicate(hosts[2].url("/file")),
            },
        ),
    )
    hosts[1].on("/file", reply(500))
    assert fetch(hosts[0].url("/file"), *JUDGED).url == hosts[2].url("/file")


def test_without_a_digest_from_elsewhere_nobody_is_led_anywhere(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", reply(404, headers={"Link": duplicate(hosts[1].url("/file"))}))
    with pytest.raises(NotFound):
        fetch(hosts[0].url("/file"))
    assert hosts[1].requests == []


@pytest.mark.fault(222)
def test_a_place_that_an_answer_names_gets_no_secrets(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", reply(404, headers={"Link": duplicate(hosts[1].url("/file"))}))
    fetch(hosts[0].url("/file"), *JUDGED, token="c4n4ry", headers={"X-Key": "c4n4ry"})
    assert b"c4n4ry" in hosts[0].requests[0].raw
    assert b"c4n4ry" not in hosts[1].requests[0].raw


@pytest.mark.fault(160)
def test_a_lead_from_tls_to_plain_text_is_not_followed(
    hosts: list[FaultServer], secure: FaultServer
) -> None:
    secure.on("/file", reply(404, headers={"Link": duplicate(hosts[1].url("/file"))}))
    with pytest.raises(NotFound):
        fetch(secure.url("/file"), *JUDGED, ca_cert=authority().pem)
    assert hosts[1].requests == []


METALINK = """<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="other"><url>{other}</url></file>
  <file name="file"><size>{size}</size><url priority="2">{third}</url>
    <url priority="1">{second}</url></file>
</metalink>"""


def metalink(hosts: list[FaultServer]) -> bytes:
    return METALINK.format(
        size=len(BODY),
        other=hosts[1].url("/other"),
        second=hosts[1].url("/file"),
        third=hosts[2].url("/file"),
    ).encode()


def test_the_metalink_that_an_answer_names_is_read_when_nothing_else_is_left(
    hosts: list[FaultServer],
) -> None:
    link = {"Link": described(hosts[0].url("/file.meta4"))}
    hosts[0].on("/file", truncated(BODY, sent=10, headers=link))
    hosts[0].on("/file.meta4", reply(200, metalink(hosts)))
    hosts[1].on("/file", reply(404))
    result = fetch(hosts[0].url("/file"), *JUDGED, max_retries=0)
    assert result.url == hosts[2].url("/file")
    assert [request.path for request in hosts[0].requests] == ["/file", "/file.meta4"]


def test_a_metalink_is_not_read_for_a_file_that_comes(hosts: list[FaultServer]) -> None:
    link = {"Link": described(hosts[0].url("/file.meta4"))}
    hosts[0].on("/file", reply(200, BODY, headers=link))
    fetch(hosts[0].url("/file"), *JUDGED)
    assert [request.path for request in hosts[0].requests] == ["/file"]


@pytest.mark.parametrize("answer", [reply(404), reply(200, b"nonsense"), reply(200, b"")])
def test_a_metalink_that_is_of_no_use_changes_nothing(
    hosts: list[FaultServer], answer: Any
) -> None:
    link = {"Link": described(hosts[0].url("/file.meta4"))}
    hosts[0].on("/file", reply(500, headers=link))
    hosts[0].on("/file.meta4", answer)
    with pytest.raises(ServerFailed) as caught:
        fetch(hosts[0].url("/file"), *JUDGED, max_retries=0)
    assert [failed.status for failed in caught.value.attempts] == [500]


FIELDS = {"Repr-Digest": f"sha-256=:{SHA}:", "Digest": f"SHA-256={SHA}"}


@pytest.mark.need("I3")
@pytest.mark.fault(242)
@pytest.mark.parametrize("field", FIELDS)
def test_a_digest_that_the_answer_claims_is_checked_where_none_is_expected(
    hosts: list[FaultServer], field: str
) -> None:
    hosts[0].on("/file", reply(200, BODY, headers={field: FIELDS[field]}))
    result = fetch(hosts[0].url("/file"))
    assert result.digests == {"sha256": hashlib.sha256(BODY).hexdigest()}
    hosts[0].on("/file", reply(200, BODY[::-1], headers={field: FIELDS[field]}))
    with pytest.raises(DigestMismatch):
        fetch(hosts[0].url("/file"), max_retries=0)
    with remote_for(max_retries=0) as remote:
        content = Download(hosts[0].url("/file"), remote=remote).iter_content()
        with content, pytest.raises(DigestMismatch):
            list(content)


@pytest.mark.fault(242)
def test_a_claim_never_stands_in_for_the_expected_digest(hosts: list[FaultServer]) -> None:
    wrong = BODY[::-1]
    claim = base64.b64encode(hashlib.sha256(wrong).digest()).decode()
    hosts[0].on("/file", reply(200, wrong, headers={"Digest": f"SHA-256={claim}"}))
    with pytest.raises(DigestMismatch):
        fetch(hosts[0].url("/file"), *JUDGED, max_retries=0)
    hosts[0].on("/file", reply(200, BODY, headers={"Digest": f"SHA-256={claim}"}))
    assert fetch(hosts[0].url("/file"), *JUDGED, max_retries=0).size == len(BODY)


def test_a_malformed_claim_is_none(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", reply(200, BODY, headers={"Digest": "SHA-256=nonsense"}))
    assert fetch(hosts[0].url("/file")).digests == {}


# Mirror lists.


def listing(hosts: list[FaultServer], path: str = "/$releasever/$basearch") -> bytes:
    return "\n".join(["# mirrors", *(host.url(path) for host in hosts)]).encode()


VARIABLES = {"releasever": "9", "basearch": "x86_64"}


@pytest.mark.need("I8", "S5")
def test_a_mirror_list_is_read_once_for_all_downloads_of_a_remote(
    hosts: list[FaultServer], server: FaultServer
) -> None:
    server.on("/list", reply(200, listing(hosts)))
    for host in hosts:
        host.default(reply(200, b"x"))
    with remote_for(
        mirror_list=server.url("/list"), mirror_variables=VARIABLES, mirror_policy="spread"
    ) as remote:
        downloads = [Download(f"a/{n}", MemoryWriter(), remote=remote) for n in range(60)]
        with Batch(downloads, concurrency=8) as batch:
            assert all(future.result().size == 1 for future in batch)
        with Download("a/streamed", remote=remote).iter_content() as content:
            assert b"".join(content) == b"x"
    assert len(server.requests) == 1
    paths = {request.path for host in hosts for request in host.requests}
    assert paths == {f"/9/x86_64/a/{n}" for n in (*range(60), "streamed")}
    assert all(host.requests for host in hosts)


def test_bases_of_a_list_come_beside_those_that_were_given(
    hosts: list[FaultServer], tmp_path: Path
) -> None:
    (tmp_path / "list").write_bytes(listing(hosts[1:], "/r"))
    for host in hosts:
        host.on("/r/file", reply(404))
    hosts[2].on("/r/file", reply(200, BODY))
    result = fetch(
        "file",
        *JUDGED,
        base_urls=[hosts[0].url("/r")],
        mirror_list=(tmp_path / "list").as_uri(),
        token="c4n4ry",
    )
    assert result.url == hosts[2].url("/r/file")
    assert [failed.url for failed in result.attempts] == [h.url("/r/file") for h in hosts[:2]]
    assert b"c4n4ry" in hosts[0].requests[0].raw
    assert b"c4n4ry" not in hosts[1].requests[0].raw


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(404), NotFound),
        (reply(500), ServerFailed),
        (reply(200, b"nonsense"), ManifestError),
        (reply(200, b""), ManifestError),
        (reply(200, b"file:///etc"), ManifestError),
    ],
)
def test_a_list_that_cannot_be_read_is_the_error_of_each_download_and_asked_for_once(
    server: FaultServer, answer: Any, kind: type[DownloadError]
) -> None:
    server.on("/list", answer)
    with remote_for(mirror_list=server.url("/list"), max_retries=0) as remote:
        downloads = [Download(f"a/{n}", MemoryWriter(), remote=remote) for n in range(5)]
        with Batch(downloads, concurrency=2) as batch:
            errors = [future.exception() for future in batch]
    assert {type(error) for error in errors} == {kind}
    assert len(server.requests) == 1


def test_a_list_is_asked_for_again_as_any_file_is(
    hosts: list[FaultServer], server: FaultServer
) -> None:
    server.on("/list", [reply(503), reply(200, listing(hosts[1:], ""))])
    result = fetch("file", *JUDGED, mirror_list=server.url("/list"), max_retries=1)
    assert result.url == hosts[1].url("/file")


@pytest.mark.need("I10")
def test_a_cancelled_reader_of_the_list_leaves_it_to_the_next(
    hosts: list[FaultServer], server: FaultServer
) -> None:
    gate = server.gate()
    server.on("/list", steps(gate, reply(200, listing(hosts[1:], ""))))
    with remote_for(mirror_list=server.url("/list")) as remote:
        first, second = (
            Download("file", MemoryWriter(), remote=remote, validations=JUDGED) for _ in range(2)
        )
        with Batch([first, second], concurrency=2) as batch:
            results = iter(batch)

            def cancel() -> None:
                gate.wait_for(1)
                first.cancel()
                gate.open()

            canceller = threading.Thread(target=cancel)
            canceller.start()
            outcomes = {future.download: future.exception() for future in results}
            canceller.join()
    assert type(outcomes[first]).__name__ == "Cancelled"
    assert outcomes[second] is None


def test_a_lead_into_a_redirect_loop_ends(hosts: list[FaultServer]) -> None:
    hosts[0].on("/file", reply(500, headers={"Link": duplicate(hosts[1].url("/loop"))}))
    hosts[1].on("/loop", redirect("/loop"))
    with pytest.raises(DownloadError):
        fetch(hosts[0].url("/file"), *JUDGED, max_retries=0)


def test_a_remote_of_a_list_is_a_value_like_any_other(server: FaultServer) -> None:
    with (
        remote_for(mirror_list=server.url("/l"), mirror_variables=VARIABLES) as remote,
        pickle.loads(pickle.dumps(remote)) as other,
    ):
        assert isinstance(other, Remote)
        assert other.settings == remote.settings
        assert hash(other.settings) == hash(remote.settings)
