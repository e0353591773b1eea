"""The privacy notice as a page shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from tamis.config import Config
from tamis.options.pool import Clerk
from tamis.promises import memory
from tamis.promises.speech import Speech
from tamis.promises.statement import sections
from tamis.promises.terms import Terms

FRESH = 60_000  # ms for which it is shown as it was made; the newest act is not cheap to find
BOLD = re.compile(r"\*\*(.+?)\*\*")
CODE = re.compile(r"`(.+?)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or a list."""

    kind: str  # title, heading, paragraph, list
    texts: Sequence[Markup]  # one, or the list's items


class Notice:
    """The notice of a configuration."""

    def __init__(self, config: Config) -> None:
        self._terms = Terms.of(config)
        self._made: dict[str, tuple[int, Sequence[str]]] = {}

    def blocks(self, clerk: Clerk, language: str, *, now: int) -> Sequence[Block]:
        """Return the notice in a language."""
        return [_block(one) for one in self._sections(clerk, language, now)]

    def markdown(self, clerk: Clerk, language: str, *, now: int) -> str:
        """Return the same as a text."""
        return "\n\n".join(self._sections(clerk, language, now)) + "\n"

    def _sections(self, clerk: Clerk, language: str, now: int) -> Sequence[str]:
        time, made = self._made.get(language, (0, ()))
        if not time <= now < time + FRESH:
            with clerk.database.reading() as connection:
                since = memory.since(connection, self._terms)
            made = list(sections(self._terms, Speech(language), since=since, now=now))
            self._made[language] = (now, made)
        return made


def _block(section: str) -> Block:
    """Return what stands in a section's Markdown."""
    lines = section.splitlines()
    if section.startswith("- "):
        return Block("list", [_html(one.removeprefix("- ")) for one in lines])
    sharps, _, rest = section.partition(" ")
    kind = {"#": "title", "##": "heading"}.get(sharps)
    return Block("paragraph", [_html(section)]) if kind is None else Block(kind, [_html(rest)])


def _html(markdown: str) -> Markup:
    html = BOLD.sub(r"<strong>\1</strong>", str(escape(markdown)))
    return Markup(CODE.sub(r"<code>\1</code>", html))  # noqa: S704  # escaped
