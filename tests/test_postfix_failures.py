"""When something of ours is away, through Postfix: mail is neither lost nor let through, and comes later."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers import mail
from tests.servers.clamd import Behaviour, CountingClamd
from tests.servers.postfix import Postfix
from tests.servers.sites import Site
from tests.servers.smtp import PATIENCE, connection

from tamis.sandbox.scanner import PrivateClamd

PROMISE = 1.0  # seconds after which a change of settings is in force


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Keep everybody else from writing to a site's store."""
    connection = sqlite3.connect(site.database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def scanner_back(site: Site, address: str) -> Iterator[None]:
    """Let a scanner answer where the site looks for it."""
    where = site.folder / "clamd.sock"
    where.symlink_to(address.removeprefix("unix:"))
    try:
        yield
    finally:
        where.unlink()


def test_mail_is_tempfailed_while_no_scanner_answers(unscanned_site: Site) -> None:
    story = unscanned_site.receive(mail.letter(), "anna@example.org")

    assert story.reply.code == 451
    assert story.reply.text.startswith("4.7.1 ")
    assert story.reply.text.endswith(f"[{story.ticket['id']}]")
    assert story.verdicts == {"anna@example.org=anna@example.org": "error ham none tempfail"}


def test_outgoing_mail_is_tempfailed_while_no_scanner_answers(unscanned_site: Site) -> None:
    story = unscanned_site.submit(mail.letter(), "robin@example.net")

    assert story.reply.code == 451
    assert story.ticket["outgoing"]["antivirus"] == "error"


def test_user_without_antivirus_does_not_need_the_scanner(unscanned_site: Site) -> None:
    story = unscanned_site.receive(mail.letter(), "erin@example.org", "dave@example.org")

    assert story.places == ["dave@example.org/", "erin@example.org/"]


def test_scanner_hears_nothing_of_mail_to_users_without_antivirus(unscanned_site: Site) -> None:
    with CountingClamd() as counting, scanner_back(unscanned_site, counting.address):
        story = unscanned_site.receive(mail.eicar_in_zip(), "erin@example.org", "dave@example.org")

        assert counting.connections == 0
    assert story.places == ["dave@example.org/", "erin@example.org/"]


def test_scanner_hears_of_a_message_once_for_all_its_recipients(unscanned_site: Site) -> None:
    raw = mail.letter()

    with CountingClamd() as counting, scanner_back(unscanned_site, counting.address):
        unscanned_site.receive(raw, "anna@example.org", "bob@example.org", "crew@example.org")

        assert counting.messages == [raw]


def test_mail_passes_with_a_mark_where_the_operator_says_so(lenient_site: Site) -> None:
    story = lenient_site.receive(mail.letter(), "anna@example.org")

    assert story.copy.fields == (("X-Virus-Scanned", "Tamis"), ("X-Virus-Status", "Error"))
    assert story.ticket["recipients"][0]["antivirus"] == "error"


def test_mail_passes_once_the_scanner_is_back(unscanned_site: Site, clamd: PrivateClamd) -> None:
    raw, infected = mail.letter(), mail.eicar_in_zip()
    before = unscanned_site.receive(raw, "anna@example.org")

    with scanner_back(unscanned_site, clamd.address):
        after = unscanned_site.receive(raw, "anna@example.org")
        refused = unscanned_site.receive(infected, "anna@example.org")

    assert before.reply.code == 451
    assert after.places == ["anna@example.org/"]
    assert [one["recipients"][0]["action"] for one in after.tickets] == ["tempfail", "deliver"]
    assert refused.reply.code == 550


@pytest.mark.parametrize("reply", [Behaviour.CLOSE, b"", b"nonsense\0", b"fd[7]: Not enough memory ERROR\0"])
def test_mail_is_tempfailed_while_the_scanner_talks_nonsense(
    unscanned_site: Site, reply: bytes | Behaviour
) -> None:
    with CountingClamd(reply) as broken, scanner_back(unscanned_site, broken.address):
        story = unscanned_site.receive(mail.letter(), "anna@example.org")

    assert story.reply.code == 451


def test_guess_of_the_scanner_is_marked(unscanned_site: Site) -> None:
    guess = b"fd[7]: Heuristics.Phishing.Email.SpoofedDomain FOUND\0"

    with CountingClamd(guess) as guessing, scanner_back(unscanned_site, guessing.address):
        story = unscanned_site.receive(mail.letter(), "anna@example.org")

    assert story.verdicts == {"anna@example.org=anna@example.org": "infected ham none mark"}
    assert story.copy.fields == (
        ("X-Virus-Scanned", "Tamis"),
        ("X-Virus-Status", "Infected (Heuristics.Phishing.Email.SpoofedDomain)"),
    )


def test_message_that_no_scanner_can_scan_passes(unscanned_site: Site) -> None:
    limit = b"fd[7]: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0"

    with CountingClamd(limit) as limited, scanner_back(unscanned_site, limited.address):
        story = unscanned_site.receive(mail.letter(), "anna@example.org")

    assert story.verdicts == {"anna@example.org=anna@example.org": "error ham none deliver"}
    assert story.copy.fields == ()


def test_scanner_that_hangs_holds_up_its_own_message_alone(unscanned_site: Site) -> None:
    with (
        ThreadPoolExecutor() as elsewhere,
        CountingClamd(Behaviour.HANG) as hanging,
        scanner_back(unscanned_site, hanging.address),
    ):
        slow = elsewhere.submit(unscanned_site.receive, mail.letter(), "anna@example.org")
        assert hanging.asked.wait(PATIENCE)
        quick = unscanned_site.receive(mail.letter(), "dave@example.org")
        waiting = not slow.done()

    assert waiting
    assert quick.places == ["dave@example.org/"]
    assert slow.result().reply.code == 451


def test_mail_is_tempfailed_while_the_store_is_locked(unscanned_site: Site) -> None:
    raw = mail.letter()

    with locked(unscanned_site), unscanned_site.connect() as client:
        during = client.send(raw, "erin@example.org", sender="pat@example.net")
    before = unscanned_site.tickets(raw)  # reading is on record, and so needs the store's lock
    after = unscanned_site.receive(raw, "erin@example.org")

    assert during.code == 451
    assert during.text.startswith("4.7.1 ")
    assert before == []
    assert after.places == ["erin@example.org/"]
    assert len(after.tickets) == 1


def test_mail_waits_at_the_senders_while_tamis_is_away(postfix: Postfix) -> None:
    with connection(postfix.listeners["away"].mx) as client:
        reply = client.send(mail.letter(), "anna@example.org")

    assert reply.code == 451


def test_restart_keeps_settings_and_tickets(network_site: Site) -> None:
    before = mail.gtube()
    network_site.receive(before, "bob@example.org")

    network_site.milter.restart()
    story = network_site.receive(mail.gtube(), "bob@example.org")

    assert story.places == ["bob@example.org/junk"]
    assert len(network_site.tickets(before)) == 1


def test_mail_waits_for_the_successor_of_a_killed_worker(unscanned_site: Site) -> None:
    supervisor = unscanned_site.milter.pid
    (worker,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)

    story = unscanned_site.receive(mail.letter(), "dave@example.org")

    assert story.places == ["dave@example.org/"]


def test_change_of_settings_is_in_force_within_a_second(postfix_site: Site) -> None:
    postfix_site.run("account", "set", "judy@example.org", "antispam=on")
    postfix_site.receive(mail.gtube(), "judy@example.org")

    postfix_site.run("account", "set", "judy@example.org", "antispam=off")
    promised = time.monotonic() + PROMISE
    late = []
    while (now := time.monotonic()) < promised + PATIENCE:
        marked = bool(postfix_site.receive(mail.gtube(), "judy@example.org").copy.fields)
        if not marked:
            break
        late.append(now)

    assert not marked
    assert all(when < promised for when in late)


@pytest.mark.parametrize("make", [mail.eicar_in_zip, mail.gtube, mail.newsletter])
def test_shadow_mode_decides_and_touches_nothing(shadow_site: Site, make: Callable[[], bytes]) -> None:
    raw = make()

    story = shadow_site.receive(raw, "bob@example.org")

    assert story.places == ["bob@example.org/"]
    assert story.copy.fields == ()
    assert story.copy.content == raw.replace(b"\r\n", b"\n")
    assert story.ticket["mode"] == "shadow"
    assert story.ticket["recipients"][0]["action"] in ("refuse", "file")


def test_shadow_mode_leaves_forged_fields(shadow_site: Site) -> None:
    raw = mail.message("Hello\n", fields="X-Spam-Flag: NO\n")

    story = shadow_site.receive(raw, "anna@example.org")

    assert story.copy.content == raw.replace(b"\r\n", b"\n")


def test_shadow_mode_lets_outgoing_malware_pass(shadow_site: Site) -> None:
    raw = mail.eicar_in_zip()

    story = shadow_site.submit(raw, "robin@example.net")

    assert shadow_site.mta.sink.wait_for(mail.message_id(raw).encode()).content.endswith(raw)
    assert story.ticket["recipients"][0]["action"] == "refuse"
