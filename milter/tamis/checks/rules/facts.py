"""What several rules ask of a message, computed once."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from tamis.mailboxes import parse_addresses
from tamis.message import Message
from tamis.values import dataclass

MAX_TEXT = 8192  # characters of text that rules look at; spam says its word before that
MAX_URLS = 64  # links and addresses of the web that are looked at
MAX_SUBJECT = 512  # characters
MAX_TO = 2048  # octets of To
MAX_RECIPIENTS = 5
MAX_SHOWN = 200  # characters of what a link shows
MAX_HOST = 255  # characters of a host; more is no name in the DNS (RFC 1035 section 2.3.4)

URL = re.compile(r"https?://[^\s<>\"'()\[\]{}|\\^`]{3,500}")
AUTHORITY = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}([^/?#\\\s]*)", re.I)
SECOND_LEVEL = frozenset(("co", "com", "net", "org", "ac", "gov", "gob", "gouv", "edu", "ne", "or", "go"))


@dataclass(frozen=True, slots=True)
class Url:
    """A link or an address in the text: as written, its host in lower case, and what a link shows."""

    target: str
    authority: str  # user, host and port as written
    host: str
    shown: str = ""


class Facts:
    """One message, seen through what rules have in common.

    Nearly all of it is asked for of each message, so that all is computed at once.
    """

    def __init__(self, message: Message) -> None:
        self.message = message
        self.content = content = message.content
        self.envelope = message.envelope
        self.first = content.first
        self.subject = content.subject[:MAX_SUBJECT]  # the start of it, decoded
        self.text = content.text[:MAX_TEXT]  # the start of what a reader sees first
        self.author = _author(content.authors)  # name, and address in lower case, of the first author
        self.from_domain = self.author[1].rpartition("@")[2]  # of the first author
        self.recipients = self._recipients()
        self.urls = self._urls()
        self.hosts = frozenset([one.host for one in self.urls if one.host])

    @property
    def malformed_from(self) -> bool:
        """Whether the first author in From has no address though another has."""
        return bool(self.content.authors and not self.content.authors[0][1] and self.author[1])

    @property
    def reply_domain(self) -> str:
        """The domain that answers go to, "" where there is no Reply-To."""
        found = parse_addresses(self.first[b"reply-to"]) if b"reply-to" in self.first else ()
        return found[0][1].rpartition("@")[2] if found else ""

    def _recipients(self) -> tuple[str, ...]:
        """Return the first addresses in To, lower case.

        Not the envelope's: what one recipient's address tells would show in the score of the others.
        """
        found = parse_addresses(self.first.get(b"to", b"")[:MAX_TO])
        return tuple([address for _, address in found[:MAX_RECIPIENTS] if address])

    def _urls(self) -> tuple[Url, ...]:
        """Return the links of the HTML parts and the addresses in the text, each target once."""
        found: dict[str, Url] = {}
        for document in self.content.documents:
            for link in document.links[:MAX_URLS]:
                if link.target not in found:
                    found[link.target] = url(link.target, link.text)
        if len(found) < MAX_URLS and "://" in self.text:
            for target in URL.findall(self.text):
                if target not in found:
                    found[target] = url(target, "")
                if len(found) >= MAX_URLS:
                    break
        return tuple(found.values())


def _author(authors: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    for name, address in authors:  # "Doe, Anna <anna@example.org>": the name is cut in two
        if address:
            return name or authors[0][0], address
    return (authors[0][0], "") if authors else ("", "")


def url(target: str, shown: str) -> Url:
    """Return a link taken apart, as browsers do: backslashes are slashes, the host may be percent-encoded."""
    match = AUTHORITY.match(target)
    authority = match[1] if match else ""
    host = _host(authority) if len(authority) <= MAX_HOST else _host.__wrapped__(authority)
    return Url(target, authority, host, shown[:MAX_SHOWN])


@lru_cache(maxsize=1024)  # most links of a message lead to one host
def _host(authority: str) -> str:
    host = authority.rpartition("@")[2].lower()
    host = f"{host.partition(']')[0]}]" if host.startswith("[") else host.partition(":")[0]
    if "%" in host:
        host = unquote(host)
    return host[:MAX_HOST].rstrip(".")


def site(host: str) -> str:
    """Return the registered domain of a host, guessed without a list: two labels, or three as in a.co.uk."""
    labels = host.rsplit(".", 3)
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
