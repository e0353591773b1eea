"""What mail leaves behind on the host after MTA and Tamis are done with it, and what many at once get."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.servers import mail
from tests.servers.sites import Site

MARKER = "Kaleidoscope-4711"  # in each part of a message that must not be kept


def marked_message() -> bytes:
    """Return spam with the marker in its subject, body, other fields and file name."""
    kind = 'Content-Type: multipart/mixed; boundary="outer"\n'
    part = f'Content-Type: text/plain; name="{MARKER}.txt"\n\n{MARKER} {mail.GTUBE}\n'
    body = f"--outer\n{part}--outer--\n"
    return mail.message(body, subject=f"About {MARKER}", fields=f"{kind}X-Note: {MARKER}\n")


def test_store_keeps_nothing_of_the_content(site: Site) -> None:
    story = site.receive(marked_message(), "bob@example.org", "anna@example.org")

    kept = b"".join(path.read_bytes() for path in site.folder.glob("tamis.db*"))
    assert story.ticket["id"].encode() in kept
    assert MARKER.encode() not in kept


def test_log_names_no_address_and_nothing_of_the_content(site: Site) -> None:
    story = site.receive(marked_message(), "bob@example.org", "anna@example.org", sender="quinn@example.net")

    log = site.milter.log()
    assert story.reply.queue_id in log
    assert MARKER not in log
    assert "@" not in log


def test_error_logs_no_address_either(unscanned_site: Site) -> None:
    unscanned_site.receive(marked_message(), "anna@example.org")

    log = unscanned_site.milter.log()
    assert "clamd does not answer" in log
    assert MARKER not in log
    assert "@" not in log


def test_log_has_one_line_per_message(site: Site) -> None:
    story = site.receive(mail.letter(), "anna@example.org", "bob@example.org")

    lines = [line for line in site.milter.log().splitlines() if story.reply.queue_id in line]
    assert len(lines) == 1
    assert story.ticket["id"] in lines[0]


def test_many_messages_at_once_do_not_mix(site: Site) -> None:
    users = ("anna", "bob", "carol", "dave", "frank", "grace") * 10
    expected = {"anna": "", "bob": "junk", "carol": "", "dave": "", "frank": "", "grace": ""}

    with ThreadPoolExecutor(8) as senders:
        stories = list(senders.map(lambda user: (user, send(site, user)), users))

    for user, (raw, queue_id) in stories:
        (copy,) = site.mta.delivered(queue_id)
        assert (copy.account, copy.folder) == (f"{user}@example.org", expected[user])
        assert copy.content == raw.replace(b"\r\n", b"\n")
        assert bool(copy.fields) == (user in ("anna", "bob", "grace"))
        assert len(site.tickets(raw)) == 1


def send(site: Site, user: str) -> tuple[bytes, str]:
    """Send spam, and return it with its queue ID."""
    raw = mail.gtube()
    with site.connect() as client:
        return raw, client.send(raw, f"{user}@example.org").queue_id
