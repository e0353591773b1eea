"""Incoming mail through either MTA: each user gets what he chose, and the ticket says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.servers import mail
from tests.servers.sites import Site

INBOX, JUNK, REFUSED = "", "junk", None
NOTHING = ()
SPAM = ("X-Spam-Flag", "X-Spam-Score", "X-Spam-Level", "X-Spam-Status")
GRAYMAIL = ("X-Graymail",)

Case = tuple[str, Callable[[], bytes], str, str, str | None, tuple[str, ...]]

# What is sent, to whom; what the ticket says (antivirus, antispam, graymail, action); folder, fields added.
CASES: tuple[Case, ...] = (
    ("clean mail stays as it was", mail.letter, "anna", "clean ham none deliver", INBOX, NOTHING),
    ("clean mail is not filed", mail.letter, "bob", "clean ham none deliver", INBOX, NOTHING),
    ("opted out", mail.letter, "dave", "off off off deliver", INBOX, NOTHING),
    # Antivirus.
    ("malware in a part", mail.eicar_in_plain_part, "anna", "infected ham none refuse", REFUSED, NOTHING),
    ("malware in a zip", mail.eicar_in_zip, "anna", "infected ham none refuse", REFUSED, NOTHING),
    ("malware nested", mail.eicar_in_nested_multipart, "anna", "infected ham none refuse", REFUSED, NOTHING),
    ("malware, antispam off", mail.eicar_in_zip, "frank", "infected off none refuse", REFUSED, NOTHING),
    ("malware, antivirus off", mail.eicar_in_zip, "erin", "off ham none deliver", INBOX, NOTHING),
    ("malware, all off", mail.eicar_in_plain_part, "dave", "off off off deliver", INBOX, NOTHING),
    # Antispam.
    ("spam is marked", mail.spam, "anna", "clean spam none mark", INBOX, SPAM),
    ("spam is filed", mail.spam, "bob", "clean spam none file", JUNK, SPAM),
    ("spam, action none", mail.spam, "carol", "clean spam none deliver", INBOX, NOTHING),
    ("spam, all off", mail.spam, "dave", "off off off deliver", INBOX, NOTHING),
    ("GTUBE is marked", mail.gtube, "anna", "clean spam none mark", INBOX, SPAM),
    ("GTUBE is filed", mail.gtube, "bob", "clean spam none file", JUNK, SPAM),
    ("GTUBE, action none", mail.gtube, "carol", "clean spam none deliver", INBOX, NOTHING),
    ("GTUBE, antispam off", mail.gtube, "frank", "clean off none deliver", INBOX, NOTHING),
    ("GTUBE, antivirus off", mail.gtube, "erin", "off spam none mark", INBOX, SPAM),
    ("GTUBE, graymail off", mail.gtube, "grace", "clean spam off mark", INBOX, SPAM),
    # Graymail.
    ("newsletter", mail.newsletter, "anna", "clean ham newsletter mark", INBOX, GRAYMAIL),
    ("newsletter filed", mail.newsletter, "bob", "clean ham newsletter file", "newsletters", GRAYMAIL),
    ("newsletter, none", mail.newsletter, "carol", "clean ham newsletter deliver", INBOX, NOTHING),
    ("newsletter, graymail off", mail.newsletter, "grace", "clean ham off deliver", INBOX, NOTHING),
    ("newsletter, antispam off", mail.newsletter, "frank", "clean off newsletter mark", INBOX, GRAYMAIL),
    ("social", mail.social, "anna", "clean ham social mark", INBOX, GRAYMAIL),
    ("social filed", mail.social, "bob", "clean ham social file", "social", GRAYMAIL),
    ("social, none", mail.social, "carol", "clean ham social deliver", INBOX, NOTHING),
    ("social, graymail off", mail.social, "grace", "clean ham off deliver", INBOX, NOTHING),
    ("list", mail.list_post, "anna", "clean ham list mark", INBOX, GRAYMAIL),
    ("list filed", mail.list_post, "bob", "clean ham list file", "lists", GRAYMAIL),
    ("list, none", mail.list_post, "carol", "clean ham list deliver", INBOX, NOTHING),
    ("list, graymail off", mail.list_post, "grace", "clean ham off deliver", INBOX, NOTHING),
)


@pytest.mark.parametrize(
    ("make", "user", "verdicts", "folder", "fields"),
    [case[1:] for case in CASES],
    ids=[f"{case[2]}: {case[0]}" for case in CASES],
)
def test_recipient_gets_what_he_chose(
    site: Site,
    make: Callable[[], bytes],
    user: str,
    verdicts: str,
    folder: str | None,
    fields: tuple[str, ...],
) -> None:
    raw = make()
    address = f"{user}@example.org"

    story = site.receive(raw, address)

    assert story.verdicts == {f"{address}={address}": verdicts}
    if folder is None:
        assert story.reply.code == 550
        return
    assert story.places == [f"{address}/{folder}"]
    assert tuple(name for name, _ in story.copy.fields) == fields
    assert story.copy.content == raw.replace(b"\r\n", b"\n")


def test_refusal_of_malware_names_it_and_the_ticket(site: Site) -> None:
    story = site.receive(mail.eicar_in_zip(), "anna@example.org")

    malware = story.ticket["recipients"][0]["malware"]
    assert "eicar" in malware.lower()
    assert story.reply.code == 550
    assert story.reply.text.startswith("5.7.1 ")
    assert malware in story.reply.text
    assert story.reply.text.endswith(f"[{story.ticket['id']}]")


def test_ticket_has_the_documented_keys(site: Site) -> None:
    raw = mail.spam()

    story = site.receive(raw, "bob+x@example.org")

    ticket = dict(story.ticket)
    recipient = ticket["recipients"][0]
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", ticket.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ticket.pop("time"))
    assert recipient["score"] >= 5.0
    assert recipient["reasons"]
    assert ticket == {
        "direction": "incoming",
        "mode": "enforce",
        "message_id": mail.message_id(raw),
        "queue_id": story.reply.queue_id,
        "sender": "pat@example.net",
        "sender_account": None,
        "recipients": [
            {
                "address": "bob+x@example.org",
                "account": "bob@example.org",
                "antivirus": "clean",
                "antispam": "spam",
                "score": recipient["score"],
                "graymail": "none",
                "action": "file",
                "reasons": recipient["reasons"],
            }
        ],
        "means": "uniform",
    }


def test_spam_fields_speak_spamassassins_grammar(site: Site) -> None:
    story = site.receive(mail.gtube(), "anna@example.org")

    assert story.copy.fields == (
        ("X-Spam-Flag", "YES"),
        ("X-Spam-Score", "1000.0"),
        ("X-Spam-Level", "*" * 50),
        ("X-Spam-Status", "Yes, score=1000.0 required=5.0 tests=GTUBE"),
    )


def test_spam_fields_agree_with_the_ticket(site: Site) -> None:
    story = site.receive(mail.spam(), "anna@example.org")

    recipient = story.ticket["recipients"][0]
    fields = dict(story.copy.fields)
    score, reasons = recipient["score"], ",".join(recipient["reasons"])
    assert fields["X-Spam-Score"] == f"{score:.1f}"
    assert fields["X-Spam-Level"] == "*" * min(int(score), 50)
    assert fields["X-Spam-Status"] == f"Yes, score={score:.1f} required=5.0 tests={reasons}"


def test_own_threshold_decides_and_shows(site: Site) -> None:
    story = site.receive(mail.letter(), "ivan@example.org")  # from -50 bits on it is spam to him

    score = story.ticket["recipients"][0]["score"]
    fields = dict(story.copy.fields)
    assert score < 1.0
    assert fields["X-Spam-Flag"] == "YES"
    assert fields["X-Spam-Status"].startswith(f"Yes, score={score:.1f} required=-50.0 tests=")
    assert "X-Spam-Level" not in fields


@pytest.mark.parametrize(
    ("make", "kind", "way_out"),
    [
        (mail.newsletter, "newsletter", "one-click"),
        (mail.social, "social", "(mailto|http)"),
        (mail.list_post, "list", "mailto"),
    ],
)
def test_graymail_field_says_how_to_leave(
    site: Site, make: Callable[[], bytes], kind: str, way_out: str
) -> None:
    story = site.receive(make(), "anna@example.org")

    value = dict(story.copy.fields)["X-Graymail"]
    assert re.fullmatch(rf"{kind}; confidence=(0\.9\d|1\.00); unsubscribe={way_out}", value)


# Sender lists: heidi blocks rude@, allows friend@ and declares @shop.example.net to send newsletters.


def test_blocked_sender_is_spam(site: Site) -> None:
    story = site.receive(mail.message("Hello", sender="rude@example.net"), "heidi@example.org")

    recipient = story.ticket["recipients"][0]
    assert story.places == ["heidi@example.org/junk"]
    assert recipient["antispam"] == "spam"
    assert recipient["score"] == 100.0
    assert recipient["reasons"] == ["SENDER_BLOCKED"]


def test_blocked_envelope_sender_is_spam(site: Site) -> None:
    story = site.receive(mail.letter(), "heidi@example.org", sender="rude@example.net")

    assert story.places == ["heidi@example.org/junk"]


def test_blocked_sender_is_blocked_for_the_blocker_alone(site: Site) -> None:
    story = site.receive(mail.message("Hello", sender="rude@example.net"), "bob@example.org")

    assert story.places == ["bob@example.org/"]


def test_allowed_sender_without_authentication_gets_a_bonus(site: Site) -> None:
    friend = "friend@example.net"

    allowed = site.receive(mail.message("Hello\n", sender=friend), "heidi@example.org")
    unlisted = site.receive(mail.message("Hello\n", sender=friend), "bob@example.org")

    one, other = allowed.ticket["recipients"][0], unlisted.ticket["recipients"][0]
    assert one["score"] == pytest.approx(other["score"] - 5.0)
    assert one["reasons"] == [*other["reasons"], "SENDER_ALLOWED"]


def test_authenticated_allowed_sender_is_ham_whatever_he_writes(strict_site: Site) -> None:
    results = "Authentication-Results: verifier.example.org; dmarc=pass header.from=example.net\n"
    raw = mail.message(mail.GTUBE, sender="friend@example.net", fields=results)

    story = strict_site.receive(raw, "heidi@example.org")

    recipient = story.ticket["recipients"][0]
    assert story.places == ["heidi@example.org/"]
    assert recipient["score"] == -100.0
    assert recipient["reasons"] == ["SENDER_ALLOWED"]


def test_forged_allowed_sender_is_judged_like_any_other(strict_site: Site) -> None:
    results = "Authentication-Results: verifier.example.org; dmarc=fail header.from=example.net\n"
    raw = mail.message(mail.GTUBE, sender="friend@example.net", fields=results)

    story = strict_site.receive(raw, "heidi@example.org")

    recipient = story.ticket["recipients"][0]
    assert recipient["action"] == "refuse"  # this site refuses such scores
    assert "SENDER_UNVERIFIED" in recipient["reasons"]


def test_sender_declared_a_newsletter_is_filed_as_one(site: Site) -> None:
    raw = mail.message("Tulips at half price.\n", sender="sales@shop.example.net")

    story = site.receive(raw, "heidi@example.org")

    assert story.places == ["heidi@example.org/newsletters"]
    assert dict(story.copy.fields)["X-Graymail"].startswith("newsletter; confidence=1.00; ")


# The strict site's operator shows verdicts on clean mail and refuses what is surely spam.


def test_clean_mail_shows_its_verdicts_where_the_operator_says_so(strict_site: Site) -> None:
    story = strict_site.receive(mail.letter(), "anna@example.org")

    score = story.ticket["recipients"][0]["score"]
    fields = dict(story.copy.fields)
    assert fields["X-Virus-Scanned"] == "Tamis"
    assert fields["X-Virus-Status"] == "Clean"
    assert fields["X-Spam-Score"] == f"{score:.1f}"
    assert fields["X-Spam-Status"].startswith(f"No, score={score:.1f} required=5.0 tests=")
    assert "X-Spam-Flag" not in fields


def test_verdicts_of_filters_that_are_off_never_show(strict_site: Site) -> None:
    story = strict_site.receive(mail.letter(), "dave@example.org")

    assert story.copy.fields == ()


def test_spam_is_refused_where_the_operator_says_so(strict_site: Site) -> None:
    story = strict_site.receive(mail.gtube(), "anna@example.org")

    assert story.reply.code == 550
    assert story.reply.text.startswith("5.7.1 ")
    assert story.reply.text.endswith(f"[{story.ticket['id']}]")
    assert story.ticket["recipients"][0]["action"] == "refuse"


def test_user_may_keep_spam_that_the_operator_refuses_by_switching_antispam_off(strict_site: Site) -> None:
    story = strict_site.receive(mail.gtube(), "frank@example.org")

    assert story.places == ["frank@example.org/"]
