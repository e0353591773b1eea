"""The invariants of policy, for any settings, facts and recipients: as if alone, off is off, no malware."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from tests.dues import at_most, due
from tests.examples import CLEAN, FRIEND, GUESSED, INFECTED, NEWSLETTER, NO_GRAYMAIL
from tests.model_mta import Mail
from tests.providers import (
    EXAMPLES,
    FIELDS,
    OFF,
    Scanner,
    Site,
    addressees,
    alone,
    directions,
    facts,
    finished,
    letter,
    places,
    scores,
    sites,
    wishes,
)

from tamis.config import Config
from tamis.finding import Authentication, Filter, Findings, Sender, SpamFinding
from tamis.judgement import about, judge
from tamis.message import Message, Recipient
from tamis.policy.decide import SEVERITY, decide
from tamis.policy.defer import deferred
from tamis.preferences import Member, Preferences
from tamis.ticket import Action, Direction, Means


@given(places, facts, addressees, directions)
@settings(max_examples=EXAMPLES)
def test_every_recipient_gets_what_he_would_get_alone(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    one = letter(*to, auth_user=auth_user)
    plan = site.plan(one, found)

    if plan.means is not Means.COMMON or site.settings.resend.relay:
        assert site.mta.deliver(one, plan) == due(site, one, found)


@given(places, facts, addressees, directions)
@settings(max_examples=EXAMPLES)
def test_who_is_deferred_gets_what_he_would_get_alone(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    site = site.changed(resend={"relay": ""})
    queue = to
    while queue:
        first, *_ = resolutions = finished(site.resolve(queue))
        answers = [None if auth_user else deferred(other, first) for other in resolutions]
        shared = [address for address, answer in zip(queue, answers, strict=True) if answer is None]
        one = letter(*shared, auth_user=auth_user)
        plan = site.plan(one, found)

        if plan.means is Means.COMMON and not auth_user:  # a group's members differ among themselves
            fates = [site.deliver(alone(one, address), found) for address in shared]
            mails = {mail for fate in fates if not isinstance(fate, str) for mail in fate}
            together = site.deliver(one, found)
            assert {(mail.mailbox, mail.raw) for mail in together if isinstance(mail, Mail)} == {
                (mail.mailbox, mail.raw) for mail in mails
            }
        elif plan.means is not Means.COMMON:
            assert site.mta.deliver(one, plan) == due(site, one, found)
        assert not auth_user or shared == queue
        queue = [address for address, answer in zip(queue, answers, strict=True) if answer is not None]


@given(places, facts, addressees, directions)
@settings(max_examples=300)
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
@settings(max_examples=200)
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
        assert Mail("carol@example.org", "", plain) in fate


@given(places, facts, addressees)
@settings(max_examples=200)
def test_a_filter_that_nobody_wants_does_not_run(site: Site, found: Findings, to: list[str]) -> None:
    one = letter(*to)

    seen: list[frozenset[Filter]] = []

    class Watching(Scanner):
        async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
            seen.append(wanted)
            return await super().scan(message, wanted)

    judgement = finished(judge(one, site, Watching(found), config=site.settings, ticket_id=None))

    for name in Filter:
        words = {getattr(decision, name.value) for decision in judgement.plan.decisions}
        assert (name in seen[0]) is (words != {"off"})


@given(places, facts, addressees, directions)
@settings(max_examples=EXAMPLES)
def test_malware_reaches_nobody_who_has_antivirus_on(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    site = site.changed(antivirus={"mixed": "discard"})
    fate = site.deliver(letter(*to, auth_user=auth_user), replace(found, antivirus=INFECTED))

    for copy in fate if isinstance(fate, frozenset) else ():
        member = site.member(copy.mailbox)
        assert not member.preferences.antivirus or (auth_user and not member.local)


@given(places, facts, addressees, directions)
@settings(max_examples=EXAMPLES)
def test_under_common_everyone_gets_it_once_and_no_more_is_done_than_he_agreed_to(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    site = site.changed(resend={"relay": ""})
    one = letter(*to, auth_user=auth_user)
    plan = site.plan(one, found)

    if plan.means is Means.COMMON and plan.reply is None:
        mails, owed = site.mta.deliver(one, plan), due(site, one, found)
        assert not isinstance(mails, str) and not isinstance(owed, str)
        at_most(site, one, mails, owed)


@given(places, facts, addressees, directions)
@settings(max_examples=300)
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
                copies = [copy for copy in fate if isinstance(copy, Mail) and copy.mailbox == mailbox]
                assert copies
                marked = any(
                    copy.has("X-Spam-Flag", "X-Graymail") or b"X-Virus-Status: Infected" in copy.head
                    for copy in copies
                )
                marked = marked or any(b"X-Virus-Status: Error" in copy.head for copy in copies)
                if outcome.action is Action.FILE:
                    assert any(copy.folder == decision.folder for copy in copies)
                elif outcome.action is Action.MARK:
                    assert marked
                elif site.settings.antivirus.on_unscannable != "pass":
                    assert not marked


@given(places, facts, addressees)
@settings(max_examples=200)
def test_external_recipients_of_outgoing_mail_have_every_filter_off(
    site: Site, found: Findings, to: list[str]
) -> None:
    judgement = site.judge(letter(*to, "eve@example.com", auth_user="bob"), found)

    assert judgement.direction is Direction.OUTGOING
    for decision in judgement.plan.decisions:
        if not decision.local:
            assert (decision.antivirus, decision.antispam, decision.graymail) == ("off", "off", "off")


@given(places, facts, addressees)
@settings(max_examples=200)
def test_policy_is_pure(site: Site, found: Findings, to: list[str]) -> None:
    one = letter(*to)

    assert site.judge(one, found) == site.judge(one, found)


def severity(site: Config, wanted: Preferences, found: Findings) -> int:
    member = Member("bob@example.org", wanted, True, "bob@example.org")
    return SEVERITY.index(decide(Recipient("bob@example.org"), member, found, site).action)


@given(sites, wishes, facts)
@settings(max_examples=200)
def test_malware_is_never_milder_than_none(site: Config, wanted: Preferences, found: Findings) -> None:
    clean = replace(found, antivirus=CLEAN)

    assert severity(site, wanted, replace(found, antivirus=INFECTED)) >= severity(site, wanted, clean)
    assert severity(site, wanted, replace(found, antivirus=GUESSED)) >= severity(site, wanted, clean)


@given(sites, wishes, facts, scores, scores)
@settings(max_examples=200)
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
@settings(max_examples=200)
def test_a_class_is_never_milder_than_none(site: Config, wanted: Preferences, found: Findings) -> None:
    wanted = replace(wanted, senders=())

    assert severity(site, wanted, replace(found, graymail=NEWSLETTER)) >= severity(
        site, wanted, replace(found, graymail=NO_GRAYMAIL)
    )


@given(sites, wishes, facts)
@settings(max_examples=200)
def test_a_forged_friend_is_never_treated_more_mildly_than_a_stranger(
    site: Config, wanted: Preferences, found: Findings
) -> None:
    friends = tuple(replace(one, blocked=()) for one in wanted.senders)
    wanted = replace(wanted, graymail=False, senders=friends)
    forged = replace(found, sender=replace(FRIEND, authentication=Authentication.FAILED))
    stranger = replace(found, sender=Sender(None, ""))

    assert severity(site, wanted, forged) >= severity(site, wanted, stranger)
