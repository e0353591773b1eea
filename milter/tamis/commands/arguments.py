"""Arguments that commands share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TypeAlias

LONGEST = 300  # characters of a reference, the name of an authority, a legal basis

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def common(parser: argparse.ArgumentParser) -> None:
    """Add --config and --json to a command's parser."""
    parser.add_argument(
        "--config", metavar="FILE", help="configuration (default: $TAMIS_CONFIG or /etc/tamis/tamis.toml)"
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON, one object per line for lists")


def verb(verbs: Subparsers, name: str, about: str) -> argparse.ArgumentParser:
    """Return the parser of `tamis COMMAND VERB`; --config and --json may stand before or after the verb."""
    # Suppressed: else the verb's own defaults would replace what stands before it.
    parser = verbs.add_parser(name, help=about, description=about, argument_default=argparse.SUPPRESS)
    common(parser)
    parser.argument_default = None
    return parser


def words(text: str) -> str:
    """Return what goes on record as it is typed, without blanks around it."""
    found = text.strip()
    if not found or len(found) > LONGEST or not found.isprintable():
        raise argparse.ArgumentTypeError(f"expected 1 to {LONGEST} printable characters")
    return found


def as_json(value: Mapping[str, object]) -> str:
    """Return one object on one line."""
    return json.dumps(value, ensure_ascii=False)


def print_json(value: Mapping[str, object]) -> None:
    """Print one object on one line of standard output."""
    print(as_json(value))
