"""Control connections to a scripted server, as a pool lends them, with their watch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pulp_download.adapters.ftp.control import Control
from pulp_download.adapters.ftp.place import Place
from pulp_download.settings import TimeLimits, TLSSettings
from pulp_download.urls import Credentials
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog
from tests.servers import authority
from tests.servers.ftp import FtpFaultServer


class Shelf:
    """Writes down what is given back and what is gone."""

    def __init__(self) -> None:
        self.idle: list[Control] = []
        self.gone: list[Control] = []
        self.without_rest: list[Control] = []

    def put(self, control: Control) -> None:
        self.idle.append(control)

    def closed(self, control: Control) -> None:
        self.gone.append(control)

    def can_restart(self, control: Control) -> bool:
        return control not in self.without_rest

    def cannot_restart(self, control: Control) -> None:
        self.without_rest.append(control)


def place_of(server: FtpFaultServer, user: str | None = None, *, is_tls: bool = False) -> Place:
    return Place(
        server.host,
        server.port,
        None if user is None else Credentials(user, "secret"),
        TLSSettings(authority().pem) if is_tls else None,
        server.implicit,
    )


@contextmanager
def watched(**limits: float) -> Iterator[Watch]:
    """A watch that the watchdog looks at."""
    watch = Watch(TimeLimits(**limits))
    watch.start()
    watchdog.add(watch)
    try:
        yield watch
    finally:
        watchdog.discard(watch)
        watchdog.rest()


@contextmanager
def opened(
    server: FtpFaultServer, *, is_tls: bool = False, **limits: float
) -> Iterator[tuple[Control, Watch]]:
    """A connection that is logged in."""
    with watched(**limits) as watch:
        control = Control(place_of(server, is_tls=is_tls), Shelf())
        try:
            control.open(watch)
            yield control, watch
        finally:
            control.close()
