"""What a reader sees of an HTML document: its text and its links."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

from tamis.lazy import lazy
from tamis.values import dataclass

MAX_HTML = 1 << 16  # characters; lexbor's cost grows faster than the size for deeply nested elements
MAX_TAGS = 5_000  # 13,000 nested <div> cost 93 ms, 5,000 a fifth; and each </i> looks at all open <b>
MAX_LINKS = 200
TAG = re.compile(r"</?[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Link:
    """An <a href>: where it goes and what it shows."""

    target: str
    text: str


class Document:
    """One HTML part, parsed when asked; the tree is let go, as it takes many times the source's memory."""

    def __init__(self, source: str) -> None:
        self.source = source

    @lazy
    def links(self) -> tuple[Link, ...]:
        """The links that can be followed."""
        return _links(_parse(self.source))

    @lazy
    def text(self) -> str:
        """The text outside scripts and styles."""
        tree = _parse(self.source)
        self.links = _links(tree)  # asked for next; and strip_tags changes the tree
        tree.strip_tags(["script", "style", "head"])
        body = tree.body
        return body.text(separator=" ") if body is not None else ""


def _parse(source: str) -> LexborHTMLParser:
    source = source[:MAX_HTML]
    if source.count("<") > MAX_TAGS:
        tags = [match.start() for match in TAG.finditer(source)]
        if len(tags) > MAX_TAGS:
            source = source[: tags[MAX_TAGS]]
    return LexborHTMLParser(source)


def _links(tree: LexborHTMLParser) -> tuple[Link, ...]:
    found = []
    for node in tree.tags("a"):
        target = node.attributes.get("href")
        if target:
            found.append(Link(target.strip(), node.text(deep=True).strip()))
            if len(found) == MAX_LINKS:
                break
    return tuple(found)
