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


def print_json(value: Mapping[str, object]) -> None:
    """Print one object on one line of standard output."""
    print(json.dumps(value, ensure_ascii=False))
