"""The properties of one message's way, from any octets to its plan and its ticket."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from tests.examples import CLEAN, GUESSED, INFECTED, SCANNER_AWAY, UNSCANNABLE, parsed
from tests.hostile import PIECES

from tamis import html, mime
from tamis.accounts import Accounts
from tamis.checks.antispam import MAX_REASONS
from tamis.checks.rules.catalogue import RULES
from tamis.config import Config
from tamis.decision import Plan
from tamis.finding import FailedCheck, Filter, Findings, GraymailFinding, SpamFinding, VirusFinding
from tamis.front.packets import carry_out
from tamis.front.session import text
from tamis.judgement import Judgement, about, judge
from tamis.message import Envelope, Message, Recipient, split
from tamis.mime import Content
from tamis.policy.fields import OURS
from tamis.preferences import Resolution, Value
from tamis.sandbox.wire import (
    AddRecipient,
    ChangeField,
    Decoder,
    InsertField,
    RemoveRecipient,
    Response,
    modification,
    reply,
)
from tamis.scan import Scanner
from tamis.service import parts
from tamis.ticket import Action

LARGEST = 1 << 16  # octets of an input
SLOW = 1.0  # seconds of CPU for one; the slowest of the seeds takes a hundredth of one
ROOT = Path(__file__).parents[2]
SITES = (
    parsed(""),
    parsed(
        """recipient_delimiter = "+"
authserv_id = "mx.example.org"
trusted_authserv_ids = ["mx1.example.org"]
[headers]
on_clean = true
[antispam]
mark = 0.0
refuse = 9
[antivirus]
on_unscannable = "mark"
heuristics = "refuse"
[users.defaults]
antispam.action = "file"
graymail.newsletter = "file"
graymail.social = "file"
graymail.list = "file"
senders.allowed = "friend@example.net,@*.example.net"
senders.newsletter = "@news.example.net"
"""
    ),
)
ACCOUNTS: Mapping[str, Mapping[str, Value]] = {
    "anna@example.org": {"antispam": "off", "antivirus": "off"},
    "bob@example.org": {"senders.blocked": ("@*.example.com",), "graymail.list": "mark"},
    "carol@example.org": {},
}
ALIASES = {
    "team@example.org": ("anna@example.org", "bob@example.org"),
    "all@example.org": ("team@example.org", "carol", "dave@example.net"),
    "round@example.org": ("round@example.org", "circle@example.org"),
    "circle@example.org": ("round@example.org",),
}
VIRUSES = (CLEAN, INFECTED, GUESSED, UNSCANNABLE, SCANNER_AWAY)
KEYS = ("id", "time", "direction", "mode", "message_id", "queue_id", "sender", "sender_account")
KEYS_OF_RECIPIENT = ("address", "account", "antivirus", "antispam", "score", "graymail", "action", "reasons")
REASONS = {*RULES, "CONTENT_MODEL", "GTUBE", "SENDER_BLOCKED", "SENDER_ALLOWED", "SENDER_UNVERIFIED"}
WORDS = {
    "antivirus": {"clean", "infected", "error", "off"},
    "antispam": {"ham", "spam", "off"},  # "error" is a check that failed, which no octets may bring about
    "graymail": {"newsletter", "social", "list", "none", "off"},
}
VALUES = {
    "X-Virus-Scanned": re.compile("Tamis"),
    "X-Virus-Status": re.compile(r"Clean|Error|Infected \([!-~]+\)"),
    "X-Spam-Flag": re.compile("YES"),
    "X-Spam-Score": re.compile(r"-?\d+\.\d"),
    "X-Spam-Level": re.compile(r"\*{1,50}"),
    "X-Spam-Status": re.compile(
        r"(Yes|No), score=-?\d+\.\d required=-?\d+\.\d tests=(none|[A-Z0-9_]+(,[A-Z0-9_]+)*)"
    ),
    "X-Graymail": re.compile(
        r"(newsletter|social|list); confidence=(0\.\d\d|1\.00); unsubscribe=(one-click|mailto|http|none)"
    ),
}
REPLY = re.compile(r"(451 4\.7\.1|550 5\.7\.1) [ -~]{1,200} \[T\]")
LONGEST_WORD = 2048  # octets; Postfix's line_length_limit. There is no NUL, as that ends what an MTA tells
LOOP = asyncio.new_event_loop()

Result_co = TypeVar("Result_co", covariant=True)


class Check(Protocol[Result_co]):
    """A filter that computes."""

    def run(self, message: Message) -> Result_co:
        """Return a finding."""


class Witness(Generic[Result_co]):
    """A filter whose failure is kept, which the scan would make a finding of."""

    error: Exception | None = None

    def __init__(self, check: Check[Result_co]) -> None:
        self._check = check

    def run(self, message: Message) -> Result_co:
        """Do what the filter does."""
        try:
            return self._check.run(message)
        except Exception as error:
            self.error = error
            raise


@dataclass
class Antivirus:
    """A scanner that answers as it is told."""

    answer: VirusFinding = CLEAN

    async def run(self, message: Message) -> VirusFinding:
        """Answer."""
        return self.answer


class People:
    """The accounts above; a source, too."""

    def own(self, addresses: Sequence[str]) -> Mapping[str, Mapping[str, Value]]:
        """Return the settings of those addresses that are accounts."""
        return {one: ACCOUNTS[one] for one in addresses if one in ACCOUNTS}

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the targets of those names that are aliases."""
        return {one: ALIASES[one] for one in names if one in ALIASES}


class Site:
    """A provider of whom everything is in memory."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.antivirus = Antivirus()
        loaded = parts.filters(config)
        self.antispam = Witness[SpamFinding](loaded.antispam)
        self.graymail = Witness[GraymailFinding](loaded.graymail)
        self.accounts = Accounts(config, [People()], People())
        self.scanner = Scanner(
            config,
            antivirus=self.antivirus,
            antispam=self.antispam,
            graymail=self.graymail,
            executor=ThreadPoolExecutor(max_workers=1),
        )

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return who is behind each address."""
        return self.accounts.resolve(addresses)

    async def account(self, address: str) -> str | None:
        """Return the one account behind an address."""
        (resolution,) = self.accounts.resolve([address])
        return resolution.members[0].account if len(resolution.members) == 1 else None

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Return the findings of the wanted filters, and keep them."""
        self.found = await self.scanner.scan(message, wanted)
        return self.found

    def judge(self, message: Message) -> Judgement:
        """Return the judgement of a message; raise what a filter raised."""
        self.antispam.error = self.graymail.error = None
        judgement = LOOP.run_until_complete(judge(message, self, self, config=self.config, ticket_id="T"))
        for error in (self.antispam.error, self.graymail.error):
            if error is not None:
                raise error
        return judgement


PLACES = [Site(config) for config in SITES]


def seeds() -> Iterator[bytes]:
    """Return an envelope and a message for each sample and each golden case."""
    for number, path in enumerate(sorted(ROOT.glob("tests/samples/*.eml"))):
        yield b"%d - mx.example.net anna@example.net bob@example.org\n" % number + path.read_bytes()
    for number, path in enumerate(sorted(ROOT.glob("tests/cases/*/*.eml"))):
        envelope = b"%d anna mx.example.net a@example.org all@example.org carol+x@example.org\n"
        yield envelope % number + path.read_bytes()


def tokens() -> Iterator[bytes]:
    """Return words that a fuzzer may put in."""
    yield from PIECES
    yield from (name + b": " for name in OURS)
    yield from (
        b"Authentication-Results: mx1.example.org; dmarc=pass header.from=",
        b"iso-2022-jp",
        b"utf-32",
    )


def read(octets: bytes) -> tuple[Site, Message]:
    """Return the site and the message in a fuzzer's input.

    The first line holds what the MTA tells: a digit for the site and the scanner's answer, the user who
    authenticated ("-" for none), the client's name, reverse-path and recipients.
    """
    line, _, raw = octets.partition(b"\n")
    words = [word[:LONGEST_WORD] for word in line.replace(b"\0", b"").split(b" ")]
    digit, user, helo, sender, *recipients = (*words, b"", b"", b"", b"")[:24]
    choice = digit[0] if digit else 0
    site = PLACES[choice % len(PLACES)]
    site.antivirus.answer = VIRUSES[choice // len(PLACES) % len(VIRUSES)]
    envelope = Envelope(
        mail_from=text(sender),
        recipients=tuple(Recipient(text(one)) for one in recipients if one)
        or (Recipient("bob@example.org"),),
        client_ip="192.0.2.25",
        helo=text(helo),
        queue_id=text(helo),
        auth_user=None if user in (b"-", b"") else text(user),
        mta_name="mx.example.org",
    )
    return site, Message(envelope, *split(raw))


def check(octets: bytes) -> None:
    """Judge a message, and raise AssertionError where something that always holds does not."""
    site, message = read(octets)
    read_everything(message.content, message.body)

    judgement = site.judge(message)

    check_findings(site.found)
    check_plan(judgement.plan, message)
    check_answer(judgement.plan)
    check_ticket(message, judgement)


def read_everything(content: Content, body: bytes) -> None:
    """Read all that a message says."""
    assert len(content.parts) <= mime.MAX_PARTS
    at = 0
    for part in content.parts:
        at = body.find(part.encoded, at)
        assert at >= 0, "a part lies outside of the body, or before its predecessor"
        at += len(part.encoded)
        assert len(part.decoded) <= len(part.encoded)
        assert len(part.text) <= mime.MAX_TEXT
        assert part.depth <= mime.MAX_DEPTH
        # Text of no lone surrogates: what reads it is written in C and Rust.
        (part.text + part.filename + part.charset + part.content_type + part.disposition).encode()
    assert len(content.documents) <= mime.MAX_TEXTS
    for document in content.documents:
        document.text.encode()
        assert len(document.links) <= html.MAX_LINKS
        "".join(link.target + link.text for link in document.links).encode()
    (content.text + content.subject + content.from_name + (content.message_id or "")).encode()
    assert len(content.message_id or "") <= 998
    for name in (b"from", b"to", b"subject"):
        assert all("@" in address for address in content.addresses(name))


def check_findings(found: Findings) -> None:
    """Check what the filters report."""
    spam, graymail = found.antispam, found.graymail
    assert not isinstance(spam, FailedCheck) and not isinstance(graymail, FailedCheck)
    if spam is not None:
        assert math.isfinite(spam.score) and spam.score == round(spam.score, 1)
        assert set(spam.reasons) <= REASONS and len(spam.reasons) <= MAX_REASONS
    if graymail is not None:
        assert 0 <= graymail.confidence <= 1


def check_plan(plan: Plan, message: Message) -> None:
    """Check what the MTA is asked to do."""
    if plan.reply is not None:
        assert REPLY.fullmatch(str(plan.reply))
        return
    for name, value in plan.fields:
        assert VALUES[name].fullmatch(value)
    counts: Counter[str] = Counter()
    ours = set()
    for field, _ in message.fields:
        key = field.rstrip(b" \t").lower().decode("latin-1")
        counts[key] += 1
        if key.encode("latin-1") in OURS:
            ours.add((key, counts[key]))
    removed = [(name.lower(), occurrence) for name, occurrence in plan.remove_fields]
    assert len(set(removed)) == len(removed)
    assert all(0 < occurrence <= counts[name] for name, occurrence in removed)
    if any(one.local for one in plan.decisions) or message.envelope.auth_user is None:
        assert ours <= set(removed)
    assert set(plan.remove_recipients) <= {one.address for one in message.envelope.recipients}
    # Nobody is lost: who is removed is filed under another address, or somebody's malware was discarded.
    discarded = any(one.action is Action.DISCARD for one in plan.decisions)
    assert not plan.remove_recipients or plan.add_recipients or discarded


def check_answer(plan: Plan) -> None:
    """Check that the MTA understands what it is told, as it was meant."""
    told = [
        (Response(word), payload) for word, payload in Decoder().feed(carry_out(plan, leading_space=True))
    ]
    last, payload = told.pop()
    if plan.reply is not None:
        assert (last, told, reply(payload)) == (Response.REPLY, [], str(plan.reply))
        return
    assert (last, payload) == (Response.CONTINUE, b"")
    assert [modification(*one) for one in told] == [
        *(ChangeField(occurrence, name.encode(), b"") for name, occurrence in plan.remove_fields),
        *(InsertField(0, name.encode(), b" " + value.encode()) for name, value in reversed(plan.fields)),
        *(RemoveRecipient(one) for one in plan.remove_recipients),
        *(AddRecipient(one.address, one.parameters) for one in plan.add_recipients),
    ]


def check_ticket(message: Message, judgement: Judgement) -> None:
    """Check that a ticket can be stored, and holds the promised keys and no others."""
    ticket = about(message, judgement, ticket_id="T", milliseconds=0, mode="enforce").as_json()
    json.dumps(ticket, ensure_ascii=False, allow_nan=False).encode()
    outgoing = ticket.pop("outgoing", None)
    assert (outgoing is None) == (ticket["direction"] == "incoming")
    assert tuple(ticket) == (*KEYS, "recipients", "means")
    entries = ticket["recipients"]
    assert isinstance(entries, list) and entries
    for entry in (*entries, *([outgoing] if outgoing else [])):
        assert set(entry) <= {*KEYS_OF_RECIPIENT, "malware"}
        for name, words in WORDS.items():
            assert entry[name] in words
        assert ("malware" in entry) == (entry["antivirus"] == "infected")
        assert ("score" in entry) == ("reasons" in entry) == (entry["antispam"] != "off")
