"""What is Sendmail's own: either front behind it, its macros, its patience, and what it does to messages."""

from __future__ import annotations

import re

import pytest
from tests.servers import mail
from tests.servers.sites import Site, Sites

from tamis import config as configuration
from tamis.resend.handover import LONGEST
from tamis.wiring import sendmail, sendmail_remarks
from tamis.wiring.remark import Status


def test_clean_mail_stays_as_it_was(sendmail_site: Site) -> None:
    raw = mail.letter()

    story = sendmail_site.receive(raw, "bob@example.org")

    assert story.copy.content == raw.replace(b"\r\n", b"\n")
    assert story.copy.fields == ()


def test_spam_is_filed_below_our_fields(sendmail_site: Site) -> None:
    story = sendmail_site.receive(mail.gtube(), "bob+x@example.org")

    assert story.places == ["bob@example.org/junk"]
    assert story.copy.fields[0] == ("X-Spam-Flag", "YES")


def test_malware_is_refused(sendmail_site: Site) -> None:
    story = sendmail_site.receive(mail.eicar_in_zip(), "anna@example.org")

    assert story.reply.code == 550
    assert story.reply.text.endswith(f"[{story.ticket['id']}]")


def test_divided_group_is_expanded(sendmail_site: Site) -> None:
    story = sendmail_site.receive(mail.gtube(), "team@example.org")

    assert story.places == ["anna@example.org/", "bob@example.org/junk"]


def test_authenticated_mail_is_outgoing(sendmail_site: Site) -> None:
    story = sendmail_site.submit(mail.letter(), "robin@example.net")

    assert story.ticket["direction"] == "outgoing"
    assert story.ticket["sender_account"] == "anna@example.org"


def test_mail_of_a_local_program_is_outgoing(sites: Sites) -> None:
    site = sites.get("sendmail", "stream")  # the first of the milters
    raw = mail.letter()

    sites.sendmail.submit("anna@example.org", "robin@example.net", raw)

    (ticket,) = site.tickets(raw)
    assert ticket["direction"] == "outgoing"
    assert ticket["sender_account"] == "anna@example.org"


def test_ticket_has_sendmails_queue_id(sendmail_site: Site) -> None:
    story = sendmail_site.receive(mail.letter(), "anna@example.org")

    assert re.fullmatch(r"[0-9A-Za-z]{14,}", story.ticket["queue_id"])
    assert story.ticket["queue_id"] == story.reply.queue_id


def test_recipient_without_a_domain_is_the_account(sendmail_site: Site) -> None:
    story = sendmail_site.receive(mail.gtube(), "dave")

    assert story.copy.fields == ()
    assert story.verdicts == {"dave=dave@example.org": "off off off deliver"}


def test_forged_fields_are_removed_where_many_have_one_name(sendmail_site: Site) -> None:
    forged = "X-Spam-Flag: NO\nX-Spam-Flag : NO\nx-spam-flag:\n\tno\n" * 20
    raw = mail.message("Hello\n", fields=forged)

    story = sendmail_site.receive(raw, "dave@example.org")

    assert b"x-spam-flag" not in story.copy.raw.lower()


def test_mail_waits_at_the_senders_while_tamis_is_away(sites: Sites) -> None:
    mta = sites.sendmail

    with mta.connect(mta.listeners["away"].mx) as client:
        reply = client.send(mail.letter(), "anna@example.org")

    assert reply.code == 451


def test_mail_is_tempfailed_while_no_scanner_answers(sites: Sites) -> None:
    story = sites.get("sendmail", "unscanned").receive(mail.letter(), "anna@example.org")

    assert story.reply.code == 451
    assert story.reply.text.startswith("4.7.1 ")
    assert story.reply.text.endswith(f"[{story.ticket['id']}]")


def test_shadow_mode_touches_nothing(sites: Sites) -> None:
    raw = mail.message(mail.GTUBE, fields="X-Spam-Flag: NO\n")

    story = sites.get("sendmail", "shadow").receive(raw, "bob@example.org")

    assert story.places == ["bob@example.org/"]
    assert story.copy.fields == ()
    assert story.ticket["recipients"][0]["action"] == "file"


@pytest.mark.usefixtures("sendmail_site")
def test_documented_wiring_passes_the_check(sites: Sites) -> None:
    site = sites.get("sendmail", "stream")
    config = configuration.load(str(site.milter.config))

    found = list(sendmail_remarks.remarks(config, sendmail.read(sites.sendmail.cf), LONGEST))

    assert [one.text for one in found if one.status is Status.FAILED] == []
    assert any(one.text == "Sendmail's F= of stream is T" for one in found)
