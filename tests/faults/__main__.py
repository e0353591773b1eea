"""Lets all faults happen, one after the other, and prints a table: `python -m tests.faults --help`.

Fails unless each recipient gets each message once, or it is refused for its content, and each answer stands
in one ticket; and, of what the MTA should not notice, if it was put off or complains of the milter. "again"
is what a relay had taken over before Tamis knew, where the fault can come in between.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.faults.acts import FAULTS
from tests.faults.ledger import Result
from tests.faults.run import run

ABOUT = (
    "Let things fail under load, through a Postfix that tries again, and see that no mail is lost or doubled."
)
WIDTH = 42  # of a fault's name
COLUMNS = (
    *("sent", "once", "refused", "lost", "doubled", "again", "wrong", "tempfails"),
    *("tickets", "missing", "repeated", "unheard", "warnings"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 where a message or a ticket is not as it should be."""
    options = _parser().parse_args(arguments)
    print(f"{'':{WIDTH}}" + "".join(f"{name:>10}" for name in COLUMNS))
    due = True
    for front in options.front:
        for name in options.fault:
            (one,) = run([(name, front)], seconds=options.seconds, rate=options.rate)
            due &= FAULTS[name].as_due(one)
            _print(one)
    return 0 if due else 1


def _print(one: Result) -> None:
    print(f"{one.name:{WIDTH}}" + "".join(f"{getattr(one, name):10}" for name in COLUMNS), flush=True)
    for kind, number in sorted(one.complaints.items()):
        print(f"{'':{WIDTH}}{number:6} {kind}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.faults", description=ABOUT)
    parser.add_argument("--fault", choices=FAULTS, nargs="+", default=list(FAULTS))
    parser.add_argument(
        "--front", choices=("stream", "libmilter"), nargs="+", default=["stream", "libmilter"]
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="that a fault lasts")
    parser.add_argument("--rate", type=float, default=50.0, help="messages in a second")
    return parser


if __name__ == "__main__":
    sys.exit(main())
