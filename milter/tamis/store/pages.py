"""Tells which octets of an SQLite file are out of use (https://www.sqlite.org/fileformat2.html)."""

from __future__ import annotations

import struct

START = 100  # octets of the file that tell what it is
_MAGIC = b"SQLite format 3\0"
# After 16 octets: page size, write and read version, octets reserved on each page; the largest root page.
_FILE = struct.Struct(">16sHBBB31xI")
_WAL = 2  # the version of write-ahead logging
_LARGEST = 65536  # octets of a page; written as 0 or 1, as two octets do not hold it
# Of a b-tree page: kind, first free block, cells, start of their content.
_PAGE = struct.Struct(">BHHH")
_BEFORE_CELLS = {2: 12, 5: 12, 10: 8, 13: 8}  # octets before the pointers to cells, by the kind of page
_BLOCK = struct.Struct(">HH")  # of a free block: the next one, octets
_LEAST_CELL = 4  # octets
_LOCKED = 0x40000000  # an octet that SQLite locks, on a page that holds nothing
_ENTRY = 5  # octets about a page in the pointer map
_IN_TREE = (b"\1", b"\5")  # roots of b-trees, and their other pages

ZEROS = bytes(_LARGEST)


def size(start: bytes) -> int:
    """Return the octets of a page, by the file's start; 0 for a file that is not as Tamis makes it.

    Such a file has a pointer map, which tells what each page is for.
    """
    magic, page, *versions, reserved, root = _FILE.unpack_from(start)
    is_ours = magic == _MAGIC and versions == [_WAL, _WAL] and not reserved and root
    return (_LARGEST if page == 1 else page) if is_ours else 0


def place(number: int, page: int) -> int | None:
    """Return where in the file the pointer map tells a page's kind; None for a page of the map itself.

    Pages are counted from 1. The first one, of the schema, is not in the map.
    """
    mapped = _map_of(number, page)
    return None if number == mapped else (mapped - 1) * page + _ENTRY * (number - mapped - 1)


def _map_of(number: int, page: int) -> int:
    apart = page // _ENTRY + 1
    found = (number - 2) // apart * apart + 2
    return found + 1 if found == _LOCKED // page + 1 else found


def is_in_tree(kind: bytes) -> bool:
    """Tell whether a page of a kind, as the pointer map has it, has cells."""
    return kind in _IN_TREE


def remnants(page: bytes) -> list[tuple[int, int]]:
    """Return the parts of a b-tree page that are out of use and hold something, as start and end.

    They are what lies between the pointers to cells and the cells, and blocks between cells. A page that
    contradicts itself has none.
    """
    if len(page) < _PAGE.size:
        return []
    kind, block, cells, content = _PAGE.unpack_from(page)
    before = _BEFORE_CELLS.get(kind)
    if before is None:
        return []
    start, content = before + 2 * cells, content or _LARGEST
    if not start <= content <= len(page):
        return []
    parts = [(start, content)]
    end = content
    while block:
        if not end <= block <= len(page) - _BLOCK.size:
            return []
        following, length = _BLOCK.unpack_from(page, block)
        end = block + length
        if not block + _BLOCK.size <= end <= len(page):
            return []
        parts.append((block + _BLOCK.size, end))
        block = following
    found = [part for part in parts if not ZEROS.startswith(page[slice(*part)])]
    if found and cells:
        pointers = struct.unpack_from(f">{cells}H", page, before)
        if min(pointers) < content or max(pointers) > len(page) - _LEAST_CELL:
            return []
        if any(first <= one < last for first, last in found for one in pointers):
            return []
    return found
