"""The command line: `tamis COMMAND`; exit 0 done, 1 the answer is no, 2 wrong use or configuration."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import tamis
from tamis.commands.addresses import WrongUse
from tamis.config import ConfigError
from tamis.desk.staff import NotAdmitted
from tamis.interfaces import StoreUnavailable

# Each module has add_parser(subparsers); imported on use, as `serve` needs no scikit-learn.
COMMANDS = {
    "serve": "run the milter",
    "options": "run the web page of users",
    "check": "check configuration, store, scanner, models and wiring",
    "explain": "tell what would be done with a message, and why",
    "account": "show and change what accounts want",
    "alias": "add, remove and list aliases and groups",
    "tickets": "find tickets",
    "purge": "delete records whose time is over",
    "hold": "keep an account's records for an authority",
    "disclose": "show an authority an account's records",
    "transparency": "count what was held and disclosed in a year",
    "breach-scope": "list whose records were there in a time",
    "policy": "write the privacy notice, and tell what a change weakens",
    "egress": "list what leaves this host",
    "sandbox": "run a small SMTP server that calls the milter",
    "train": "train the models",
}


def parser(commands: Sequence[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """Return the parser with those commands in full."""
    top = argparse.ArgumentParser(
        prog="tamis",
        description="Milter that filters mail for each recipient as that recipient chose.",
        epilog="commands:\n" + "\n".join(f"  {name:<12} {about}" for name, about in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"tamis {tamis.__version__}")
    subparsers = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help="tamis COMMAND --help"
    )
    for name in commands:
        importlib.import_module(f"tamis.commands.{name.replace('-', '_')}").add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    named = [given[0]] if given and given[0] in COMMANDS else list(COMMANDS)
    if given in ([], ["-h"], ["--help"], ["--version"]):
        named = []
    try:
        options = parser(named).parse_args(given)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    try:
        status: int = options.run(options)
    except (ConfigError, NotAdmitted, WrongUse) as error:
        return _fail(str(error))
    except StoreUnavailable as error:
        return _fail(f"the store cannot be used: {error}")
    except BrokenPipeError:  # `tamis tickets | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _fail(text: str) -> int:
    print(f"tamis: {text}", file=sys.stderr)
    return 2
