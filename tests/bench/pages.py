"""Measures how long pages take with many accounts and tickets: `python -m tests.bench.pages --help`.

Clients ask for one page after the other, each for an account of its own, as an operator and as nobody, then
call the API as a webmail does; at last they load a form and save it.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import insert
from tests.bench import processes
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.stores import NOON, keep, make_config, make_ticket
from tests.visitor import Page, Visitor
from tests.web import Program, make_operator, make_token, set_password

from tamis.config import Config
from tamis.interfaces import Answer
from tamis.options.api.app import PREFIX
from tamis.options.api.calls import CALLS
from tamis.options.api.gate import ACCOUNT
from tamis.options.operators import figures, sampling
from tamis.options.routes import ROUTES, For
from tamis.service.table import Table
from tamis.service.textfile import exposition
from tamis.store import hours
from tamis.store.database import Database
from tamis.store.hours import HOUR
from tamis.store.schema import account
from tamis.store.thread import milliseconds_now

ADDED = 10_000  # rows in a transaction while the store is filled
OWN = 1_000  # tickets of each account that a client signs in to; of the others each has one
CLIENTS = 8
COUNTED = 50  # messages in an hour of the overview
ZIP = "application/zip"  # of an export, which is no page
FORM = {
    **dict.fromkeys(("antivirus", "antispam", "graymail"), "on"),
    **dict.fromkeys(("antispam.action", "graymail.newsletter", "graymail.social", "graymail.list"), "mark"),
}


@dataclass(frozen=True, slots=True)
class Client:
    """One who asks, in each of his parts."""

    user: Visitor
    operator: Visitor
    nobody: Visitor
    webmail: Program  # for the user's account, by a token of its own, as calls by one token are limited


@dataclass(frozen=True, slots=True)
class Took:
    """What an act took."""

    title: str
    seconds: Sequence[float]  # of each time
    cpu: float  # seconds of the web page's process for one


Act: TypeAlias = Callable[[Client, int], Page]


def main() -> None:
    """Fill a store, ask for pages and print what it took."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="tamis-pages-", dir=options.folder) as name:
        port = free_port()
        listen = f'[options]\nlisten = "inet:127.0.0.1:{port}"\n[metrics]\nfile = "{name}/tamis.prom"\n'
        config = make_config(Path(name), more=listen)
        fill(config, options.accounts)
        count(config)
        with Options(Path(name) / "tamis.toml", port) as page:
            clients = [client(page, config, number) for number in range(CLIENTS)]
            found = [measure(page, clients, title, act, options.rounds) for title, act in asking().items()]
    print(f"{options.accounts} accounts, as many tickets and {CLIENTS * OWN}; {CLIENTS} clients")
    for one in found:
        centiles = statistics.quantiles(one.seconds, n=100)
        shown = "  ".join(f"p{part} {centiles[part - 1] * 1000:6.1f} ms" for part in (50, 95, 99))
        print(f"{one.title:<30}  {shown}  CPU {one.cpu * 1000:5.2f} ms")


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


def count(config: Config) -> None:
    """Note what a milter has counted in each of the hours that the overview shows."""
    table = Table()
    table.own.started()
    now = milliseconds_now()
    with contextlib.closing(Database(config.store)) as database:
        for begin in range(now - 2 * figures.HOURS * HOUR, now, HOUR):
            for number in range(COUNTED):
                ticket = make_ticket(milliseconds=begin)
                table.worker(0).answered(ticket, Answer.ACCEPT, reason=None, seconds=number / COUNTED)
            Path(config.metrics.file).write_text(exposition(table, 1))
            with database.writing() as connection:
                read = figures.counters(sampling.read(config.metrics.file))
                hours.put(connection, read, started=now - 3 * figures.HOURS * HOUR, now=begin)


def client(page: Options, config: Config, number: int) -> Client:
    """Return one who is signed in to an account, and as an operator."""
    set_password(config, address(number))
    make_operator(config, name := f"operator{number}")
    user, operator = page.visitor(), page.visitor()
    user.sign_in(address(number))
    operator.sign_in_operator(name)
    webmail = Program(page.visitor())
    webmail.sent["authorization"] = f"Bearer {make_token(config, None, name=f'webmail{number}')}"
    webmail.sent[ACCOUNT] = address(number)
    return Client(user, operator, page.visitor(), webmail)


def asking() -> dict[str, Act]:
    """Return all that is asked for, by titles."""
    plain = [one for one in ROUTES if one.show and "{" not in one.path]
    found = {one.path: user(one.path) for one in plain if one.who is For.ACCOUNT}
    found |= {one.path: operator(one.path) for one in plain if one.who is For.OPERATOR}
    found |= {"/about": user("/about"), "/about for nobody": nobody("/about")}
    calls = (one for one in CALLS if one.method == "GET" and "{" not in one.path and one.answer != ZIP)
    found |= {f"GET {PREFIX}{one.path}": webmail(one.path) for one in calls}
    return found | {f"PATCH {PREFIX}/account": patch, "a form and saving it": save}


def user(path: str) -> Act:
    """Return what asks for a page at a path as a user."""
    return lambda one, _: one.user.get(path)


def operator(path: str) -> Act:
    """Return what asks for it as an operator."""
    return lambda one, _: one.operator.get(path)


def nobody(path: str) -> Act:
    """Return what asks for it as somebody who is not signed in."""
    return lambda one, _: one.nobody.get(path)


def webmail(path: str) -> Act:
    """Return what calls the API at a path for a user."""
    return lambda one, _: one.webmail.get(path)


def patch(one: Client, number: int) -> Page:
    """Save another threshold each time over the API."""
    return one.webmail.send("PATCH", "/account", {"antispam.mark": number / 10})


def save(one: Client, number: int) -> Page:
    """Load the form and save another threshold each time."""
    return one.user.change("/reception", FORM | {"antispam.mark": f"{number / 10:.1f}"})


def measure(page: Options, clients: Sequence[Client], title: str, act: Act, rounds: int) -> Took:
    """Return what an act took, done by all clients at once."""
    found: list[float] = []

    def work(one: Client) -> None:
        for number in range(rounds):
            begun = time.perf_counter()
            answer = act(one, number)
            found.append(time.perf_counter() - begun)
            if answer.status not in (200, 303):
                raise SystemExit(f"{title}: {answer.status} {answer.text}")

    before = processes.cpu([page.pid])
    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(work, clients))
    return Took(title, found, (processes.cpu([page.pid]) - before) / len(found))


if __name__ == "__main__":
    main()
