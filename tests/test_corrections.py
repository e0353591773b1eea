"""Corrections: what a user says of one message is in his sender lists, and can be taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.own_tickets import ANNA
from tests.stores import NOON, make_config, write_settings

from tamis.config import Config
from tamis.desk import corrections
from tamis.desk.corrections import Meaning, Reach
from tamis.finding import Graymail, Sender
from tamis.policy.senders import Standing, declared, standing
from tamis.preferences import MAX_PATTERNS, SenderLists, Value
from tamis.store import settings
from tamis.store.database import Database

BOB = "bob@example.net"


def own(config: Config) -> Mapping[str, Value]:
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        return {key: value for key, value in settings.own(connection, [ANNA]).get(ANNA, {}).items() if value}


def correct(
    config: Config, meaning: Meaning, reach: Reach = Reach.ADDRESS, *, sender: str = BOB, now: int = NOON
) -> bool:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        return corrections.correct(
            connection, ANNA, sender, meaning, reach, actor="user", notify=False, now=now
        )


def undo(config: Config, time: int, *, now: int) -> bool:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        return corrections.undo(connection, ANNA, time, actor="user", notify=False, now=now)


def lists(config: Config) -> SenderLists:
    found = {key.partition(".")[2]: value for key, value in own(config).items()}
    return SenderLists(**found)  # type: ignore[arg-type]


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize(
    "before",
    [
        {},
        {"senders_blocked": ("bob@mail.example.net",), "senders_newsletter": ("bob@mail.example.net",)},
        {"senders_allowed": ("bob@mail.example.net",), "senders_social": ("bob@mail.example.net",)},
        {
            "senders_blocked": ("@*.example.net", "@mail.example.net"),
            "senders_social": ("@mail.example.net",),
        },
        {"senders_allowed": ("@mail.example.net",), "senders_newsletter": ("@*.example.net",)},
    ],
)
def test_whatever_the_lists_held_the_sender_is_then_what_was_said(
    tmp_path: Path, reach: Reach, before: Mapping[str, Value]
) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, **before)
    sender = Sender("bob@mail.example.net", "bob@mail.example.net")

    found: list[Standing | Graymail | None] = []
    for meaning in (Meaning.NOT_SPAM, Meaning.SPAM):
        correct(config, meaning, reach, sender=sender.mail_from)
        found.append(standing([lists(config)], sender))
    for meaning in (Meaning.NEWSLETTER, Meaning.SOCIAL, Meaning.NO_CLASS):
        correct(config, meaning, reach, sender=sender.mail_from)
        found.append(declared([lists(config)], sender))

    assert found == [Standing.ALLOWED, Standing.BLOCKED, Graymail.NEWSLETTER, Graymail.SOCIAL, None]


def test_entries_about_other_senders_stay(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, senders_blocked=("carol@example.net", "@example.com"))

    correct(config, Meaning.NOT_SPAM, Reach.DOMAIN)

    assert own(config) == {
        "senders.allowed": ("@example.net",),
        "senders.blocked": ("carol@example.net", "@example.com"),
    }


def test_a_wider_entry_stays_as_the_closer_one_goes_before_it(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, senders_blocked=("@example.net",))

    correct(config, Meaning.NOT_SPAM)

    assert own(config) == {"senders.allowed": (BOB,), "senders.blocked": ("@example.net",)}
    assert standing([lists(config)], Sender(BOB, BOB)) is Standing.ALLOWED


@pytest.mark.parametrize(
    ("before", "meaning"),
    [
        ({"senders_newsletter": ("@example.net", "@*.example.net")}, Meaning.NO_CLASS),
        ({"senders_blocked": ("@*.example.net", "@example.net")}, Meaning.NOT_SPAM),
    ],
)
def test_what_is_said_of_a_site_is_said_of_all_of_it(
    tmp_path: Path, before: Mapping[str, Value], meaning: Meaning
) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, **before)

    correct(config, meaning, Reach.SITE, sender="bob@mail.example.net")

    assert not any(key.replace(".", "_") in before for key in own(config))


def test_a_correction_can_be_taken_back_whole(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, senders_blocked=(BOB, "@example.com"))
    correct(config, Meaning.NOT_SPAM)

    assert undo(config, NOON, now=NOON + 1)
    assert own(config) == {"senders.blocked": ("@example.com", BOB)}
    assert undo(config, NOON + 1, now=NOON + 2)
    assert own(config)["senders.allowed"] == (BOB,)


def test_taking_back_leaves_what_was_changed_since(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    correct(config, Meaning.SPAM)
    correct(config, Meaning.SPAM, sender="carol@example.net", now=NOON + 1)

    undo(config, NOON, now=NOON + 2)

    assert own(config) == {"senders.blocked": ("carol@example.net",)}


def test_there_is_nothing_to_take_back_where_nothing_was_changed(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    correct(config, Meaning.SPAM)

    assert not undo(config, NOON - 1, now=NOON + 2)
    assert not correct(config, Meaning.SPAM, now=NOON + 3)
    assert own(config) == {"senders.blocked": (BOB,)}


def test_what_was_changed_is_told_from_its_record(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, ANNA, senders_blocked=(BOB,))
    correct(config, Meaning.NOT_SPAM)

    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        edits = corrections.made(connection, ANNA, NOON)

    assert {(one.key, *one.added, *one.removed) for one in edits} == {
        ("senders.allowed", BOB),
        ("senders.blocked", BOB),
    }


def test_a_list_that_is_full_stays_as_it_is(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    full = tuple(f"{number}@example.com" for number in range(MAX_PATTERNS))
    write_settings(config, ANNA, senders_blocked=(BOB,), senders_allowed=full)

    with pytest.raises(ValueError, match="at most 2000 senders"):
        correct(config, Meaning.NOT_SPAM)

    assert own(config) == {"senders.blocked": (BOB,), "senders.allowed": full}


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("Bob@Example.net", [("bob@example.net",), ("@example.net",)]),
        (
            "b@news.example.co.uk",
            [("b@news.example.co.uk",), ("@news.example.co.uk",), ("@example.co.uk", "@*.example.co.uk")],
        ),
        ("bob@gmail.com", [("bob@gmail.com",)]),
        ("", []),
        ("bob", []),
        ("@example.net", []),
        ("bob@localhost", []),
        ("a b@example.net", []),
        ("bob@[192.0.2.1]", [("bob@[192.0.2.1]",)]),
    ],
)
def test_senders_are_named_as_lists_can_hold_them(sender: str, expected: list[tuple[str, ...]]) -> None:
    assert list(corrections.reaches(sender).values()) == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("bob@example.net", Reach.ADDRESS),
        ("news@mail.example.net", Reach.ADDRESS),
        ("bounce-7@example.net", Reach.DOMAIN),
        ("news+anna=example.org@m.example.net", Reach.SITE),
        ("0100018f3c2d@ses.example.net", Reach.SITE),
        ("bounce@gmail.com", Reach.ADDRESS),
        ("", Reach.ADDRESS),
    ],
)
def test_an_address_that_was_made_for_one_message_stands_for_its_domain(sender: str, expected: Reach) -> None:
    assert corrections.likely(sender) is expected


def test_a_sender_whom_no_list_can_name_is_refused(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    with pytest.raises(ValueError, match="no list can name"):
        correct(config, Meaning.SPAM, sender="")
    with pytest.raises(ValueError, match="no list can name"):
        correct(config, Meaning.SPAM, Reach.DOMAIN, sender="bob@gmail.com")
