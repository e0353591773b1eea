"""Writes pages: templates, and the files that they name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
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
VERSION = 12  # hexadecimal digits of a file's hash in its address, so that browsers may keep it


@dataclass(frozen=True, slots=True)
class File:
    """A file that pages name."""

    octets: bytes
    kind: str
    version: str


class Pages:
    """The templates, read once, and the paths to pages."""

    def __init__(self, prefix: str, paths: Mapping[str, str], shown: Collection[str]) -> None:
        """Take what all paths begin with, the paths by name, and the names of pages without identifiers."""
        self._prefix = prefix
        self._paths = paths
        self._shown = shown
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

    def is_shown(self, name: str) -> bool:
        """Tell whether a page of that name can be gone to as it is."""
        return name in self._shown

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
