"""What is said of a configuration that cannot be used: file, line, key, and what is expected there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

LONGEST = 300  # characters of what is said of one mistake
WITH_PASSWORD = (("store",), ("store", "url"))  # what was given there is not repeated
TABLE = re.compile(r"\s*\[\[?([^\]]+)\]\]?")
KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|[A-Za-z0-9_-]+))*)\s*=""")
PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


class SettingError(ValueError):
    """A setting in [users] is wrong."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def explain(error: ValidationError, text: str, name: str, *, model: type[BaseModel]) -> str:
    """Return a line for each mistake in a TOML text that is not the model's."""
    lines = _lines(text)
    # A list whose only item is wrong is reported as empty, too.
    wrong = [one for one in error.errors() if one["type"] != "too_short" or not one["input"]]
    return "\n".join(_explain(one, lines, name, model=model) for one in wrong)


def place(key: tuple[str, ...], text: str, name: str) -> str:
    """Return "FILE line N" for a key, "FILE" where it does not stand in the text."""
    return _place(key, _lines(text), name)


def _place(key: tuple[str, ...], lines: Mapping[tuple[str, ...], int], name: str) -> str:
    while key and key not in lines:
        key = key[:-1]
    return f"{name} line {lines[key]}" if key else name


def _explain(
    error: ErrorDetails, lines: Mapping[tuple[str, ...], int], name: str, *, model: type[BaseModel]
) -> str:
    """Return "FILE line N: KEY: what is expected" for one of pydantic's errors."""
    # Left out are places in lists, and pydantic's word for a key that is itself wrong.
    location = tuple(str(part) for part in error["loc"] if not isinstance(part, int) and part != "[key]")
    reason = error.get("ctx", {}).get("error")
    if isinstance(reason, SettingError):
        location = (
            *location,
            *((reason.key,) if (*location, reason.key) in lines else reason.key.split(".")),
        )
    got = "" if location in WITH_PASSWORD else f", got {shown(error['input'])}"
    match error["type"]:
        case "extra_forbidden":
            text = "unknown key" + _nearest(location, model)
        case "value_error":
            text = str(error["ctx"]["error"])
        case "literal_error":
            expected = error["ctx"]["expected"].replace("'", '"')
            text = f"expected {expected}{got}"
        case "bool_type":
            text = f"expected true or false{got}"
        case "tuple_type" | "frozen_set_type":
            text = f"expected a list{got}"
        case "too_short":
            text = f"expected at least one{got}"
        case "model_type" | "mapping_type":
            text = f"expected a table{got}"
        case _:
            text = error["msg"].replace("Input should be", "expected") + got
    where = _place(location, lines, name)
    return f"{where}: {one_line('.'.join(map(_bare, location)))}: {one_line(text)}"


def shown(value: object) -> str:
    """Return a value as it stands in a file, roughly."""
    if isinstance(value, str):
        return f'"{value}"'
    try:
        return str(value).lower()[:80]
    except ValueError:
        return "a number of thousands of digits"


def _bare(key: str) -> str:
    """Return a part of a key as it stands in a file, quoted where it must be told from what follows."""
    return f'"{key}"' if not key or " " in key else key


def one_line(text: str) -> str:
    """Return a text that stays on its line of a terminal or a log, and is not longer than one can read."""
    start = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text[:LONGEST])
    return start if len(text) <= LONGEST else f"{start}..."


def _nearest(location: tuple[str, ...], model: type[BaseModel]) -> str:
    """Return the suggestion of the known key that is most like an unknown one."""
    matches = difflib.get_close_matches(".".join(location)[:80], list(_keys(model)), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _keys(section, f"{prefix}{name}.")


def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """Return the line number of each table and key, which tomllib does not tell."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines(): TOML knows no other line ends
        if match := KEY.match(line):
            found.setdefault(table + _parts(match[1]), number)
        elif match := TABLE.match(line):
            table = _parts(match[1])
            found.setdefault(table, number)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in PART.findall(dotted))
