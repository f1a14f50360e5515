"""vsftpd and proftpd, configured for one folder and started by root."""

from __future__ import annotations

import pwd
import subprocess
from pathlib import Path

from tests.servers.ftp_daemon import Daemon
from tests.servers.ftp_kind import HOST, Protection
from tests.servers.tls import authority

# An account without rights that matter, so that files can be unreadable for it. Its home exists:
# vsftpd enters that before it goes where it was told.
SERVANT = "daemon"


class Vsftpd(Daemon):
    """vsftpd: ``options`` are lines of vsftpd.conf, such as ``{"max_per_ip": "2"}``.

    Its local users are the system's, so ``user`` is one of its names for anonymous, ftp or
    anonymous, whose password is then checked.
    """

    binary = "vsftpd"

    def command(self, folder: Path) -> list[str]:
        (folder / "empty").mkdir(exist_ok=True)
        settings = {
            "listen": "YES",
            "listen_address": HOST,
            "listen_port": str(self.port),
            "background": "NO",
            "anonymous_enable": "YES",
            "local_enable": "NO",
            "ftp_username": SERVANT,
            "nopriv_user": "nobody",
            "anon_root": str(folder / "root"),
            "secure_chroot_dir": str(folder / "empty"),
            "vsftpd_log_file": str(folder / "log"),
            # Its filter of system calls is older than the OpenSSL it is built with here: the child
            # is killed in the handshake ("500 OOPS: child died").
            "seccomp_sandbox": "NO",
            # It would wait a second before it says that a login has failed.
            "delay_failed_login": "0",
        }
        if self.user is not None:
            name, password = self.user
            if name not in ("ftp", "anonymous"):
                raise ValueError(f"not a name for anonymous: {name}")
            passwords = folder / "passwords"
            passwords.write_text(f"{password}\n")
            settings |= {
                "secure_email_list_enable": "YES",
                "email_password_file": str(passwords),
            }
        if self.rate is not None:
            settings["anon_max_rate"] = str(self.rate)
        if self.protection is not Protection.NONE:
            chain, key = authority().server_files(folder)
            settings |= {
                "ssl_enable": "YES",
                "allow_anon_ssl": "YES",
                "force_anon_logins_ssl": "YES",
                "force_anon_data_ssl": "YES",
                "implicit_ssl": "YES" if self.protection is Protection.IMPLICIT else "NO",
                "rsa_cert_file": str(chain),
                "rsa_private_key_file": str(key),
                # The default is DES-CBC3-SHA, which today's OpenSSL does not have: without this
                # line there is no TLS 1.2.
                "ssl_ciphers": "HIGH",
            }
        settings |= self.options
        config = folder / "vsftpd.conf"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return [str(config)]


class Proftpd(Daemon):
    """proftpd: ``options`` are lines of proftpd.conf, such as ``{"MaxClientsPerHost": "2"}``.

    A ``user`` is a virtual one, with a password of any text.
    """

    binary = "proftpd"

    @classmethod
    def why_not(cls, protection: Protection = Protection.NONE) -> str | None:
        if reason := super().why_not(protection):
            return reason
        if protection is not Protection.NONE and not cls._has_tls():
            return "proftpd has no mod_tls (proftpd-mod-crypto): NOT tested against it under TLS"
        return None

    @classmethod
    def _has_tls(cls) -> bool:
        return any(Path(place, "proftpd/mod_tls.so").exists() for place in MODULES)

    def command(self, folder: Path) -> list[str]:
        config = folder / "proftpd.conf"
        config.write_text("\n".join([*self._server(folder), *self._who(folder), ""]))
        return ["--nodaemon", "--config", str(config)]

    def _server(self, folder: Path) -> list[str]:
        settings = {
            "ServerName": '"test"',
            "ServerType": "standalone",
            "DefaultAddress": HOST,
            "Port": str(self.port),
            "SocketBindTight": "on",
            "UseIPv6": "off",
            "UseReverseDNS": "off",
            "WtmpLog": "off",
            "TransferLog": "none",
            "SystemLog": str(folder / "log"),
            "PidFile": str(folder / "pid"),
            "ScoreboardFile": str(folder / "scoreboard"),
            "DelayTable": "none",
            "RequireValidShell": "off",
            "AuthOrder": "mod_auth_file.c",
            "AuthUserFile": str(folder / "passwd"),
            "AuthGroupFile": str(folder / "group"),
        }
        if self.rate is not None:
            settings["TransferRate"] = f"RETR {self.rate / 1024}"  # in KiB a second
        lines = [f"{name} {value}" for name, value in (settings | self.options).items()]
        return lines + self._tls(folder)

    def _tls(self, folder: Path) -> list[str]:
        if self.protection is Protection.NONE:
            return []
        chain, key = authority().server_files(folder)
        modules = next(place for place in MODULES if Path(place, "proftpd").is_dir())
        implicit = self.protection is Protection.IMPLICIT
        return [
            f"ModulePath {modules}/proftpd",
            "LoadModule mod_tls.c",
            "TLSEngine on",
            "TLSRequired on",
            f"TLSLog {folder / 'tls-log'}",
            f"TLSECCertificateFile {chain}",
            f"TLSECCertificateKeyFile {key}",
            *(["TLSOptions UseImplicitSSL"] if implicit else []),
        ]

    def _who(self, folder: Path) -> list[str]:
        account = pwd.getpwnam(SERVANT)
        name, password = self.user or ("ftp", "")
        ids = f"{account.pw_uid}:{account.pw_gid}"
        line = f"{name}:{hashed(password)}:{ids}::{folder / 'root'}:/bin/false"
        passwd, group = folder / "passwd", folder / "group"
        passwd.write_text(f"{line}\n")
        group.write_text(f"servants:x:{account.pw_gid}:\n")
        for file in (passwd, group):
            file.chmod(0o600)  # it reads no file that others may
        if self.user is not None:
            return ["User root", "Group root", "DefaultRoot ~"]
        return [
            "User root",
            "Group root",
            f"<Anonymous {folder / 'root'}>",
            f"User {name}",
            "Group servants",
            f"UserAlias anonymous {name}",
            "</Anonymous>",
        ]


# Where Debian and others put the modules of proftpd, in a folder of its name.
MODULES = ("/usr/lib", "/usr/lib64", "/usr/libexec")


def hashed(password: str) -> str:
    """The password as crypt(3) has it. Python's crypt module is gone in 3.13, openssl is not."""
    done = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=password,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
