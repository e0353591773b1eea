"""Writes pages: templates, and the files that they name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from tamis.words.catalogue import catalogue, languages, text

KINDS = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
NAVIGATION: Mapping[str, str] = {  # pages of an account, in order
    "reception": text("E-mail reception"),
    "senders": text("Senders"),
    "mail": text("What happened to my mail"),
    "sign-ins": text("Sign-ins"),
    "my-data": text("My data"),
}
LONGEST = 2_000  # characters of a page that is asked for with its query
VERSION = 12  # hexadecimal digits of a file's hash in its address, so that browsers may keep it


@dataclass(frozen=True, slots=True)
class File:
    """A file that pages name."""

    octets: bytes
    kind: str
    version: str


class Pages:
    """The templates, read once, and the paths to pages."""

    def __init__(self, prefix: str, paths: Mapping[str, str], shown: Iterable[str]) -> None:
        """Take what all paths begin with, the paths by name, and those that somebody may be led to."""
        self._prefix = prefix
        self._paths = paths
        self._shown = tuple(re.compile(re.sub(r"\{\w+\}", "[^/]+", one)) for one in shown)
        self.files = dict(_files())
        self._environment = Environment(
            loader=PackageLoader("tamis.options"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "path": self.path,
            "file": self._file,
            "languages": {one: catalogue(one).gettext(text("English")) for one in languages()},
            "navigation": NAVIGATION,
        }

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return the HTML of a page."""
        return self._environment.get_template(template).render(values)

    def path(self, name: str, **identifiers: str) -> str:
        """Return the path to a page."""
        return self._prefix + self._paths[name].format(**identifiers)

    def place(self, wanted: str) -> str | None:
        """Return where a page is that is asked for by its path without "/", and a query; None for others."""
        path, mark, query = f"/{wanted}".partition("?")
        if len(wanted) > LONGEST or not any(one.fullmatch(path) for one in self._shown):
            return None
        return self._prefix + path + mark + query

    def _file(self, name: str) -> str:
        return f"{self._prefix}/static/{self.files[name].version}/{name}"


def _files() -> Mapping[str, File]:
    found = {}
    for one in files("tamis.options").joinpath("static").iterdir():
        kind = KINDS.get(one.name.rpartition(".")[2])
        if kind is not None:
            octets = one.read_bytes()
            found[one.name] = File(octets, kind, hashlib.sha256(octets).hexdigest()[:VERSION])
    return found
