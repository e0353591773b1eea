"""The invariants of policy, for any settings, facts and recipients: as if alone, off is off, no malware."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
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
from tests.model_mta import Copy, Mta

from tamis.config import Config
from tamis.finding import Authentication, FailedCheck, Filter, Findings, Sender, SpamFinding
from tamis.message import Message, Recipient
from tamis.pipeline import Judgement, about, judge
from tamis.policy.decide import SEVERITY, decide
from tamis.preferences import Member, Preferences, Resolution, SenderLists, Treatment
from tamis.ticket import Action, Direction, Means

ACCOUNTS = ("anna@example.org", "bob@example.org", "carol@example.org")
ALIASES = {
    "postmaster@example.org": ("anna@example.org",),
    "team@example.org": ("anna@example.org", "bob@example.org"),
    "all@example.org": ("bob@example.org", "carol@example.org", "dave@example.net"),
}
STRANGERS = ("ghost@example.org", "dave@example.net", "eve@example.net")
ADDRESSES = (*ACCOUNTS, *ALIASES, "bob+x@example.org", "bob+junk@example.org", *STRANGERS)
FIELDS = {
    Filter.ANTIVIRUS: ("X-Virus-Scanned", "X-Virus-Status"),
    Filter.ANTISPAM: ("X-Spam-Flag", "X-Spam-Score", "X-Spam-Level", "X-Spam-Status"),
    Filter.GRAYMAIL: ("X-Graymail",),
}
OFF = Preferences(antivirus=False, antispam=False, graymail=False)

treatments = st.sampled_from(Treatment)
patterns = st.sampled_from(((), ("friend@example.net",), ("@*.net",)))
lists = st.builds(SenderLists, allowed=patterns, blocked=patterns, newsletter=patterns, social=patterns)
wishes = st.just(OFF) | st.builds(
    Preferences,
    antivirus=st.booleans(),
    antispam=st.booleans(),
    graymail=st.booleans(),
    spam=treatments,
    newsletter=treatments,
    social=treatments,
    list=treatments,
    spam_mark=st.sampled_from((2.0, 5.0, 9.0)),
    senders=st.just(()) | st.lists(lists, max_size=2).map(tuple),
)
viruses = st.sampled_from((CLEAN, CLEAN, INFECTED, GUESSED, UNSCANNABLE, SCANNER_AWAY))
scores = st.sampled_from((-3.0, 0.0, 2.0, 4.9, 5.0, 7.3, 12.0, 1000.0))
spam = st.just(FailedCheck()) | scores.map(lambda score: SpamFinding(score, ("A_FACT",)))
graymail = st.sampled_from((NO_GRAYMAIL, NEWSLETTER, LIST, replace(NEWSLETTER, certain=False), FailedCheck()))
senders = st.sampled_from(Authentication).map(lambda known: replace(FRIEND, authentication=known))
facts = st.builds(Findings, senders, viruses, spam, graymail)
on_error = st.sampled_from(("tempfail", "pass"))
sites = st.builds(
    config,
    mail__recipient_delimiter=st.sampled_from(("+", "+", "")),
    headers__on_clean=st.booleans(),
    antivirus__on_error=on_error,
    antivirus__on_unscannable=st.sampled_from(("pass", "refuse", "mark")),
    antivirus__heuristics=st.sampled_from(("mark", "refuse", "pass")),
    antispam__refuse=st.sampled_from((0.0, 0.0, 6.0)),
    antispam__on_error=st.sampled_from(("pass", "pass", "tempfail")),
    graymail__on_error=st.sampled_from(("pass", "pass", "tempfail")),
    outgoing__antivirus=st.booleans(),
    outgoing__antispam=st.booleans(),
    outgoing__graymail=st.booleans(),
    outgoing__spam_refuse=st.sampled_from((6.0, 15.0)),
)


@dataclass(frozen=True)
class Site:
    """A provider: its settings, and what its users want."""

    settings: Config
    wishes: Mapping[str, Preferences]

    def member(self, address: str) -> Member:
        """Return who is behind a final address."""
        local = address.endswith("@example.org")
        account = address if address in ACCOUNTS else None
        return Member(account, self.wishes.get(address, Preferences()), local, address)

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Resolve as accounts do."""
        delimiter = self.settings.mail.recipient_delimiter
        found = []
        for address in addresses:
            plain = "bob@example.org" if delimiter and address.startswith("bob+") else address
            finals = ALIASES.get(address, (plain,))
            found.append(Resolution(address, tuple(self.member(one) for one in finals)))
        return found

    async def account(self, address: str) -> str | None:
        """Return an account by its own name."""
        return address if address in ACCOUNTS else None

    def judge(self, given_message: Message, found: Findings) -> Judgement:
        """Return the pipeline's judgement of a message of which all facts are known."""
        scanner = Scanner(found)
        return asyncio.run(judge(given_message, self, scanner, config=self.settings, ticket_id="T"))

    def deliver(self, given_message: Message, found: Findings) -> frozenset[Copy] | str:
        """Return what arrives."""
        mta = Mta(ALIASES, self.settings.mail.recipient_delimiter)
        return mta.deliver(given_message, self.judge(given_message, found).plan)


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


everyone = st.fixed_dictionaries({address: wishes for address in (*ACCOUNTS, *STRANGERS)})
places = st.builds(Site, sites, everyone)
addressees = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=5, unique=True)
FORGED = {"X-Spam-Flag": "NO", "X-Graymail": "none", "Authentication-Results": "mx.example.org; spf=pass"}


def letter(*recipients: str, auth_user: str | None = None) -> Message:
    headers = FORGED if auth_user is None else {}
    return message(b"Hello\r\n", headers=headers, around=envelope(*recipients, auth_user=auth_user))


def alone(one: Message, recipient: Recipient) -> Message:
    return replace(one, envelope=replace(one.envelope, recipients=(recipient,)))


@given(places, facts, addressees)
@settings(max_examples=300, deadline=None)
def test_every_recipient_gets_what_he_would_get_alone(site: Site, found: Findings, to: list[str]) -> None:
    one = letter(*to)
    plan = site.judge(one, found).plan
    together = site.deliver(one, found)
    apart = [site.deliver(alone(one, recipient), found) for recipient in one.envelope.recipients]
    means = [site.judge(alone(one, recipient), found).plan.means for recipient in one.envelope.recipients]

    if Means.COMMON in (plan.means, *means):
        return
    if any(isinstance(fate, str) for fate in apart):
        # A refusal that SMTP cannot give to one recipient alone; a tempfail loses nothing and goes to all.
        temporary = [isinstance(fate, str) and fate.startswith("4") for fate in apart]
        refused = [isinstance(fate, str) and fate.startswith("5") for fate in apart]
        if any(temporary):
            assert isinstance(together, str) and together.startswith("451 4.7.1 ")
        elif all(refused):
            assert isinstance(together, str) and together.startswith("550 5.7.1 ")
        else:
            assert isinstance(together, frozenset)
            assert together >= frozenset().union(*(fate for fate in apart if not isinstance(fate, str)))
        return
    assert together == frozenset().union(*(fate for fate in apart if isinstance(fate, frozenset)))


@given(places, facts, addressees, st.sampled_from((None, "bob")))
@settings(max_examples=300, deadline=None)
def test_what_a_user_switched_off_shows_nowhere(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    fate = site.deliver(letter(*to, auth_user=auth_user), found)

    for copy in fate if isinstance(fate, frozenset) else ():
        member = site.member(copy.mailbox)
        for one in Filter:
            if not getattr(member.preferences, one.value) or (auth_user and not member.local):
                assert not copy.has(*FIELDS[one])


@given(places, facts, addressees)
@settings(max_examples=200, deadline=None)
def test_who_switched_everything_off_gets_his_mail_untouched(
    site: Site, found: Findings, to: list[str]
) -> None:
    site = replace(site, wishes={**site.wishes, "carol@example.org": OFF})

    fate = site.deliver(letter(*to, "carol@example.org"), found)

    if isinstance(fate, str):
        assert fate.startswith("451 ")  # on behalf of another recipient; never refused, never lost
    else:
        plain = letter().raw.replace(b"X-Spam-Flag: NO\r\n", b"").replace(b"X-Graymail: none\r\n", b"")
        plain = plain.replace(b"Authentication-Results: mx.example.org; spf=pass\r\n", b"")
        assert Copy("carol@example.org", "", plain) in fate


@given(places, facts, addressees)
@settings(max_examples=200, deadline=None)
def test_a_filter_that_nobody_wants_does_not_run(site: Site, found: Findings, to: list[str]) -> None:
    one = letter(*to)

    seen: list[frozenset[Filter]] = []

    class Watching(Scanner):
        async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
            seen.append(wanted)
            return await super().scan(message, wanted)

    judgement = asyncio.run(judge(one, site, Watching(found), config=site.settings, ticket_id=None))

    for name in Filter:
        words = {getattr(decision, name.value) for decision in judgement.plan.decisions}
        assert (name in seen[0]) is (words != {"off"})


@given(places, facts, addressees, st.sampled_from((None, "bob")))
@settings(max_examples=200, deadline=None)
def test_malware_reaches_nobody_who_has_antivirus_on(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    fate = site.deliver(letter(*to, auth_user=auth_user), replace(found, antivirus=INFECTED))

    for copy in fate if isinstance(fate, frozenset) else ():
        member = site.member(copy.mailbox)
        assert not member.preferences.antivirus or (auth_user and not member.local)


@given(places, facts, addressees)
@settings(max_examples=200, deadline=None)
def test_under_common_a_copy_carries_what_everyone_would_have_carried(
    site: Site, found: Findings, to: list[str]
) -> None:
    one = letter(*to)
    plan = site.judge(one, found).plan
    kept = [one for one in plan.decisions if one.action is not Action.DISCARD]

    if plan.reply is None:
        for field in plan.fields:
            assert all(field in [(own.name, own.value) for own in decision.fields] for decision in kept)


@given(places, facts, addressees, st.sampled_from((None, "bob")))
@settings(max_examples=300, deadline=None)
def test_the_ticket_says_what_happened(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    one = letter(*to, auth_user=auth_user)
    judgement = site.judge(one, found)
    fate = site.deliver(one, found)
    ticket = about(one, judgement, ticket_id="T", milliseconds=0, mode="enforce")

    reply = judgement.plan.reply
    for outcome, decision in zip(ticket.recipients, judgement.plan.decisions, strict=True):
        assert outcome.address in to
        assert (outcome.score is None) is (outcome.antispam in ("off", "error"))
        assert (outcome.malware is None) is (outcome.antivirus != "infected")
        match outcome.action:
            case Action.REFUSE:
                assert reply is not None and reply.code == "550"
            case Action.TEMPFAIL:
                assert reply is not None and reply.code == "451"
            case Action.DISCARD:
                assert reply is None and outcome.address in judgement.plan.remove_recipients
            case Action.DELIVER | Action.MARK | Action.FILE:
                mailbox = decision.address
                copies = [copy for copy in fate if isinstance(copy, Copy) and copy.mailbox == mailbox]
                assert copies
                marked = any(
                    name in ("X-Spam-Flag", "X-Graymail") or (name == "X-Virus-Status" and value != "Clean")
                    for name, value in judgement.plan.fields
                )
                if outcome.action is Action.FILE:
                    assert any(copy.folder == decision.folder for copy in copies)
                elif outcome.action is Action.MARK:
                    assert marked
                elif site.settings.antivirus.on_unscannable != "pass":
                    assert not marked


@given(places, facts, addressees)
@settings(max_examples=200, deadline=None)
def test_external_recipients_of_outgoing_mail_have_every_filter_off(
    site: Site, found: Findings, to: list[str]
) -> None:
    judgement = site.judge(letter(*to, "eve@example.com", auth_user="bob"), found)

    assert judgement.direction is Direction.OUTGOING
    for decision in judgement.plan.decisions:
        if not decision.local:
            assert (decision.antivirus, decision.antispam, decision.graymail) == ("off", "off", "off")


@given(places, facts, addressees)
@settings(max_examples=200, deadline=None)
def test_policy_is_pure(site: Site, found: Findings, to: list[str]) -> None:
    one = letter(*to)

    assert site.judge(one, found) == site.judge(one, found)


def severity(site: Config, wanted: Preferences, found: Findings) -> int:
    member = Member("bob@example.org", wanted, True, "bob@example.org")
    return SEVERITY.index(decide(Recipient("bob@example.org"), member, found, site).action)


@given(sites, wishes, facts)
@settings(max_examples=200, deadline=None)
def test_malware_is_never_milder_than_none(site: Config, wanted: Preferences, found: Findings) -> None:
    clean = replace(found, antivirus=CLEAN)

    assert severity(site, wanted, replace(found, antivirus=INFECTED)) >= severity(site, wanted, clean)
    assert severity(site, wanted, replace(found, antivirus=GUESSED)) >= severity(site, wanted, clean)


@given(sites, wishes, facts, scores, scores)
@settings(max_examples=200, deadline=None)
def test_more_evidence_for_spam_is_never_milder(
    site: Config, wanted: Preferences, found: Findings, one: float, other: float
) -> None:
    # What is spam has no class, so a class is left out of the comparison.
    wanted = replace(wanted, graymail=False)
    low, high = sorted((one, other))

    assert severity(site, wanted, replace(found, antispam=SpamFinding(high))) >= severity(
        site, wanted, replace(found, antispam=SpamFinding(low))
    )


@given(sites, wishes, facts)
@settings(max_examples=200, deadline=None)
def test_a_class_is_never_milder_than_none(site: Config, wanted: Preferences, found: Findings) -> None:
    wanted = replace(wanted, senders=())

    assert severity(site, wanted, replace(found, graymail=NEWSLETTER)) >= severity(
        site, wanted, replace(found, graymail=NO_GRAYMAIL)
    )


@given(sites, wishes, facts)
@settings(max_examples=200, deadline=None)
def test_a_forged_friend_is_never_treated_more_mildly_than_a_stranger(
    site: Config, wanted: Preferences, found: Findings
) -> None:
    friends = tuple(replace(one, blocked=()) for one in wanted.senders)
    wanted = replace(wanted, graymail=False, senders=friends)
    forged = replace(found, sender=replace(FRIEND, authentication=Authentication.FAILED))
    stranger = replace(found, sender=Sender(None, ""))

    assert severity(site, wanted, forged) >= severity(site, wanted, stranger)
