"""Sends sample messages through the sandbox, and tells what became of each in a table."""

from __future__ import annotations

import json
import re
import shutil
import smtplib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.sandbox import processes
from tamis.sandbox.maildir import OUTSIDE
from tamis.sandbox.samples import Sample

HELO = "mail.example.net"
MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
TITLES = ("MESSAGE", "TO", "ANTIVIRUS", "ANTISPAM", "GRAYMAIL", "ACTION", "NOW IN")
ID_WIDTH = 26  # characters of a ticket's ID


@dataclass(frozen=True, slots=True)
class Sent:
    """What a client saw of one message, and the Maildirs in which it arrived."""

    sample: Sample
    reply: str | None  # the refusal; None if it was taken
    mailboxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, the ticket's ID, and what stands below."""

    cells: tuple[str, ...]
    ticket: str
    notes: tuple[str, ...]


def send(sample: Sample, port: int, maildirs: Path) -> Sent:
    """Send a sample by SMTP; raise OSError or SMTPServerDisconnected."""
    before = set(_mail(maildirs))
    reply = None
    with smtplib.SMTP("127.0.0.1", port, local_hostname=HELO) as client:
        if sample.user is not None:
            client.login(sample.user, "any password will do")
        try:
            client.sendmail(sample.mail_from, sample.recipients, sample.raw, ["BODY=8BITMIME"])
        except smtplib.SMTPResponseException as refusal:
            text = refusal.smtp_error
            words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            reply = f"{refusal.smtp_code} {words}"
        except smtplib.SMTPRecipientsRefused as refusal:
            code, text = next(iter(refusal.recipients.values()))
            reply = f"{code} {text.decode('utf-8', 'replace')}"
    new = sorted(set(_mail(maildirs)) - before)
    return Sent(sample, reply, tuple(str(path.parent.parent.relative_to(maildirs)) for path in new))


def _mail(maildirs: Path) -> Iterator[Path]:
    return (path for part in ("new", "cur") for path in maildirs.rglob(f"{part}/*"))


def tickets(config: Path, since: str) -> dict[str, dict[str, Any]]:
    """Return the tickets since a time, by message-ID."""
    lines = processes.run("tickets", config, ["--json", "--since", since]).splitlines()
    found = (json.loads(line) for line in lines)
    return {ticket["message_id"]: ticket for ticket in found}


def table(sent: Sequence[Sent], known: Mapping[str, dict[str, Any]]) -> str:
    """Return the table: a line for each recipient, and below it what else there is to say of the message.

    The ticket's ID stands at the end of the first line, or below it where the terminal is narrow.
    """
    rows = [row for one in sent for row in _rows(one, known.get(_message_id(one.sample.raw)))]
    widths = [max(map(len, column)) for column in zip(TITLES, *(row.cells for row in rows), strict=True)]
    wide = sum(widths) + 2 * len(widths) + ID_WIDTH <= shutil.get_terminal_size((140, 24)).columns
    lines = [_line(TITLES, widths, "TICKET" if wide else "")]
    for row in rows:
        lines.append(_line(row.cells, widths, row.ticket if wide else ""))
        below = row.notes if wide or not row.ticket else (f"ticket {row.ticket}", *row.notes)
        lines += [f"    {note}" for note in below]
    return "\n".join(lines)


def _rows(one: Sent, ticket: dict[str, Any] | None) -> Iterator[Row]:
    """Yield a row for each recipient; what holds for the whole message stands with the first or the last."""
    if ticket is None:
        reply = (one.reply,) if one.reply else ()
        yield Row((one.sample.about, "", "", "", "", "-", "no ticket"), "", reply)
        return
    recipients = ticket["recipients"]
    for number, recipient in enumerate(recipients):
        first, last = number == 0, number == len(recipients) - 1
        notes = []
        if first and one.reply:
            notes.append(one.reply)
        if last and ticket["means"] == "split":
            notes.append("(each as if alone: a copy for those who are due other header fields)")
        about = one.sample.about if first else ""
        yield Row((about, *_cells(one, ticket, recipient)), ticket["id"] if first else "", tuple(notes))


def _message_id(raw: bytes) -> str:
    match = MESSAGE_ID.search(raw)
    return match[1].decode() if match else ""


def _cells(one: Sent, ticket: dict[str, Any], recipient: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells behind the first; of outgoing mail, what the operator's checks found."""
    judged = ticket.get("outgoing", recipient)
    score = f" {judged['score']:.1f}" if "score" in judged else ""
    owner = recipient["account"] or OUTSIDE
    places = [place for place in one.mailboxes if place.partition("/")[0] == owner]
    return (
        _local(recipient["address"]),
        judged["antivirus"],
        judged["antispam"] + score,
        judged["graymail"],
        recipient["action"],
        ", ".join(place.replace(owner, _local(owner), 1) for place in places) or "-",
    )


def _local(address: str) -> str:
    return address.partition("@")[0]


def _line(cells: Sequence[str], widths: Sequence[int], last: str) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join((*padded, last)).rstrip()
