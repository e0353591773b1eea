"""`tamis options`: the web page on which users switch their filters and see what was done."""

from __future__ import annotations

import argparse
import contextlib
import logging
import socket
import sys
from collections.abc import Iterator
from functools import partial

import uvloop
from argon2 import PasswordHasher

from tamis import address, sockets
from tamis import config as configuration
from tamis.commands import options_operator, options_token
from tamis.commands.arguments import Subparsers, common
from tamis.desk.gauges import metrics_files
from tamis.judgement import milliseconds_now
from tamis.options import making, server
from tamis.options.counts import Counted, Counts, Told
from tamis.options.editions import Editions
from tamis.passwords import Passwords
from tamis.service import logs, parts
from tamis.service.limits import forbid_dumps
from tamis.webpage import Options

log = logging.getLogger(__name__)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("options", help="run the web page of users", description=__doc__)
    common(parser)
    parser.set_defaults(run=run)
    several = parser.add_subparsers(metavar="VERB", help="without one: run it; tamis options VERB --help")
    for part in (options_token, options_operator):
        part.add_verbs(several)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, reload on SIGHUP; 2 where the socket cannot be opened."""
    config = configuration.load(args.config)
    options = config.options
    where = address.parse(options.listen)
    logs.set_up()
    parts.prepare_store(config)
    forbid_dumps()
    with contextlib.ExitStack() as opened:
        try:
            listener = opened.enter_context(_opened(where, options))
            watched = [opened.enter_context(_opened(address.parse(one), options)) for one in options.watched]
        except OSError as error:
            print(f"tamis: {error}", file=sys.stderr)
            return 2
        make = partial(making.made, passwords=Passwords(PasswordHasher()), now=milliseconds_now)
        page = opened.enter_context(contextlib.closing(Editions(args.config, config, make)))
        log.info("web page on %s sign_in=%s", where, ",".join(options.sign_in))
        counts = Counts()
        told = Told(counts, lambda: metrics_files(page.config.metrics.file))
        beside = [(told, one) for one in watched]
        uvloop.run(server.serve(Counted(page, counts), listener, beside, reload=page.reload))
    log.info("stopped")
    return 0


@contextlib.contextmanager
def _opened(where: address.Address, options: Options) -> Iterator[socket.socket]:
    """Lend a socket that takes connections; raise OSError."""
    with sockets.reserved(where):
        listener = sockets.listen(where)
    with contextlib.closing(listener):
        sockets.permit(where, mode=options.socket_mode, group=options.socket_group, table="options")
        yield listener
    sockets.remove(where)
