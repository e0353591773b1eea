"""`tamis purge`: delete the records whose time is over, and leave a receipt."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tamis.commands import verbs
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.commands.telling import attend
from tamis.config import Config
from tamis.desk import erasure, gauges, purge
from tamis.desk.purge import ClockLeap, Oldest, Purge
from tamis.judgement import milliseconds_now
from tamis.retention.due import Action
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.ticket import timestamp

ABOUT = """The times are those of [retention]. Addresses in tickets that stay are replaced by keyed hashes
after tickets.pseudonymise_after. A purge may be killed and run again at any time; mail goes on
meanwhile. Exit status 1: nothing was purged, as the clock is 400 days or more beyond the last purge."""
SOME_STAYS = (
    "others use the database without a break: its files hold some of what was deleted until the next purge"
)
OLD_FILE = (
    "the database's file is an old one and may hold some of what was deleted: make it anew (docs/store.md)"
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "purge", help="delete records whose time is over", description=__doc__, epilog=ABOUT
    )
    parser.add_argument("--dry-run", action="store_true", help="count what would go; change nothing")
    parser.add_argument("--yes", action="store_true", help="though the clock is so far beyond the last purge")
    common(parser)
    parser.set_defaults(run=verbs.run, act=_purge)


def _purge(args: argparse.Namespace, config: Config, database: Database) -> int:
    now = milliseconds_now()
    try:
        warning = purge.check_clock(database, now)
    except ClockLeap as error:
        warning = str(error)
        if not args.yes and not args.dry_run:
            print(f"tamis: {warning}: nothing is purged; if that is right, add --yes", file=sys.stderr)
            return 1
    if warning:
        print(f"tamis: {warning}", file=sys.stderr)
    pace = Pace()
    work = Purge(database, config.rules, now=now, pace=pace)
    if args.dry_run:
        work.plan()
    else:
        work.run()
        erasure.finish(database, config.rules, now=now)
        attend(database, config)
        clean_up(database, pace)
    oldest = purge.oldest(database, config.rules)
    if config.metrics.file and not args.dry_run:
        _write_metrics(gauges.beside(config.metrics.file), oldest)
    left = [_oldest(one) for one in oldest]
    if args.json:
        print_json(
            {"dry_run": args.dry_run, **work.tally.receipt(None if args.dry_run else now), "oldest": left}
        )
        return 0
    print_lines("would purge" if args.dry_run else "purged", work.tally.lines())
    if hidden := work.tally.lines(Action.PSEUDONYMISE):
        print_lines("would pseudonymise" if args.dry_run else "pseudonymised", hidden)
    for one in left:
        print(f"oldest class={one['class']} time={one['time']} gone_by={one['gone_by'] or 'never'}")
    return 0


def _write_metrics(file: Path, oldest: Sequence[Oldest]) -> None:
    """Write metrics.file's neighbour; what goes wrong with it is a warning, as all is purged."""
    try:
        gauges.write(file, oldest, finished=milliseconds_now())
    except OSError as error:
        print(f"tamis: {file} cannot be written: {error.strerror}", file=sys.stderr)


def clean_up(database: Database, pace: Pace) -> None:
    """Leave nothing of what was deleted in the files; say so where something stays."""
    is_done, is_able = purge.clean_up(database, pace)
    if not is_done:
        print(f"tamis: {SOME_STAYS}", file=sys.stderr)
    if not is_able:
        print(f"tamis: {OLD_FILE}", file=sys.stderr)


def print_lines(word: str, lines: Sequence[Mapping[str, object]]) -> None:
    """Print what was done, a line for each class and rule."""
    for one in lines:
        ages = f"oldest={one['oldest']} newest={one['newest']}"
        print(f"{word} class={one['class']} count={one['count']} {ages} rule={one['rule']}")
    if not lines:
        print(f"{word} nothing")


def _oldest(one: Oldest) -> dict[str, object]:
    by = None if one.gone_by is None else timestamp(one.gone_by)
    return {"class": one.kind.value, "time": timestamp(one.time), "gone_by": by}
