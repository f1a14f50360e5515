"""One SSL context per TLS setting, and clear words for files that are none."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from pathlib import Path

import pytest

from pulp_download.errors import InvalidSettings
from pulp_download.settings import TLSSettings
from pulp_download.tls import ssl_context
from tests.servers import authority, other_authority
from tests.unit.children import in_child


def names_of_authorities(context: ssl.SSLContext) -> int:
    return len(context.get_ca_certs())


def test_equal_settings_share_one_context() -> None:
    assert ssl_context(TLSSettings()) is ssl_context(TLSSettings())
    assert ssl_context(TLSSettings()) is not ssl_context(TLSSettings(validation=False))


@pytest.mark.fault(61)
def test_certificates_and_names_are_checked_unless_that_is_switched_off() -> None:
    strict, lax = ssl_context(TLSSettings()), ssl_context(TLSSettings(validation=False))
    assert (strict.verify_mode, lax.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)
    assert strict.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert names_of_authorities(strict) > 50


@pytest.mark.fault(67)
@pytest.mark.parametrize("validation", [True, False])
def test_an_end_without_a_notice_is_not_taken_for_an_end(validation: bool) -> None:
    context = ssl_context(TLSSettings(validation=validation))
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF


@pytest.mark.fault(65)
def test_the_environment_does_not_replace_the_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = str(other_authority().file(tmp_path))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, evil)
    context = ssl_context(TLSSettings(ca_cert=authority().pem))
    assert names_of_authorities(context) == 1


@pytest.mark.parametrize("kind", ["text", "file", "directory"])
def test_authorities_are_text_or_a_file_or_a_directory(tmp_path: Path, kind: str) -> None:
    file = authority().file(tmp_path)
    value = {"text": authority().pem, "file": str(file), "directory": str(tmp_path)}[kind]
    context = ssl_context(TLSSettings(ca_cert=value))
    if kind != "directory":  # which is looked into only when a peer shows a certificate
        assert names_of_authorities(context) == 1


def test_a_file_that_has_changed_is_loaded_again(tmp_path: Path) -> None:
    file = authority().file(tmp_path)
    settings = TLSSettings(ca_cert=str(file))
    first = ssl_context(settings)
    assert ssl_context(settings) is first
    file.write_text(authority().pem + other_authority().pem)
    assert ssl_context(settings) is not first
    assert names_of_authorities(ssl_context(settings)) == 2


@pytest.mark.parametrize("kind", ["two files", "one file", "text", "text and file"])
def test_a_client_certificate_is_text_or_files(tmp_path: Path, kind: str) -> None:
    files = authority().client_cert_files(tmp_path)
    cert, key = {
        "two files": (str(files.cert), str(files.key)),
        "one file": (str(files.both), None),
        "text": (files.cert_pem, files.key_pem),
        "text and file": (files.cert_pem, str(files.key)),
    }[kind]
    before = os.listdir(tempfile.gettempdir())
    assert ssl_context(TLSSettings(client_cert=cert, client_key=key, validation=False))
    assert os.listdir(tempfile.gettempdir()) == before


@pytest.mark.parametrize("field", ["ca_cert", "client_cert", "client_key"])
@pytest.mark.parametrize("value", ["absent.pem", "empty.pem", "text.pem", "a\0b"])
def test_a_file_that_is_missing_or_no_certificate_is_named_with_its_field(
    tmp_path: Path, field: str, value: str
) -> None:
    files = authority().client_cert_files(tmp_path)
    (tmp_path / "empty.pem").touch()
    (tmp_path / "text.pem").write_text("no certificate")
    fields = {"client_cert": str(files.cert), "client_key": str(files.key)}
    fields = {} if field == "ca_cert" else fields
    fields[field] = str(tmp_path / value)
    with pytest.raises(InvalidSettings) as caught:
        ssl_context(TLSSettings(**fields))  # type: ignore[arg-type]
    # OpenSSL does not say which of certificate and key it could not use.
    is_pair = field == "client_key" and value in ("empty.pem", "text.pem")
    assert str(caught.value).startswith("client_cert: " if is_pair else f"{field}: ")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("field", ["ca_cert", "client_cert", "client_key"])
def test_pem_text_that_is_none_is_not_repeated(tmp_path: Path, field: str) -> None:
    files = authority().client_cert_files(tmp_path)
    fields = {"client_cert": str(files.cert), "client_key": str(files.key)}
    fields = {} if field == "ca_cert" else fields
    fields[field] = "-----BEGIN CERTIFICATE-----\nc4n4ry\n-----END CERTIFICATE-----\n"
    with pytest.raises(InvalidSettings) as caught:
        ssl_context(TLSSettings(**fields))  # type: ignore[arg-type]
    assert "c4n4ry" not in f"{caught.value}{caught.value!r}"


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one = authority().client_cert_files(tmp_path, "one.test")
    other = authority().client_cert_files(tmp_path, "other.test")
    with pytest.raises(InvalidSettings, match="KEY_VALUES_MISMATCH"):
        ssl_context(TLSSettings(client_cert=str(one.cert), client_key=str(other.key)))


@pytest.mark.timeout(10)
def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    files = authority().client_cert_files(tmp_path, password="c4n4ry")
    with pytest.raises(InvalidSettings, match="the key is encrypted") as caught:
        ssl_context(TLSSettings(client_cert=str(files.cert), client_key=str(files.key)))
    assert "c4n4ry" not in str(caught.value)


def test_a_failure_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    settings = TLSSettings(ca_cert=str(file))
    with pytest.raises(InvalidSettings):
        ssl_context(settings)
    file.write_text(authority().pem)
    assert names_of_authorities(ssl_context(settings)) == 1


def test_many_threads_make_one_context() -> None:
    settings = TLSSettings(ca_cert=authority().pem + "\n")
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(ssl_context(settings))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


@pytest.mark.fault(135)
def test_a_forked_child_does_not_wait_for_a_lock_that_nobody_holds() -> None:
    from pulp_download import tls

    with tls._lock:
        assert in_child(lambda: bool(ssl_context(TLSSettings())))
