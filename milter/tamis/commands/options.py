"""Options that commands share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TypeAlias

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


def print_json(value: Mapping[str, object]) -> None:
    """Print one object on one line of standard output."""
    print(json.dumps(value, ensure_ascii=False))
