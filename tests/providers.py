"""Providers, users' wishes and facts at random, as the properties of policy need them."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from tests.examples import (
    CLEAN,
    FRIEND,
    GUESSED,
    INFECTED,
    LIST,
    NEWSLETTER,
    NO_GRAYMAIL,
    SCANNER_AWAY,
    UNSCANNABLE,
    config,
    envelope,
    message,
)
from tests.model_mta import Mail, Mta

from tamis.config import Config
from tamis.decision import Plan
from tamis.finding import Authentication, FailedCheck, Filter, Findings, SpamFinding
from tamis.judgement import Judgement, judge
from tamis.message import Message, Recipient
from tamis.policy.allowed import Allowed, allowed
from tamis.preferences import Member, Preferences, Resolution, SenderLists, Treatment

# 2,000 in the tests; 100,000 with --hypothesis-profile=many.
EXAMPLES = 20 * settings.default.max_examples if settings.default else 2_000

ACCOUNTS = ("anna@example.org", "bob@example.org", "carol@example.org", "frank@example.org")
ALIASES = {
    "postmaster@example.org": ("anna@example.org",),
    "team@example.org": ("anna@example.org", "bob@example.org"),
    "all@example.org": ("bob@example.org", "carol@example.org", "dave@example.net"),
    "frank@example.org": ("frank@example.org", "gina@example.net"),  # who keeps a copy of what he forwards
    "friends@example.org": ("frank@example.org", "anna@example.org"),
}
STRANGERS = ("ghost@example.org", "dave@example.net", "eve@example.net")
DETAILS = ("bob+x@example.org", "bob+junk@example.org", "Bob+Junk@example.org")
ADDRESSES = (*dict.fromkeys((*ACCOUNTS, *ALIASES)), *DETAILS, *STRANGERS, "Anna@Example.org")
FIELDS = {
    Filter.ANTIVIRUS: ("X-Virus-Scanned", "X-Virus-Status"),
    Filter.ANTISPAM: ("X-Spam-Flag", "X-Spam-Score", "X-Spam-Level", "X-Spam-Status"),
    Filter.GRAYMAIL: ("X-Graymail",),
}
OFF = Preferences(antivirus=False, antispam=False, graymail=False)
RELAY = "inet:127.0.0.1:10026"
FORGED = {"X-Spam-Flag": "NO", "X-Graymail": "none", "Authentication-Results": "mx.example.org; spf=pass"}

Result = TypeVar("Result")


def finished(coroutine: Coroutine[object, object, Result]) -> Result:
    """Return the result of a coroutine that awaits nothing; an event loop for each would take longer."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    raise AssertionError("it waits for something")


def letter(*recipients: str, auth_user: str | None = None) -> Message:
    """Return a letter; one from outside brings fields of our names along."""
    headers = FORGED if auth_user is None else {}
    return message(b"Hello\r\n", headers=headers, around=envelope(*recipients, auth_user=auth_user))


def alone(one: Message, address: str) -> Message:
    """Return a message as if it were for one recipient."""
    return replace(one, envelope=replace(one.envelope, recipients=(Recipient(address),)))


@dataclass(frozen=True)
class Site:
    """A provider: its settings, and what its users want."""

    settings: Config
    wishes: Mapping[str, Preferences]

    @property
    def mta(self) -> Mta:
        """Its MTA."""
        return Mta(ALIASES, self.settings.mail.recipient_delimiter)

    def finals(self, address: str) -> tuple[str, ...]:
        """Return the addresses that one as received can be expanded to."""
        targets = ALIASES.get(address, (address,))
        return (address,) if address in targets else targets

    def members(self, address: str) -> tuple[Member, ...]:
        """Return who is behind an address."""
        found = []
        for final in self.finals(address):
            behind = ALIASES.get(final, ()) if final in ALIASES.get(final, ()) else ()
            found += [replace(self.member(one), reached=final) for one in behind] or [self.member(final)]
        return tuple(found)

    def member(self, address: str) -> Member:
        """Return who is behind a final address."""
        address = address.lower()
        if self.settings.mail.recipient_delimiter and address.startswith("bob+"):
            address = "bob@example.org"
        local = address.endswith("@example.org")
        account = address if address in ACCOUNTS else None
        return Member(account, self.wishes.get(address, Preferences()), local, address)

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Resolve as accounts do."""
        return [Resolution(one, self.members(one)) for one in addresses]

    async def account(self, address: str) -> str | None:
        """Return an account by its own name."""
        return address if address in ACCOUNTS else None

    def allowed(self, one: Message) -> Allowed:
        """Return what may be done with a message."""
        return allowed(one, self.settings)

    def judge(self, one: Message, found: Findings) -> Judgement:
        """Return the pipeline's judgement of a message of which all facts are known."""
        judging = judge(one, self, Scanner(found), config=self.settings, ticket_id="T")
        return finished(judging)

    def plan(self, one: Message, found: Findings) -> Plan:
        """Return the plan for a message."""
        return self.judge(one, found).plan

    def deliver(self, one: Message, found: Findings) -> frozenset[Mail] | str:
        """Return what arrives."""
        return self.mta.deliver(one, self.plan(one, found))

    def changed(self, **changes: Mapping[str, object]) -> Site:
        """Return a site of which keys of sections are changed."""
        sections = {
            section: getattr(self.settings, section).model_copy(update=dict(keys))
            for section, keys in changes.items()
        }
        return replace(self, settings=self.settings.model_copy(update=sections))


@dataclass(frozen=True)
class Scanner:
    """Knows the facts, and tells those of the wanted filters."""

    found: Findings

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Return the wanted facts."""
        found = self.found
        return Findings(
            found.sender,
            found.antivirus if Filter.ANTIVIRUS in wanted else None,
            found.antispam if Filter.ANTISPAM in wanted else None,
            found.graymail if Filter.GRAYMAIL in wanted else None,
        )


treatments = st.sampled_from(Treatment)
patterns = st.sampled_from(((), ("friend@example.net",), ("@*.net",)))
lists = st.builds(SenderLists, allowed=patterns, blocked=patterns, newsletter=patterns, social=patterns)
mostly = st.sampled_from((True, True, False))
wishes = st.builds(
    Preferences,
    antivirus=mostly,
    antispam=mostly,
    graymail=mostly,
    spam=treatments,
    newsletter=treatments,
    social=treatments,
    list=treatments,
    spam_mark=st.sampled_from((2.0, 5.0, 9.0)),
    senders=st.just(()) | st.lists(lists, max_size=2).map(tuple),
)
viruses = st.sampled_from((CLEAN, CLEAN, CLEAN, INFECTED, GUESSED, UNSCANNABLE, SCANNER_AWAY))
SCORES = (7.3, 5.0, 4.9, 2.0, 0.0, -3.0, 12.0, 1000.0)
scores = st.sampled_from(SCORES)
spam = st.sampled_from((*[SpamFinding(one, ("A_FACT",)) for one in SCORES], FailedCheck()))
graymail = st.sampled_from((NEWSLETTER, LIST, replace(NEWSLETTER, certain=False), NO_GRAYMAIL, FailedCheck()))
senders = st.sampled_from(Authentication).map(lambda known: replace(FRIEND, authentication=known))
facts = st.builds(Findings, senders, viruses, spam, graymail)
on_error = st.sampled_from(("pass", "pass", "tempfail"))
sites = st.builds(
    config,
    mail__recipient_delimiter=st.sampled_from(("+", "+", "")),
    headers__on_clean=st.booleans(),
    antivirus__on_error=on_error,
    antivirus__on_unscannable=st.sampled_from(("pass", "refuse", "mark")),
    antivirus__heuristics=st.sampled_from(("mark", "refuse", "pass")),
    antivirus__mixed=st.sampled_from(("discard", "discard", "mark")),
    antispam__refuse=st.sampled_from((0.0, 0.0, 0.0, 6.0)),
    antispam__on_error=on_error,
    graymail__on_error=on_error,
    outgoing__antivirus=st.booleans(),
    outgoing__antispam=st.booleans(),
    outgoing__graymail=st.booleans(),
    outgoing__spam_refuse=st.sampled_from((6.0, 15.0)),
    resend__relay=st.sampled_from((RELAY, "")),
)
everyone = st.fixed_dictionaries(dict.fromkeys((*ACCOUNTS, *STRANGERS, "gina@example.net"), wishes))
places = st.builds(Site, sites, everyone)
relayed = places.map(lambda site: site.changed(resend={"relay": RELAY}))
addressees = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=6) | st.lists(
    st.sampled_from(ADDRESSES), min_size=4, max_size=6
)
directions = st.sampled_from((None, None, "bob"))  # who authenticated
