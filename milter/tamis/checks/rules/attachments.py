"""Rules about attachments: their names, their types, and what they really are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.facts import Facts
from tamis.finding import Rule
from tamis.mime import Part, decode_transfer

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

EXECUTABLE = frozenset(
    "exe scr pif com bat cmd vbs vbe js jse wsf wsh hta lnk url cpl msi jar ps1 reg chm dll app one iqy xll".split()
)
DOCUMENT = frozenset(
    "pdf doc docx xls xlsx ppt pptx txt jpg jpeg png gif htm html rtf csv odt mp3 zip".split()
)
MACRO = frozenset("docm xlsm pptm dotm xlam xlsb".split())
ARCHIVE = frozenset("zip rar 7z gz tgz bz2 xz tar iso img ace arj cab z vhd uue lzh".split())
DISGUISED = re.compile("[\u0000-\u001f\u202a-\u202e\u2066-\u2069]|\\s{5,}")
MAGIC = ((b"MZ", EXECUTABLE), (b"%PDF", {"pdf", "ai"}), (b"PK\x03\x04", None), (b"Rar!", {"rar"}))
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
    elif extension in ("htm", "html", "shtml", "xhtml", "svg", "mht"):
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
        if extensions is not None and start.startswith(magic) and extension not in extensions:
            yield "ATTACHMENT_TYPE_DIFFERS"


def _start(part: Part) -> bytes:
    return decode_transfer(part.encoded[:64], "base64")
