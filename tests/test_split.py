"""Copies beside the transaction: who gets one, who stays, and what is left where some are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import INFECTED, NEWSLETTER, SPAM, config, findings, member, message

from tamis.config import Config
from tamis.decision import Copy, Plan
from tamis.finding import Findings, SpamFinding
from tamis.message import Recipient
from tamis.policy.allowed import Allowed, allowed
from tamis.policy.combine import combine, fall_back, reached, without
from tamis.policy.decide import decide
from tamis.policy.envelopes import mailbox
from tamis.preferences import Member, Preferences, Treatment
from tamis.ticket import Action, Means

ANNA, BOB, CAROL, DAVE = (f"{name}@example.org" for name in ("anna", "bob", "carol", "dave"))
DEFAULTS = Preferences()
FILES = Preferences(spam=Treatment.FILE)
NO_ANTISPAM = Preferences(antispam=False)
LENIENT = Preferences(spam_mark=6.0)
SITE = config(resend__relay="inet:127.0.0.1:10026")
MAY = Allowed("+", split=True)

Addressee = tuple[Recipient, Member]


def to(address: str, wishes: Preferences, *parameters: str, account: str | None = None) -> Addressee:
    return Recipient(address, parameters), member(account or address, wishes)


def group(address: str, **members: Preferences) -> list[Addressee]:
    received = Recipient(address)
    return [(received, member(f"{name}@example.org", wishes)) for name, wishes in members.items()]


def plan(*addressees: Addressee, found: Findings | None = None, may: Allowed = MAY) -> Plan:
    facts = found or findings(antispam=SPAM)
    return combine([decide(recipient, one, facts, SITE) for recipient, one in addressees], may)


def addresses(recipients: tuple[Recipient, ...]) -> list[str]:
    return [one.address for one in recipients]


def actions(given: Plan) -> list[Action]:
    return [one.action for one in given.decisions]


def test_who_opted_out_stays_and_the_others_get_a_copy() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM))

    assert made.means is Means.SPLIT
    assert (made.fields, made.remove_recipients, made.add_recipients) == ((), (ANNA,), ())
    (copy,) = made.copies
    assert addresses(copy.recipients) == [ANNA]
    assert ("X-Spam-Flag", "YES") in copy.fields
    assert copy.decisions == ((0,),)
    assert actions(made) == [Action.MARK, Action.DELIVER]


def test_those_with_equal_fields_share_a_copy_though_one_is_filed() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM), to(CAROL, FILES))

    (copy,) = made.copies
    assert addresses(copy.recipients) == [ANNA, "carol+junk@example.org"]
    assert actions(made) == [Action.MARK, Action.DELIVER, Action.FILE]


def test_where_all_need_a_change_the_largest_group_stays() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, LENIENT), to(CAROL, LENIENT))

    assert made.remove_recipients == (ANNA,)
    assert ("X-Spam-Status", "Yes, score=7.3 required=6.0 tests=LINK_TEXT_MISMATCH") in made.fields
    assert [addresses(copy.recipients) for copy in made.copies] == [[ANNA]]


def test_of_groups_of_one_size_the_first_stays() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, LENIENT))

    assert [addresses(copy.recipients) for copy in made.copies] == [[BOB]]


def test_a_group_that_must_be_readdressed_does_not_stay_for_having_no_fields() -> None:
    team = group("team@example.org", anna=NO_ANTISPAM, bob=DEFAULTS)

    made = plan(*team, to(CAROL, DEFAULTS))

    assert [addresses(copy.recipients) for copy in made.copies] == [[ANNA]]
    assert made.remove_recipients == ("team@example.org",)
    assert addresses(made.add_recipients) == [BOB]


def test_members_who_agree_get_their_copy_by_the_groups_address() -> None:
    made = plan(*group("team@example.org", anna=DEFAULTS, bob=DEFAULTS), to(CAROL, NO_ANTISPAM))

    (copy,) = made.copies
    assert copy == Copy(
        (Recipient("team@example.org", ("ORCPT=rfc822;team@example.org",)),), copy.fields, ((0, 1),)
    )


def test_members_who_differ_are_addressed_by_their_own_names() -> None:
    made = plan(*group("team@example.org", anna=DEFAULTS, bob=NO_ANTISPAM))

    named = ("ORCPT=rfc822;team@example.org",)
    assert made.add_recipients == (Recipient(ANNA, named),)
    assert made.copies[0].recipients == (Recipient(BOB, named),)


def test_who_is_addressed_by_name_and_in_a_group_stands_in_one_envelope_once() -> None:
    team = group("team@example.org", anna=DEFAULTS, bob=NO_ANTISPAM)

    made = plan(*team, to("Anna@Example.org", DEFAULTS, "NOTIFY=NEVER", account=ANNA), to(CAROL, NO_ANTISPAM))

    (copy,) = made.copies
    assert copy.recipients == (
        Recipient("Anna@Example.org", ("NOTIFY=NEVER", "ORCPT=rfc822;Anna@Example.org")),
    )
    assert copy.decisions == ((2, 0),)
    assert addresses(made.add_recipients) == [BOB]


def test_a_copys_recipient_keeps_his_dsn_parameters() -> None:
    given = ("NOTIFY=SUCCESS", "ORCPT=rfc822;robert@example.com")

    made = plan(to(ANNA, NO_ANTISPAM), to(BOB, DEFAULTS, *given, "X=1"))

    assert made.copies[0].recipients == (Recipient(BOB, given),)


def test_the_detail_received_is_kept_in_a_copy() -> None:
    made = plan(to(ANNA, NO_ANTISPAM), to("bob+x@example.org", DEFAULTS, account=BOB))

    assert addresses(made.copies[0].recipients) == ["bob+x@example.org"]


def test_who_is_to_be_kept_from_malware_is_in_no_envelope() -> None:
    found = findings(antispam=SPAM, antivirus=INFECTED)
    unprotected = replace(DEFAULTS, antivirus=False)
    off = Preferences(antivirus=False, antispam=False)

    made = plan(to(ANNA, DEFAULTS), to(BOB, unprotected), to(CAROL, off), found=found)

    assert made.means is Means.SPLIT
    assert made.remove_recipients == (ANNA, BOB)
    assert [addresses(copy.recipients) for copy in made.copies] == [[BOB]]
    assert actions(made)[0] is Action.DISCARD


def test_spam_that_one_alone_refuses_is_filed_by_a_copy() -> None:
    site = config(antispam__refuse=6.0)
    facts = findings(antispam=SPAM)

    made = combine([decide(*one, facts, site) for one in (to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM))], MAY)

    assert addresses(made.copies[0].recipients) == ["anna+junk@example.org"]
    assert actions(made) == [Action.FILE, Action.DELIVER]


def test_an_address_that_would_be_in_two_envelopes_leaves_common() -> None:
    # An operator's alias of the very name that Bob's mail is filed under.
    alias = to("bob+junk@example.org", NO_ANTISPAM, account=CAROL)

    made = plan(to(BOB, FILES), alias)

    assert made.means is Means.COMMON
    assert made.copies == ()


def test_what_differs_in_the_folder_only_needs_no_copy() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, FILES))

    assert (made.means, made.copies) == (Means.DETAIL, ())


@pytest.mark.parametrize(
    ("site", "omitted"), [(config(), 0), (SITE, 1)], ids=["no relay", "body not kept whole"]
)
def test_copies_are_not_allowed_where_they_cannot_be_made(site: Config, omitted: int) -> None:
    given = replace(message(), omitted=omitted)

    assert not allowed(given, site).split
    assert allowed(message(), SITE).split


def test_once_all_copies_are_taken_the_transaction_is_as_planned() -> None:
    made = replace(plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM)), remove_fields=(("X-Spam-Flag", 1),))

    rest = fall_back(made, (), MAY)

    assert rest == replace(made, copies=(), delivered=frozenset({0}))


def test_who_is_refused_by_the_relay_stays_with_what_all_who_stay_agreed_to() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM), to(CAROL, DEFAULTS))

    rest = fall_back(made, [CAROL], MAY)

    assert (rest.means, rest.copies, rest.fields) == (Means.SPLIT, (), ())
    assert rest.remove_recipients == (ANNA,)
    assert actions(rest) == [Action.MARK, Action.DELIVER, Action.DELIVER]


def test_where_no_copy_is_taken_it_is_common_for_all() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, LENIENT), to(CAROL, DEFAULTS))

    rest = fall_back(made, [BOB], MAY)

    assert (rest.means, rest.remove_recipients, rest.delivered) == (Means.COMMON, (), frozenset())
    assert [name for name, _ in rest.fields] == ["X-Spam-Flag", "X-Spam-Score", "X-Spam-Level"]


def test_a_group_of_which_one_member_is_served_stays_as_the_others() -> None:
    team = group("team@example.org", anna=NO_ANTISPAM, bob=DEFAULTS, carol=LENIENT, dave=NO_ANTISPAM)
    made = plan(*team)

    rest = fall_back(made, [BOB], MAY)

    assert rest.remove_recipients == ("team@example.org",)
    assert addresses(rest.add_recipients) == [ANNA, BOB, DAVE]
    assert rest.delivered == frozenset({2})


def test_who_is_served_by_name_is_not_served_again_through_his_group() -> None:
    team = group("team@example.org", anna=DEFAULTS, bob=DEFAULTS)
    made = plan(*team, to(ANNA, DEFAULTS), to(CAROL, NO_ANTISPAM))

    rest = fall_back(made, ["team@example.org"], MAY)

    assert rest.remove_recipients == ("team@example.org", ANNA)
    assert addresses(rest.add_recipients) == [BOB]


def test_who_is_served_by_name_keeps_what_comes_to_his_detail() -> None:
    detail = to("bob+x@example.org", DEFAULTS, account=BOB)
    made = plan(detail, to(BOB, DEFAULTS), to(CAROL, NO_ANTISPAM))

    rest = fall_back(made, ["bob+x@example.org"], MAY)

    assert rest.remove_recipients == (BOB,)


def test_a_refused_recipient_is_filed_where_all_who_stay_are() -> None:
    filing = replace(FILES, newsletter=Treatment.FILE)
    made = plan(
        to(ANNA, filing),
        to(BOB, replace(filing, antispam=False)),
        found=findings(antispam=SPAM, graymail=NEWSLETTER),
    )

    rest = fall_back(made, addresses(made.copies[0].recipients), MAY)

    assert addresses(rest.add_recipients) == ["anna+junk@example.org", "bob+newsletters@example.org"]


def test_who_had_a_copy_in_an_earlier_attempt_gets_none() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM), to(CAROL, DEFAULTS))

    left = without(made, [ANNA], MAY)

    assert (left.means, left.remove_recipients) == (Means.SPLIT, (ANNA, CAROL))
    assert [addresses(copy.recipients) for copy in left.copies] == [[CAROL]]
    assert left.delivered == frozenset({0})


def test_a_copy_counts_though_its_recipient_is_treated_otherwise_at_the_next_attempt() -> None:
    first = plan(to(ANNA, NO_ANTISPAM), to(BOB, FILES))
    served = reached(first, (), MAY)
    made = plan(to(ANNA, NO_ANTISPAM), to(BOB, FILES), found=findings(antispam=SpamFinding(0.0)))

    left = without(made, served, MAY)

    assert (left.remove_recipients, left.add_recipients, left.copies) == ((BOB,), (), ())


def test_where_all_have_their_copy_nobody_is_left() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM))

    left = without(made, [ANNA, BOB], MAY)

    assert (left.remove_recipients, left.fields, left.copies) == ((ANNA, BOB), (), ())


def test_who_had_his_copy_earlier_gets_none_though_others_are_refused_now() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, NO_ANTISPAM), to(CAROL, LENIENT))

    rest = fall_back(without(made, [ANNA], MAY), [CAROL], MAY)

    assert (rest.means, rest.remove_recipients, rest.delivered) == (Means.SPLIT, (ANNA,), frozenset({0}))


def test_a_refusal_stays_one_whatever_was_delivered() -> None:
    made = plan(to(ANNA, DEFAULTS), to(BOB, DEFAULTS), found=findings(antivirus=INFECTED))

    assert without(made, [ANNA], MAY) == made


@pytest.mark.parametrize(
    ("received", "place"),
    [
        (BOB, BOB),
        ("Bob@Example.ORG", BOB),
        ("robert@example.org", BOB),
        ("bob+x@example.org", "bob+x@example.org"),
        ("Bob+X@Example.ORG", "bob+x@example.org"),
        ("robert+x@example.org", BOB),
        ("bob+x", "bob+x@example.org"),  # as Sendmail tells a local user's name
        ('"a@b"@example.org', BOB),
        ("bobby@example.org", BOB),
    ],
)
def test_a_mailbox_is_the_account_and_the_detail_received(received: str, place: str) -> None:
    decision = decide(*to(received, FILES, account=BOB), findings(antispam=SPAM), SITE)

    assert mailbox(decision, "+") == place
