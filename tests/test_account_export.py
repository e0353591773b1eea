"""`tamis account export`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from tests.commands import Tamis
from tests.stores import NOON, keep, make_ticket, other, stored

from tamis import config as configuration
from tamis.config import Config
from tamis.desk import cells
from tamis.desk.cells import Csv, Xlsx

ANNA, BOB = "anna@example.org", "bob@example.org"
TABLES = (
    "account",
    "settings",
    "tickets",
    "sessions",
    "setting_changes",
    "consents",
    "aliases",
    "programs",
)


@pytest.fixture
def config(tamis: Tamis, tmp_path: Path) -> Config:
    """Return a site whose Anna has set something."""
    tamis("account", "set", ANNA, "learning=on", "senders.blocked=@example.net,=x@example.com")
    return configuration.load(str(tmp_path / "tamis.toml"))


def content(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))


def table(path: Path, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode())))


def sheet(path: Path, name: str) -> list[tuple[object, ...]]:
    with zipfile.ZipFile(path) as archive:
        book = load_workbook(io.BytesIO(archive.read(f"{name}.xlsx")))
        return list(book[name].iter_rows(values_only=True))


def test_all_that_is_kept_is_there_three_times_with_a_manifest(
    tamis: Tamis, config: Config, tmp_path: Path
) -> None:
    keep(config, [make_ticket(ANNA), make_ticket(ANNA), make_ticket(BOB)])
    path = tmp_path / "out.zip"

    done = tamis("account", "export", ANNA, "--output", str(path), "--json")

    counts = dict(zip(TABLES, (1, 13, 2, 0, 2, 1, 0, 0), strict=True))
    assert done.lines == [{"address": ANNA, "file": str(path), "records": counts}]
    manifest = content(path, "manifest.json")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for entry in manifest["files"]:
            octets = archive.read(entry["name"])
            assert (entry["sha256"], entry["size"]) == (hashlib.sha256(octets).hexdigest(), len(octets))
        assert "VOS DONNÉES" in archive.read("README.txt").decode()
    expected = [f"{one}.{kind}" for one in TABLES for kind in ("json", "csv", "xlsx")]
    assert names == ["README.txt", *expected, "manifest.json"]
    assert [one["name"] for one in manifest["files"]] == names[:-1]
    for name in TABLES:
        assert len(content(path, f"{name}.json")) == counts[name]
    assert [len(table(path, name)) for name in ("tickets", "consents")] == [2, 1]
    assert [len(sheet(path, name)) for name in ("tickets", "sessions", "consents")] == [3, 1, 2]


def test_no_other_recipient_is_in_it(tamis: Tamis, config: Config, tmp_path: Path) -> None:
    ticket = make_ticket(ANNA)
    other = replace(ticket.recipients[0], address="boss@example.com", account="boss@example.com")
    keep(config, [replace(ticket, recipients=(*ticket.recipients, other))])

    tamis("account", "export", ANNA, "--output", str(tmp_path / "out.zip"))

    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        texts = [archive.read(name) for name in archive.namelist() if not name.endswith(".xlsx")]
    assert not [text for text in texts if b"boss" in text]
    assert "boss" not in str(sheet(tmp_path / "out.zip", "tickets"))
    (shown,) = content(tmp_path / "out.zip", "tickets.json")
    assert "means" not in shown and len(shown["recipients"]) == 1


def test_what_leads_to_the_account_and_who_may_act_for_it_is_in_it(
    tamis: Tamis, config: Config, tmp_path: Path
) -> None:
    tamis("alias", "add", "team@example.org", ANNA, BOB)
    tamis("alias", "add", "others@example.org", BOB)
    (made,) = tamis("account", "token", ANNA, "--new", "Phone", "--until", "2099-12-31", "--json").lines
    tamis("account", "token", BOB, "--new", "Bobs")

    tamis("account", "export", ANNA, "--output", str(tmp_path / "out.zip"))

    assert content(tmp_path / "out.zip", "aliases.json") == [{"address": "team@example.org"}]
    assert content(tmp_path / "out.zip", "programs.json") == [
        {key: value for key, value in made.items() if key != "token"}
    ]
    assert table(tmp_path / "out.zip", "programs")[0]["name"] == "Phone"


def test_who_works_for_the_provider_is_not_in_it(
    tamis: Tamis, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "carol")
    tamis("account", "set", ANNA, "antispam=off")

    tamis("account", "export", ANNA, "--output", str(tmp_path / "out.zip"))

    changes = content(tmp_path / "out.zip", "setting_changes.json")
    assert {one["actor"] for one in changes} == {"operator"}
    assert changes[-1]["key"] == "antispam" and (changes[-1]["old"], changes[-1]["new"]) == (None, "off")


def test_nothing_in_a_table_is_a_formula(tamis: Tamis, config: Config, tmp_path: Path) -> None:
    nasty = ["=1+1@example.net", "+1", "-1", "@sum", "\t=1", "<a;=1>", "\uff1d1"]
    given = [make_ticket(ANNA, message_id=one, milliseconds=NOON + place) for place, one in enumerate(nasty)]
    keep(config, given)
    path = tmp_path / "out.zip"

    tamis("account", "export", ANNA, "--output", str(path))

    told = ["'=1+1@example.net", "'+1", "'-1", "'@sum", "'\t'=1", "<a;'=1>", "'\uff1d1"]
    assert [one["message_id"] for one in table(path, "tickets")] == told
    assert [row[4] for row in sheet(path, "tickets")[1:]] == told
    assert [one["message_id"] for one in content(path, "tickets.json")] == nasty
    assert [one["value"] for one in table(path, "settings") if one["key"] == "senders.blocked"] == [
        "'@example.net",
        "'=x@example.com",
    ]


@given(
    st.lists(st.one_of(st.none(), st.booleans(), st.integers(-999, 999), st.text(alphabet=st.characters())))
)
def test_any_text_can_be_read_again(row: list[cells.Cell]) -> None:
    text, book = io.BytesIO(), io.BytesIO()
    for one in (Csv(text, ["a"]), Xlsx(book, "a", ["a"])):
        one.write(["", *row])
        one.close()

    read = list(csv.reader(io.StringIO(text.getvalue().decode(), newline="")))
    assert [len(one) for one in read] == [1, 1 + len(row)]
    (_, cells_read) = load_workbook(book)["a"].iter_rows()
    assert not [one for one in cells_read if one.data_type == "f"]
    assert not [one for one in [*read[1], *(cell.value for cell in cells_read)] if str(one).startswith("=")]


def test_a_full_sheet_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "MOST_ROWS", 3)
    book = io.BytesIO()
    writer = Xlsx(book, "n", ["number"])
    for number in range(5):
        writer.write([number])
    writer.close()

    sheets = {one.title: [row[0] for row in one.values] for one in load_workbook(book)}
    assert sheets == {"n": ["number", 0, 1], "n 2": ["number", 2, 3], "n 3": ["number", 4]}


def test_file_is_its_owners_only_and_named_after_the_account(
    tamis: Tamis, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = tamis("account", "export", ANNA)

    path = tmp_path / f"{ANNA}.zip"
    assert done.status == 0 and done.out.startswith(f"{ANNA}.zip: 1 account, ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_replaced_only_by_force(tamis: Tamis, config: Config, tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    path.write_text("mine")

    refused = tamis("account", "export", ANNA, "--output", str(path))
    kept = path.read_text()
    done = tamis("account", "export", ANNA, "--output", str(path), "--force")

    assert (refused.status, kept, done.status) == (2, "mine", 0)
    assert "--force" in refused.err
    assert content(path, "manifest.json")["account"] == ANNA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".new"] == []


def test_export_to_a_folder_that_is_not_there_is_wrong_use(tamis: Tamis, config: Config) -> None:
    done = tamis("account", "export", ANNA, "--output", "/nonexistent/out.zip")

    assert (done.status, done.err) == (
        2,
        "tamis: /nonexistent/out.zip cannot be written: No such file or directory\n",
    )


def test_export_is_on_record_as_a_reading(tamis: Tamis, config: Config, tmp_path: Path) -> None:
    tamis("account", "export", ANNA, "--output", str(tmp_path / "out.zip"))

    ((kind, body),) = stored(config, "SELECT kind, body FROM legal_act")
    assert kind == "reading" and json.loads(str(body))["scope"] == {"account": ANNA}


def test_export_of_nobody_is_a_no_and_no_file(tamis: Tamis, config: Config, tmp_path: Path) -> None:
    done = tamis("account", "export", BOB, "--output", str(tmp_path / "out.zip"))

    assert (done.status, (tmp_path / "out.zip").exists()) == (1, False)


def test_a_ticket_that_somebody_has_made_unreadable_is_told_and_no_file_made(
    tamis: Tamis, config: Config, tmp_path: Path
) -> None:
    keep(config, [make_ticket(ANNA)])
    with other(config) as others:
        others.execute("UPDATE ticket SET body = '{'")

    done = tamis("account", "export", ANNA, "--output", str(tmp_path / "out.zip"))

    assert (done.status, (tmp_path / "out.zip").exists()) == (1, False)
    assert "out.zip is not written: 1 tickets cannot be read" in done.err


def test_a_killed_export_leaves_nothing(config: Config, tmp_path: Path) -> None:
    keep(config, [make_ticket(ANNA) for _ in range(2_000)])
    before = {one.name for one in tmp_path.iterdir() if "tamis.db" not in one.name}
    code = """
import sys
from tamis.desk import records
view = records.view
left = int(sys.argv.pop(1))
def stopping(ticket, account):
    global left
    left -= 1
    if not left:
        print("here", flush=True)
        sys.stdin.read()
    return view(ticket, account)
records.view = stopping
from tamis.cli import main
main(sys.argv[1:])
"""
    for place in (1, 1_013, 2_000):
        command = [sys.executable, "-c", code, str(place), "account", "export", ANNA]
        with subprocess.Popen(
            [*command, "--output", str(tmp_path / "out.zip")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"here\n"
            os.kill(process.pid, signal.SIGKILL)

        assert {one.name for one in tmp_path.iterdir() if "tamis.db" not in one.name} == before
