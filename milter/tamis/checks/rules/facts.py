"""What several rules ask of a message, each computed when first asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from tamis.message import Message
from tamis.mime import parse_addresses

MAX_TEXT = 8192  # characters of text that rules look at; spam says its word before that
MAX_SAID = 2048  # characters in which phrases count: a long letter holds every word
MAX_URLS = 64  # links and addresses of the web that are looked at
MAX_SUBJECT = 512  # characters
MAX_TO = 2048  # octets of To
MAX_RECIPIENTS = 5
MAX_SHOWN = 200  # characters of what a link shows

URL = re.compile(r"https?://[^\s<>\"'()\[\]{}|\\^`]{3,500}")
AUTHORITY = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}([^/?#\\\s]*)", re.I)
# ASCII letters to lower case, punctuation and control characters to blanks.
FOLD = bytes(
    code + 32 if 0x41 <= code <= 0x5A else 0x20 if code < 0x80 and not chr(code).isalnum() else code
    for code in range(256)
)
SECOND_LEVEL = frozenset(("co", "com", "net", "org", "ac", "gov", "gob", "gouv", "edu", "ne", "or", "go"))


@dataclass(frozen=True, slots=True)
class Url:
    """A link or an address in the text: as written, its host in lower case, and what a link shows."""

    target: str
    authority: str  # user, host and port as written
    host: str
    shown: str = ""


class Facts:
    """One message, seen through what rules have in common."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.content = message.content
        self.envelope = message.envelope

    @cached_property
    def first(self) -> dict[bytes, bytes]:
        """The first field body for each lower-case name."""
        return {name: values[0] for name, values in self.content.by_name.items()}

    @cached_property
    def subject(self) -> str:
        """The start of the decoded Subject."""
        return self.content.subject[:MAX_SUBJECT]

    @cached_property
    def text(self) -> str:
        """The start of the text that a reader sees first."""
        return self.content.text[:MAX_TEXT]

    @cached_property
    def folded(self) -> bytes:
        """Subject and first text in lower case without punctuation, words parted by single blanks."""
        return b" " + b" ".join(self.words) + b" "

    @cached_property
    def words(self) -> list[bytes]:
        """The words of subject and first text, folded likewise."""
        return f"{self.subject}\n{self.text[:MAX_SAID]}".encode("utf-8", "replace").translate(FOLD).split()

    @cached_property
    def author(self) -> tuple[str, str]:
        """Display name, and address in lower case, of the first author."""
        for name, address in self.content.authors:  # "Doe, Anna <anna@example.org>": the name is cut in two
            if address:
                return name or self.content.authors[0][0], address
        return (self.content.authors[0][0], "") if self.content.authors else ("", "")

    @property
    def malformed_from(self) -> bool:
        """Whether the first author in From has no address though another has."""
        return bool(self.content.authors and not self.content.authors[0][1] and self.author[1])

    @cached_property
    def from_domain(self) -> str:
        """The domain of the first author."""
        return self.author[1].rpartition("@")[2]

    @cached_property
    def reply_domain(self) -> str:
        """The domain that answers go to, "" where there is no Reply-To."""
        found = parse_addresses(self.first.get(b"reply-to", b""))
        return found[0][1].rpartition("@")[2] if found else ""

    @cached_property
    def recipients(self) -> tuple[str, ...]:
        """The first addresses in To, lower case.

        Not the envelope's: what one recipient's address tells would show in the score of the others.
        """
        found = parse_addresses(self.first.get(b"to", b"")[:MAX_TO])
        return tuple(address for _, address in found[:MAX_RECIPIENTS] if address)

    @cached_property
    def urls(self) -> tuple[Url, ...]:
        """The links of the HTML parts and the addresses in the text, each target once."""
        found: dict[str, Url] = {}
        for document in self.content.documents:
            for link in document.links[:MAX_URLS]:
                if link.target not in found:
                    found[link.target] = url(link.target, link.text)
        if len(found) < MAX_URLS and "://" in self.text:
            for match in URL.finditer(self.text):
                if match[0] not in found:
                    found[match[0]] = url(match[0], "")
                if len(found) >= MAX_URLS:
                    break
        return tuple(found.values())

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The hosts of the links."""
        return frozenset(one.host for one in self.urls if one.host)


def url(target: str, shown: str) -> Url:
    """Return a link taken apart, as browsers do: backslashes are slashes, the host may be percent-encoded."""
    match = AUTHORITY.match(target)
    authority = match[1] if match else ""
    host = authority.rpartition("@")[2].lower()
    host = f"{host.partition(']')[0]}]" if host.startswith("[") else host.partition(":")[0]
    if "%" in host:
        host = unquote(host)
    return Url(target, authority, host.rstrip("."), shown[:MAX_SHOWN])


def site(host: str) -> str:
    """Return the registered domain of a host, guessed without a list: two labels, or three as in a.co.uk."""
    labels = host.rsplit(".", 3)
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
