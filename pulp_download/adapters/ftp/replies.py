"""What an FTP server's refusals mean, by one table (RFC 959 section 4.2, RFC 4217)."""

from __future__ import annotations

import ftplib
import re
from collections.abc import Callable
from typing import NamedTuple, Self

from pulp_download.errors import (
    BadStatus,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ServerFailed,
    TLSFailed,
    TransferError,
)


class Reply(NamedTuple):
    """A whole reply: its code, and its lines without the code, joined by spaces."""

    code: int
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reply's lines; raises ProtocolViolation for what is none."""
        code = text[:3]
        if not (code.isascii() and code.isdigit() and 100 <= int(code) < 600):
            raise ProtocolViolation(f"not an FTP reply: {text[:60]!r}")
        if "\n" not in text and text[3:4] in (" ", "-"):
            return cls(int(code), text[4:].strip())
        lines = text.splitlines()
        # Of "213 -5", the hyphen belongs to the text.
        marks = (f"{code} ", f"{code}-")
        words = ((line[4:] if line.startswith(marks) else line).strip() for line in lines)
        return cls(int(code), " ".join(word for word in words if word not in ("", code)))

    @property
    def is_preliminary(self) -> bool:
        return self.code < 200

    @property
    def is_complete(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_unknown(self) -> bool:
        """The server does not know the command, whatever its argument."""
        return self.code in (500, 502)


# vsftpd: "There are too many connections from your internet address" and "too many connected
# users"; pyftpdlib: "Too many connections"; proftpd, with 530: "the maximum number of clients (2)
# from your host are already connected", "the maximum number of allowed clients (2) are ...".
_CROWDED = re.compile(
    r"too many (?:\w+ )?(?:connect|client|user|session)|maximum number of|already connected",
    re.IGNORECASE,
)
# "Permission denied", "Not enough privileges", "Access is denied"; a server that tells a missing
# file and one that is not for us in the same words cannot be told apart.
_FORBIDDEN = re.compile(r"permission|denied|privilege|forbidden|not allowed", re.IGNORECASE)


def _not_there(code: int, text: str) -> TransferError:
    """550 and its kin: no such file, or not for us, as the text says."""
    return (NotAuthorized if _FORBIDDEN.search(text) else NotFound)(code, text)


def _not_in(code: int, text: str) -> TransferError:
    """530: not with this name and password, or no room for anybody."""
    return (ServerFailed if _CROWDED.search(text) else NotAuthorized)(code, text)


def _account(code: int, text: str) -> TransferError:
    return NotAuthorized(code, f"an account (ACCT) is asked for, which is not supported: {text}")


def no_tls(code: int, text: str) -> TransferError:
    """Return the error for a server that will not be spoken to under TLS."""
    return TLSFailed(f"{code} {text}", status=code)


_BY_CODE: dict[int, Callable[[int, str], TransferError]] = {
    332: _account,
    430: NotAuthorized,
    431: no_tls,
    522: no_tls,
    530: _not_in,
    532: _account,
    533: no_tls,
    534: no_tls,
    535: no_tls,
    536: no_tls,
    550: _not_there,
    553: _not_there,
}


def refusal(reply: Reply) -> TransferError:
    """Return the error for a reply that is not the one that was hoped for.

    4yz may pass, and the same URL is worth another try; 5yz will not (RFC 959).
    """
    if reply.code in _BY_CODE:
        return _BY_CODE[reply.code](*reply)
    if 400 <= reply.code < 500:
        return ServerFailed(*reply)
    if 500 <= reply.code < 600:
        return BadStatus(*reply)
    return ProtocolViolation(f"unexpected reply {reply.code} {reply.text}", status=reply.code)


# No server listens for data where services have their ports (RFC 6335): a reply that says so has
# another service in mind.
_LOWEST_PORT = 1024


def data_port(line: str) -> int:
    """Return the port in a line with 229 or 227; whatever host it names, the server's is meant.

    Raises ProtocolViolation for none, and for one that is no server's for data.
    """
    try:
        is_extended = line.startswith("229")
        _, port = ftplib.parse229(line, ("", 0)) if is_extended else ftplib.parse227(line)
    except (ftplib.Error, ValueError):  # the latter where int() cannot read it
        raise ProtocolViolation(f"malformed reply {line[:60]!r}") from None
    if not _LOWEST_PORT <= port < 65_536:
        raise ProtocolViolation(f"port {port} is none for data")
    return port


def is_crowded(error: BaseException) -> bool:
    """Tell whether a server refused a further connection only because of those that there are."""
    if not isinstance(error, ServerFailed) or error.status not in (421, 530):
        return False
    return _CROWDED.search(error.reason) is not None
