"""What a correct FTP server does with each command: the table that scripts take rows out of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

from tests.servers.ftp_house import Command, Refused
from tests.servers.ftp_session import Session

FtpScript = Callable[[Session, Command], None]

BEGIN = "150 Opening the data connection."
DONE = "226 Transfer complete."


def _of_user(script: FtpScript) -> FtpScript:
    """The script, for those who have logged in; others get 530."""

    def checked(session: Session, command: Command) -> None:
        if not session.logged_in:
            raise Refused("530 Please log in with USER and PASS.")
        script(session, command)

    return checked


# -- who


def _user(session: Session, command: Command) -> None:
    if session.house.tls_required and not session.secured:
        raise Refused("530 Sessions must use encryption.")
    session.user = command.argument
    session.logged_in = False
    session.reply("331 Please specify the password.")


def _password(session: Session, command: Command) -> None:
    if session.user is None:
        raise Refused("503 USER comes first.")
    users = session.house.users
    if users is not None and users.get(session.user) != command.argument:
        raise Refused("530 Login incorrect.")
    session.log_in()
    session.reply("230 Login successful.")


def _quit(session: Session, command: Command) -> None:
    session.reply("221 Goodbye.")
    session.close()


# -- protection (RFC 4217)


def auth(session: Session, *, reply: str = "234 Proceed.", injected: bytes = b"") -> None:
    """Put the session under TLS; ``injected`` goes out in the clear, in one piece with the 234."""
    if session.house.tls is None:
        raise Refused("502 AUTH is not available.")
    session.send(f"{reply}\r\n".encode() + injected)
    session.secure(session.house.tls)
    session.user, session.logged_in = None, False


def _auth(session: Session, command: Command) -> None:
    if command.argument.upper() not in ("TLS", "TLS-C", "SSL"):
        raise Refused("504 Unknown AUTH type.")
    auth(session)


def _size_of_protection(session: Session, command: Command) -> None:
    if not session.secured:
        raise Refused("503 PBSZ needs a secure control connection.")
    session.reply("200 PBSZ=0")


def _protection(session: Session, command: Command) -> None:
    if not session.secured:
        raise Refused("503 PROT needs a secure control connection.")
    if command.argument not in ("C", "P"):
        raise Refused("536 Only C and P.")
    session.protected = command.argument == "P"
    session.reply(f"200 PROT now {command.argument}.")


# -- what there is


def _features(session: Session, command: Command) -> None:
    secure = [" AUTH TLS", " PBSZ", " PROT"] if session.house.tls is not None else []
    features = [" EPSV", " MDTM", " PASV", " REST STREAM", " SIZE", " UTF8", *secure]
    session.reply("211-Features:", *features, "211 End")


def _options(session: Session, command: Command) -> None:
    if command.argument.upper() not in ("UTF8 ON", "UTF8"):
        raise Refused("501 Option not understood.")
    session.reply("200 Always in UTF8 mode.")


def _type(session: Session, command: Command) -> None:
    kind = command.argument.upper()
    if kind not in ("I", "L 8", "A", "A N"):
        raise Refused("504 Type not implemented.")
    session.binary = kind in ("I", "L 8")
    session.reply(f"200 Type set to {kind}.")


def _where(session: Session, command: Command) -> None:
    doubled = session.folder.replace('"', '""')
    session.reply(f'257 "{doubled}" is the current directory')


def _go(session: Session, command: Command) -> None:
    path = session.path(command.argument)
    if not session.house.is_folder(path):
        raise Refused("550 Failed to change directory.")
    session.folder = path
    session.reply("250 Directory successfully changed.")


def _size(session: Session, command: Command) -> None:
    if not session.binary:
        raise Refused("550 SIZE not allowed in ASCII mode.")
    session.reply(f"213 {len(session.house.find(session.path(command.argument)).body)}")


def _modified(session: Session, command: Command) -> None:
    modified = session.house.find(session.path(command.argument)).modified
    if modified is None:
        raise Refused("550 Could not get the modification time.")
    if modified.tzinfo is not None:
        modified = modified.astimezone(UTC)
    session.reply(f"213 {modified:%Y%m%d%H%M%S}")


# -- data


def passive_reply(verb: str, *, host: str, port: int) -> str:
    """The reply to PASV (227) or EPSV (229) that leads to a host, if it says one, and a port."""
    if verb == "EPSV":
        return f"229 Entering Extended Passive Mode (|||{port}|)"
    numbers = [*host.split("."), str(port // 256), str(port % 256)]
    return f"227 Entering Passive Mode ({','.join(numbers)})."


def _passive(session: Session, command: Command) -> None:
    if command.verb == "EPSV" and command.argument.upper() == "ALL":
        session.reply("200 EPSV ALL ok.")
        return
    host: str = session.sock.getsockname()[0]
    if command.verb == "PASV" and ":" in host:
        raise Refused("425 PASV is for IPv4; use EPSV.")
    session.reply(passive_reply(command.verb, host=host, port=session.listen()))


def _restart(session: Session, command: Command) -> None:
    if not command.argument.isascii() or not command.argument.isdecimal():
        raise Refused("501 REST needs a number.")
    session.offset = int(command.argument)
    session.reply(f"350 Restart position accepted ({session.offset}).")


def _retrieve(session: Session, command: Command) -> None:
    offset = session.take_offset()
    body = session.body(command.argument)
    session.open_data(BEGIN)
    session.send_data(body[offset:])
    session.close_data()
    session.reply(DONE)


GOOD: dict[str, FtpScript] = {
    "USER": _user,
    "PASS": _password,
    "QUIT": _quit,
    "AUTH": _auth,
    "PBSZ": _size_of_protection,
    "PROT": _protection,
    "SYST": lambda session, command: session.reply("215 UNIX Type: L8"),
    "NOOP": lambda session, command: session.reply("200 Done nothing."),
    "FEAT": _features,
    "OPTS": _options,
    "TYPE": _of_user(_type),
    "PWD": _of_user(_where),
    "CWD": _of_user(_go),
    "SIZE": _of_user(_size),
    "MDTM": _of_user(_modified),
    "EPSV": _of_user(_passive),
    "PASV": _of_user(_passive),
    "REST": _of_user(_restart),
    "RETR": _of_user(_retrieve),
    "ABOR": _of_user(lambda session, command: session.reply("226 Nothing to abort.")),
}
