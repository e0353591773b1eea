"""Measures how long pages take with many accounts and tickets: `python -m tests.bench.pages --help`.

Clients ask for each page in turn, each for an account of its own; then they load a form and save it.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import insert
from tests.servers.options import Options
from tests.stores import NOON, keep, make_config, make_ticket
from tests.visitor import Page, Visitor
from tests.web import set_password

from tamis.config import Config
from tamis.options.routes import ROUTES, For
from tamis.sandbox.processes import free_port
from tamis.store.database import Database
from tamis.store.schema import account

ADDED = 10_000  # rows in a transaction while the store is filled
OWN = 1_000  # tickets of each account that a client signs in to; of the others each has one
CLIENTS = 8
FORM = {
    **dict.fromkeys(("antivirus", "antispam", "graymail"), "on"),
    **dict.fromkeys(("antispam.action", "graymail.newsletter", "graymail.social", "graymail.list"), "mark"),
}

Act: TypeAlias = Callable[[Visitor, int], Page]


def main() -> None:
    """Fill a store, ask for pages and print what it took."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="tamis-pages-", dir=options.folder) as name:
        port = free_port(0)
        listen = f'[options]\nlisten = "inet:127.0.0.1:{port}"\n'
        config = make_config(Path(name), more=listen)
        fill(config, options.accounts)
        with Options(Path(name) / "tamis.toml", port) as page:
            visitors = [signed_in(page, config, number) for number in range(CLIENTS)]
            found = measure(visitors, asking(), options.rounds)
            found |= measure(visitors, {"a form and saving it": save}, options.rounds)
    print(f"{options.accounts} accounts, as many tickets and {CLIENTS * OWN}; {CLIENTS} clients")
    for title, seconds in found.items():
        centiles = statistics.quantiles(seconds, n=100)
        figures = "  ".join(f"p{one} {centiles[one - 1] * 1000:6.1f} ms" for one in (50, 95, 99))
        print(f"{title:<24}  {figures}")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000, metavar="N", help="(default: 1000000)")
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="of each client (default: 100)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the store is made for this while")
    return parser.parse_args()


def address(number: int) -> str:
    """Return the address of an account."""
    return f"user{number}@example.org"


def fill(config: Config, accounts: int) -> None:
    """Write accounts, a ticket of each, and many of those that clients sign in to."""
    owners = [*range(accounts), *(number for number in range(CLIENTS) for _ in range(OWN))]
    with contextlib.closing(Database(config.store)) as database:
        for start in range(0, accounts, ADDED):
            rows = [{"address": address(one), "created": NOON} for one in range(start, start + ADDED)]
            with database.writing() as connection:
                connection.execute(insert(account), rows[: accounts - start])
    for start in range(0, len(owners), ADDED):
        some = owners[start : start + ADDED]
        keep(config, [make_ticket(address(one), milliseconds=NOON + start + i) for i, one in enumerate(some)])


def signed_in(page: Options, config: Config, number: int) -> Visitor:
    """Return the browser of who is signed in to an account."""
    set_password(config, address(number))
    visitor = page.visitor()
    visitor.sign_in(address(number))
    return visitor


def asking() -> dict[str, Act]:
    """Return what asks for each page that is an account's and needs no parameter."""
    pages = (one for one in ROUTES if one.who is For.ACCOUNT and one.show and "{" not in one.path)
    return {one.path: asking_for(one.path) for one in pages}


def asking_for(path: str) -> Act:
    """Return what asks for the page at a path."""
    return lambda visitor, _: visitor.get(path)


def save(visitor: Visitor, number: int) -> Page:
    """Save another threshold each time."""
    return visitor.change("/reception", FORM | {"antispam.mark": f"{number / 10:.1f}"})


def measure(visitors: Sequence[Visitor], acts: dict[str, Act], rounds: int) -> dict[str, list[float]]:
    """Return the seconds that each act took, by its title."""
    found: dict[str, list[float]] = defaultdict(list)

    def work(visitor: Visitor) -> None:
        for number in range(rounds):
            for title, act in acts.items():
                begun = time.perf_counter()
                answer = act(visitor, number)
                found[title].append(time.perf_counter() - begun)
                if answer.status not in (200, 303):
                    raise SystemExit(f"{title}: {answer.status}")

    with ThreadPoolExecutor(len(visitors)) as threads:
        list(threads.map(work, visitors))
    return found


if __name__ == "__main__":
    main()
