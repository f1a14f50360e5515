"""An FTP server on plain sockets that does right by default, and any wrong thing a test asks for.

``FtpFaultServer`` serves files from memory. ``server.on("SIZE", reply("213 abc"))`` has a script
answer one command; a script is a function of a ``Session`` (one control connection) and a
``Command``, made of the steps below or written by hand::

    server.publish("/a.bin", body)
    server.on("RETR", [truncated(5000), good("RETR")])      # first cut and called whole, then good
    server.on_connect(closing("421 Too many users."))
    server.on("RETR", steps(begin_data(), send_file(until=10), gate, send_file(start=10), ...))

Imports go one way: ftp -> ftp_steps -> ftp_commands -> ftp_session -> ftp_control
-> ftp_house.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from datetime import datetime

from tests.servers.conversation import Conversation, Cut
from tests.servers.ftp_commands import GOOD, FtpScript
from tests.servers.ftp_house import Command, DataRecord, House, Login, Published, Refused
from tests.servers.ftp_session import Aborted, DataLost, Session
from tests.servers.ftp_steps import (
    FtpAnswer,
    begin_data,
    closed_after_data,
    closed_before_data_end,
    closing,
    drip_file,
    dripped,
    end_data,
    endless,
    endless_line,
    endless_reply,
    finish_control,
    hold_data,
    injected_tls,
    multi_line,
    never_served,
    overlong,
    passive,
    repeat_data,
    reply,
    rest_ignored,
    send_data,
    send_file,
    silent_after_data,
    stalled,
    truncated,
)
from tests.servers.listener import Listener
from tests.servers.steps import as_script, cut, drip, hold, in_turn, pause, repeat, send, steps

__all__ = [
    "Command",
    "Cut",
    "DataRecord",
    "FtpAnswer",
    "FtpFaultServer",
    "FtpScript",
    "Login",
    "Session",
    "begin_data",
    "closed_after_data",
    "closed_before_data_end",
    "closing",
    "cut",
    "drip",
    "drip_file",
    "dripped",
    "end_data",
    "endless",
    "endless_line",
    "endless_reply",
    "finish_control",
    "good",
    "hold",
    "hold_data",
    "in_turn",
    "injected_tls",
    "multi_line",
    "never_served",
    "overlong",
    "passive",
    "pause",
    "repeat",
    "repeat_data",
    "reply",
    "rest_ignored",
    "send",
    "send_data",
    "send_file",
    "silent_after_data",
    "stalled",
    "steps",
    "truncated",
]


def good(verb: str) -> FtpScript:
    """What the server does with a command unless told otherwise."""
    return GOOD[verb]


class FtpFaultServer(Listener):
    """A scriptable FTP server on a loopback port; how it starts, fails and ends: ``Listener``.

    ``tls`` (see ``tests.servers.tls``) offers AUTH TLS; with ``implicit`` each connection begins
    with a handshake. ``tls_required`` refuses USER in the clear; ``reuse_required`` sends clients
    away whose data connection resumes no session, as vsftpd does. ``users`` are names and
    passwords; without them everyone is let in. ``home`` is the folder after the login. More than
    ``limit`` sessions at once get 421.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        tls_required: bool = False,
        reuse_required: bool = False,
        users: Mapping[str, str] | None = None,
        home: str = "/",
        limit: int | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(host=host)
        self.limit = limit
        self.implicit = implicit
        self._house = House(
            tls=tls,
            users=users,
            home=home,
            tls_required=tls_required,
            reuse_required=reuse_required,
        )
        self._scripts = dict(GOOD)
        self._greeting: FtpScript = reply("220 Ready.")
        self._admitted: set[Session] = set()

    # -- what to serve, and how

    def publish(self, path: str, body: bytes, *, modified: datetime | None = None) -> None:
        """Serve ``body`` under an absolute path; a naive ``modified`` is UTC.

        The folders above it are there by that.
        """
        self._house.publish(path, Published(body, modified))

    def on(self, verb: str, answer: FtpAnswer) -> None:
        """Answer a command by a script, or by a list of them: one for each, the last repeats."""
        self._scripts[verb.upper()] = as_script(answer)

    def on_connect(self, answer: FtpAnswer) -> None:
        """Run a script on each new connection in place of the banner.

        It is given an empty command. Under implicit TLS it runs after the handshake.
        """
        self._greeting = as_script(answer)

    def url(
        self,
        path: str = "/",
        *,
        scheme: str | None = None,
        host: str | None = None,
        userinfo: str = "",
    ) -> str:
        """The URL of ``path``, as it is, here; the scheme is ftps with implicit TLS, else ftp."""
        scheme = scheme or ("ftps" if self.implicit else "ftp")
        return f"{scheme}://{self.netloc(host, userinfo)}{path}"

    # -- what happened; sessions are counted by ``accepted``, ``open`` and ``peak``

    @property
    def commands(self) -> list[Command]:
        """Every command so far, in the order they came: a copy."""
        with self._ledger.changed:
            return list(self._house.commands)

    def verbs(self, session: int | None = None) -> list[str]:
        """The names of all commands so far, or of those of one session."""
        return [one.verb for one in self.commands if session in (None, one.session)]

    def arguments(self, verb: str) -> list[str]:
        """The arguments of every command of one name so far."""
        return [one.argument for one in self.commands if one.verb == verb]

    @property
    def logins(self) -> list[Login]:
        """Every login that was granted: a copy."""
        with self._ledger.changed:
            return list(self._house.logins)

    @property
    def data(self) -> list[DataRecord]:
        """Every data connection that was taken, each with whether it reused a TLS session."""
        with self._ledger.changed:
            return list(self._house.data)

    @property
    def refused(self) -> int:
        """Sessions that were beyond the limit."""
        return self._house.refused

    # -- one session, in its own thread

    def conversation(self, sock: socket.socket, number: int) -> Session:
        return Session(sock, self._ledger, number, self._house)

    def serve(self, conn: Conversation) -> None:
        assert isinstance(conn, Session)
        try:
            self._serve(conn)
        finally:
            with self._ledger.changed:
                self._admitted.discard(conn)

    def _serve(self, session: Session) -> None:
        if self.implicit:
            assert self._house.tls is not None
            session.secure(self._house.tls)
        if not self._has_room(session):
            session.reply("421 There are too many connections.")
            session.close()
            return
        self._run(self._greeting, session, Command(session.number, "", ""))
        while not session.closed and (command := session.recv_command()) is not None:
            self._run(self._scripts.get(command.verb, _unknown), session, command)

    def _has_room(self, session: Session) -> bool:
        with self._ledger.changed:
            there = sum(not one.peer_left() for one in self._admitted)
            if self.limit is not None and there >= self.limit:
                self._house.refused += 1
                self._ledger.changed.notify_all()
                return False
            self._admitted.add(session)
            return True

    def _run(self, script: FtpScript, session: Session, command: Command) -> None:
        try:
            script(session, command)
        except Refused as refusal:
            session.close_data()
            session.reply(str(refusal))
        except Aborted:
            session.close_data()
            session.reply("426 Transfer aborted.", "226 ABOR done.")
        except DataLost:
            session.close_data()
            with contextlib.suppress(ConnectionError):
                session.reply("426 The data connection was closed.")


def _unknown(session: Session, command: Command) -> None:
    session.reply("500 Unknown command.")
