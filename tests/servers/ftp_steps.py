"""The steps of FTP scripts, and known wrong answers made of them.

A script is called with the session and the command and says what happens on both connections.
``steps``, ``in_turn``, ``send``, ``repeat``, ``drip``, ``pause``, ``hold`` and ``cut``, which
belong to the control connection, are those of every server here.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.conversation import Cut
from tests.servers.ftp_commands import BEGIN, DONE, FtpScript, auth, passive_reply
from tests.servers.ftp_house import Command
from tests.servers.ftp_session import Session
from tests.servers.steps import Step, cut, hold, repeat, send, steps

FtpAnswer = FtpScript | Sequence[FtpScript]
"""One script for every command of a name, or a list: one for each, the last one repeats."""

BLOCK = bytes(65536)
MANY = 256  # lines in one send, so that an endless reply does not starve its client


# -- on the control connection


def reply(*lines: str) -> FtpScript:
    """Lines of a reply as they are, each with CRLF; ``reply("213 abc")``."""
    return lambda session, command: session.reply(*lines)


def multi_line(code: int, *lines: str) -> FtpScript:
    """A proper reply of several lines (RFC 959 4.2)."""
    first, *middle, last = lines
    return reply(f"{code}-{first}", *(f" {line}" for line in middle), f"{code} {last}")


def endless_reply(code: int = 220, *, every: float = 0.0) -> Step:
    """Lines of one reply for ever; without ``every`` as fast as they are read."""
    line = f"{code}-more and more\r\n".encode()
    return repeat(line if every else line * MANY, every=every)


def endless_line(code: int = 220) -> Step:
    """One line of a reply that never ends."""
    return steps(send(f"{code} ".encode()), repeat(b"." * 4096))


def closing(text: str, *, how: Cut = Cut.FIN) -> FtpScript:
    """A last reply and the end: ``closing("421 Timeout.")``."""
    return steps(reply(text), cut(how))


def finish_control(session: Session, command: Command) -> None:
    """End the control connection, and go on with the script: the data connection stays."""
    session.finish_control()


def injected_tls(plain: bytes, *, text: str = "234 Proceed.") -> FtpScript:
    """AUTH that is granted with plain bytes behind its reply, as a man in the middle adds them."""
    return lambda session, command: auth(session, reply=text, injected=plain)


def passive(*, host: str | None = None, port: int | None = None) -> FtpScript:
    """PASV or EPSV that opens a port and names another place instead (EPSV names no host)."""

    def script(session: Session, command: Command) -> None:
        own = session.listen()
        named = passive_reply(command.verb, host=host or "127.0.0.1", port=port or own)
        session.reply(named)

    return script


# -- on the data connection


def begin_data(text: str = BEGIN) -> FtpScript:
    """The reply 150, then the client's data connection is taken."""

    return lambda session, command: session.open_data(text)


def send_file(*, until: int | None = None, start: int | None = None) -> FtpScript:
    """The bytes of the published file from REST's offset; ``start`` sets another one."""

    def script(session: Session, command: Command) -> None:
        offset = session.take_offset()
        body = session.body(command.argument)
        session.send_data(body[offset if start is None else start : until])

    return script


def send_data(data: bytes) -> FtpScript:
    """Exactly these bytes."""
    return lambda session, command: session.send_data(data)


def drip_file(*, every: float, size: int = 1) -> FtpScript:
    """The published file from REST's offset in pieces, one every few seconds."""

    def script(session: Session, command: Command) -> None:
        offset = session.take_offset()
        body = session.body(command.argument)
        for start in range(offset, len(body), size):
            if start > offset:
                session.hold_data(every)
            session.send_data(body[start : start + size])

    return script


def repeat_data(data: bytes = BLOCK, *, every: float = 0.0) -> FtpScript:
    """The same bytes again and again, until the client leaves or aborts."""

    def script(session: Session, command: Command) -> None:
        while True:
            session.send_data(data)
            if every:
                session.hold_data(every)

    return script


def hold_data(session: Session, command: Command) -> None:
    """Stall with the data connection open, until the client leaves or aborts."""
    session.hold_data()


def end_data(how: Cut = Cut.FIN) -> FtpScript:
    """End the data connection: in order, without close_notify, or by reset."""
    return lambda session, command: session.close_data(how)


# -- RETR that goes wrong in a known way


def truncated(sent: int, *, then: str = DONE, how: Cut = Cut.FIN) -> FtpScript:
    """The file's bytes up to ``sent``, and a final reply: 226 is a lie, 426 or 451 the truth."""
    return steps(begin_data(), send_file(until=sent), end_data(how), reply(then))


def overlong(more: bytes) -> FtpScript:
    """The whole file and bytes behind it, and 226."""
    return steps(begin_data(), send_file(), send_data(more), end_data(), reply(DONE))


def stalled(sent: int) -> FtpScript:
    """The file's bytes up to ``sent``, then silence on both connections."""
    return steps(begin_data(), send_file(until=sent), hold_data)


def dripped(*, every: float, size: int = 1) -> FtpScript:
    """The file in pieces of ``size`` bytes, one every few seconds."""
    return steps(begin_data(), drip_file(every=every, size=size), end_data(), reply(DONE))


def endless(*, every: float = 0.0, data: bytes = BLOCK) -> FtpScript:
    """Data without an end."""
    return steps(begin_data(), repeat_data(data, every=every))


def rest_ignored() -> FtpScript:
    """The whole file, whatever REST had said."""
    return steps(begin_data(), send_file(start=0), end_data(), reply(DONE))


def silent_after_data() -> FtpScript:
    """The whole file, and no final reply."""
    return steps(begin_data(), send_file(), end_data(), hold)


def closed_after_data(how: Cut = Cut.FIN) -> FtpScript:
    """The whole file, and the end of the control connection in place of a final reply."""
    return steps(begin_data(), send_file(), end_data(), cut(how))


def closed_before_data_end(*, sent: int) -> FtpScript:
    """The control connection ends when ``sent`` bytes of the file are out; the rest follows."""
    part = send_file(until=sent, start=0)
    rest = send_file(start=sent)
    return steps(begin_data(), part, finish_control, rest, end_data(), cut())


def never_served() -> FtpScript:
    """The reply 150, and a data connection that nobody takes."""
    return steps(reply(BEGIN), hold)
