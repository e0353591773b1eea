"""Sample messages: .eml files with envelopes, and test malware that is put together on reading only."""

from __future__ import annotations

import base64
import io
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LIST = "samples.toml"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive knows; makes it the same each time


@dataclass(frozen=True, slots=True)
class Sample:
    """A message to send, and what it is to show."""

    name: str
    about: str
    mail_from: str
    recipients: tuple[str, ...]
    user: str | None  # who authenticates himself to send it
    raw: bytes  # lines ended by CRLF


def eicar() -> bytes:
    """Return the EICAR test file, in no file of ours as scanners would take that away."""
    return rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def zipped(content: bytes, name: str) -> bytes:
    """Return a zip archive that holds one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr(zipfile.ZipInfo(name, LONG_AGO), content)
    return archive.getvalue()


def complete(text: bytes) -> bytes:
    """Return a sample file as a message: with its attachments, lines ended by CRLF."""
    for place, content in _attachments().items():
        text = text.replace(place, base64.encodebytes(content).rstrip())
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _attachments() -> Mapping[bytes, bytes]:
    return {b"{EICAR}": eicar(), b"{EICAR-ZIP}": zipped(eicar(), "eicar.com")}


def load(folder: Path) -> list[Sample]:
    """Return the samples of a folder, in the order of its list."""
    listed = tomllib.loads((folder / LIST).read_text(encoding="utf-8"))["sample"]
    return [
        Sample(
            name=Path(one["file"]).stem,
            about=one["about"],
            mail_from=one["from"],
            recipients=tuple(one["to"]),
            user=one.get("user"),
            raw=complete((folder / one["file"]).read_bytes()),
        )
        for one in listed
    ]
