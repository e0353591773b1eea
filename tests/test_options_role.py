"""`tamis options` on a real PostgreSQL, as a role that may do what its pages and calls do, and no more."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.servers.mtas import snippet
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.servers.postgresql import TEMPLATE, PostgreSQL
from tests.servers.smtp import Sink, wait_until
from tests.stores import URL, keep, make_config, make_ticket, other, stored, write_settings
from tests.test_options_reception import FIELDS
from tests.visitor import PASSWORD, Visitor
from tests.web import Program, make_operator, make_token, set_password

from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.judgement import milliseconds_now
from tamis.options.api.call import Call
from tamis.options.api.calls import CALLS
from tamis.options.links import Links
from tamis.options.operators import figures
from tamis.options.routes import ROUTES, For, Route
from tamis.retention.period import DAY
from tamis.store import aliases
from tamis.store.aliases import Alias
from tamis.store.database import Database

PAGE = Path(__file__).parents[1] / "docs/store.md"
ROLE = "tamis_options"
KEY = "k" * 32  # of links
CORRECTION = {"meaning": "not-spam", "reach": "address"}

# What each page's form is sent with.
FORMS: Mapping[str, Mapping[str, str]] = {
    "sign-out": {},
    "reception": {**FIELDS, "antispam": "", "learning": "on"},
    "senders": {"list": "allowed", "sender": "friend@example.net"},
    "senders-text": {"text": "a@example.net\n@b.example.net"},
    "message": CORRECTION,
    "operator-sign-in": {"name": "olga", "password": PASSWORD},
    "operator-sign-out": {},
    "sign-ins": {"do": "delete"},
    "sign-in-record": {},
    "export": {},
    "programs": {"name": "My phone", "scope": "read", "lasting": "always", "confirm": PASSWORD},
    "program": {},
    "restriction": {"do": "restrict"},
    "closing": {"do": "close"},
    "erasure": {"confirm": PASSWORD},
    "password": {"old": PASSWORD, "new": f"no {PASSWORD}", "again": f"no {PASSWORD}"},
}
# What calls are sent that have a body.
BODIES: Mapping[str, object] = {
    "settings": {"antispam": "off", "learning": "on"},
    "senders-edit": {"add": ["a@example.net"]},
    "correct": CORRECTION,
}
BEFORE = {"reopen": "close", "lift": "restrict"}  # what another call has to have done


@dataclass
class User:
    """Who has something of each kind."""

    address: str
    ids: Mapping[str, str]

    def path(self, template: str) -> str:
        """Return a path about what is his."""
        return re.sub(r"{(\w+)}", lambda match: self.ids[match[1]], template)


@dataclass
class Site:
    """A page, and the configuration of who owns the tables."""

    owner: Config
    role: Config
    options: Options
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def user(self) -> User:
        """Return a new user."""
        now, number = milliseconds_now(), next(self.numbers)
        address = f"user{number}@example.org"
        set_password(self.owner, address, now=now)
        make_token(self.owner, address, now=now)
        write_settings(self.owner, address, antispam_mark=7.3)
        # The only one of that day, also where midnight passes between two.
        own = make_ticket(address, milliseconds=now - 2 * number * DAY)
        keep(self.owner, [own])
        with contextlib.closing(Database(self.owner.store)) as database, database.writing() as connection:
            aliases.put(connection, Alias(f"alias-of-{address}", (address,)))
            aliases.put(connection, Alias(f"team-of-{address}", (address, "bob@example.org")))
        self.options.visitor().sign_in(address)
        found = {}
        for name, table in {"sign_in": "session", "token_id": "api_token"}.items():
            with other(self.owner) as connection:
                mine = f"SELECT id FROM {table} WHERE account = ?"  # noqa: S608  # names of ours
                found[name] = connection.execute(mine, [address]).fetchone()[0]
        return User(address, {**found, "ticket": own.id, "list": "allowed"})

    def faults(self) -> list[str]:
        """Return the lines of the log that an operator would have to read."""
        return [line for line in self.options.log().splitlines() if re.search(" (error|warning): ", line)]


@pytest.fixture(scope="module")
def site(with_tables: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a page whose role has the documented rights."""
    folder, port = tmp_path_factory.mktemp("role"), free_port()
    name = with_tables.new(TEMPLATE)
    with_tables.run(f"CREATE ROLE {ROLE} LOGIN", snippet(PAGE, "rights of the web page"), database=name)
    key_file, metrics = folder / "link.key", folder / "tamis.prom"
    key_file.write_text(KEY)
    key_file.chmod(0o640)
    metrics.write_text(f"{figures.STARTED} {milliseconds_now() // 1000}\n")
    sink = Sink(free_port())
    more = f"""
[options]
listen = "inet:127.0.0.1:{port}"
sign_in = ["password", "link"]
[options.link]
key_file = "{key_file}"
[metrics]
file = "{metrics}"
[notices]
smtp = "inet:127.0.0.1:{sink.port}"
sender = "postmaster@example.org"
"""
    (folder / URL).write_text(with_tables.url(name))
    owner = make_config(folder, more=more)
    make_operator(owner)
    (folder / URL).write_text(with_tables.url(name, role=ROLE))
    role = make_config(folder, more=more)
    with Options(folder / "tamis.toml", port) as options:
        yield Site(owner, role, options)
    sink.stop()
    with_tables.drop(name)
    with_tables.run(f"DROP ROLE {ROLE}")


def browser(site: Site, route: Route, user: User) -> Visitor:
    """Return the browser of who may ask for a page."""
    visitor = site.options.visitor()
    if route.who is For.ACCOUNT:
        assert visitor.sign_in(user.address).status == 303
    elif route.who is For.OPERATOR:
        assert visitor.sign_in_operator().status == 303
    return visitor


def link(user: User) -> str:
    """Return the query of a link that signs in."""
    expires = str(milliseconds_now() // 1000 + 30)
    nonce = "A" * 16
    signature = Links(KEY.encode(), 60).signature(user.address, expires, nonce)
    return f"address={user.address}&expires={expires}&nonce={nonce}&signature={signature}"


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: one.name)
def test_each_page_does_its_work(site: Site, route: Route) -> None:
    user = site.user()
    visitor = browser(site, route, user)
    path = user.path(route.path)

    pages = []
    if route.show is not None:
        pages.append(visitor.get(f"{path}?{link(user)}"))
    if route.change is not None:
        forms = {"sign-in": {"address": user.address, "password": PASSWORD}, **FORMS}
        first = {For.ACCOUNT: "/reception", For.OPERATOR: "/operator", For.ANYBODY: path}[route.who]
        pages.append(visitor.post(path, {"token": visitor.get(first).token, **forms[route.name]}))

    assert {page.status for page in pages} <= {200, 303}
    assert site.faults() == []


@pytest.mark.parametrize("call", CALLS, ids=lambda one: one.name)
def test_each_call_does_its_work(site: Site, call: Call) -> None:
    user = site.user()
    program = Program(site.options.visitor())
    token = make_token(site.owner, user.address, now=milliseconds_now())
    program.sent["authorization"] = f"Bearer {token}"
    if call.name in BEFORE:
        program.send("POST", f"/account/{BEFORE[call.name]}")
    bodies = {"erase": {"address": user.address}, **BODIES}

    answer = program.send(call.method, user.path(call.path), bodies.get(call.name))

    assert answer.status == call.status, answer.text
    assert site.faults() == []


def program_of_the_webmail(site: Site, address: str) -> Program:
    program = Program(site.options.visitor())
    token = make_token(site.owner, None, now=milliseconds_now())
    program.sent.update({"authorization": f"Bearer {token}", "tamis-account": address})
    return program


def test_who_has_erased_his_data_may_begin_anew(site: Site) -> None:
    user = site.user()
    mine = make_ticket(user.address)
    of_both = (*mine.recipients, *make_ticket("bob@example.org").recipients)
    keep(site.owner, [replace(mine, recipients=of_both)])  # as long as it is there, the account's row is
    visitor = site.options.visitor()
    visitor.sign_in(user.address)
    visitor.change("/reception", {**FIELDS, "learning": "on"})

    visitor.change("/my-data/erasure", {"confirm": PASSWORD})

    for table in ("setting", "alias", "session", "setting_change", "consent", "local_password", "api_token"):
        column = "target" if table == "alias" else "account"
        left = f"SELECT * FROM {table} WHERE {column} = '{user.address}'"  # noqa: S608  # names of ours
        wait_until(lambda left=left: not stored(site.owner, left))  # type: ignore[misc]
    assert stored(site.owner, f"SELECT * FROM ticket WHERE id = '{user.ids['ticket']}'") == []  # noqa: S608
    assert (
        program_of_the_webmail(site, user.address).send("PATCH", "/account", {"antispam": "off"}).status
        == 200
    )
    assert site.faults() == []


def test_program_of_the_webmail_acts_for_who_was_not_known(site: Site) -> None:
    program = program_of_the_webmail(site, "new@example.org")

    answers = [program.send("PATCH", "/account", {"antispam": value}).status for value in ("off", "on")]

    assert answers == [200, 200]
    assert site.faults() == []


def test_who_is_signed_in_chooses_a_language(site: Site) -> None:
    visitor = site.options.visitor()
    visitor.sign_in(site.user().address)

    visitor.get("/reception?lang=fr")

    assert '<html lang="fr">' in visitor.get("/reception").text


def test_before_tables_are_made_for_it_it_says_who_can_make_them(
    site: Site, with_tables: PostgreSQL, tmp_path: Path
) -> None:
    name = with_tables.new()
    (tmp_path / URL).write_text(with_tables.url(name, role=ROLE))

    with pytest.raises(StoreUnavailable, match="run `tamis alias list` with the URL of the role that may"):
        make_config(tmp_path)

    with_tables.drop(name)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ticket SELECT * FROM ticket",
        "UPDATE ticket SET body = ''",
        "UPDATE ticket SET link = ''",
        "INSERT INTO ticket_account VALUES ('a', 'b')",
        "INSERT INTO chain SELECT * FROM chain",
        "DELETE FROM chain",
        "UPDATE ticket_gone SET proof = ''",
        "UPDATE setting_change SET actor = 'user'",
        "UPDATE session SET address = ''",
        "UPDATE consent SET given = true",
        "INSERT INTO local_password VALUES ('a', 'b', 1)",
        "UPDATE local_password SET account = ''",
        "INSERT INTO operator VALUES ('a', 'b', 1)",
        "UPDATE operator SET hash = ''",
        "DELETE FROM operator",
        "UPDATE api_token SET scope = 'change'",
        "UPDATE api_token SET account = NULL",
        "UPDATE web_session SET account = 'olga'",
        "DELETE FROM used_link",
        "INSERT INTO legal_act VALUES ('a', 'b', '{}')",
        "UPDATE legal_act SET body = '{}'",
        "DELETE FROM legal_act",
        "UPDATE hold SET released = 1",
        "DELETE FROM hold",
        "DELETE FROM receipt",
        "SELECT key FROM copy_guard",
        "DELETE FROM copy_guard",
        "UPDATE secret SET value = ''",
        "DELETE FROM secret",
        "UPDATE alembic_version SET version_num = '1'",
        "ALTER TABLE ticket ADD COLUMN more text",
        "CREATE TABLE more (id int)",
        "DROP TABLE hold",
        "TRUNCATE setting_change",
    ],
)
def test_it_may_do_no_more(site: Site, statement: str) -> None:
    with other(site.role) as connection, pytest.raises(Exception, match=r"permission denied|must be owner"):
        connection.execute(statement)
