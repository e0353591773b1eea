"""Tickets as lines for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

from tamis.retention.fields import Field
from tamis.store.tickets import Unreadable


def as_text(ticket: Mapping[str, object]) -> str:
    """Return a ticket for people: a line or two for the message and one for each recipient.

    What somebody else has taken out of it is shown as None.
    """
    line = " ".join(str(ticket.get(key)) for key in ("time", "id", "direction"))
    lines = [f"{line} <{ticket.get('sender')}> {ticket.get('message_id') or 'no message-ID'}"]
    if ticket.get("mode") == "shadow":
        lines[0] += " (shadow)"
    checked = ticket.get("outgoing")
    if isinstance(checked, dict):
        lines.append(f"  outgoing checks: {_findings(checked)}")
    if named := [f"{field}={ticket[field]}" for field in Field if field in ticket]:
        lines.append(f"  {' '.join(named)}")
    recipients = ticket.get("recipients")
    for one in recipients if isinstance(recipients, list) else ():
        lines.append(_recipient(one))
    return "\n".join(map(harmless, lines))


def print_all(lines: Iterable[str], put: Callable[[str], object] = print) -> int:
    """Print lines of tickets; return the exit status: 1 where some could not be read, which it says."""
    try:
        for line in lines:
            put(line)
    except Unreadable as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 1
    return 0


def harmless(line: str) -> str:
    """Return a line in which what comes from the outside does not command the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def _recipient(one: dict[str, object]) -> str:
    if "action" not in one:  # somebody else's, of whom a sender is shown no more
        return f"  to       <{one.get('address')}>"
    account = one.get("account") or "no account"
    return f"  {one['action']!s:<8} <{one.get('address')}> ({account}) {_findings(one)}"


def _findings(found: dict[str, object]) -> str:
    """Return what the filters said of a message."""
    words = [f"{name}={found.get(name)}" for name in ("antivirus", "antispam", "graymail")]
    if "malware" in found:
        words.append(f"malware={found['malware']}")
    if "score" in found:
        words.append(f"score={found['score']}")
    reasons = found.get("reasons")
    if isinstance(reasons, list) and reasons:
        words.append("reasons=" + ",".join(map(str, reasons)))
    return " ".join(words)
