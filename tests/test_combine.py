"""One transaction for many: means, recipients, fields and replies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import (
    GUESSED,
    INFECTED,
    NEWSLETTER,
    SCANNER_AWAY,
    SPAM,
    UNSCANNABLE,
    config,
    findings,
    member,
    message,
)

from tamis.config import Config
from tamis.decision import Plan
from tamis.finding import Findings, SpamFinding
from tamis.message import Recipient
from tamis.policy.allowed import Allowed, allowed
from tamis.policy.combine import combine, fall_back
from tamis.policy.decide import decide
from tamis.preferences import Member, Preferences, Treatment
from tamis.ticket import Action, Means

ANNA, BOB = "anna@example.org", "bob@example.org"
DEFAULTS = Preferences()
FILES = Preferences(spam=Treatment.FILE, newsletter=Treatment.FILE)
NO_ANTIVIRUS = Preferences(antivirus=False)
NO_ANTISPAM = Preferences(antispam=False)

Addressee = tuple[Recipient, Member]


def to(address: str, wishes: Preferences, *parameters: str, account: str | None = None) -> Addressee:
    return Recipient(address, parameters), member(account or address, wishes)


def plan(
    found: Findings, *addressees: Addressee, site: Config | None = None, ticket_id: str | None = None
) -> Plan:
    site = site or config()
    decisions = [decide(recipient, one, found, site) for recipient, one in addressees]
    return combine(decisions, allowed(message(), site), ticket_id=ticket_id)


def actions(given: Plan) -> list[Action]:
    return [one.action for one in given.decisions]


def test_equal_decisions_are_uniform() -> None:
    made = plan(findings(antispam=SPAM), to(ANNA, DEFAULTS), to(BOB, DEFAULTS))

    assert made.means is Means.UNIFORM
    assert made.reply is None
    assert ("X-Spam-Flag", "YES") in made.fields
    assert (made.remove_recipients, made.add_recipients) == ((), ())


def test_one_recipients_file_is_uniform_and_readdressed() -> None:
    made = plan(findings(antispam=SPAM), to(BOB, FILES))

    assert made.means is Means.UNIFORM
    assert made.remove_recipients == (BOB,)
    assert [one.address for one in made.add_recipients] == ["bob+junk@example.org"]
    assert ("X-Spam-Flag", "YES") in made.fields


def test_decisions_that_differ_in_the_folder_only_are_detail() -> None:
    made = plan(findings(antispam=SPAM), to(ANNA, DEFAULTS), to(BOB, FILES))

    assert made.means is Means.DETAIL
    assert made.remove_recipients == (BOB,)
    assert actions(made) == [Action.MARK, Action.FILE]
    assert ("X-Spam-Flag", "YES") in made.fields


def test_decisions_that_differ_in_fields_are_common() -> None:
    made = plan(findings(antispam=SPAM), to(ANNA, NO_ANTISPAM), to(BOB, FILES))

    assert made.means is Means.COMMON
    assert made.fields == ()
    assert actions(made) == [Action.DELIVER, Action.DELIVER]
    assert made.remove_recipients == ()


def test_common_fields_stay_under_common() -> None:
    made = plan(findings(antispam=SPAM), to(ANNA, DEFAULTS), to(BOB, Preferences(spam_mark=6.0)))

    assert made.means is Means.COMMON
    assert [name for name, _ in made.fields] == ["X-Spam-Flag", "X-Spam-Score", "X-Spam-Level"]
    assert actions(made) == [Action.MARK, Action.MARK]


def test_all_who_file_are_filed_under_common() -> None:
    wishes = replace(FILES, antispam=False)
    made = plan(findings(antispam=SPAM, graymail=NEWSLETTER), to(ANNA, wishes), to(BOB, FILES))

    assert made.means is Means.COMMON
    assert actions(made) == [Action.FILE, Action.FILE]
    assert {one.address for one in made.add_recipients} == {
        "anna+newsletters@example.org",
        "bob+junk@example.org",
    }


def test_a_mark_of_nothing_is_a_delivery() -> None:
    found = findings(antispam=SPAM, graymail=NEWSLETTER)
    site = config(headers__on_clean=True)

    made = plan(found, to(ANNA, NO_ANTISPAM), to(BOB, DEFAULTS), site=site)

    assert made.fields == (("X-Virus-Scanned", "Tamis"), ("X-Virus-Status", "Clean"))
    assert actions(made) == [Action.DELIVER, Action.DELIVER]


def test_dsn_parameters_are_kept() -> None:
    given = to(BOB, FILES, "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;robert@example.com", "X=1")

    made = plan(findings(antispam=SPAM), given)

    assert made.add_recipients == (
        Recipient("bob+junk@example.org", ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;robert@example.com")),
    )


def test_the_original_recipient_is_told_where_the_client_did_not() -> None:
    made = plan(findings(antispam=SPAM), to("bob+x=1@example.org", FILES, account=BOB))

    assert made.add_recipients[0].parameters == ("ORCPT=rfc822;bob+2Bx+3D1@example.org",)


@pytest.mark.parametrize("received", ["bob+x@example.org", "robert@example.org", "Bob@Example.ORG"])
def test_filed_mail_goes_to_the_accounts_own_address(received: str) -> None:
    made = plan(findings(antispam=SPAM), to(received, FILES, account=BOB))

    assert made.remove_recipients == (received,)
    assert made.add_recipients[0].address == "bob+junk@example.org"
    assert made.decisions[0].recipient.address == received


def test_what_comes_to_the_folders_own_address_stays_there() -> None:
    made = plan(findings(antispam=SPAM), to("bob+junk@example.org", FILES, account=BOB), to(BOB, FILES))

    assert made.remove_recipients == (BOB,)
    assert made.add_recipients == ()


def test_a_group_that_agrees_is_left_unexpanded() -> None:
    team = Recipient("team@example.org")

    made = plan(findings(antispam=SPAM), (team, member(ANNA)), (team, member(BOB)))

    assert (made.means, made.remove_recipients) == (Means.UNIFORM, ())


def test_a_group_that_differs_counts_as_its_members() -> None:
    team = Recipient("team@example.org")

    made = plan(findings(antispam=SPAM), (team, member(ANNA)), (team, member(BOB, FILES)))

    assert made.means is Means.DETAIL
    assert made.remove_recipients == ("team@example.org",)
    assert {one.address for one in made.add_recipients} == {ANNA, "bob+junk@example.org"}
    assert {one.parameters for one in made.add_recipients} == {("ORCPT=rfc822;team@example.org",)}


def desk(*wishes: Preferences, received: str = "desk@example.org") -> list[Addressee]:
    """Return a group that has a mailbox of its own name: no mail reaches one of its members alone."""
    found = []
    for name, one in zip(("desk", "anna", "bob"), wishes, strict=False):
        behind = replace(member(f"{name}@example.org", one), reached="desk@example.org")
        found.append((Recipient(received), behind))
    return found


def test_a_group_with_a_mailbox_of_its_own_name_is_not_expanded() -> None:
    made = plan(findings(antispam=SPAM), *desk(FILES, DEFAULTS))

    assert (made.means, made.remove_recipients, made.add_recipients) == (Means.COMMON, (), ())
    assert actions(made) == [Action.MARK, Action.MARK]
    assert ("X-Spam-Flag", "YES") in made.fields


def test_such_a_group_is_not_filed_though_all_members_would_be() -> None:
    made = plan(findings(antispam=SPAM), *desk(FILES, FILES))

    assert (made.means, made.remove_recipients) == (Means.COMMON, ())
    assert fall_back(made, (), Allowed("+")) == made


def test_nothing_is_done_to_such_a_group_that_one_member_did_not_agree_to() -> None:
    made = plan(findings(antispam=SPAM), *desk(FILES, NO_ANTISPAM))

    assert (made.means, made.fields) == (Means.COMMON, ())
    assert actions(made) == [Action.DELIVER, Action.DELIVER]


def test_such_a_group_stays_whole_where_another_is_expanded() -> None:
    members = desk(DEFAULTS, DEFAULTS, received="team@example.org")
    found = findings(antispam=SPAM)

    made = plan(found, *members, (Recipient("team@example.org"), member("kim@example.org", FILES)))

    assert (made.means, made.remove_recipients) == (Means.DETAIL, ("team@example.org",))
    assert [one.address for one in made.add_recipients] == ["desk@example.org", "kim+junk@example.org"]


def test_malware_for_one_of_such_a_group_is_refused_for_all() -> None:
    made = plan(findings(antivirus=INFECTED), *desk(NO_ANTIVIRUS, DEFAULTS), ticket_id="01J0")

    assert str(made.reply) == "550 5.7.1 Message contains malware (Eicar-Test-Signature) [01J0]"
    assert (made.means, actions(made)) == (Means.COMMON, [Action.REFUSE, Action.REFUSE])


def test_malware_for_one_of_such_a_group_is_kept_from_all_where_others_get_it() -> None:
    found = findings(antivirus=INFECTED)

    made = plan(found, *desk(NO_ANTIVIRUS, DEFAULTS), to("kim@example.org", NO_ANTIVIRUS))

    assert made.remove_recipients == ("desk@example.org",)
    assert actions(made) == [Action.DISCARD, Action.DISCARD, Action.DELIVER]


def test_malware_is_refused_where_the_others_would_have_spam_refused() -> None:
    found = findings(antivirus=INFECTED, antispam=SPAM)
    site = config(antispam__refuse=6.0)

    made = plan(
        found, *desk(DEFAULTS, Preferences(antivirus=False, antispam=False)), to(BOB, NO_ANTIVIRUS), site=site
    )

    assert str(made.reply) == "550 5.7.1 Message contains malware (Eicar-Test-Signature)"
    assert actions(made) == [Action.REFUSE] * 3


def test_malware_for_all_is_refused_by_its_name() -> None:
    made = plan(findings(antivirus=INFECTED), to(ANNA, DEFAULTS), to(BOB, DEFAULTS), ticket_id="01J0")

    assert str(made.reply) == "550 5.7.1 Message contains malware (Eicar-Test-Signature) [01J0]"
    assert actions(made) == [Action.REFUSE, Action.REFUSE]


def test_malware_for_some_is_discarded_for_those_who_have_antivirus_on() -> None:
    made = plan(findings(antivirus=INFECTED), to(ANNA, DEFAULTS), to(BOB, NO_ANTIVIRUS))

    assert made.reply is None
    assert actions(made) == [Action.DISCARD, Action.DELIVER]
    assert made.remove_recipients == (ANNA,)
    assert made.fields == ()


def test_malware_for_some_is_not_discarded_where_the_operator_says_mark() -> None:
    site = config(antivirus__mixed="mark")

    made = plan(findings(antivirus=INFECTED), to(ANNA, DEFAULTS), to(BOB, NO_ANTIVIRUS), site=site)

    assert Action.DISCARD not in actions(made)
    assert made.remove_recipients == ()
    assert made.fields == ()  # under means common the mark would show in the copy of who has it off


def test_malware_is_named_whoever_comes_first() -> None:
    found = findings(antivirus=INFECTED, antispam=SPAM)
    site = config(antispam__refuse=6.0)

    made = plan(found, to(ANNA, NO_ANTIVIRUS), to(BOB, DEFAULTS), site=site)

    assert str(made.reply) == "550 5.7.1 Message contains malware (Eicar-Test-Signature)"


def test_spam_for_all_is_refused_without_a_users_setting() -> None:
    made = plan(
        findings(antispam=SPAM), to(BOB, DEFAULTS), site=config(antispam__refuse=6.0), ticket_id="01J0"
    )

    assert str(made.reply) == "550 5.7.1 Message refused as spam [01J0]"


def test_a_spam_refusal_of_one_is_filed() -> None:
    site = config(antispam__refuse=6.0)
    # Both have the same fields, so that only the folder differs.
    refused, kept = to(ANNA, DEFAULTS), to(BOB, DEFAULTS)

    decisions = [
        decide(*refused, findings(antispam=SPAM), site),
        decide(*kept, findings(antispam=SPAM), config()),
    ]
    made = combine(decisions, allowed(message(), site))

    assert made.means is Means.DETAIL
    assert actions(made) == [Action.FILE, Action.MARK]
    assert [one.address for one in made.add_recipients] == ["anna+junk@example.org"]


def test_a_spam_refusal_of_one_is_filed_beside_a_neighbour_who_opted_out() -> None:
    site = config(antispam__refuse=6.0)
    opted_out = replace(DEFAULTS, antispam=False)

    decisions = [
        decide(*to(ANNA, DEFAULTS), findings(antispam=SPAM), site),
        decide(*to(BOB, opted_out), findings(antispam=SPAM), site),
    ]
    made = combine(decisions, allowed(message(), site))

    assert made.means is Means.COMMON
    assert actions(made) == [Action.FILE, Action.DELIVER]
    assert made.fields == ()


def test_a_message_that_cannot_be_scanned_is_refused_in_these_words() -> None:
    site = config(antivirus__on_unscannable="refuse")

    made = plan(findings(antivirus=UNSCANNABLE), to(BOB, DEFAULTS), site=site)

    assert str(made.reply) == "550 5.7.1 Message cannot be scanned for malware"


def test_what_cannot_be_scanned_is_not_discarded() -> None:
    site = config(antivirus__on_unscannable="refuse")

    made = plan(findings(antivirus=UNSCANNABLE), to(ANNA, DEFAULTS), to(BOB, NO_ANTIVIRUS), site=site)

    assert Action.DISCARD not in actions(made)
    assert made.remove_recipients == ()


def test_one_tempfail_is_everyones() -> None:
    made = plan(findings(antivirus=SCANNER_AWAY), to(ANNA, DEFAULTS), to(BOB, NO_ANTIVIRUS), ticket_id="01J0")

    assert str(made.reply) == "451 4.7.1 Filter temporarily unavailable, try again later [01J0]"
    assert actions(made) == [Action.TEMPFAIL, Action.TEMPFAIL]


def test_no_recipient_is_a_tempfail() -> None:
    assert str(combine([], Allowed("+")).reply).startswith("451 4.7.1 ")


def test_fields_stand_in_the_order_of_the_filters() -> None:
    made = plan(findings(antivirus=GUESSED, antispam=SpamFinding(7.3)), to(BOB, DEFAULTS))

    assert [name for name, _ in made.fields] == [
        "X-Virus-Scanned",
        "X-Virus-Status",
        "X-Spam-Flag",
        "X-Spam-Score",
        "X-Spam-Level",
        "X-Spam-Status",
    ]
