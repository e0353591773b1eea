"""Commands beside a real Postfix: `tamis check` reads its settings, `tamis explain` foretells its mail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers import mail
from tests.servers.postfix import Postfix
from tests.servers.sites import Site


@pytest.fixture
def beside_postfix(postfix: Postfix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the Postfix as they find an installed one."""
    for name, value in postfix.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("beside_postfix")
def test_documented_wiring_passes_the_check(site: Site) -> None:
    printed = site.run("check")

    assert "smtpd_milters names Tamis" in printed
    assert "milter_default_action is tempfail" in printed
    assert "failed" not in printed


@pytest.mark.usefixtures("beside_postfix")
def test_wiring_in_master_cf_passes_the_check(network_site: Site) -> None:
    printed = network_site.run("check")

    assert "/inet/smtpd_milters names Tamis" in printed
    assert "failed" not in printed


@pytest.mark.parametrize("make", [mail.letter, mail.gtube, mail.newsletter, mail.eicar_in_zip])
@pytest.mark.parametrize("to", ["bob@example.org", "dave@example.org", "team@example.org"])
def test_explanation_is_what_happens(site: Site, make: Callable[[], bytes], to: str, tmp_path: Path) -> None:
    raw = make()
    file = tmp_path / "message.eml"
    file.write_bytes(raw)
    where = ("--client", "192.0.2.25", "--from", "pat@example.net", "--to", to)

    explained = json.loads(site.run("explain", str(file), *where, "--json"))
    story = site.receive(raw, to)

    headers, reply = explained.pop("headers"), explained.pop("reply")
    happened = {key: value for key, value in story.ticket.items() if key not in ("id", "time", "queue_id")}
    assert {key: explained[key] for key in happened} == happened
    assert all(headers == dict(copy.fields) for copy in story.copies)
    assert (reply is None) == (story.reply.code == 250)


def test_explanation_for_people_names_each_recipients_lot(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "message.eml"
    file.write_bytes(mail.gtube())

    printed = site.run("explain", str(file), "--to", "bob@example.org", "--to", "dave@example.org")

    assert "<bob@example.org>" in printed
    assert "<dave@example.org>" in printed
    assert "GTUBE" in printed


def test_local_program_sends_outgoing_mail(site: Site) -> None:
    raw = mail.letter()

    site.postfix.sendmail("-f", "anna@example.org", "robin@example.net", message=raw.replace(b"\r\n", b"\n"))

    sent = site.postfix.sink.wait_for(mail.message_id(raw).encode())
    (ticket,) = site.tickets(raw)
    assert sent.content.endswith(raw)
    assert ticket["direction"] == "outgoing"
    assert ticket["sender_account"] == "anna@example.org"
