"""`tamis sandbox`: a small SMTP server that asks the milter as Postfix does, for trying Tamis without an MTA.

It delivers the mail of mail.domains into Maildirs below one folder: one for each account, with +detail as a
folder of it. Senders that authenticate themselves, with any password, may write to the outside, which is the
Maildir "outside". It takes mail on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from tamis import address
from tamis import config as configuration
from tamis.address import InetAddress
from tamis.commands.arguments import Subparsers, common
from tamis.config import Config
from tamis.sandbox.server import Server, Settings
from tamis.service import logs, parts
from tamis.service.systemd import notify

LISTEN = "inet:127.0.0.1:2525"


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("sandbox", help="run a small SMTP server", description=__doc__)
    parser.add_argument(
        "--listen", default=LISTEN, metavar="ADDRESS", help=f"where SMTP clients connect (default: {LISTEN})"
    )
    parser.add_argument(
        "--maildir", type=Path, metavar="DIR", help="folder for the Maildirs (default: keep no mail)"
    )
    parser.add_argument(
        "--copies",
        metavar="ADDRESS",
        help="where resend.relay hands copies in, which no milter is asked about (default: nowhere)",
    )
    parser.add_argument(
        "--milter", metavar="ADDRESS", help="the milter to ask (default: milter.listen of the configuration)"
    )
    parser.add_argument(
        "--client", metavar="IP", help="treat all clients as if they came from IP (default: as they come)"
    )
    parser.add_argument(
        "--name", metavar="HOST", help="name of this mail server (default: mx. and the first domain)"
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 2 where an option is wrong or the socket cannot be opened."""
    config = configuration.load(args.config)
    try:
        where = _listen("--listen", args.listen)
        copies = _listen("--copies", args.copies) if args.copies is not None else None
        settings = _settings(args, config)
    except ValueError as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 2
    logs.set_up()
    parts.prepare_store(config)
    try:
        asyncio.run(_serve(config, settings, where, copies))
    except Unheard as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 2
    return 0


class Unheard(Exception):
    """A socket cannot be opened."""


def _listen(option: str, text: str) -> InetAddress:
    where = address.parse(text)
    if not isinstance(where, InetAddress) or not where.is_loopback:
        raise ValueError(f'{option}: expected a port on loopback such as "{LISTEN}", got "{text}"')
    return where


def _client(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f'--client: expected an IP address, got "{text}"') from None


def _settings(args: argparse.Namespace, config: Config) -> Settings:
    if args.milter is not None:
        address.parse(args.milter)
    return Settings(
        milter=args.milter or config.milter.listen,
        domains=config.mail.domains,
        delimiter=config.mail.recipient_delimiter,
        max_message=config.milter.max_message,
        name=args.name or f"mx.{config.mail.domains[0]}",
        maildir=args.maildir,
        client_ip=None if args.client is None else _client(args.client),
    )


async def _serve(config: Config, settings: Settings, where: InetAddress, copies: InetAddress | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    store = parts.store(config, loop)
    store.start()
    try:
        async with AsyncExitStack() as listeners:
            await _open(Server(settings, store), where, listeners)
            if copies is not None:
                await _open(Server(replace(settings, milter=None), store), copies, listeners)
            print(f"SMTP on {where}, milter {settings.milter}", file=sys.stderr)
            kept = "not kept, as --maildir names no folder" if settings.maildir is None else settings.maildir
            print(f"mail: {kept}", file=sys.stderr)
            notify("READY=1")
            await stop.wait()
    finally:
        store.close()


async def _open(server: Server, where: InetAddress, listeners: AsyncExitStack) -> None:
    """Listen until the stack unwinds; raise Unheard."""
    try:
        listener = await server.listen(where.host, where.port)
    except OSError as error:
        raise Unheard(f"cannot listen on {where}: {error.strerror or error}") from None
    listeners.push_async_callback(server.close)
    await listeners.enter_async_context(listener)
