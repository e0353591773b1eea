"""Tables as CSV (RFC 4180) and XLSX (ECMA-376), a row at a time.

Libraries for XLSX write rows to files with names, which a kill would leave behind.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from typing import IO, TypeAlias
from xml.sax.saxutils import escape

Cell: TypeAlias = str | float | bool | None

# Excel's limits (support.microsoft.com, "Excel specifications and limits"); ECMA-376 has none.
MOST_ROWS = 1_048_576  # of a sheet
LONGEST = 32_767  # characters of a cell
# Where programs begin to read a formula: at the start, and behind what some countries' part cells by.
FORMULA = re.compile(r"(^|[,;|\t\r\n])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 section 2.2

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def harmless(text: str) -> str:
    """Return a text that no program takes for a formula: with an apostrophe before what could begin one."""
    return FORMULA.sub(r"\1'", text)


class Csv:
    """CSV in UTF-8."""

    def __init__(self, file: IO[bytes], columns: Sequence[str]) -> None:
        # Half a character, which JSON can hold, has no octets.
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        self._writer = csv.writer(self._text)
        self.write(columns)

    def write(self, row: Sequence[Cell]) -> None:
        """Add a row."""
        self._writer.writerow([_csv(cell) for cell in row])

    def close(self) -> None:
        """Write what is left; the file stays open."""
        self._text.detach()


class Xlsx:
    """A workbook of one table, which goes on in another sheet where one is full."""

    def __init__(self, file: IO[bytes], name: str, columns: Sequence[str]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._name = name
        self._columns = columns
        self._sheets = 0
        self._begin()

    def write(self, row: Sequence[Cell]) -> None:
        """Add a row."""
        if self._rows == MOST_ROWS:
            self._end()
            self._begin()
        self._sheet.write(f"<row>{''.join(map(_xlsx, row))}</row>".encode())
        self._rows += 1

    def close(self) -> None:
        """Write what is left; the file stays open."""
        self._end()
        numbers = range(1, self._sheets + 1)
        names = [self._name if number == 1 else f"{self._name} {number}" for number in numbers]
        sheets = "".join(
            f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in zip(numbers, names, strict=True)
        )
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{KIND}.worksheet+xml"/>'
            for number in numbers
        )
        self._add(
            "xl/workbook.xml",
            f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>{sheets}</sheets></workbook>',
        )
        self._add(
            "xl/_rels/workbook.xml.rels",
            _relations("worksheet", [f"worksheets/sheet{one}.xml" for one in numbers]),
        )
        self._add("_rels/.rels", _relations("officeDocument", ["xl/workbook.xml"]))
        self._add(
            "[Content_Types].xml",
            f'<Types xmlns="{TYPES}"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>{parts}</Types>',
        )
        self._zip.close()

    def _begin(self) -> None:
        self._sheets += 1
        self._rows = 0
        self._sheet = self._zip.open(f"xl/worksheets/sheet{self._sheets}.xml", "w", force_zip64=True)
        self._sheet.write(f'{XML}<worksheet xmlns="{SHEET}"><sheetData>'.encode())
        self.write(self._columns)

    def _end(self) -> None:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()

    def _add(self, name: str, text: str) -> None:
        self._zip.writestr(name, XML + text)


def _relations(kind: str, targets: Sequence[str]) -> str:
    each = (
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, target in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{RELATIONS}">{"".join(each)}</Relationships>'


def _csv(cell: Cell) -> str | float:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case str():
            return harmless(cell)
    return cell


def _xlsx(cell: Cell) -> str:
    match cell:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(cell)}</v></c>'
        case str():
            text = escape(NOT_XML.sub("\ufffd", harmless(cell)[:LONGEST]))
            return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f"<c><v>{cell}</v></c>"
