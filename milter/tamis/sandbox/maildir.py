"""Delivery into Maildirs, with the detail of an address as folder (Maildir++)."""

from __future__ import annotations

import itertools
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = "outside"  # the Maildir of recipients in other domains

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where a copy goes: an account's or address's Maildir, or a folder of it; folder "" is the inbox."""

    owner: str
    folder: str = ""


class Maildirs:
    """The Maildirs below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, mailbox: Mailbox) -> Path:
        """Return the Maildir of a mailbox, whether it is there or not."""
        path = self._root / _name(mailbox.owner)
        return path / f".{_name(mailbox.folder)}" if mailbox.folder else path

    def deliver(self, mailbox: Mailbox, content: bytes) -> Path:
        """Write a message, lines ended by CRLF, as mail is kept on a disk, with LF; raise OSError."""
        maildir = self.path(mailbox)
        for part in ("tmp", "new", "cur"):
            (maildir / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        if mailbox.folder:
            (maildir / "maildirfolder").touch(mode=0o600)
        name = f"{time.time():.0f}.P{os.getpid()}Q{next(_serial)}.{_name(socket.gethostname())}"
        temporary = maildir / "tmp" / name
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.replace(b"\r\n", b"\n"))
            return temporary.rename(maildir / "new" / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _name(text: str) -> str:
    """Return a text as a file name that is no path and not hidden."""
    name = text.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return "%2E" + name[1:] if name.startswith(".") else name
