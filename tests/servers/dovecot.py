"""The server's side of Dovecot's authentication protocol, version 1.1, as much as Postfix asks for it."""

from __future__ import annotations

import base64
import socketserver
import threading
from pathlib import Path

GREETING = b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n"


class Passwords:
    """Lets everybody in, with any password."""

    def __init__(self, path: Path) -> None:
        """Listen on a unix socket."""
        self._server = socketserver.ThreadingUnixStreamServer(str(path), _Conversation)
        self._server.daemon_threads = True
        path.chmod(0o666)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(GREETING)
        for line in self.rfile:
            command, *fields = line.rstrip(b"\n").split(b"\t")
            if command != b"AUTH":
                continue
            response = next(one[5:] for one in fields if one.startswith(b"resp="))
            _, user, _ = base64.b64decode(response).split(b"\0")  # RFC 4616
            self.wfile.write(b"OK\t" + fields[0] + b"\tuser=" + user + b"\n")
