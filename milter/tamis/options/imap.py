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

    def __init__(self, settings: Imap, where: address.InetAddress, context: ssl.SSLContext) -> None:
        self._where = where
        self._settings = settings
        self._context = context

    @classmethod
    def of(cls, settings: Imap) -> Mailboxes:
        """Return those of the configuration; raise ValueError for a file of certificates that will not do."""
        where = address.parse(settings.server)
        assert isinstance(where, address.InetAddress)  # noqa: S101  # as the configuration has it checked
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError as error:
            raise ValueError(f"{settings.ca_file} cannot be used: {error.strerror or error}") from None
        return cls(settings, where, context)

    def probe(self) -> None:
        """Begin a conversation and end it; raise ImapUnavailable."""
        self._open().shutdown()

    def accepts(self, account: str, password: str) -> bool:
        """Tell whether a password is that of an account's mailbox; raise ImapUnavailable."""
        login = account if self._settings.login == "address" else account.rpartition("@")[0]
        if not password or not (login + password).isprintable():
            return False  # nothing that could end a line, or a field of SASL's PLAIN
        server = self._open()
        try:
            return self._ask(server, login, password)
        except (OSError, imaplib.IMAP4.abort) as error:
            raise ImapUnavailable(f"{self._where}: {_why(error)}") from None
        finally:
            server.shutdown()

    def _open(self) -> imaplib.IMAP4:
        try:
            return self._connect()
        except (OSError, imaplib.IMAP4.error) as error:
            raise ImapUnavailable(f"{self._where}: {_why(error)}") from None

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


def _why(error: Exception) -> str:
    """Return what is known, and nothing that the server may have quoted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "it broke off the conversation"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
