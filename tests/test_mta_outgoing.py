"""Outgoing mail through either MTA: the operator's checks decide, and leave no trace in the message."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.servers import mail
from tests.servers.sites import Site

OUTSIDE = "robin@example.net"

Case = tuple[Callable[[], bytes], str]

# What is sent, and what the ticket says of it: antivirus, antispam, graymail.
DELIVERED: tuple[Case, ...] = (
    (mail.letter, "clean ham none"),
    (mail.newsletter, "clean ham newsletter"),
    (mail.social, "clean ham social"),
    (mail.list_post, "clean ham list"),
)
REFUSED = (mail.eicar_in_plain_part, mail.eicar_in_zip, mail.eicar_in_nested_multipart, mail.gtube)
ALL = (*(make for make, _ in DELIVERED), *REFUSED)


@pytest.mark.parametrize(("make", "verdicts"), DELIVERED)
def test_wanted_mail_goes_out_as_it_was(site: Site, make: Callable[[], bytes], verdicts: str) -> None:
    raw = make()

    story = site.submit(raw, OUTSIDE)

    sent = site.mta.sink.wait_for(mail.message_id(raw).encode())
    checks = story.ticket["outgoing"]
    assert sent.content.partition(b"\r\n")[0].startswith(b"Received: ")
    assert sent.content.endswith(raw)
    assert " ".join(checks[key] for key in ("antivirus", "antispam", "graymail")) == verdicts


@pytest.mark.parametrize("make", REFUSED)
def test_harm_is_refused_at_the_senders_client(site: Site, make: Callable[[], bytes]) -> None:
    story = site.submit(make(), OUTSIDE)

    assert story.reply.code == 550
    assert story.reply.text.startswith("5.7.1 ")
    assert story.reply.text.endswith(f"[{story.ticket['id']}]")
    assert story.ticket["recipients"][0]["action"] == "refuse"


@pytest.mark.parametrize("make", ALL)
def test_operator_may_switch_the_checks_off(strict_site: Site, make: Callable[[], bytes]) -> None:
    raw = make()

    story = strict_site.submit(raw, OUTSIDE)

    assert strict_site.mta.sink.wait_for(mail.message_id(raw).encode()).content.endswith(raw)
    assert story.ticket["outgoing"] == {"antivirus": "off", "antispam": "off", "graymail": "off"}


def test_each_message_of_one_connection_is_outgoing(site: Site) -> None:
    messages = [mail.letter(), mail.letter()]

    with site.sign_in("anna@example.org") as client:
        for raw in messages:
            client.send(raw, OUTSIDE, sender="anna@example.org")
            client.begin(OUTSIDE)
            client.reset()

    tickets = [site.tickets(raw)[0] for raw in messages]
    assert [one["sender_account"] for one in tickets] == ["anna@example.org"] * 2


def test_ticket_names_the_sender_and_leaves_the_outside_recipient_alone(site: Site) -> None:
    story = site.submit(mail.letter(), OUTSIDE)

    assert story.ticket["direction"] == "outgoing"
    assert story.ticket["sender"] == "anna@example.org"
    assert story.ticket["sender_account"] == "anna@example.org"
    assert story.ticket["recipients"] == [
        {
            "address": OUTSIDE,
            "account": None,
            "antivirus": "off",
            "antispam": "off",
            "graymail": "off",
            "action": "deliver",
        }
    ]


def test_ticket_names_the_malware_of_refused_mail(site: Site) -> None:
    story = site.submit(mail.eicar_in_zip(), OUTSIDE)

    malware = story.ticket["outgoing"]["malware"]
    assert story.ticket["outgoing"]["antivirus"] == "infected"
    assert malware in story.reply.text


def test_spam_below_the_limit_goes_out_unmarked(lenient_site: Site) -> None:
    raw = mail.spam()

    story = lenient_site.submit(raw, OUTSIDE)

    assert lenient_site.mta.sink.wait_for(mail.message_id(raw).encode()).content.endswith(raw)
    assert story.ticket["outgoing"]["antispam"] == "spam"
    assert story.ticket["outgoing"]["score"] >= 5.0


def test_users_switches_do_not_reach_the_operators_checks(site: Site) -> None:
    story = site.submit(mail.eicar_in_zip(), OUTSIDE, user="dave@example.org")

    assert story.reply.code == 550


def test_local_recipient_of_outgoing_mail_is_treated_by_his_own_wishes(strict_site: Site) -> None:
    story = strict_site.submit(mail.newsletter(), "bob@example.org")

    assert story.places == ["bob@example.org/newsletters"]
    assert story.verdicts == {"bob@example.org=bob@example.org": "clean ham newsletter file"}


def test_local_recipient_of_outgoing_mail_may_have_opted_out(site: Site) -> None:
    story = site.submit(mail.newsletter(), "dave@example.org")

    assert story.copy.fields == ()
    assert story.verdicts == {"dave@example.org=dave@example.org": "off off off deliver"}


def test_verdicts_for_a_local_recipient_do_not_go_outside(site: Site) -> None:
    raw = mail.newsletter()

    story = site.submit(raw, "anna@example.org", OUTSIDE)

    sent = site.mta.sink.wait_for(mail.message_id(raw).encode())
    assert sent.content.endswith(raw)
    assert b"X-Graymail" not in sent.content
    assert story.ticket["means"] == "common"


def test_internal_client_that_sends_from_our_domain_is_outgoing(site: Site) -> None:
    raw = mail.letter()

    with site.connect(client=None) as client:
        story = site.story(raw, client.send(raw, OUTSIDE, sender="anna@example.org"))

    assert story.ticket["direction"] == "outgoing"
    assert story.ticket["sender_account"] == "anna@example.org"


def test_outside_client_that_claims_our_domain_is_incoming(site: Site) -> None:
    story = site.receive(mail.letter(), "bob@example.org", sender="anna@example.org")

    assert story.ticket["direction"] == "incoming"
    assert story.ticket["sender_account"] is None


def test_bounce_of_an_internal_host_is_outgoing(site: Site) -> None:
    raw = mail.letter()

    with site.connect(client=None) as client:
        story = site.story(raw, client.send(raw, OUTSIDE, sender=""))

    assert story.ticket["direction"] == "outgoing"
    assert story.ticket["sender"] == ""
    assert story.ticket["sender_account"] is None
