"""`tamis disclose`."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import NOON, keep, make_config, make_ticket, other, stored

from tamis.config import Config
from tamis.desk.view import view
from tamis.store.database import Database
from tamis.store.schema import session, setting_change
from tamis.ticket import Outcome, OutgoingChecks, new_id

BOB, ANNA = "bob@example.org", "anna@example.org"
DAY = 86_400_000  # milliseconds
ORDER = {
    "--account": BOB,
    "--since": "2026-11-23",
    "--until": "2026-11-24",
    "--reference": "2026/117",
    "--authority": "Tribunal de Paris",
    "--basis": "CPP 60-1",
    "--jurisdiction": "FR",
}


@pytest.fixture
def config(tamis: Tamis, tmp_path: Path) -> Config:
    return make_config(tmp_path, more='[legal]\njurisdictions = ["FR", "BE"]')


def arguments(*without: str, **other: str) -> list[str]:
    """Return the arguments of an order, without some or with others."""
    given = ORDER | {f"--{name}": value for name, value in other.items()}
    return ["disclose", *(word for name in given if name not in without for word in (name, given[name]))]


def acts(config: Config) -> list[tuple[object, ...]]:
    return list(stored(config, "SELECT id, body FROM legal_act WHERE kind = 'disclosure'"))


def outcome(account: str, address: str = "") -> Outcome:
    (one,) = make_ticket(account).recipients
    return replace(one, address=address or account)


def write(config: Config, table: str, **values: object) -> None:
    rows = {"session": session, "setting_change": setting_change}
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        connection.execute(rows[table].insert(), {"account": BOB, **values})


def test_the_order_comes_first_and_then_what_it_asks_for(config: Config, tamis: Tamis) -> None:
    times = [NOON - DAY, NOON, NOON + DAY]
    tickets = [make_ticket(BOB, milliseconds=one) for one in times]
    keep(config, [*tickets, make_ticket(ANNA)])
    sessions = [new_id(one) for one in times]
    for one in sessions:
        write(config, "session", id=one, kind="options", address="192.0.2.1")
    change = new_id(NOON)
    write(config, "setting_change", id=change, actor="user", key="antispam", old=None, new='"off"')

    done = tamis(*arguments(), "--json")

    assert done.status == 0
    order, ticket, signed_in, changed = done.lines
    ((act, _),) = acts(config)
    assert order == {
        "class": "disclosure",
        "id": act,
        "reference": "2026/117",
        "authority": "Tribunal de Paris",
        "basis": "CPP 60-1",
        "jurisdiction": "FR",
        "account": BOB,
        "since": "2026-11-23T00:00:00.000Z",
        "until": "2026-11-24T00:00:00.000Z",
    }
    assert (ticket["class"], ticket["id"]) == ("ticket", tickets[1].id)
    assert signed_in == {
        "class": "session",
        "time": "2026-11-23T12:00:00.000Z",
        "id": sessions[1],
        "kind": "options",
        "address": "192.0.2.1",
    }
    assert (changed["class"], changed["key"], changed["old"], changed["new"]) == (
        "setting_change",
        "antispam",
        None,
        "off",
    )


def test_the_act_tells_who_carried_it_out(
    config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")

    tamis(*arguments())

    ((_, body),) = acts(config)
    told = json.loads(str(body))
    assert told["operator"] == "olga"
    assert (told["reference"], told["account"]) == ("2026/117", BOB)


@pytest.mark.parametrize("missing", ORDER)
def test_an_order_that_does_not_say_all_is_wrong_use(config: Config, tamis: Tamis, missing: str) -> None:
    keep(config, [make_ticket()])

    done = tamis(*arguments(missing))

    assert (done.status, done.out) == (2, "")
    assert f"required: {missing}" in done.err
    assert acts(config) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"jurisdiction": "US"}, "--jurisdiction US: legal.jurisdictions allows only FR, BE"),
        ({"until": "2026-11-23"}, "--until: expected a time after --since"),
        ({"output": "/nonexistent/file"}, "--output /nonexistent/file: the folder cannot be written"),
        ({"account": "bob@example.net"}, "example.net is not in mail.domains"),
        ({"reference": " "}, "expected 1 to 300 printable characters"),
    ],
)
def test_an_order_that_may_not_be_carried_out_changes_nothing(
    config: Config, tamis: Tamis, other: dict[str, str], expected: str
) -> None:
    done = tamis(*arguments(**other))

    assert (done.status, done.out) == (2, "")
    assert expected in done.err
    assert stored(config, "SELECT * FROM legal_act") == []


def test_no_jurisdiction_is_allowed_unless_named(tamis: Tamis, tmp_path: Path) -> None:
    done = tamis(*arguments())

    assert (done.status, done.out) == (2, "")
    assert done.err == "tamis: --jurisdiction FR: legal.jurisdictions allows none\n"
    assert not (tmp_path / "tamis.db").exists()


def test_the_file_is_whole_and_its_owners_alone(config: Config, tamis: Tamis, tmp_path: Path) -> None:
    keep(config, [make_ticket()])
    file = tmp_path / "out.jsonl"

    done = tamis(*arguments(output=str(file)), "--json")

    ((act, _),) = acts(config)
    assert (done.status, done.out, done.err) == (0, "", f"tamis: {file} is written, order {act}\n")
    assert [json.loads(line)["class"] for line in file.read_text().splitlines()] == ["disclosure", "ticket"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_not_replaced(config: Config, tamis: Tamis, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine")

    done = tamis(*arguments(output=str(file)))

    assert (done.status, done.err) == (2, f"tamis: --output {file}: there is such a file\n")
    assert file.read_text() == "mine"
    assert acts(config) == []


def test_an_order_whose_file_cannot_be_written_is_on_record(config: Config, tmp_path: Path) -> None:
    keep(config, [make_ticket() for _ in range(2000)])
    file = tmp_path / "out"
    command = shlex.join([sys.executable, "-m", "tamis", *arguments(output=str(file))])

    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 200; {command}"], capture_output=True, text=True, timeout=30, check=False
    )

    ((act, _),) = acts(config)
    expected = f"tamis: --output {file}: File too large; the order {act} is on record\n"
    assert (done.returncode, done.stderr) == (2, expected)
    assert not file.exists()


def test_killed_it_leaves_no_half_file(tmp_path: Path) -> None:
    code = """
import os, pathlib, signal
from tamis.desk import handout
with handout.written(pathlib.Path("out")) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=30, check=False)

    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_people_are_shown_the_tickets_in_words(config: Config, tamis: Tamis) -> None:
    ticket = replace(
        make_ticket(), sender_account=ANNA, recipients=(outcome(BOB), outcome("carl@example.org"))
    )
    keep(config, [ticket])

    bobs, annas = tamis(*arguments()), tamis(*arguments(account=ANNA))

    assert bobs.out.splitlines()[0].startswith("id=")
    assert bobs.out.splitlines()[1].startswith(f"2026-11-23T12:00:00.000Z {ticket.id} incoming")
    assert "carl@" not in bobs.out
    assert "  to       <carl@example.org>" in annas.out


@pytest.mark.parametrize("more", [[], ["--json"], ["--output"]])
def test_a_ticket_that_somebody_has_made_unreadable_is_told_and_all_else_is_shown(
    config: Config, tamis: Tamis, tmp_path: Path, more: list[str]
) -> None:
    first, second = make_ticket(BOB, milliseconds=NOON - 1), make_ticket(BOB)
    keep(config, [first, second])
    write(config, "session", id=new_id(NOON), kind="options", address="192.0.2.1")
    with other(config) as others:
        others.execute("UPDATE ticket SET body = '{' WHERE id = ?", [first.id])
    file = tmp_path / "out"

    done = tamis(*arguments(), *more, *([str(file)] if more == ["--output"] else []))

    told = file.read_text() if file.exists() else done.out
    assert (done.status, second.id in told, "192.0.2.1" in told) == (1, True, True)
    assert f"1 tickets cannot be read, see `tamis tickets verify`: {first.id}\n" in done.err


def test_a_recipient_sees_nothing_of_other_recipients() -> None:
    checks = OutgoingChecks("clean", "ham", "none")
    ticket = replace(
        make_ticket(),
        sender_account="dora@example.org",
        recipients=(outcome(ANNA), outcome(BOB, "team@example.org"), outcome(BOB)),
        outgoing=checks,
    )

    part = view(ticket.as_json(), BOB)

    assert "means" not in part
    assert "outgoing" not in part
    assert [one["address"] for one in part["recipients"]] == ["team@example.org", BOB]
    assert ANNA not in json.dumps(part)
    assert "dora" not in json.dumps(part)


def test_a_sender_sees_whom_he_wrote_to_and_not_what_they_want() -> None:
    checks = OutgoingChecks("clean", "ham", "none")
    ticket = replace(make_ticket(ANNA), sender_account=BOB, outgoing=checks)

    part = view(ticket.as_json(), BOB)

    assert part["recipients"] == [{"address": "bob+x@example.org"}]
    assert part["outgoing"] == checks.as_json()
