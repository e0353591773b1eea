"""The server's side of saslauthd's protocol: user, password, service and realm as counted strings."""

from __future__ import annotations

import socketserver
import struct
import threading
from pathlib import Path

LENGTH = struct.Struct("!H")


class Passwords(socketserver.ThreadingUnixStreamServer):
    """Lets everybody in, with any password."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        """Listen on a unix socket."""
        super().__init__(str(path), _Conversation)
        path.chmod(0o666)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for _ in range(4):
            (length,) = LENGTH.unpack(self.rfile.read(LENGTH.size))
            self.rfile.read(length)
        self.wfile.write(LENGTH.pack(2) + b"OK")
