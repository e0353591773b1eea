"""Rules about attachments: their names, their types, and what they really are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.facts import Facts
from tamis.decoding import decode_transfer
from tamis.finding import Rule
from tamis.mime import Part

RULES = (
    Rule("ATTACHMENT_EXECUTABLE", "An attachment is a program, a script or a shortcut.", 3.0),
    Rule(
        "ATTACHMENT_DOUBLE_EXTENSION",
        "An attachment's name ends like a document and then like something else.",
        3.0,
    ),
    Rule("ATTACHMENT_HTML", "An HTML page is attached.", 1.5),
    Rule("ATTACHMENT_MACRO", "An attachment is an office document of a kind that holds macros.", 2.0),
    Rule("ATTACHMENT_ARCHIVE", "An archive or a disk image is attached.", 0.5),
    Rule("ATTACHMENT_LOCKED", "An attached archive is encrypted.", 2.0),
    Rule("ATTACHMENT_TYPE_DIFFERS", "An attachment's name and its content disagree.", 1.0),
    Rule(
        "ATTACHMENT_NAME_DISGUISED", "An attachment's name holds control characters or very many blanks.", 3.0
    ),
    Rule("ATTACHMENT_CALENDAR", "The message carries an invitation.", -0.3),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXECUTABLE = _words("""
    app bat chm cmd com cpl dll exe hta iqy jar js jse lnk msi one pif ps1 reg scr url vbe vbs wsf wsh xll
""")
DOCUMENT = _words("csv doc docx gif htm html jpeg jpg mp3 odt pdf png ppt pptx rtf txt xls xlsx zip")
MACRO = _words("docm dotm pptm xlam xlsb xlsm")
ARCHIVE = _words("7z ace arj bz2 cab gz img iso lzh rar tar tgz uue vhd xz z zip")
PAGE = _words("htm html mht shtml svg xhtml")
MISLEADING = EXECUTABLE | ARCHIVE | PAGE  # what a document's name must not end in after all
DISGUISED = re.compile("[\u0000-\u001f\u202a-\u202e\u2066-\u2069]|\\s{5,}")
MAGIC = ((b"MZ", EXECUTABLE), (b"%PDF", {"pdf", "ai"}), (b"Rar!", {"rar"}))
MAX_LOOKED_AT = 16


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    for part in facts.content.parts[:MAX_LOOKED_AT]:
        if part.content_type == "text/calendar":
            yield "ATTACHMENT_CALENDAR"
        name = part.filename.strip()
        if name:
            yield from _named(name)
            yield from _content(part, name)
        elif part.disposition == "attachment" and part.content_type == "text/html":
            yield "ATTACHMENT_HTML"


def _named(name: str) -> Iterator[str]:
    if DISGUISED.search(name):
        yield "ATTACHMENT_NAME_DISGUISED"
    stem, _, extension = name.lower()[-255:].rpartition(".")
    extension = extension.strip()
    if extension in EXECUTABLE:
        yield "ATTACHMENT_EXECUTABLE"
    elif extension in MACRO:
        yield "ATTACHMENT_MACRO"
    elif extension in ARCHIVE:
        yield "ATTACHMENT_ARCHIVE"
    elif extension in PAGE:
        yield "ATTACHMENT_HTML"
    inner = stem.rpartition(".")[2].strip()
    if (
        inner in DOCUMENT
        and extension != inner
        and (extension in EXECUTABLE | ARCHIVE | {"htm", "html", "shtml"})
    ):
        yield "ATTACHMENT_DOUBLE_EXTENSION"


def _content(part: Part, name: str) -> Iterator[str]:
    """Look at the first octets of a part, decoded."""
    if part.encoding != "base64":
        return
    start = _start(part)
    extension = name.lower().rpartition(".")[2]
    if start[:4] == b"PK\x03\x04" and start[6:7] and start[6] & 1:
        yield "ATTACHMENT_LOCKED"
    for magic, extensions in MAGIC:
        if start.startswith(magic) and extension not in extensions:
            yield "ATTACHMENT_TYPE_DIFFERS"


def _start(part: Part) -> bytes:
    return decode_transfer(part.beginning(64), "base64")
