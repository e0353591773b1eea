"""A server of LMTP that keeps what it is given (RFC 2033)."""

from __future__ import annotations

import re
import socketserver
import threading
from dataclasses import dataclass
from pathlib import Path

GREETING = b"250-mailboxes\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"


@dataclass(frozen=True, slots=True)
class Copy:
    """One recipient's copy of a message."""

    recipient: str
    content: bytes  # lines ended by LF


class Mailboxes(socketserver.ThreadingUnixStreamServer):
    """Takes all mail, with lines of any length."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        """Listen on a unix socket."""
        super().__init__(str(path), _Conversation)
        self.copies: list[Copy] = []
        path.chmod(0o666)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Conversation(socketserver.StreamRequestHandler):
    server: Mailboxes

    def handle(self) -> None:
        self.wfile.write(b"220 mailboxes LMTP\r\n")
        recipients: list[str] = []
        for line in self.rfile:
            match line[:4].upper():
                case b"LHLO":
                    self.wfile.write(GREETING)
                case b"RCPT":
                    recipients += re.findall("<(.*)>", line.decode())
                    self.wfile.write(b"250 2.1.5 ok\r\n")
                case b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    content = self._content()
                    self.server.copies += [Copy(one, content) for one in recipients]
                    self.wfile.write(b"250 2.0.0 kept\r\n" * len(recipients))
                    recipients = []
                case b"QUIT":
                    self.wfile.write(b"221 2.0.0 bye\r\n")
                    return
                case command:
                    if command == b"RSET":
                        recipients = []
                    self.wfile.write(b"250 2.0.0 ok\r\n")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".").replace(b"\r\n", b"\n"))
        return b"".join(lines)
