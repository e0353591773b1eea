"""Asks the IMAP server whether a password is right (RFC 9051), by which it is used once and not kept."""

from __future__ import annotations

import imaplib
import ssl

from tamis import address
from tamis.webpage import Imap

AWAY = ("[UNAVAILABLE]", "[SERVERBUG]", "[INUSE]", "[CONTACTADMIN]")  # response codes of RFC 5530


class ImapUnavailable(Exception):
    """The server does not tell."""


class Mailboxes:
    """One server."""

    def __init__(self, settings: Imap) -> None:
        where = address.parse(settings.server)
        assert isinstance(where, address.InetAddress)  # noqa: S101  # as the configuration has it checked
        self._where = where
        self._settings = settings
        self._context = ssl.create_default_context(cafile=settings.ca_file or None)

    def accepts(self, account: str, password: str) -> bool:
        """Tell whether a password is that of an account's mailbox; raise ImapUnavailable."""
        login = account if self._settings.login == "address" else account.rpartition("@")[0]
        if not password or not (login + password).isprintable():
            return False  # nothing that could end a line, or a field of SASL's PLAIN
        try:
            server = self._connect()
        except (OSError, imaplib.IMAP4.error) as error:
            raise ImapUnavailable(f"{self._where}: {type(error).__name__}") from None
        try:
            return self._ask(server, login, password)
        except (OSError, imaplib.IMAP4.abort) as error:
            raise ImapUnavailable(f"{self._where}: {type(error).__name__}") from None
        finally:
            server.shutdown()

    def _connect(self) -> imaplib.IMAP4:
        host, port, timeout = self._where.host, self._where.port, self._settings.timeout
        if self._settings.tls == "tls":
            return imaplib.IMAP4_SSL(host, port, ssl_context=self._context, timeout=timeout)
        server = imaplib.IMAP4(host, port, timeout=timeout)
        if self._settings.tls == "starttls":
            try:
                server.starttls(self._context)
            except BaseException:
                server.shutdown()
                raise
        return server

    def _ask(self, server: imaplib.IMAP4, login: str, password: str) -> bool:
        try:
            if "AUTH=PLAIN" in server.capabilities:
                plain = f"\0{login}\0{password}".encode()  # RFC 4616
                server.authenticate("PLAIN", lambda _: plain)
            else:
                server.login(_quoted(login), password)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if any(code in str(error).upper() for code in AWAY):
                raise ImapUnavailable(f"{self._where}: unavailable") from None
            return False
        except UnicodeEncodeError:
            return False  # such a server takes ASCII only
        return True


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
