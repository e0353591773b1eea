"""Putting right what was wrong with a message: what is said goes into lists, and can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.own_tickets import ANNA, came, outcome, spam
from tests.stores import NOON, keep, other
from tests.test_options_mail import plain
from tests.visitor import Page, Visitor
from tests.web import Web, running

from tamis.preferences import MAX_PATTERNS
from tamis.ticket import Action, Ticket

BOB = "bob@example.net"


def own(tamis: Tamis) -> object:
    (shown,) = tamis("account", "show", ANNA, "--json").lines
    return {key: value for key, value in shown["own"].items() if value}


def say(visitor: Visitor, ticket: Ticket, meaning: str, reach: str = "address") -> Page:
    """Say what a message is, and return the page that follows."""
    done = visitor.change(f"/mail/{ticket.id}", {"meaning": meaning, "reach": reach})
    assert done.status == 303, done.text
    return visitor.get(done.location)


@pytest.fixture
def ticket(web: Web) -> Ticket:
    """Return the ticket of a message that was marked as spam."""
    one = spam()
    keep(web.config, [one])
    return one


def test_not_spam_allows_the_sender_and_says_since_when(web: Web, tamis: Tamis, ticket: Ticket) -> None:
    page = say(web.signed_in(), ticket, "not-spam")

    assert own(tamis) == {"senders.allowed": [BOB]}
    assert 'role="status"' in page.text
    text = plain(page)
    assert "Saved. In force since 23 November 2026, 12:00 UTC." in text
    assert f"{BOB} is now on the list “Always allowed”." in text
    assert f"On your lists so far: Always allowed: {BOB}" in text


@pytest.mark.parametrize(
    ("meaning", "reach", "expected"),
    [
        ("spam", "address", {"senders.blocked": [BOB]}),
        ("spam", "domain", {"senders.blocked": ["@example.net"]}),
        ("newsletter", "domain", {"senders.newsletter": ["@example.net"]}),
        ("social", "address", {"senders.social": [BOB]}),
    ],
)
def test_what_is_said_of_good_mail_goes_into_its_list(
    web: Web, tamis: Tamis, meaning: str, reach: str, expected: object
) -> None:
    ticket = came()
    keep(web.config, [ticket])

    say(web.signed_in(), ticket, meaning, reach)

    assert own(tamis) == expected


def test_the_change_is_the_users_own_on_record(web: Web, ticket: Ticket) -> None:
    say(web.signed_in(), ticket, "not-spam")

    with other(web.config) as connection:
        rows = connection.execute("SELECT actor, key, new FROM setting_change WHERE key <> 'password'")
        assert [tuple(row) for row in rows.fetchall()] == [("user", "senders.allowed", f'["{BOB}"]')]
        readings = connection.execute("SELECT count(*) FROM legal_act").fetchone()
        assert readings == (0,)


def test_a_correction_is_taken_back_by_its_button(web: Web, tamis: Tamis, ticket: Ticket) -> None:
    tamis("account", "set", ANNA, f"senders.blocked={BOB}")
    visitor = web.signed_in()
    web.clock[0] += 1000
    page = say(visitor, ticket, "not-spam")
    assert f"{BOB} is no longer on the list “Blocked”." in plain(page)
    web.clock[0] += 1000

    done = visitor.post(f"/mail/{ticket.id}", {"token": page.token, "undo": str(web.clock[0] - 1000)})

    assert own(tamis) == {"senders.blocked": [BOB]}
    assert f"{BOB} is now on the list “Blocked”." in plain(visitor.get(done.location))


def test_what_nobody_saved_is_not_said_to_be_saved(web: Web, ticket: Ticket) -> None:
    visitor = web.signed_in()

    pages = [visitor.get(f"/mail/{ticket.id}?saved={one}") for one in (str(NOON + 1), "x", "²", "9" * 99)]

    assert all("Saved" not in page.text and page.status == 200 for page in pages)


def test_saying_what_is_so_changes_nothing(web: Web, ticket: Ticket) -> None:
    visitor = web.signed_in()
    say(visitor, ticket, "not-spam")
    web.clock[0] += 1000

    page = say(visitor, ticket, "not-spam")

    assert "Nothing was changed: your lists already say so." in plain(page)


@pytest.mark.parametrize(
    ("meaning", "reach"), [("", "address"), ("spam", "address"), ("not-spam", "site"), ("not-spam", "")]
)
def test_what_the_page_does_not_offer_is_refused(
    web: Web, tamis: Tamis, ticket: Ticket, meaning: str, reach: str
) -> None:
    page = web.signed_in().change(f"/mail/{ticket.id}", {"meaning": meaning, "reach": reach})

    assert page.status == 400
    assert own(tamis) == {}


def test_lists_that_the_operator_keeps_stay_and_the_page_says_why(tmp_path: Path, tamis: Tamis) -> None:
    with running(tmp_path, '[users]\nmay_change = ["antispam"]\n') as web:
        ticket = spam()
        keep(web.config, [ticket])
        visitor = web.signed_in()
        page = visitor.get(f"/mail/{ticket.id}")
        token = visitor.get("/reception").token

        done = visitor.post(f"/mail/{ticket.id}", {"token": token, "meaning": "not-spam", "reach": "address"})

    assert "Your provider has set the lists of senders for all users" in plain(page)
    assert 'name="meaning"' not in page.text
    assert done.status == 409
    assert own(tamis) == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (came(sender=""), "It names no sender that a list could hold"),
        (
            came(outcome(antivirus="infected", malware="X", action=Action.REFUSE)),
            "Lists of senders have no say where there is malware",
        ),
    ],
)
def test_where_no_list_can_help_the_page_says_so(web: Web, given: Ticket, expected: str) -> None:
    keep(web.config, [given])

    page = web.signed_in().get(f"/mail/{given.id}")

    assert expected in plain(page)
    assert 'name="meaning"' not in page.text


def test_a_class_that_a_list_gave_can_be_taken_from_it(web: Web, tamis: Tamis) -> None:
    ticket = came(outcome(action=Action.MARK, graymail="newsletter"))
    keep(web.config, [ticket])
    visitor = web.signed_in()
    page = visitor.get(f"/mail/{ticket.id}")
    assert 'value="no-class"' not in page.text
    assert "No list can say that something is no newsletter" in plain(page)
    tamis("account", "set", ANNA, "senders.newsletter=@example.net,@example.com")

    say(visitor, ticket, "no-class")

    assert own(tamis) == {"senders.newsletter": ["@example.com"]}


def test_filters_that_are_off_and_the_author_who_may_be_another_are_told(web: Web, ticket: Ticket) -> None:
    visitor = web.signed_in()
    visitor.change(
        "/reception",
        {
            "antivirus": "on",
            "antispam.mark": "5",
            "antispam.action": "mark",
            "graymail.newsletter": "mark",
            "graymail.social": "mark",
            "graymail.list": "mark",
        },
    )

    text = plain(visitor.get(f"/mail/{ticket.id}"))

    assert "Antispam is off: until you switch it on" in text
    assert "Graymail is off: until you switch it on" in text
    assert "Your message was not kept, so no filter can learn from it." in text
    assert "The author whom you see in your mail program may be another" in text


def test_a_list_that_is_full_is_told_and_stays(web: Web, tamis: Tamis, ticket: Ticket) -> None:
    full = ",".join(f"{number}@example.com" for number in range(MAX_PATTERNS))
    tamis("account", "set", ANNA, f"senders.allowed={full}")

    page = web.signed_in().change(f"/mail/{ticket.id}", {"meaning": "not-spam", "reach": "address"})

    assert page.status == 422
    assert "A list holds 2000 entries at most." in plain(page)


def test_a_newsletters_own_address_stands_for_its_domain(web: Web) -> None:
    ticket = came(sender="bounce-12345@m.news.example.net")
    keep(web.config, [ticket])

    text = web.signed_in().get(f"/mail/{ticket.id}").text

    assert 'value="site" checked' in text
    assert "All of example.net and what is below it" in text
