"""Mails to users about what others did to their accounts, and what is about to go."""

from __future__ import annotations

import contextlib
import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.commands import Tamis
from tests.examples import parsed
from tests.servers.ports import free_port
from tests.servers.smtp import REFUSED, Sink
from tests.stores import NOON, keep, make_config, make_ticket, stored, write_settings

from tamis import config as configuration
from tamis.config import Config, ConfigError
from tamis.desk import notices, status
from tamis.desk import settings as desk
from tamis.desk.english import ENGLISH
from tamis.desk.french import FRENCH
from tamis.desk.status import Act
from tamis.desk.words import Kind
from tamis.egress import manifest
from tamis.retention.classes import RecordClass
from tamis.store import notices as outbox
from tamis.store import owners
from tamis.store.database import Database
from tamis.store.schema import account

ANNA, BOB = "anna@example.org", "bob@example.org"
DAY = 86_400_000  # milliseconds
YEARS = 3 * 366 * DAY


@pytest.fixture
def mta() -> Iterator[Sink]:
    one = Sink(free_port())
    yield one
    one.stop()


@pytest.fixture
def sendmail(tmp_path: Path) -> Path:
    """Return a command that keeps what it is given; it fails while there is a file "away" beside it."""
    script = tmp_path / "sendmail"
    script.write_text(f'#!/bin/sh\ncd {tmp_path}\n[ -e away ] && exit 75\necho "$@" >>calls\ncat >>mails\n')
    script.chmod(0o755)
    return script


def settings(sendmail: Path, language: str = "en") -> str:
    return f'[notices]\nsendmail = "{sendmail}"\nsender = "postmaster@example.org"\nlanguage = "{language}"\n'


@pytest.fixture
def config(tmp_path: Path, sendmail: Path) -> Config:
    made = make_config(tmp_path, more=settings(sendmail) + '[retention]\npreset = "imail"\n')
    write_settings(made, ANNA)
    return made


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def read(folder: Path) -> EmailMessage:
    """Return the mail that the command was given."""
    octets = (folder / "mails").read_bytes()
    found = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def change(database: Database, *, actor: str = "root", now: int = NOON) -> None:
    with database.writing() as connection:
        desk.put(connection, ANNA, {"antispam": "off"}, actor=actor, notify=True, now=now)


def test_user_is_told_at_once_of_what_somebody_else_changed(
    tamis: Tamis, tmp_path: Path, sendmail: Path
) -> None:
    tamis("account", "set", ANNA, "antispam=on")
    path = tmp_path / "tamis.toml"
    path.write_text(path.read_text() + settings(sendmail))

    done = tamis("account", "set", ANNA, "antispam=off", "senders.blocked=@example.net")

    mail = read(tmp_path)
    assert (done.status, done.err) == (0, "")
    assert calls(tmp_path) == [f"-i -f postmaster@example.org -- {ANNA}"]
    assert (mail["From"], mail["To"]) == ("postmaster@example.org", ANNA)
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"].endswith("@example.org>")
    assert "  antispam: on -> off\n" in mail.get_content()
    assert "  senders.blocked: not set -> @example.net\n" in mail.get_content()
    config = configuration.load(str(path))
    assert stored(config, "SELECT id FROM notice") == []
    (row,) = stored(config, "SELECT account, actor, new FROM setting_change WHERE key = 'notice'")
    assert row == (ANNA, "tamis", '{"kind": "changed", "sent": true}')


def test_nobody_is_told_of_an_account_that_was_just_made(
    tamis: Tamis, tmp_path: Path, sendmail: Path
) -> None:
    path = tmp_path / "tamis.toml"
    path.write_text(path.read_text() + settings(sendmail))

    tamis("account", "set", ANNA, "antispam=off")

    assert calls(tmp_path) == []


def test_a_notice_that_cannot_be_sent_is_no_failure_and_waits(
    tamis: Tamis, tmp_path: Path, sendmail: Path
) -> None:
    path = tmp_path / "tamis.toml"
    path.write_text(path.read_text() + settings(sendmail))
    tamis("account", "set", ANNA, "antispam=off")
    (tmp_path / "away").touch()

    done = tamis("account", "close", ANNA)

    assert done.status == 0
    assert done.err == f"tamis: a notice could not be sent, and waits: {sendmail}: exit status 75\n"
    assert stored(configuration.load(str(path)), "SELECT account, kind FROM notice") == [(ANNA, "closed")]


def test_what_could_not_be_sent_is_tried_an_hour_later(
    config: Config, database: Database, tmp_path: Path
) -> None:
    change(database)
    (tmp_path / "away").touch()
    notices.deliver(database, config, now=NOON)
    (tmp_path / "away").unlink()

    early = notices.deliver(database, config, now=NOON + notices.HOUR - 1)
    late = notices.deliver(database, config, now=NOON + notices.HOUR)

    assert (early.sent, late.sent, len(calls(tmp_path))) == (0, 1, 1)


def test_what_cannot_be_sent_for_a_month_is_given_up_which_is_on_record(
    config: Config, database: Database, tmp_path: Path
) -> None:
    change(database)
    (tmp_path / "away").touch()
    notices.deliver(database, config, now=NOON + 31 * DAY)

    assert stored(config, "SELECT id FROM notice") == []
    rows = stored(config, "SELECT new FROM setting_change WHERE key = 'notice'")
    assert rows == [('{"kind": "changed", "sent": false}',)]


def test_a_notice_comes_with_its_change_or_not_at_all(config: Config, database: Database) -> None:
    with pytest.raises(KeyboardInterrupt), database.writing() as connection:
        desk.put(connection, ANNA, {"antispam": "off"}, actor="root", notify=True, now=NOON)
        raise KeyboardInterrupt

    assert stored(config, "SELECT id FROM notice") == []


def test_user_is_not_told_of_what_he_changed_himself_but_of_closing(
    config: Config, database: Database
) -> None:
    change(database, actor="user")
    with database.writing() as connection:
        status.carry_out(connection, ANNA, Act.CLOSE, actor="user", notify=True, now=NOON)
        status.carry_out(connection, ANNA, Act.REOPEN, actor="user", notify=True, now=NOON)

    assert stored(config, "SELECT kind FROM notice") == [("closed",)]


@pytest.mark.parametrize(
    ("language", "kept", "said"),
    [
        ("en", {RecordClass.TICKET: NOON + DAY}, "day named:\n\n  tickets: 2026-11-24\n"),
        ("fr", {RecordClass.TICKET: NOON + DAY}, "indiquée :\n\n  tickets d'exploitation : 2026-11-24\n"),
        ("en", {}, "Nothing of it is left.\n"),
    ],
)
def test_who_was_erased_is_told_what_stays_and_nothing_new_is_kept_about_him(
    tmp_path: Path, sendmail: Path, language: str, kept: dict[RecordClass, int], said: str
) -> None:
    config = make_config(tmp_path, more=settings(sendmail, language))
    with contextlib.closing(Database(config.store)) as database:
        with database.writing() as connection:
            notices.erasing(connection, ANNA, now=NOON)
            notices.erased(connection, ANNA, kept, now=NOON)
        tally = notices.deliver(database, config, now=NOON)

    assert (tally.sent, read(tmp_path).get_content().endswith(said)) == (1, True)
    assert stored(config, "SELECT id FROM setting_change") == stored(config, "SELECT id FROM notice") == []


def test_erasing_tells_the_user_and_leaves_no_trace_of_his_address(
    tamis: Tamis, tmp_path: Path, sendmail: Path
) -> None:
    tamis("account", "set", ANNA, "antispam=off")
    path = tmp_path / "tamis.toml"
    path.write_text(path.read_text() + settings(sendmail))
    keep(configuration.load(str(path)), [make_ticket(ANNA)])

    done = tamis("account", "erase", ANNA, "--yes")

    assert (done.status, read(tmp_path)["Subject"]) == (0, ENGLISH.subjects[Kind.ERASED])
    for file in tmp_path.glob("tamis.db*"):
        assert ANNA.encode() not in file.read_bytes()


def test_a_purge_warns_and_sends_what_waits(tamis: Tamis, tmp_path: Path, sendmail: Path) -> None:
    tamis("account", "set", ANNA, "antispam=off")
    path = tmp_path / "tamis.toml"
    path.write_text(path.read_text() + settings(sendmail) + '[retention]\npreset = "imail"\n')
    with contextlib.closing(Database(configuration.load(str(path)).store)) as database:
        signed_in(database, NOON - 2 * YEARS)

    tamis("purge", "--dry-run")
    before = calls(tmp_path)
    done = tamis("purge")

    assert (before, done.status, len(calls(tmp_path))) == ([], 0, 1)
    assert read(tmp_path)["Subject"] == ENGLISH.subjects[Kind.INACTIVE]


def test_what_is_sent_about_an_account_that_is_gone_is_not_recorded(
    tamis: Tamis, tmp_path: Path, sendmail: Path
) -> None:
    path = tmp_path / "tamis.toml"
    path.write_text(path.read_text() + settings(sendmail))
    tamis("account", "set", ANNA, "antispam=off")
    config = configuration.load(str(path))
    with contextlib.closing(Database(config.store)) as database:
        with database.writing() as connection:
            outbox.add(connection, BOB, Kind.CLOSED, {"changes": []}, now=NOON)
        tally = notices.deliver(database, config, now=NOON)

    assert tally.sent == 1
    assert stored(config, "SELECT id FROM setting_change WHERE key = 'notice'") == []


def test_two_processes_do_not_send_the_same(config: Config, database: Database) -> None:
    change(database)
    with database.writing() as connection:
        (one,) = outbox.waiting(connection, tried_before=NOON)
        taken = [outbox.take(connection, one, tried_before=NOON - 1, now=NOON) for _ in range(2)]

    assert taken[0] is not None and taken[1] is None


def signed_in(database: Database, moment: int) -> None:
    with database.writing() as connection:
        connection.execute(update(account).values(last_sign_in=moment))


def warned(config: Config) -> object:
    ((found,),) = stored(config, "SELECT warned FROM account")
    return found


def test_who_has_not_signed_in_for_long_is_warned_once(
    config: Config, database: Database, tmp_path: Path
) -> None:
    signed_in(database, NOON - YEARS)

    notices.warn(database, config.rules, now=NOON)
    before = warned(config)
    for moment in (NOON + 5, NOON + 6, NOON + DAY):
        notices.attend(database, config, now=moment)

    text = read(tmp_path).get_content()
    assert (before, warned(config), len(calls(tmp_path))) == (None, NOON + 5, 1)
    assert "since 2023-11-21" in text and "before 2026-12-23" in text
    assert stored(config, "SELECT id FROM notice") == []


def test_who_cannot_be_told_is_not_warned(config: Config, database: Database, tmp_path: Path) -> None:
    signed_in(database, NOON - YEARS)
    (tmp_path / "away").touch()

    notices.warn(database, config.rules, now=NOON)
    notices.deliver(database, config, now=NOON)

    assert warned(config) is None


def test_who_signs_in_before_the_warning_is_sent_gets_none(
    config: Config, database: Database, tmp_path: Path
) -> None:
    signed_in(database, NOON - YEARS)
    notices.warn(database, config.rules, now=NOON)
    with database.writing() as connection:
        owners.signed_in(connection, ANNA, now=NOON + 1)

    notices.deliver(database, config, now=NOON + 2)

    assert (calls(tmp_path), stored(config, "SELECT id FROM notice"), warned(config)) == ([], [], None)


def test_who_has_just_signed_in_is_not_warned(config: Config, database: Database) -> None:
    signed_in(database, NOON)

    notices.warn(database, config.rules, now=NOON + DAY)

    assert stored(config, "SELECT id FROM notice") == []


def by_smtp(folder: Path, port: int) -> Config:
    text = f'[notices]\nsmtp = "inet:127.0.0.1:{port}"\nsender = "postmaster@example.org"\nlanguage = "fr"\n'
    return make_config(folder, more=text)


def test_mail_goes_out_by_smtp_in_french(tmp_path: Path, mta: Sink) -> None:
    config = by_smtp(tmp_path, mta.port)
    write_settings(config, ANNA)
    with contextlib.closing(Database(config.store)) as database:
        change(database)
        tally = notices.deliver(database, config, now=NOON)

    (kept,) = mta.kept
    mail = email.message_from_bytes(kept.content, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert (tally.sent, kept.sender, kept.recipients) == (1, "postmaster@example.org", (ANNA,))
    assert mail["Subject"] == FRENCH.subjects[Kind.CHANGED]
    assert "  antispam: non réglé -> off" in mail.get_content()


def test_one_refused_recipient_does_not_keep_others_from_their_mail(tmp_path: Path, mta: Sink) -> None:
    config = by_smtp(tmp_path, mta.port)
    with contextlib.closing(Database(config.store)) as database:
        with database.writing() as connection:
            for place, name in enumerate((REFUSED, ANNA)):
                outbox.add(connection, name, Kind.CLOSED, {"changes": []}, now=NOON + place)
        tally = notices.deliver(database, config, now=NOON + 2)

    assert (tally.failed, tally.sent, mta.kept[0].recipients) == (1, 1, (ANNA,))
    assert "example" not in tally.reason


def test_an_mta_that_is_away_is_asked_once(tmp_path: Path) -> None:
    config = by_smtp(tmp_path, 1)
    with contextlib.closing(Database(config.store)) as database:
        with database.writing() as connection:
            for name in (ANNA, BOB):
                outbox.add(connection, name, Kind.CLOSED, {"changes": []}, now=NOON)
        tally = notices.deliver(database, config, now=NOON)

    assert (tally.sent, tally.failed, tally.reason) == (0, 1, "inet:127.0.0.1:1: ConnectionRefusedError")


@pytest.mark.parametrize("kind", Kind)
def test_both_languages_need_the_same_words(kind: Kind) -> None:
    names = ("address", "time", "changes", "kept", "last", "until")

    used = [{name for name in names if f"{{{name}}}" in words.texts[kind]} for words in (ENGLISH, FRENCH)]
    assert used[0] == used[1] != set()
    assert max(len(line) for words in (ENGLISH, FRENCH) for line in words.texts[kind].splitlines()) < 80


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('smtp = "inet:127.0.0.1:25"', "notices.sender: expected an address"),
        ('sendmail = "sendmail"', 'notices.sendmail: expected a command such as "/usr/sbin/sendmail"'),
        ('sendmail = "/x \'y"', 'notices.sendmail: expected a command such as "/usr/sbin/sendmail"'),
        ('smtp = "unix:/run/smtp"', 'notices.smtp: expected "inet:HOST:PORT"'),
        ('sender = "Anna <a@example.org>"', "notices.sender: expected an address"),
        (
            'sendmail = "/x"\nsmtp = "inet:127.0.0.1:25"\nsender = "a@example.org"',
            "notices.smtp: expected either sendmail or smtp",
        ),
    ],
)
def test_wrong_ways_to_tell_users_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(f"[notices]\n{text}\n")

    assert said in str(refused.value)


def test_egress_lists_the_way() -> None:
    sender = 'sender = "postmaster@example.org"'
    command = parsed(f'[notices]\nsendmail = "/usr/sbin/sendmail"\n{sender}\n')
    server = parsed(f'[notices]\nsmtp = "inet:192.0.2.1:25"\n{sender}\n')

    found = [one for config in (command, server) for one in manifest(config) if one.purpose == "notices"]

    assert [(one.peer, one.leaves_host) for one in found] == [
        ("/usr/sbin/sendmail", False),
        ("inet:192.0.2.1:25", True),
    ]
