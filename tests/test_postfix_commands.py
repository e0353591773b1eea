"""Commands beside a real Postfix: `tamis check` reads its settings, `tamis explain` foretells its mail."""

from __future__ import annotations

import pytest
from tests.servers import mail
from tests.servers.postfix import Postfix
from tests.servers.sites import Site, Sites


@pytest.fixture
def beside_postfix(postfix: Postfix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the Postfix as they find an installed one."""
    for name, value in postfix.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("beside_postfix")
def test_documented_wiring_passes_the_check(postfix: Postfix, postfix_site: Site) -> None:
    printed = postfix_site.run("check")

    assert "Postfix asks Tamis about mail from " in printed
    assert "milter_default_action is tempfail" in printed
    assert "failed" not in printed


@pytest.mark.usefixtures("beside_postfix")
def test_wiring_in_master_cf_passes_the_check(network_site: Site, postfix: Postfix) -> None:
    printed = network_site.run("check")

    assert f"Postfix asks Tamis about mail from 127.0.0.1:{postfix.listeners['network'].mx}" in printed
    assert "failed" not in printed


def test_local_program_sends_outgoing_mail(postfix: Postfix, sites: Sites) -> None:
    site = sites.get("postfix", "stream")  # the first of the milters, which main.cf names
    raw = mail.letter()

    postfix.sendmail("-f", "anna@example.org", "robin@example.net", message=raw.replace(b"\r\n", b"\n"))

    sent = postfix.sink.wait_for(mail.message_id(raw).encode())
    (ticket,) = site.tickets(raw)
    assert sent.content.endswith(raw)
    assert ticket["direction"] == "outgoing"
    assert ticket["sender_account"] == "anna@example.org"
