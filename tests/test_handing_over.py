"""Copies that are handed over: what they tell, and what becomes of those who are refused or have theirs."""

from __future__ import annotations

from collections.abc import Collection
from itertools import cycle

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dues import at_most, due
from tests.model_mta import once
from tests.providers import (
    ADDRESSES,
    EXAMPLES,
    FIELDS,
    Site,
    addressees,
    directions,
    facts,
    letter,
    relayed,
)

from tamis.decision import Plan
from tamis.finding import Filter, Findings
from tamis.policy.combine import fall_back, without
from tamis.policy.envelopes import mailbox
from tamis.ticket import Action, Means

answers = st.lists(st.booleans(), min_size=1, max_size=7)
names = st.frozensets(st.sampled_from(("anna", "bob", "carol", "dave", "eve", "frank", "ghost")), max_size=3)


def refused_by(answers: Collection[bool], plan: Plan) -> frozenset[str]:
    """Return the recipients of copies that a relay refuses which answers so, over and over."""
    asked = [one.address for copy in plan.copies for one in copy.recipients]
    return frozenset(one for one, answer in zip(asked, cycle(answers), strict=False) if answer)


def name(address: str) -> str:
    """Return the local part without its detail."""
    return address.partition("@")[0].partition("+")[0]


@given(relayed, facts, addressees, directions, answers)
@settings(max_examples=EXAMPLES)
def test_whatever_the_relay_refuses_everyone_gets_it_once_and_no_more_is_done_than_he_agreed_to(
    site: Site, found: Findings, to: list[str], auth_user: str | None, answers: list[bool]
) -> None:
    one = letter(*to, auth_user=auth_user)
    plan = site.plan(one, found)
    owed = due(site, one, found)
    refused = refused_by(answers, plan)

    rest = fall_back(plan, refused, site.allowed(one))

    assert rest.reply == plan.reply
    if isinstance(owed, str):
        return
    copies = once(site.mta.relay(one, plan, refused))
    assert copies <= owed
    at_most(site, one, once([*copies, *site.mta.transaction(one, rest)]), owed)
    if plan.copies:
        assert rest.means is (Means.SPLIT if copies else Means.COMMON)
    assert not rest.copies


@given(relayed, facts, addressees, directions, answers)
@settings(max_examples=EXAMPLES)
def test_whatever_the_relay_refuses_malware_and_filters_that_are_off_reach_nobody(
    site: Site, found: Findings, to: list[str], auth_user: str | None, answers: list[bool]
) -> None:
    site = site.changed(antivirus={"mixed": "discard"})
    one = letter(*to, auth_user=auth_user)
    plan = site.plan(one, found)
    refused = refused_by(answers, plan)
    rest = fall_back(plan, refused, site.allowed(one))

    if plan.reply is None:
        infected = any(decision.action is Action.DISCARD for decision in plan.decisions)
        for mail in [*site.mta.relay(one, plan, refused), *site.mta.transaction(one, rest)]:
            member = site.member(mail.mailbox)
            ours = member.local or auth_user is None
            assert not (infected and ours and member.preferences.antivirus)
            for name in Filter:
                if not ours or not getattr(member.preferences, name.value):
                    assert not mail.has(*FIELDS[name])


@given(relayed, facts, addressees, directions, answers)
@settings(max_examples=EXAMPLES)
def test_the_ticket_says_what_happened_when_the_relay_refused_some(
    site: Site, found: Findings, to: list[str], auth_user: str | None, answers: list[bool]
) -> None:
    one = letter(*to, auth_user=auth_user)
    plan = site.plan(one, found)
    refused = refused_by(answers, plan)
    rest = fall_back(plan, refused, site.allowed(one))

    mails = [*site.mta.relay(one, plan, refused), *site.mta.transaction(one, rest)]
    for decision in rest.decisions if plan.reply is None else ():
        # One mailbox may be reached by several addresses, each with its own folder.
        places = site.mta.places([decision.recipient])
        own = [
            mail
            for mail in mails
            if mail.mailbox == decision.address
            and (decision.action is Action.FILE or (mail.mailbox, mail.folder) in places)
        ]
        marked = any(mail.has("X-Spam-Flag", "X-Graymail") for mail in own)
        match decision.action:
            case Action.FILE:
                assert decision.folder in {mail.folder for mail in own}
            case Action.MARK:
                assert marked or any(b"X-Virus-Status" in mail.head for mail in own)
            case Action.DELIVER:
                assert own and not marked
            case Action.DISCARD:
                assert not own
            case _:
                raise AssertionError("no reply to the client says so")


@given(relayed, facts, addressees, directions, names, answers)
@settings(max_examples=EXAMPLES)
def test_who_got_a_copy_in_an_earlier_attempt_gets_nothing_more(
    site: Site,
    found: Findings,
    to: list[str],
    auth_user: str | None,
    earlier: frozenset[str],
    answers: list[bool],
) -> None:
    one = letter(*to, auth_user=auth_user)
    plan = site.plan(one, found)
    owed = due(site, one, found)
    have = {
        mailbox(decision, site.settings.mail.recipient_delimiter)
        for decision in plan.decisions
        if name(decision.address) in earlier
    }
    reached = earlier | {"gina"} if "frank" in earlier else earlier

    left = without(plan, have, site.allowed(one))

    if isinstance(owed, str):
        assert left == plan
        return
    owed = frozenset(mail for mail in owed if name(mail.mailbox) not in reached)
    assert site.mta.deliver(one, left) == owed
    refused = refused_by(answers, left)
    rest = fall_back(left, refused, site.allowed(one))
    at_most(site, one, once([*site.mta.relay(one, left, refused), *site.mta.transaction(one, rest)]), owed)


@given(relayed, facts, addressees, directions)
@settings(max_examples=EXAMPLES)
def test_no_copy_names_or_counts_another_recipient(
    site: Site, found: Findings, to: list[str], auth_user: str | None
) -> None:
    plan = site.plan(letter(*to, auth_user=auth_user), found)

    for copy in plan.copies:
        for recipient, positions in zip(copy.recipients, copy.decisions, strict=True):
            own = [plan.decisions[position] for position in positions]
            names = {one.recipient.address.lower() for one in own} | {one.address for one in own}
            told = " ".join((recipient.address, *recipient.parameters)).lower().replace("+2b", "+")
            others = {address.lower() for address in ADDRESSES} - names - {recipient.address}
            assert not [one for one in others if f";{one} " in f"{told} " or recipient.address == one]
            for one in own:
                # What he would carry as the only one counts and names nobody else.
                assert copy.fields == tuple((field.name, field.value) for field in one.fields)
