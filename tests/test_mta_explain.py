"""`tamis explain` foretells what an MTA and Tamis do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers import mail
from tests.servers.sites import Site


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
