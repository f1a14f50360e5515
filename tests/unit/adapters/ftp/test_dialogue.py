"""Lines to an FTP server and replies from it, in whatever pieces they come."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pulp_download.adapters.ftp.dialogue import Dialogue, expected
from pulp_download.adapters.ftp.replies import Reply
from pulp_download.errors import Cancelled, InvalidURL, NotFound, ProtocolViolation, TimedOut
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from tests.unit.adapters.pieces import split_anywhere


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.fixture
def there(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The server's end."""
    return ends[1]


@pytest.fixture
def dialogue(ends: tuple[socket.socket, socket.socket]) -> Dialogue:
    return dialogue_over(ends[0])


def dialogue_over(sock: Any) -> Dialogue:
    dialogue = Dialogue()
    dialogue.sock = sock
    dialogue.watch = Watch(TimeLimits(read=7.0))
    return dialogue


class Saying:
    """A socket that says one piece at each read."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, limit: int) -> bytes:
        assert len(self._pieces[0]) <= limit
        return self._pieces.pop(0)


REPLIES = b"220-Hi\r\n 220 no end\r\n220\r\n331 Password?\n230-Yes\r\n\r\n230 In.\r\n"


@pytest.mark.parametrize("pieces", list(split_anywhere(REPLIES)))
def test_replies_are_the_same_in_whatever_pieces_they_come(pieces: list[bytes]) -> None:
    dialogue = dialogue_over(Saying(pieces))
    assert [dialogue.reply() for _ in range(3)] == [
        Reply(220, "Hi 220 no end"),
        Reply(331, "Password?"),
        Reply(230, "Yes In."),
    ]
    assert dialogue.lines == ["230-Yes", "", "230 In."]
    assert dialogue.received == b""


def test_a_line_goes_out_with_its_end_and_as_the_bytes_it_was(
    dialogue: Dialogue, there: socket.socket
) -> None:
    dialogue.putcmd("RETR café\udce9")
    assert there.recv(100) == b"RETR caf\xc3\xa9\xe9\r\n"


@pytest.mark.fault(100)
@pytest.mark.parametrize("control", "\r\n\0")
def test_a_line_that_would_be_two_is_refused(
    dialogue: Dialogue, there: socket.socket, control: str
) -> None:
    with pytest.raises(InvalidURL):
        dialogue.command(f"RETR a{control}DELE a")
    there.setblocking(False)
    with pytest.raises(BlockingIOError):
        there.recv(1)


def test_what_was_not_hoped_for_is_raised(dialogue: Dialogue, there: socket.socket) -> None:
    there.sendall(b"550 No such file.\r\n250 Done.\r\n")
    with pytest.raises(NotFound, match="No such file"):
        dialogue.ask("CWD a", 250)
    assert dialogue.ask("CWD a", 200, 250) == Reply(250, "Done.")
    assert expected(Reply(200, ""), 200) == Reply(200, "")


@pytest.mark.fault(97)
@pytest.mark.parametrize(
    "babble",
    [b"2" * 9000, b"220 " + b"x" * 9000, b"220-x\r\n" * 9000, (b"220-" + b"x" * 8000 + b"\n") * 10],
)
def test_a_reply_has_a_limit(dialogue: Dialogue, there: socket.socket, babble: bytes) -> None:
    there.sendall(babble)
    with pytest.raises(ProtocolViolation):
        dialogue.reply()
    assert len(dialogue.received) < 2 * 8192 + 1


def test_a_banner_of_some_hundred_lines_is_read(dialogue: Dialogue, there: socket.socket) -> None:
    there.sendall(b"220-Welcome to this house.\r\n" * 500 + b"220 Come in.\r\n")
    assert dialogue.reply().code == 220
    assert len(dialogue.lines) == 501


@pytest.mark.fault(98)
@pytest.mark.parametrize("banner", [b"SSH-2.0-x\r\n", b"HTT-\r\n", b"\r\n", b"22-x\r\n"])
def test_what_begins_no_reply_is_refused_at_once(
    dialogue: Dialogue, there: socket.socket, banner: bytes
) -> None:
    there.sendall(banner)
    with pytest.raises(ProtocolViolation):
        dialogue.reply()


@pytest.mark.parametrize("said", [b"", b"22", b"220-Wait\r\n"])
def test_an_end_before_the_end_of_a_reply_is_a_lost_connection(
    dialogue: Dialogue, there: socket.socket, said: bytes
) -> None:
    there.sendall(said)
    there.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionResetError):
        dialogue.reply()


def test_the_verdict_says_why_there_is_no_reply(dialogue: Dialogue) -> None:
    assert dialogue.sock is not None
    dialogue.watch.attach(dialogue.sock)
    dialogue.watch.cancel()
    with pytest.raises(Cancelled):
        dialogue.reply()


def test_each_command_has_the_limit_for_reading_once_one_is_logged_in(
    dialogue: Dialogue, there: socket.socket
) -> None:
    there.sendall(b"200 Yes.\r\n" * 2)
    dialogue.watch.begin("connect", 5.0)
    dialogue.command("TYPE I")
    dialogue.watch.inspect(now=1e12)
    assert (dialogue.watch.verdict is not None) and "connect" in str(dialogue.watch.verdict)
    dialogue.watch = Watch(TimeLimits(read=7.0))
    dialogue.is_open = True
    dialogue.command("TYPE I")
    dialogue.watch.inspect(now=1e12)
    verdict = dialogue.watch.verdict
    assert isinstance(verdict, TimedOut)
    assert (verdict.limit, verdict.seconds) == ("read", 7.0)


def test_silence_is_told_from_words_and_from_an_end(
    dialogue: Dialogue, there: socket.socket
) -> None:
    assert dialogue.is_silent_for(0)
    assert dialogue.is_silent_for(0.01)
    there.sendall(b"421 Bye.\r\n421 Bye.\r\n")
    assert not dialogue.is_silent_for(0)
    dialogue.reply()
    assert not dialogue.is_silent_for(0)  # the second was received with the first
    dialogue.reply()
    assert dialogue.is_silent_for(0)
    there.close()
    assert not dialogue.is_silent_for(5.0)
