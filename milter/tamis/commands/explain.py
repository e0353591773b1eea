"""`tamis explain`: what would be done with a message, and why; nothing is stored."""

from __future__ import annotations

import argparse
import asyncio
import sys
from ipaddress import ip_address
from pathlib import Path

from tamis import config as configuration
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.config import Config
from tamis.judgement import Judgement, about, clean, judge, milliseconds_now
from tamis.message import Envelope, Message, Recipient, split
from tamis.service import parts


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("explain", help="tell what would be done", description=__doc__)
    parser.add_argument("file", metavar="FILE", help='message as it stands in a file, "-" for standard input')
    parser.add_argument(
        "--from", dest="mail_from", metavar="A", help="MAIL FROM (default: Return-Path or From)"
    )
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="A",
        type=_recipient,
        help="RCPT TO, may be repeated (default: To and Cc, or else Delivered-To)",
    )
    parser.add_argument(
        "--client", metavar="IP", type=_client, help="address of the SMTP client (default: none)"
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the judgement; 2 where the file cannot be read."""
    config = configuration.load(args.config)
    try:
        raw = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    except OSError as error:
        print(f"tamis: {args.file}: {error.strerror}", file=sys.stderr)
        return 2
    message = _message(raw, args, config)
    parts.prepare_store(config)
    judgement = asyncio.run(_judge(message, config))
    if args.json:
        print_json(_as_json(message, judgement, config))
    else:
        _print(message, judgement)
    return 0


async def _judge(message: Message, config: Config) -> Judgement:
    store = parts.store(config, asyncio.get_running_loop())
    store.start()
    try:
        scanner = parts.scanner(config, parts.filters(config))
        return await judge(message, store, scanner, config=config, ticket_id=None)
    finally:
        store.close()


def _recipient(text: str) -> str:
    if not (found := text.strip().strip("<>")):
        raise argparse.ArgumentTypeError("expected an address such as anna@example.org")
    return found


def _client(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected an IP address, got "{text}"') from None


def _message(raw: bytes, args: argparse.Namespace, config: Config) -> Message:
    """Return the message with the envelope that the options and its own fields tell."""
    fields, body = split(raw)
    bare = Message(Envelope(), fields, body)
    sender = args.mail_from
    if sender is None:
        paths = [value.strip().strip(b"<>") for value in bare.values(b"return-path")]
        authors = bare.content.from_addresses
        sender = paths[0].decode("utf-8", "replace") if paths else authors[0] if authors else ""
    to = args.to or _addressed(bare, config)
    recipients = tuple(Recipient(clean(one)) for one in dict.fromkeys(to))
    envelope = Envelope(mail_from=clean(sender.strip("<>")), recipients=recipients, client_ip=args.client)
    return Message(envelope, fields, body)


def _addressed(message: Message, config: Config) -> list[str]:
    """Return whom a message names; where that is nobody, as in much spam, somebody without settings."""
    for names in ((b"to", b"cc"), (b"delivered-to",)):
        if found := [one for name in names for one in message.content.addresses(name) if one]:
            return found
    anyone = f"postmaster@{config.mail.domains[0]}"
    print(
        f"tamis: the message names no recipient: explained for {anyone}; --to names another", file=sys.stderr
    )
    return [anyone]


def _as_json(message: Message, judgement: Judgement, config: Config) -> dict[str, object]:
    """Return the ticket's object without id, with "headers", "reply", and "copies" where some would go out.

    "headers" are those of the transaction, and each copy has its own.
    """
    ticket = about(
        message,
        judgement,
        ticket_id="",
        milliseconds=milliseconds_now(),
        mode=config.milter.mode,
        fields=config.tickets.fields,
    ).as_json()
    del ticket["id"]
    plan = judgement.plan
    ticket["headers"] = dict(plan.fields)
    ticket["reply"] = None if plan.reply is None else str(plan.reply)
    if plan.copies:
        ticket["copies"] = [
            {"to": [to.address for to in one.recipients], "headers": dict(one.fields)} for one in plan.copies
        ]
    return ticket


def _print(message: Message, judgement: Judgement) -> None:
    """Print for people."""
    plan = judgement.plan
    print(f"direction  {judgement.direction.value}")
    print(f"sender     <{message.envelope.mail_from}>")
    for one in plan.decisions:
        account = one.account or "no account"
        print(f"recipient  <{one.recipient.address}> ({account}): {one.action.value}")
        malware = f" ({one.malware})" if one.malware else ""
        print(f"  antivirus  {one.antivirus}{malware}")
        score = ""
        if one.score is not None:
            score = f" {one.score:.1f} bits: {', '.join(one.reasons or ()) or 'no reasons'}"
        print(f"  antispam   {one.antispam}{score}"[:400])
        print(f"  graymail   {one.graymail}")
        if one.folder and one.action.value == "file":
            print(f"  folder     {one.folder}")
    if plan.outgoing is not None:
        checks = plan.outgoing
        score = "" if checks.score is None else f" {checks.score:.1f}"
        print(
            f"outgoing   antivirus {checks.antivirus}, antispam {checks.antispam}{score}, "
            f"graymail {checks.graymail}"
        )
    print(f"means      {plan.means.value}")
    print(f"reply      {plan.reply or '250 accepted'}")
    for name, value in plan.fields:
        print(f"adds       {name}: {value}")
    for copy in plan.copies:
        print(f"copy       {', '.join(f'<{to.address}>' for to in copy.recipients)}")
        for name, value in copy.fields:
            print(f"  adds     {name}: {value}")
    for name, occurrence in plan.remove_fields:
        print(f"removes    {name} (number {occurrence})")
