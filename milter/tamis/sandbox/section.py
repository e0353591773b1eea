"""A message cut where Postfix cuts it: the fields of its header section as received, and the body."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A field as Postfix's is_header(3) sees it: a name of printable ASCII, blanks, a colon; then its folds.
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")
EMPTY_LINE = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class Field:
    """A header field: its name, and all its octets as received, line ends included."""

    name: bytes
    octets: bytes

    @property
    def value(self) -> bytes:
        """What a milter gets: from behind the colon up to the last line end, folds as bare LF."""
        value = self.octets.partition(b":")[2].removesuffix(b"\n").removesuffix(b"\r")
        return value.replace(b"\r\n", b"\n")


@dataclass(frozen=True, slots=True)
class Section:
    """Header section and body; the separator is the empty line between them, if the message goes so far."""

    fields: tuple[Field, ...]
    separator: bytes
    body: bytes

    @property
    def octets(self) -> bytes:
        """The message again."""
        return b"".join((*(field.octets for field in self.fields), self.separator, self.body))


def split(raw: bytes) -> Section:
    """Cut a message; where the body begins without an empty line, Postfix puts one in."""
    fields = []
    end = 0
    while match := FIELD.match(raw, end):
        fields.append(Field(match[1], match[0]))
        end = match.end()
    if empty := EMPTY_LINE.match(raw, end):
        return Section(tuple(fields), empty[0], raw[empty.end() :])
    return Section(tuple(fields), b"\r\n" if end < len(raw) else b"", raw[end:])
