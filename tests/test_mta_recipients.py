"""Recipients through either MTA: other names of an account, groups, and several recipients of one message."""

from __future__ import annotations

import re

import pytest
from tests.servers import mail
from tests.servers.sites import Site

WITH_REPORT = ("NOTIFY=SUCCESS",)  # RFC 3461: the MTA tells the sender when it has delivered
REPORTED = re.compile(r"^(Original|Final)-Recipient: rfc822; ?(\S+)\r\n", re.IGNORECASE | re.MULTILINE)


def reported(site: Site, raw: bytes) -> set[tuple[str, str]]:
    """Return original and final recipients in the report of a delivered message."""
    report = site.mta.sink.wait_for(mail.message_id(raw).encode()).content.decode()
    found = set()
    for paragraph in report.split("\r\n\r\n"):
        if "\r\nAction: delivered" in paragraph:
            names: dict[str, str] = dict(REPORTED.findall(paragraph))
            found.add((names.get("Original", names["Final"]), names["Final"]))
    return found


def test_alias_is_filed_under_the_accounts_own_address(site: Site) -> None:
    story = site.receive(mail.gtube(), "info@example.org")

    assert story.places == ["bob@example.org/junk"]
    assert story.verdicts == {"info@example.org=bob@example.org": "clean spam none file"}


def test_filed_alias_keeps_the_original_recipient(site: Site) -> None:
    raw = mail.gtube()

    site.receive(raw, ("info@example.org", WITH_REPORT))

    assert reported(site, raw) == {("info@example.org", "bob+junk@example.org")}


def test_filed_message_keeps_the_senders_own_original_recipient(site: Site) -> None:
    raw = mail.gtube()

    site.receive(raw, ("bob@example.org", (*WITH_REPORT, "ORCPT=rfc822;robert@example.net")))

    assert reported(site, raw) == {("robert@example.net", "bob+junk@example.org")}


def test_detail_is_kept_where_nothing_is_filed(site: Site) -> None:
    story = site.receive(mail.letter(), "bob+lists@example.org")

    assert story.places == ["bob@example.org/lists"]
    assert story.verdicts == {"bob+lists@example.org=bob@example.org": "clean ham none deliver"}


def test_detail_is_replaced_where_a_message_is_filed(site: Site) -> None:
    story = site.receive(mail.gtube(), "bob+lists@example.org")

    assert story.places == ["bob@example.org/junk"]


def test_catch_all_is_filed_under_the_accounts_own_address(site: Site) -> None:
    story = site.receive(mail.gtube(), "whoever@branch.example.org")

    assert story.places == ["bob@example.org/junk"]
    assert story.verdicts == {"whoever@branch.example.org=bob@example.org": "clean spam none file"}


def test_domain_alias_leads_to_the_account(site: Site) -> None:
    story = site.receive(mail.gtube(), "bob@example.com")

    assert story.places == ["bob@example.org/junk"]
    assert story.verdicts == {"bob@example.com=bob@example.org": "clean spam none file"}


def test_case_of_a_recipient_does_not_matter(site: Site) -> None:
    story = site.receive(mail.gtube(), "BOB@Example.ORG")

    assert story.places == ["bob@example.org/junk"]
    assert story.verdicts == {"BOB@Example.ORG=bob@example.org": "clean spam none file"}


@pytest.mark.parametrize(
    "spelled",
    [
        '"dave"@example.org',
        '"da\\ve"@example.org',
        "dave@example.org.",
        "(friend)dave@example.org",
        "@relay.example.net:dave@example.org",
        "dave%example.org",
        "example.org!dave",
        "DAVE@EXAMPLE.COM.",
        '"dave+x"@example.org',
    ],
)
def test_settings_count_however_the_sender_spells_the_recipient(site: Site, spelled: str) -> None:
    story = site.receive(mail.gtube(), spelled)

    assert story.places == ["dave@example.org/"]
    assert story.copy.fields == ()
    assert story.verdicts == {f"{spelled}=dave@example.org": "off off off deliver"}


@pytest.mark.parametrize(
    "spelled", ['"bob"@example.org', "bob@example.org.", "example.org!bob", "bob%example.com"]
)
def test_recipient_in_another_spelling_is_filed(site: Site, spelled: str) -> None:
    story = site.receive(mail.gtube(), spelled)

    assert story.places == ["bob@example.org/junk"]


def test_group_that_agrees_stays_a_group(site: Site) -> None:
    story = site.receive(mail.gtube(), "crew@example.org")

    assert story.places == ["anna@example.org/", "kim@example.org/"]
    assert story.ticket["means"] == "uniform"
    assert story.verdicts == {
        "crew@example.org=anna@example.org": "clean spam none mark",
        "crew@example.org=kim@example.org": "clean spam none mark",
    }


def test_group_that_differs_in_the_folder_is_expanded(site: Site) -> None:
    story = site.receive(mail.gtube(), "team@example.org")

    assert story.places == ["anna@example.org/", "bob@example.org/junk"]
    assert story.ticket["means"] == "detail"
    assert story.verdicts == {
        "team@example.org=anna@example.org": "clean spam none mark",
        "team@example.org=bob@example.org": "clean spam none file",
    }


def test_expanded_group_keeps_the_original_recipient(site: Site) -> None:
    raw = mail.gtube()

    site.receive(raw, ("team@example.org", WITH_REPORT))

    assert reported(site, raw) == {
        ("team@example.org", "anna@example.org"),
        ("team@example.org", "bob+junk@example.org"),
    }


def test_recipients_who_differ_in_the_folder_each_get_theirs(site: Site) -> None:
    story = site.receive(mail.gtube(), "anna@example.org", "bob@example.org")

    assert story.places == ["anna@example.org/", "bob@example.org/junk"]
    assert story.ticket["means"] == "detail"
    assert story.copies[0].fields == story.copies[1].fields


def test_delivery_reports_survive_filing(site: Site) -> None:
    raw = mail.gtube()

    site.receive(raw, ("anna@example.org", WITH_REPORT), ("bob+x@example.org", WITH_REPORT))

    assert reported(site, raw) == {
        ("anna@example.org", "anna@example.org"),
        ("bob+x@example.org", "bob+junk@example.org"),
    }


def test_recipient_who_wants_no_report_gets_none_when_filed(site: Site) -> None:
    raw = mail.gtube()

    site.receive(raw, ("anna@example.org", WITH_REPORT), ("bob@example.org", ("NOTIFY=NEVER",)))

    assert reported(site, raw) == {("anna@example.org", "anna@example.org")}


def test_opted_out_neighbour_sees_nothing_of_a_filter(site: Site) -> None:
    story = site.receive(mail.gtube(), "anna@example.org", "dave@example.org")

    assert story.places == ["anna@example.org/", "dave@example.org/"]
    assert [copy.fields for copy in story.copies] == [(), ()]
    assert story.ticket["means"] == "common"
    assert story.verdicts == {
        "anna@example.org=anna@example.org": "clean spam none deliver",
        "dave@example.org=dave@example.org": "off off off deliver",
    }


def test_clean_message_is_uniform_for_recipients_who_differ(site: Site) -> None:
    story = site.receive(mail.letter(), "anna@example.org", "bob@example.org", "dave@example.org")

    assert story.ticket["means"] == "uniform"
    assert story.places == ["anna@example.org/", "bob@example.org/", "dave@example.org/"]


def test_neighbours_share_the_fields_of_filters_that_both_have_on(strict_site: Site) -> None:
    story = strict_site.receive(mail.letter(), "anna@example.org", "erin@example.org")  # antivirus off

    assert [tuple(name for name, _ in copy.fields) for copy in story.copies] == [
        ("X-Spam-Score", "X-Spam-Status"),
        ("X-Spam-Score", "X-Spam-Status"),
    ]
    assert story.ticket["means"] == "common"


def test_alias_and_its_target_get_one_filed_copy(site: Site) -> None:
    story = site.receive(mail.gtube(), "bob@example.org", "info@example.org")

    assert story.places == ["bob@example.org/junk"]
    assert len(story.verdicts) == 2


def test_malware_reaches_nobody_who_has_antivirus_on(site: Site) -> None:
    story = site.receive(mail.eicar_in_zip(), "anna@example.org", "erin@example.org")

    assert story.places == ["erin@example.org/"]
    assert story.copy.fields == ()
    assert story.verdicts == {
        "anna@example.org=anna@example.org": "infected ham none discard",
        "erin@example.org=erin@example.org": "off ham none deliver",
    }


def test_malware_is_refused_if_all_recipients_have_antivirus_on(site: Site) -> None:
    story = site.receive(mail.eicar_in_zip(), "anna@example.org", "bob@example.org", "crew@example.org")

    assert story.reply.code == 550
    assert set(story.verdicts.values()) == {"infected ham none refuse"}


def test_malware_to_a_divided_group_reaches_the_opted_out_member_alone(site: Site) -> None:
    story = site.receive(mail.eicar_in_zip(), "club@example.org")

    assert story.places == ["erin@example.org/"]


def test_spam_that_all_would_refuse_is_refused(strict_site: Site) -> None:
    story = strict_site.receive(mail.gtube(), "anna@example.org", "team@example.org")

    assert story.reply.code == 550
    assert set(story.verdicts.values()) == {"clean spam none refuse"}


def test_refused_spam_with_an_opted_out_neighbour_is_filed_for_the_other(strict_site: Site) -> None:
    story = strict_site.receive(mail.gtube(), "anna@example.org", "frank@example.org")

    assert story.places == ["anna@example.org/junk", "frank@example.org/"]
    assert story.ticket["means"] == "common"
    assert all("X-Spam-Flag" not in dict(copy.fields) for copy in story.copies)


def test_refused_recipient_leaves_no_ticket(site: Site) -> None:
    raw = mail.letter()

    story = site.receive(raw, "nobody@example.org")

    assert story.reply.code == 550
    assert story.tickets == []
