"""`tamis tickets`: find tickets, oldest first; `tamis tickets verify`: tell whether they are as they were."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from tamis import config as configuration
from tamis.commands import verbs
from tamis.commands.options import Subparsers, common, print_json, verb
from tamis.config import Config
from tamis.service import parts
from tamis.store import tickets, verification
from tamis.store.database import Database
from tamis.store.seals import name_of
from tamis.store.verification import Fault

# RFC 3339 section 5.6; a blank for the "T" is allowed there.
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("tickets", help="find tickets", description=__doc__)
    parser.add_argument("--account", metavar="A", help="about this account, by its own address")
    parser.add_argument("--message-id", metavar="M", help="with or without angle brackets")
    parser.add_argument("--since", metavar="T", type=_time, help="inclusive; RFC 3339 or YYYY-MM-DD (UTC)")
    parser.add_argument("--until", metavar="T", type=_time, help="exclusive; RFC 3339 or YYYY-MM-DD (UTC)")
    common(parser)
    parser.set_defaults(run=run)
    several = parser.add_subparsers(metavar="VERB", help="tamis tickets VERB --help")
    check = verb(
        several,
        "verify",
        "Find tickets that anything but Tamis has changed, added or removed. Exit status 1: there are some.",
    )
    check.set_defaults(run=verbs.run, act=_verify)


def run(args: argparse.Namespace) -> int:
    """Print the tickets that were asked for; 0 also where there are none."""
    config = configuration.load(args.config)
    parts.prepare_store(config)
    account = args.account and args.account.strip().lower()
    query = tickets.Query(account, args.message_id, since=args.since, until=args.until)
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        for text in tickets.find(connection, query):
            print(text if args.json else _table(json.loads(text)))
    return 0


def _verify(args: argparse.Namespace, config: Config, database: Database) -> int:
    report = verification.verify(database)
    if args.json:
        print_json(asdict(report) | {"first": [_fault(one) for one in report.first]})
        return 1 if report.faults else 0
    for fault in report.first:
        told = {name: value for name, value in _fault(fault).items() if value is not None}
        print(" ".join(f"{name}={value}" for name, value in told.items()))
    print(
        f"{report.faults} faults in {report.tickets} tickets and what is left of {report.gone} others, "
        f"in {report.chains} chains, of which {report.sealed} are sealed by the key {report.key}"
    )
    return 1 if report.faults else 0


def _fault(fault: Fault) -> dict[str, object]:
    day = None if fault.day is None else name_of(fault.day)
    return asdict(fault) | {"fault": fault.fault.value, "day": day}


def _time(text: str) -> int:
    """Return the first millisecond of Unix time that is not before a time."""
    whole = f"{text}T00:00:00Z" if DATE.fullmatch(text) else text
    try:
        if not DATE_TIME.fullmatch(whole):
            raise ValueError
        when = datetime.fromisoformat(whole.upper())
    except ValueError:
        expected = "expected YYYY-MM-DD or RFC 3339 such as 2026-11-23T09:14:05Z"
        raise argparse.ArgumentTypeError(f'{expected}, got "{text}"') from None
    return -((EPOCH - when) // MILLISECOND)


def _table(ticket: dict[str, object]) -> str:
    """Return a ticket for people: a line for the message and one for each recipient."""
    line = " ".join(str(ticket[key]) for key in ("time", "id", "direction"))
    lines = [f"{line} <{ticket['sender']}> {ticket['message_id'] or 'no message-ID'}"]
    if ticket["mode"] == "shadow":
        lines[0] += " (shadow)"
    checked = ticket.get("outgoing")
    if isinstance(checked, dict):
        lines.append(f"  outgoing checks: {_findings(checked)}")
    recipients = ticket["recipients"]
    for one in recipients if isinstance(recipients, list) else ():
        account = one["account"] or "no account"
        lines.append(f"  {one['action']:<8} <{one['address']}> ({account}) {_findings(one)}")
    # What comes from the outside must not command the terminal.
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)


def _findings(found: dict[str, object]) -> str:
    """Return what the filters said of a message."""
    words = [f"{name}={found[name]}" for name in ("antivirus", "antispam", "graymail")]
    if "malware" in found:
        words.append(f"malware={found['malware']}")
    if "score" in found:
        words.append(f"score={found['score']}")
    reasons = found.get("reasons")
    if isinstance(reasons, list) and reasons:
        words.append("reasons=" + ",".join(reasons))
    return " ".join(words)
