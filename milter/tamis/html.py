"""What a reader sees of an HTML document: its text and its links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from selectolax.lexbor import LexborHTMLParser

MAX_HTML = 1 << 16  # characters; lexbor's cost grows faster than the size for deeply nested elements
MAX_TAGS = 4_000  # elements; 13,000 nested <div> cost 93 ms, 4,000 about a tenth of that
MAX_LINKS = 200
TAG = re.compile(r"<[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Link:
    """An <a href>: where it goes and what it shows."""

    target: str
    text: str


class Document:
    """One HTML part; parsed when first asked."""

    def __init__(self, source: str) -> None:
        self.source = source

    @cached_property
    def _parsed(self) -> LexborHTMLParser:
        source = self.source[:MAX_HTML]
        if source.count("<") > MAX_TAGS:
            tags = [match.start() for match in TAG.finditer(source)]
            if len(tags) > MAX_TAGS:
                source = source[: tags[MAX_TAGS]]
        return LexborHTMLParser(source)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links that can be followed."""
        found = []
        for node in self._parsed.css("a[href]")[:MAX_LINKS]:
            target = node.attributes.get("href")
            if target:
                found.append(Link(target.strip(), node.text(deep=True).strip()))
        return tuple(found)

    @cached_property
    def text(self) -> str:
        """The text outside scripts and styles."""
        links = self.links  # before strip_tags, which changes the tree
        del links
        self._parsed.strip_tags(["script", "style", "head"])
        body = self._parsed.body
        return body.text(separator=" ") if body is not None else ""
