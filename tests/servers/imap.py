"""An IMAP server with passwords and nothing else (RFC 9051), in clear, by TLS or with STARTTLS."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import re
import socketserver
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class ImapServer:
    """Listens on loopback from the start to the end of the block; certificate is what a client must trust."""

    def __init__(
        self, folder: Path, passwords: Mapping[str, str], *, tls: str = "tls", plain: bool = True
    ) -> None:
        """Take who may sign in; without plain there is LOGIN only."""
        self.certificate = folder / "imap.pem"
        certify(self.certificate)
        self.passwords = passwords
        self.tls = tls
        self.plain = plain
        self.asked: list[str] = []  # who was asked about
        self.answer: bytes | None = None  # to all who ask, instead
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate)
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._converse)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _converse(self, request: Any, client: Any, server: Any) -> Conversation:
        return Conversation(request, client, server, self)

    def knows(self, login: str, password: str) -> bytes:
        """Return the answer to who asks."""
        self.asked.append(login)
        if self.answer is not None:
            return self.answer
        if self.passwords.get(login) == password:
            return b"OK welcome"
        return b"NO [AUTHENTICATIONFAILED] no"


class Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    def __init__(self, request: Any, client: Any, server: Any, imap: ImapServer) -> None:
        self._imap = imap
        self._is_safe = imap.tls != "starttls"
        super().__init__(request, client, server)

    def setup(self) -> None:
        """Begin with TLS where that is wanted."""
        if self._imap.tls == "tls":
            self.request = self._imap.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        """Answer commands to the end."""
        self._say(b"* OK [CAPABILITY " + self._capabilities() + b"] ready")
        while line := self.rfile.readline():
            tag, command, *rest = line.rstrip(b"\r\n").split(b" ", 2)
            self._answer(tag, command.upper(), rest[0].decode() if rest else "")

    def _answer(self, tag: bytes, command: bytes, rest: str) -> None:
        match command:
            case b"CAPABILITY":
                self._say(b"* CAPABILITY " + self._capabilities())
                self._say(tag + b" OK done")
            case b"STARTTLS":
                self._say(tag + b" OK begin")
                self.request = self._imap.context.wrap_socket(self.request, server_side=True)
                self._is_safe = True
                super().setup()
            case b"AUTHENTICATE" if self._is_safe:
                self._say(b"+ ")
                _, login, password = base64.b64decode(self.rfile.readline()).decode().split("\0")
                self._say(tag + b" " + self._imap.knows(login, password))
            case b"LOGIN" if self._is_safe:
                login, password = (re.sub(r"\\(.)", r"\1", one) for one in QUOTED.findall(rest))
                self._say(tag + b" " + self._imap.knows(login, password))
            case _:
                self._say(tag + b" BAD what?")

    def _capabilities(self) -> bytes:
        found = [b"IMAP4rev1"]
        if self._imap.tls == "starttls" and not self._is_safe:
            found += [b"STARTTLS", b"LOGINDISABLED"]
        elif self._imap.plain:
            found.append(b"AUTH=PLAIN")
        return b" ".join(found)

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


def certify(path: Path) -> None:
    """Write a certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imap.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    octets = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(octets + made.public_bytes(serialization.Encoding.PEM))
