"""`tamis tickets`."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stores import NOON, keep, make_config, make_ticket, other

from tamis.cli import main
from tamis.config import Config
from tamis.ticket import OutgoingChecks


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("TAMIS_CONFIG", str(tmp_path / "tamis.toml"))
    return make_config(tmp_path)


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return the IDs of the tickets that the command prints."""
    assert main(["tickets", "--json", *arguments]) == 0
    return [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]


def test_line_is_the_tickets_object(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    checks = OutgoingChecks("clean", "ham", "none", score=-1.0, reasons=())
    ticket = replace(make_ticket(), outgoing=checks)
    keep(config, [ticket])

    main(["tickets", "--json"])

    shown = json.loads(capsys.readouterr().out)
    assert shown == ticket.as_json()
    assert list(shown) == list(ticket.as_json())


def test_tickets_are_told_oldest_first_however_many(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.store.tickets.PAGE", 3)
    given = [make_ticket(milliseconds=NOON + number // 2) for number in range(10)]
    keep(config, given[::-1])

    assert found(capsys) == sorted(one.id for one in given)
    assert found(capsys, "--account", "bob@example.org") == sorted(one.id for one in given)


def test_account_sees_its_own_tickets_only(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    bobs, nobodys = make_ticket(), make_ticket(None)
    annas = replace(make_ticket("anna@example.org"), sender_account="carl@example.org")
    keep(config, [bobs, nobodys, annas])

    assert found(capsys, "--account", "Bob@Example.org") == [bobs.id]
    assert found(capsys, "--account", "carl@example.org") == [annas.id]
    assert found(capsys, "--account", "dora@example.org") == []


@pytest.mark.parametrize("given", ["<2@example.net>", "2@example.net", " <2@example.net> "])
def test_message_id_is_found_with_or_without_brackets(
    config: Config, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    wanted = make_ticket(message_id="<2@example.net>")
    keep(config, [make_ticket(), wanted, make_ticket(message_id=None)])

    assert found(capsys, "--message-id", given) == [wanted.id]


def test_message_id_that_was_received_without_brackets_is_found(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = make_ticket(message_id="2@example.net")
    keep(config, [wanted])

    assert found(capsys, "--message-id", "<2@example.net>") == [wanted.id]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--since", "2026-11-23T12:00:00Z"], [1, 2]),
        (["--since", "2026-11-23T12:00:00.001Z"], [2]),
        (["--since", "2026-11-23T12:00:00.0001Z"], [2]),
        (["--until", "2026-11-23T12:00:00Z"], [0]),
        (["--until", "2026-11-23T12:00:00.000001Z"], [0, 1]),
        (["--until", "2026-11-23T12:00:00.001Z"], [0, 1]),
        (["--since", "2026-11-23T13:00:00+01:00", "--until", "2026-11-24"], [1]),
        (["--since", "2026-11-24"], [2]),
        (["--since", "2026-11-24", "--account", "bob@example.org"], [2]),
        (["--until", "2026-11-23", "--message-id", "1@example.net"], []),
        (["--since", "2026-11-23t12:00:00z"], [1, 2]),
        (["--since", "2026-11-24", "--until", "2026-11-23"], []),
    ],
)
def test_since_is_inclusive_and_until_exclusive(
    config: Config, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[int]
) -> None:
    times = [NOON - 1, NOON, NOON + 12 * 3_600_000]
    given = [make_ticket(milliseconds=one) for one in times]
    keep(config, given)

    assert found(capsys, *arguments) == [given[number].id for number in expected]


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-11-23T12:00:00", "20261123", "2026-11-23 25:00:00Z", ""]
)
def test_time_that_is_none_is_wrong_use(
    config: Config, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert main(["tickets", "--since", text]) == 2
    assert (
        f'expected YYYY-MM-DD or RFC 3339 such as 2026-11-23T09:14:05Z, got "{text}"'
        in capsys.readouterr().err
    )


def test_no_ticket_is_no_error(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tickets", "--json"]) == 0
    assert capsys.readouterr().out == ""


def test_table_tells_message_and_recipients(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    ticket = make_ticket()
    keep(config, [ticket])

    main(["tickets"])

    assert capsys.readouterr().out.splitlines() == [
        f"2026-11-23T12:00:00.000Z {ticket.id} incoming <anna@example.net> <1@example.net>",
        "  mark     <bob+x@example.org> (bob@example.org) antivirus=clean antispam=spam graymail=none "
        "score=7.3 reasons=SUBJECT_ALL_CAPS",
    ]


@pytest.mark.parametrize("body", ["'{'", "'[]'", "CAST(x'7bff7d' AS TEXT)"])
def test_ticket_that_somebody_has_made_unreadable_is_told_and_others_are_shown(
    config: Config, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    first, second = make_ticket(milliseconds=NOON - 1), make_ticket()
    keep(config, [first, second])
    with other(config) as others:
        others.execute(f"UPDATE ticket SET body = {body} WHERE id = ?", [first.id])  # noqa: S608

    status = main(["tickets"])

    shown = capsys.readouterr()
    assert (status, second.id in shown.out) == (1, True)
    assert shown.err == f"tamis: 1 tickets cannot be read, see `tamis tickets verify`: {first.id}\n"


def test_table_shows_what_is_left_of_a_ticket(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    keep(config, [make_ticket()])
    with other(config) as others:
        others.execute("""UPDATE ticket SET body = '{"id": "X", "recipients": [{"action": 1}]}'""")

    assert main(["tickets"]) == 0
    assert "None X None <None> no message-ID" in capsys.readouterr().out


def test_table_does_not_command_the_terminal(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    keep(config, [make_ticket(message_id="<\x1b[2J\x9b@example.net>")])

    main(["tickets"])

    assert "<\ufffd[2J\ufffd@example.net>" in capsys.readouterr().out


def test_lines_are_not_parted_by_what_is_in_them(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    keep(config, [make_ticket(message_id="<\u2028\x85\n@example.net>")])

    main(["tickets", "--json"])

    assert len(capsys.readouterr().out.splitlines()) == 1


def test_verify_says_that_nothing_is_amiss(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    keep(config, [make_ticket(), make_ticket()])

    assert main(["tickets", "verify"]) == 0
    assert capsys.readouterr().out.startswith(
        "0 faults in 2 tickets and what is left of 0 others, in 1 chains"
    )


def test_verify_names_tickets_that_were_changed(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticket = make_ticket()
    keep(config, [ticket, make_ticket()])
    with contextlib.closing(sqlite3.connect(tmp_path / "tamis.db")) as other, other:
        other.execute("UPDATE ticket SET body = replace(body, 'anna', 'hanna') WHERE id = ?", [ticket.id])

    assert main(["tickets", "verify"]) == 1
    line, summary = capsys.readouterr().out.splitlines()
    assert line == f"fault=changed day=2026-11-23 chain=1 number=1 ticket={ticket.id}"
    assert summary.startswith("1 faults in 2 tickets")
    assert main(["tickets", "verify", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (fault,) = told.pop("first")
    assert fault == {
        "fault": "changed",
        "day": "2026-11-23",
        "chain": 1,
        "number": 1,
        "last": None,
        "ticket": ticket.id,
        "after": None,
    }
    assert len(bytes.fromhex(told.pop("key"))) == 32
    assert told == {"tickets": 2, "gone": 0, "chains": 1, "sealed": 0, "faults": 1}


def test_reader_that_stops_early_is_no_error(config: Config, tmp_path: Path) -> None:
    keep(config, [make_ticket() for _ in range(2000)])
    command = f"{sys.executable} -m tamis tickets --json --config {tmp_path}/tamis.toml"

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 1"],
        capture_output=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
