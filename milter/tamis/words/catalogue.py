"""Catalogues of gettext (.po), read as they are: there is nothing to compile."""

from __future__ import annotations

import ast
from functools import cache
from gettext import NullTranslations
from importlib.resources import files

SOURCE = "en"  # the language of the texts in the code


class Catalogue(NullTranslations):
    """What stands for each English text in one language; the interface is that of gettext."""

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__()
        self.texts = texts

    def gettext(self, message: str) -> str:
        """Return the text in the language, in English where there is none."""
        return self.texts.get(message, message)


def text(english: str) -> str:
    """Return a text that is looked up elsewhere: so a test finds it, too, as it finds those of gettext()."""
    return english


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that there are texts in: English, and one for each file."""
    names = (one.name for one in files("tamis.words").iterdir())
    return (SOURCE, *sorted(name.removesuffix(".po") for name in names if name.endswith(".po")))


@cache
def catalogue(language: str) -> Catalogue:
    """Return the catalogue of one of languages()."""
    if language == SOURCE:
        return Catalogue({})
    return Catalogue(parse(files("tamis.words").joinpath(f"{language}.po").read_text(encoding="utf-8")))


def parse(po: str) -> dict[str, str]:
    """Return the texts of a .po file without plurals and contexts; what is fuzzy or empty is left out."""
    found: dict[str, str] = {}
    for entry in po.split("\n\n"):
        parts = {"msgid": "", "msgstr": ""}
        keyword = ""
        for line in entry.splitlines():
            if not line or line.startswith("#"):
                continue
            word, _, quoted = line.partition('"')
            keyword = word.strip() or keyword
            parts[keyword] += ast.literal_eval(f'"{quoted}')
        fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in entry.splitlines())
        if parts["msgid"] and parts["msgstr"] and not fuzzy:
            found[parts["msgid"]] = parts["msgstr"]
    return found
