"""`tamis explain` says what would be done, and stores nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tamis import cli

LETTER = b"""\
Return-Path: <anna@example.net>
From: Anna <anna@example.net>
To: bob@example.org, Carol <carol@example.com>
Cc: dora@example.org
Subject: Tomorrow
Message-ID: <1@example.net>
X-Spam-Flag: NO

Hello Bob,

see you tomorrow.
"""
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"


RELAYED = '[resend]\nrelay = "inet:127.0.0.1:10026"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tamis.toml"
    file.write_text(
        f'[mail]\ndomains = ["example.org"]\n[store]\nurl = "sqlite:///{tmp_path}/tamis.db"\n'
        '[users.defaults]\nantivirus = "off"\n[outgoing]\nantivirus = false\n'
    )
    return file


class Explained:
    """Runs the command on a message."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Take the configuration."""
        self._config = config
        self._capsys = capsys

    def __call__(self, raw: bytes, *options: str) -> str:
        """Return what it prints."""
        file = self._config.with_name("message.eml")
        file.write_bytes(raw)
        status = cli.main(["explain", "--config", str(self._config), str(file), *options])
        assert status == 0
        return self._capsys.readouterr().out

    def json(self, raw: bytes, *options: str) -> dict[str, Any]:
        """Return its JSON."""
        found: dict[str, Any] = json.loads(self(raw, "--json", *options))
        return found


@pytest.fixture
def explained(config: Path, capsys: pytest.CaptureFixture[str]) -> Explained:
    return Explained(config, capsys)


def test_the_json_is_the_ticket_without_id_and_with_headers_and_reply(explained: Explained) -> None:
    found = explained.json(LETTER, "--to", "bob@example.org")

    assert list(found) == [
        "time",
        "direction",
        "mode",
        "message_id",
        "queue_id",
        "sender",
        "sender_account",
        "recipients",
        "means",
        "headers",
        "reply",
    ]
    assert (found["direction"], found["sender"], found["message_id"]) == (
        "incoming",
        "anna@example.net",
        "<1@example.net>",
    )
    assert (found["queue_id"], found["headers"], found["reply"]) == (None, {}, None)


def test_spam_is_explained_with_its_fields_and_exit_status_0(explained: Explained) -> None:
    found = explained.json(LETTER + GTUBE, "--to", "bob@example.org")

    (recipient,) = found["recipients"]
    assert (recipient["antispam"], recipient["score"], recipient["reasons"]) == ("spam", 1000.0, ["GTUBE"])
    assert found["headers"]["X-Spam-Flag"] == "YES"
    assert found["headers"]["X-Spam-Status"] == "Yes, score=1000.0 required=5.0 tests=GTUBE"


def test_the_envelope_is_that_of_the_message_where_none_is_given(explained: Explained) -> None:
    found = explained.json(LETTER)

    assert found["sender"] == "anna@example.net"
    assert [one["address"] for one in found["recipients"]] == [
        "bob@example.org",
        "carol@example.com",
        "dora@example.org",
    ]


def test_the_envelope_may_be_given(explained: Explained) -> None:
    options = ("--from", "", "--to", "dora@example.org", "--client", "127.0.0.1")

    found = explained.json(LETTER, *options)

    assert (found["sender"], found["direction"]) == ("", "outgoing")
    assert found["outgoing"]["antispam"] in ("ham", "spam")
    assert [one["address"] for one in found["recipients"]] == ["dora@example.org"]


def test_people_read_it_in_lines(explained: Explained) -> None:
    lines = explained(LETTER + GTUBE, "--to", "bob@example.org").splitlines()

    assert "direction  incoming" in lines
    assert "recipient  <bob@example.org> (no account): mark" in lines
    assert "  antispam   spam 1000.0 bits: GTUBE" in lines
    assert "reply      250 accepted" in lines
    assert "removes    X-Spam-Flag (number 1)" in lines


def test_nothing_is_stored(explained: Explained, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explained(LETTER, "--to", "bob@example.org")

    cli.main(["tickets", "--config", str(config), "--json"])

    assert capsys.readouterr().out == ""


def test_a_missing_file_is_wrong_use(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["explain", "--config", str(config), "/nonexistent/message.eml"])

    assert status == 2
    assert capsys.readouterr().err == "tamis: /nonexistent/message.eml: No such file or directory\n"


def test_a_message_to_nobody_is_explained_for_somebody_without_settings(explained: Explained) -> None:
    found = explained.json(b"Subject: hello\nTo: undisclosed-recipients:;\n\nhello\n")

    assert [one["address"] for one in found["recipients"]] == ["postmaster@example.org"]


def test_a_message_to_nobody_is_explained_for_whom_it_was_delivered_to(explained: Explained) -> None:
    found = explained.json(b"Delivered-To: bob@example.org\nSubject: hello\n\nhello\n")

    assert [one["address"] for one in found["recipients"]] == ["bob@example.org"]


@pytest.mark.parametrize("options", [("--to", ""), ("--to", "<>"), ("--client", "mail.example.net")])
def test_an_option_without_sense_is_wrong_use(
    options: tuple[str, str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main(["explain", "--config", str(config), "-", *options])

    assert status == 2
    assert f"argument {options[0]}: expected " in capsys.readouterr().err


def test_copies_are_told_and_not_sent(
    config: Path, explained: Explained, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + RELAYED)
    assert cli.main(["account", "set", "--config", str(config), "bob@example.org", "antispam=off"]) == 0
    capsys.readouterr()
    to = ("--to", "bob@example.org", "--to", "dora@example.org")

    found = explained.json(LETTER + GTUBE, *to)
    printed = explained(LETTER + GTUBE, *to)

    assert (found["means"], found["headers"]) == ("split", {})
    assert [(one["to"], one["headers"]["X-Spam-Flag"]) for one in found["copies"]] == [
        (["dora@example.org"], "YES")
    ]
    assert "\ncopy       <dora@example.org>\n  adds     X-Spam-Flag: YES\n" in printed
