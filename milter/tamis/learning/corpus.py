"""Reads labelled mail: *.jsonl.xz sets, folders with ham/ and spam/, and mbox files."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.finding import Graymail
from tamis.message import Envelope, Message, Recipient, split

SPAM = ("spam", "phish", "phishing")
HAM = ("ham", *(one.value for one in Graymail))
# Categories of the sets, and the class that a filter should give.
CATEGORIES = {
    "newsletter_marketing": Graymail.NEWSLETTER,
    "social_notification": Graymail.SOCIAL,
    "list_discussion": Graymail.LIST,
    "transactional": Graymail.NONE,
    "personal": Graymail.NONE,
    "auto_bounce": Graymail.NONE,
    **{one.value: one for one in Graymail},
}


class CorpusError(Exception):
    """A corpus cannot be read; the text names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A message and what is known of it."""

    message: Message
    spam: bool
    corpus: str
    graymail: Graymail | None = None  # of ham; None where nobody has told


def read(path: Path) -> Iterator[Sample]:
    """Yield the samples of a set in the file's order; raise CorpusError.

    A folder is a set of its own with subfolders ham and spam, and optionally newsletter, social,
    list, none for ham of known class; each holds one message per file or mbox files.
    """
    try:
        if path.is_dir():
            yield from _folder(path)
        elif path.name.endswith((".jsonl.xz", ".jsonl")):
            yield from _lines(path)
        else:
            raise CorpusError(f"{path}: expected a folder with ham and spam, or a .jsonl.xz file")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise CorpusError(f"{path}: {error}") from error


def _lines(path: Path) -> Iterator[Sample]:
    opened = lzma.open if path.name.endswith(".xz") else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _sample(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise CorpusError(f"{path} line {number}: {type(error).__name__}: {error}") from error


def _sample(record: Mapping[str, Any]) -> Sample:
    label = record["label"]
    if label != "ham" and label not in SPAM:
        raise ValueError(f'label: expected ham, spam or phish, got "{label}"')
    envelope = record.get("env") or {}
    recipients = envelope.get("rcpt") or ()
    if isinstance(recipients, str):
        recipients = (recipients,)
    fields, body = split(record["clean"].encode("latin-1"))
    message = Message(
        Envelope(
            mail_from=(envelope.get("mail_from") or "").strip("<>"),
            recipients=tuple(Recipient(one.strip("<>")) for one in recipients),
            client_ip=envelope.get("ip") or None,
            helo=envelope.get("helo") or "",
        ),
        fields,
        body,
    )
    graymail = CATEGORIES.get(record.get("graymail_cat") or "") if label == "ham" else None
    return Sample(message, label != "ham", record.get("set") or record["corpus"], graymail)


def _folder(path: Path) -> Iterator[Sample]:
    found = False
    for name in (*HAM, *SPAM):
        for file in sorted((path / name).rglob("*")):
            if not file.is_file():
                continue
            graymail = CATEGORIES.get(name)
            for raw in _messages(file.read_bytes()):
                found = True
                fields, body = split(raw)
                yield Sample(Message(Envelope(), fields, body), name in SPAM, path.name, graymail)
    if not found:
        raise CorpusError(f"{path}: no messages in {', '.join((*HAM, *SPAM))}")


def _messages(octets: bytes) -> Sequence[bytes]:
    """Return the messages of an mbox, or the one message that a file holds."""
    if not octets.startswith(b"From "):
        return (octets,)
    octets = octets.replace(b"\r\n", b"\n")
    return [one.partition(b"\n")[2] for one in (b"\n\n" + octets).split(b"\n\nFrom ")[1:]]
