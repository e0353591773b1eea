"""Programs that serve on a port of loopback."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.milter import PATIENCE


@contextmanager
def listening(
    command: Sequence[str | Path], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server as long as the context lasts, once its port answers."""
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=said, stderr=said, env=environment) as process,
    ):
        try:
            end = time.monotonic() + PATIENCE
            while True:
                if process.poll() is not None or time.monotonic() > end:
                    said.seek(0)
                    raise AssertionError(said.read())
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
