"""An account's own tickets: which of them it is shown, a page at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.own_tickets import ANNA, came, outcome, sent, spam
from tests.stores import NOON, keep, make_config, on_every_store, other, write_settings

from tamis.config import Config
from tamis.desk import own_mail, settings
from tamis.desk.own_mail import MOST, PAGE, Kind, Page, Wanted
from tamis.service import parts
from tamis.store import pseudonyms, tickets
from tamis.store.changes import USER
from tamis.store.database import Database
from tamis.ticket import DAY, Action, OutgoingChecks, Ticket, first_id

MINUTE = 60_000  # milliseconds


@contextlib.contextmanager
def reading(config: Config) -> Iterator[Connection]:
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        yield connection


def look(
    config: Config, wanted: Wanted | None = None, *, account: str = ANNA, before: str = "", after: str = ""
) -> Page:
    with reading(config) as connection:
        return own_mail.look(connection, account, wanted or Wanted(), before=before, after=after)


def ids(page: Page) -> list[str]:
    return [one.ticket["id"] for one in page.seen]


def backwards(config: Config, wanted: Wanted | None = None) -> Iterator[list[str]]:
    """Return the pages from the newest on."""
    page = look(config, wanted)
    yield ids(page)
    while page.older:
        page = look(config, wanted, before=page.older)
        yield ids(page)


def test_what_was_only_watched_was_delivered(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    ticket = came(outcome("spam", Action.REFUSE, score=20.0), mode="shadow")
    keep(config, [ticket])

    found = {kind: ids(look(config, Wanted(kind=kind))) for kind in Kind}

    assert {kind for kind, some in found.items() if some} == {Kind.DELIVERED, Kind.SPAM}


def many(number: int) -> list[Ticket]:
    """Return tickets of one a minute, oldest first; one of ten is spam."""
    times = (NOON + minute * MINUTE for minute in range(number))
    return [
        spam(time=time) if number % 10 == 0 else came(time=time, sender=f"s{number}@example.net")
        for number, time in enumerate(times)
    ]


@on_every_store
def test_pages_lead_from_the_newest_ticket_to_the_oldest(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    given = many(2 * PAGE + 3)
    keep(config, given)

    pages = list(backwards(config))

    assert [len(page) for page in pages] == [PAGE, PAGE, 3]
    assert [one for page in pages for one in page] == [one.id for one in reversed(given)]


@on_every_store
def test_newer_leads_back_by_the_same_pages(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keep(config, many(2 * PAGE + 3))
    first = look(config)
    second = look(config, before=first.older)
    third = look(config, before=second.older)

    assert ids(look(config, after=third.newer)) == ids(second)
    assert ids(look(config, after=second.newer)) == ids(first)
    assert (first.newer, third.older) == ("", "")


def test_the_last_page_is_full_and_the_end(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keep(config, many(PAGE))

    page = look(config)

    assert (len(page.seen), page.older, page.newer) == (PAGE, "", "")


def test_nobody_sees_what_is_anothers(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    bob = came(outcome(account="bob@example.org"))
    both = came(outcome(), outcome("spam", Action.MARK, account="bob@example.org", score=9.0))
    keep(config, [bob, both])

    (seen,) = look(config).seen

    assert "bob@example.org" not in str(seen.ticket)
    assert Kind.SPAM not in seen.kinds()
    with reading(config) as connection:
        assert own_mail.one(connection, ANNA, bob.id) is None
        assert own_mail.one(connection, ANNA, both.id) == seen
        assert own_mail.one(connection, ANNA, first_id(NOON)) is None


INFECTED = outcome(antivirus="infected", malware="Eicar", action=Action.REFUSE)
CHECKED = OutgoingChecks("clean", "spam", "none", score=20.0, reasons=())
EXAMPLES = {
    "delivered": (came(), {Kind.DELIVERED}),
    "marked": (spam(), {Kind.MARKED, Kind.SPAM}),
    "filed": (came(outcome(action=Action.FILE, graymail="list")), {Kind.FILED, Kind.LIST}),
    "refused": (came(INFECTED), {Kind.WITHHELD, Kind.MALWARE}),
    "kept back": (came(outcome(action=Action.DISCARD)), {Kind.WITHHELD}),
    "put off": (came(outcome("error", Action.TEMPFAIL)), {Kind.PUT_OFF}),
    "sent": (sent("bob@example.net"), {Kind.SENT}),
    "not sent": (
        sent("bob@example.net", action=Action.REFUSE, checks=CHECKED),
        {Kind.SENT, Kind.WITHHELD, Kind.SPAM},
    ),
    "not sent yet": (sent("bob@example.net", action=Action.TEMPFAIL), {Kind.SENT, Kind.PUT_OFF}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_ticket_is_found_by_all_that_it_is(tmp_path: Path, name: str) -> None:
    config = make_config(tmp_path)
    ticket, kinds = EXAMPLES[name]
    keep(config, [ticket])

    assert {kind for kind in Kind if look(config, Wanted(kind=kind)).seen} == kinds


@on_every_store
def test_tickets_are_found_by_day_and_sender(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    given = [
        came(sender="Carol@Example.net", time=NOON - DAY),
        came(sender="carol@example.net"),
        came(sender="bob@example.net"),
    ]
    keep(config, given)

    found = look(config, Wanted(since=NOON, until=NOON + DAY, sender="CAROL@"))

    assert ids(found) == [given[1].id]


@pytest.mark.parametrize(
    ("sender", "sought"),
    [
        ('"a b"@example.net', '"A B'),
        ("b\\x@example.net", "B\\X"),
        ("zoé@example.net", "ZOÉ"),
        ("zoé@example.net", "NET"),
    ],
)
def test_senders_are_found_whatever_they_hold(tmp_path: Path, sender: str, sought: str) -> None:
    config = make_config(tmp_path)
    keep(config, [came(sender=sender)])

    assert look(config, Wanted(sender=sought)).seen
    assert not look(config, Wanted(sender=sought + "x")).seen


def test_what_is_rare_is_looked_for_in_a_bounded_number_of_tickets(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    oldest = spam(time=NOON - MINUTE)
    keep(config, [oldest, *(came(time=NOON + minute * MINUTE) for minute in range(MOST))])
    wanted = Wanted(kind=Kind.SPAM)

    first = look(config, wanted)
    second = look(config, wanted, before=first.older)

    assert (first.seen, ids(second), second.older) == ([], [oldest.id], "")
    assert ids(look(config, wanted, after=second.newer)) == []


def work(config: Config, wanted: Wanted) -> int:
    """Return how many hundreds of its instructions SQLite needs for a page."""
    steps = [0]

    def step() -> int:
        steps[0] += 1
        return 0

    with reading(config) as connection:
        own_mail.look(connection, ANNA, wanted)
        connection.connection.driver_connection.set_progress_handler(step, 100)  # type: ignore[union-attr]
        own_mail.look(connection, ANNA, wanted)
    return steps[0]


def test_what_lies_before_a_day_or_behind_it_is_not_gone_through(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keep(config, [came()])
    wanted = Wanted(since=NOON - DAY, until=NOON + DAY)
    alone = work(config, wanted)

    keep(config, [came(time=NOON + days * DAY + one) for days in (-9, 9) for one in range(1000)])

    assert work(config, wanted) <= alone + 10


def test_pages_of_what_is_looked_for_hold_all_of_it_once(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    given = many(350)
    keep(config, given)

    pages = list(backwards(config, Wanted(kind=Kind.SPAM)))

    assert [one for page in pages for one in page] == [one.id for one in reversed(given[::10])]


def test_tickets_with_pseudonyms_are_still_found(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    ticket = came(time=NOON - DAY)
    newer = came()
    keep(config, [newer])
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        hidden = pseudonyms.get(connection).hide(ticket.as_json())
        tickets.add(connection, tickets.rewritten([hidden]))

    page = look(config)

    assert ids(page) == [newer.id, ticket.id]
    assert pseudonyms.is_pseudonym(page.seen[1].ticket["sender"])
    assert page.seen[1].own[0]["address"] == ANNA


@pytest.mark.parametrize("body", [b"", b"{", b'{"id": 1}', b"[]", b'"\xff', b"[" * 100_000])
def test_a_ticket_that_somebody_has_made_unreadable_hides_no_other(
    tmp_path: Path, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(tmp_path)
    broken, whole = came(time=NOON - MINUTE), came()
    keep(config, [broken, whole])
    with other(config) as connection:
        connection.execute("UPDATE ticket SET body = ? WHERE id = ?", (body, broken.id))

    assert ids(look(config)) == [whole.id]
    with reading(config) as connection:
        assert own_mail.one(connection, ANNA, broken.id) is None
    assert f"see `tamis tickets verify`: {broken.id}" in caplog.text


def threshold(config: Config, ticket: Ticket, *, now: int = NOON + DAY) -> float | None:
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        accounts = parts.named_accounts(config, database)
        return own_mail.threshold(
            connection, ANNA, ticket.as_json(), config=config, accounts=accounts, now=now
        )


def set_threshold(config: Config, bits: float, *, now: int) -> None:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        settings.put(connection, ANNA, {"antispam.mark": bits}, actor=USER, notify=False, now=now)


def test_the_threshold_is_the_one_that_held_when_the_message_came(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    set_threshold(config, 3.0, now=NOON + MINUTE)
    set_threshold(config, 8.0, now=NOON + 3 * MINUTE)

    found = [threshold(config, spam(time=NOON + minute * MINUTE)) for minute in (0, 2, 4)]

    assert found == [5.0, 3.0, 8.0]


def test_the_threshold_is_unknown_where_changes_of_settings_may_be_gone(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, antispam_mark=3.0)

    found: Sequence[float | None] = [
        threshold(config, spam(), now=NOON + days * DAY) for days in (300, 363, 400)
    ]

    assert found == [3.0, None, None]
