"""Small documents about files, read into memory as steps of a run."""

from __future__ import annotations

from pulp_download.adapters.wire import BUFFER_SIZE
from pulp_download.delivery import deliver
from pulp_download.errors import DownloadError, SizeMismatch
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote
from pulp_download.retries import Attempts, GiveUp, Wait
from pulp_download.steps import Steps
from pulp_download.turns import Turn
from pulp_download.watch import Watch

# A mirror list or a metalink of one file is some kilobytes.
_LARGEST = 10_000_000


def document(remote: Remote, place: Mirror, watch: Watch) -> Steps[bytes]:
    """Fetch a document, with the remote's retries; raises the last failure."""
    attempts = Attempts(remote.retry_policy, (place,))
    while True:
        step = attempts.next_step()
        if isinstance(step, GiveUp):
            raise step.error
        watch.begin_try()
        if isinstance(step, Wait):
            yield step
            continue
        try:
            return (yield from _read(remote, place, watch))
        except DownloadError as error:
            attempts.failed(place, error.at(place.url.redacted))


def _read(remote: Remote, place: Mirror, watch: Watch) -> Steps[bytes]:
    turn = Turn(remote.hosts, watch)
    watch.turn, own = turn, watch.turn
    try:
        if not turn.take([remote.hosts.at(place.absolute.origin)]):
            yield from turn.until_there(watch.check)
        delivery = yield from deliver(
            remote, place, watch, method="GET", headers={}, answers=(), validations=()
        )
        try:
            content = bytearray()
            if delivery.size is not None and delivery.size > _LARGEST:
                raise SizeMismatch(_LARGEST, delivery.size)
            while piece := delivery.receive(BUFFER_SIZE):
                content += piece
                if len(content) > _LARGEST:
                    raise SizeMismatch(_LARGEST, len(content))
        finally:
            delivery.close()
    except DownloadError as error:
        turn.leave(error)
        raise
    finally:
        turn.leave()
        watch.turn = own
    return bytes(content)
