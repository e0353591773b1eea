"""The pages What happened to my mail: what they tell of each message, and what can be put right there."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.own_tickets import ANNA, came, outcome, sent, spam
from tests.stores import NOON, keep
from tests.visitor import Page, Visitor
from tests.web import Web, running

from tamis.checks.rules.catalogue import RULES
from tamis.desk.own_mail import MOST, PAGE
from tamis.retention.fields import Field
from tamis.store import pseudonyms, tickets
from tamis.store.database import Database
from tamis.ticket import DAY, Action, Means, OutgoingChecks, Ticket

TAG = re.compile(r"<[^>]+>")
LINK = re.compile(r'href="(/mail/[^"]+)"')


def plain(page: Page) -> str:
    """Return what a page says."""
    main = page.text.partition('tabindex="-1">')[2].partition("</main>")[0]
    return " ".join(unescape(TAG.sub(" ", main)).split())


def told(web: Web, ticket: Ticket, visitor: Visitor | None = None) -> str:
    """Return what the page of a message says."""
    keep(web.config, [ticket])
    page = (visitor or web.signed_in()).get(f"/mail/{ticket.id}")
    assert page.status == 200, page.text
    return plain(page)


def own(tamis: Tamis) -> object:
    (shown,) = tamis("account", "show", ANNA, "--json").lines
    return shown["own"]


def test_each_message_is_listed_by_day_with_what_became_of_it(web: Web) -> None:
    filed = came(outcome(action=Action.FILE, graymail="newsletter"), time=NOON - DAY)
    keep(web.config, [spam(), filed, sent("carol@example.net", "dora@example.net", time=NOON + 60_000)])

    text = plain(web.signed_in().get("/mail"))

    assert text[text.index("23 November 2026") :].startswith(
        "23 November 2026 12:01 To carol@example.net and 1 more Sent "
        "12:00 bob@example.net Delivered and marked Spam "
        "22 November 2026 12:00 bob@example.net Put into the folder newsletters Newsletter"
    )


def test_a_message_tells_all_that_was_found_and_done(web: Web) -> None:
    text = told(web, spam())

    assert "bob@example.net 23 November 2026, 12:00 UTC" in text
    assert "It was delivered, and its header says what was found." in text
    assert "Antivirus No malware was found." in text
    assert "Antispam Spam: 7.3 points, and for you spam began at 5.0." in text
    assert RULES["LINK_TEXT_MISMATCH"].about in text
    assert "<1@example.net>" in text


def test_what_else_the_operator_has_tickets_hold_is_shown(web: Web) -> None:
    more = ((Field.SUBJECT, "Lunch <b>"), (Field.SIZE, 12_345), (Field.CLIENT_ADDRESS, "192.0.2.9"))
    ticket = replace(came(), more=more)
    visitor = web.signed_in()

    text = told(web, ticket, visitor)

    assert "Subject Lunch <b> Size 13 kB Address of the computer that it came from 192.0.2.9" in text
    assert "bob@example.net Lunch <b> · Delivered" in plain(visitor.get("/mail"))


def test_each_page_names_whose_it_is(web: Web) -> None:
    ticket = spam()
    keep(web.config, [ticket])
    visitor = web.signed_in()

    texts = [visitor.get(path).text for path in ("/mail", f"/mail/{ticket.id}")]

    assert all(f'<span class="address">{ANNA}</span>' in text for text in texts)


SAID = {
    "malware": (
        outcome(antivirus="infected", malware="Eicar-Test", action=Action.REFUSE),
        ("Malware was found: Eicar-Test.", "It was refused, and its sender was told."),
    ),
    "kept back": (
        outcome(antivirus="infected", malware="X", action=Action.DISCARD),
        ("It was kept from you because of malware. Its sender was not told.",),
    ),
    "put off": (
        outcome("error", Action.TEMPFAIL, antivirus="error"),
        (
            "It could not be taken at that moment.",
            "It could not be looked through",
            "It could not be judged.",
        ),
    ),
    "filed": (
        outcome(action=Action.FILE, graymail="social"),
        ("It was put into your folder social, and its header", "A notice of a social network."),
    ),
    "all off": (
        outcome("off", antivirus="off", graymail="off"),
        ("It was delivered.", "Off: this filter did not look at the message."),
    ),
    "blocked": (
        outcome("spam", Action.FILE, score=100.0, reasons=("SENDER_BLOCKED",)),
        ("Spam, as the sender is on a list of blocked senders.", "your folder junk"),
    ),
    "allowed": (
        outcome(score=-100.0, reasons=("SENDER_ALLOWED",)),
        ("Not spam, as the sender is on a list of senders that are always allowed.",),
    ),
    "forged": (
        outcome(score=1.0, reasons=("SENDER_UNVERIFIED", "NAME_OF_LATER")),
        ("Not spam: 1.0 points, and for you spam began at 5.0.", "the address is forged", "NAME_OF_LATER"),
    ),
    "another threshold held": (outcome(score=6.0), ("Not spam: 6.0 points. ",)),
}


@pytest.mark.parametrize("name", SAID)
def test_each_outcome_has_its_words(web: Web, name: str) -> None:
    found, expected = SAID[name]

    text = told(web, came(found))

    assert [one for one in expected if one not in text] == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Action.DELIVER, "It was sent on to its recipients."),
        (Action.REFUSE, "It was refused and reached nobody."),
        (Action.TEMPFAIL, "It could not be sent at that moment."),
    ],
)
def test_a_message_that_was_sent_tells_what_the_checks_said(web: Web, action: Action, expected: str) -> None:
    checks = OutgoingChecks("clean", "spam", "none", score=16.0, reasons=("SAYS_CASINO",), malware=None)

    text = told(web, sent("carol@example.net", "dora@example.net", action=action, checks=checks))

    assert text.startswith("What happened to my mail A message that you sent")
    assert expected in text
    assert "Spam: 16.0 points. Your provider does not let mail leave from 15.0 points on." in text
    assert "Offers games of chance." in text
    assert "Sent to carol@example.net, dora@example.net" in text
    assert "Was that wrong?" not in text


def test_a_message_that_was_sent_to_oneself_tells_both(web: Web) -> None:
    copy = outcome("spam", Action.FILE, address="anna+x@example.org", score=9.0)

    text = told(web, sent("carol@example.net", own=copy))

    assert "How it left It was sent on to its recipients." in text
    assert "How it came For anna+x@example.org It was put into your folder junk" in text
    assert "Spam: 9.0 points, and for you spam began at 5.0." in text
    assert "Was that wrong?" not in text


def test_what_was_only_watched_says_so(web: Web) -> None:
    text = told(web, came(outcome("spam", Action.REFUSE, score=20.0), mode="shadow"))

    assert "the message passed as it was. Otherwise this would have happened: It was refused" in text
    listed = web.signed_in().get("/mail").text
    assert "Delivered as it was; the filters only watched" in listed and "Refused</span>" not in listed


def test_every_reason_has_its_sentence_in_both_languages(web: Web) -> None:
    names = tuple(RULES)
    ticket = came(outcome(reasons=names))
    visitor = web.signed_in()

    english = told(web, ticket, visitor)
    french = plain(visitor.get(f"/mail/{ticket.id}?lang=fr"))

    assert [name for name in names if RULES[name].about not in english] == []
    assert [name for name in names if RULES[name].about in french] == []
    assert "Propose des jeux de hasard." in french


def test_nothing_of_other_recipients_shows(web: Web) -> None:
    bob = outcome("spam", Action.DISCARD, account="bob@example.org", score=9.0, reasons=("SAYS_LOAN",))
    ticket = came(outcome(), bob)
    keep(web.config, [ticket])
    visitor = web.signed_in()

    texts = [visitor.get(path).text for path in ("/mail", f"/mail/{ticket.id}")]

    for text in texts:
        assert "bob@example.org" not in text and "uniform" not in text and str(Means.COMMON) not in text
        assert RULES["SAYS_LOAN"].about not in text


def test_what_is_anothers_is_as_if_it_were_not_there(web: Web, tamis: Tamis) -> None:
    ticket = came(outcome(account="bob@example.org"))
    keep(web.config, [ticket, came()])
    visitor = web.signed_in()

    pages = [visitor.get(f"/mail/{one}") for one in (ticket.id, "0" * 26, "x", "%00")]
    token = visitor.get("/reception").token
    fields = {"token": token, "meaning": "spam", "reach": "address"}
    pages.append(visitor.post(f"/mail/{ticket.id}", fields))

    assert {(page.status, plain(page)) for page in pages} == {(404, plain(pages[0]))}
    assert own(tamis) == {}
    assert ticket.id not in visitor.get("/mail").text


def test_messages_are_found_by_day_sender_and_outcome(web: Web) -> None:
    mine = [spam(), spam("carol@example.net"), spam(time=NOON - DAY), came()]
    keep(web.config, mine)
    visitor = web.signed_in()

    page = visitor.get("/mail?day=2026-11-23&sender=BOB&kind=spam")

    assert LINK.findall(page.text) == [f"/mail/{mine[0].id}"]
    assert 'value="2026-11-23"' in page.text and 'value="BOB"' in page.text
    assert '<option value="spam" selected>' in page.text


def test_a_day_is_one_of_the_zone_that_is_set(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\ntime_zone = "Pacific/Auckland"\n') as web:
        keep(web.config, [came(time=NOON)])  # 01:00 there, on the next day
        visitor = web.signed_in()

        counts = [len(LINK.findall(visitor.get(f"/mail?day=2026-11-{day}").text)) for day in ("23", "24")]

    assert counts == [0, 1]


@pytest.mark.parametrize("query", ["day=yesterday", "day=2026-02-30", "day=9999-12-31", "kind=odd"])
def test_what_cannot_be_looked_for_is_told_beside_its_field(web: Web, query: str) -> None:
    keep(web.config, [came()])

    page = web.signed_in().get(f"/mail?{query}")

    assert page.status == 422
    assert 'aria-invalid="true"' in page.text and 'role="alert"' in page.text
    assert LINK.findall(page.text) == []


def test_what_was_typed_is_no_html(web: Web) -> None:
    keep(web.config, [came(sender='"<b>"@example.net')])

    text = web.signed_in().get("/mail?sender=%22%3E%3Cb%3E").text
    listed = web.signed_in().get("/mail").text

    assert "<b>" not in text + listed
    assert "&lt;b&gt;" in text and "&lt;b&gt;" in listed


def test_older_messages_follow_and_newer_ones_lead_back(web: Web) -> None:
    keep(web.config, [came(time=NOON + one) for one in range(PAGE + 2)])
    visitor = web.signed_in()
    first = visitor.get("/mail?sender=bob")

    older = visitor.get(link(first, "Older"))
    back = visitor.get(link(older, "Newer"))

    assert len(LINK.findall(older.text)) == 2
    assert "sender=bob" in link(first, "Older")
    assert LINK.findall(back.text) == LINK.findall(first.text)
    assert 'value="bob"' in back.text


def link(page: Page, name: str) -> str:
    found = re.search(rf'href="([^"]+)">{name}</a>', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def test_another_language_shows_the_same_messages(web: Web) -> None:
    keep(web.config, [spam(), spam("carol@example.net")])
    visitor = web.signed_in()

    page = visitor.get("/mail?sender=bob&kind=spam")
    french = visitor.get(
        "/mail" + re.findall(r'href="([^"]+)" lang="fr"', page.text)[0].replace("&amp;", "&")
    )

    assert '<html lang="fr">' in french.text
    assert LINK.findall(french.text) == LINK.findall(page.text) != []


@pytest.mark.parametrize("cursor", ["x", "0" * 25, "0" * 27, "%27", "O" * 26])
def test_a_place_that_is_no_id_is_not_there(web: Web, cursor: str) -> None:
    visitor = web.signed_in()

    assert visitor.get(f"/mail?before={cursor}").status == 404
    assert visitor.get(f"/mail?after={cursor}").status == 404


def test_empty_pages_say_why(web: Web) -> None:
    visitor = web.signed_in()
    nothing = plain(visitor.get("/mail"))
    keep(web.config, [came(time=NOON + one) for one in range(MOST)])
    no_such = plain(visitor.get("/mail?sender=nobody&day=2026-11-20"))
    not_yet = plain(visitor.get("/mail?sender=nobody"))

    assert "No message so far." in nothing
    assert "No such message." in no_such
    assert "None among those that were looked through just now. Go on with older ones. Older" in not_yet


def test_what_is_left_of_a_message_with_pseudonyms_is_shown(web: Web) -> None:
    ticket = spam()
    database = Database(web.config.store)
    with database.writing() as connection:
        hidden = pseudonyms.get(connection).hide(ticket.as_json())
        tickets.add(connection, tickets.rewritten([hidden]))
    database.close()
    visitor = web.signed_in()

    listed, page = plain(visitor.get("/mail")), plain(visitor.get(f"/mail/{ticket.id}"))

    assert "A sender who is no longer known Delivered and marked Spam" in listed
    assert "This is what is left of it." in page and "Spam: 7.3 points" in page
    assert "nothing can be put right from here" in page
    assert "pseudonym" not in visitor.get("/mail").text + visitor.get(f"/mail/{ticket.id}").text
