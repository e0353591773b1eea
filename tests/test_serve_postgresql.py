"""`tamis serve` on a real PostgreSQL, as a role that can add tickets and not read them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import stores
from tests.servers import mail
from tests.servers.milter import COMMAND, PATIENCE, Milter
from tests.servers.mtas import snippet
from tests.servers.postgresql import PostgreSQL, running
from tests.servers.smtp import wait_until
from tests.stores import NOON, PROMISED, URL, make_config, make_ticket, other, stored, until

from tamis.config import Config
from tamis.message import Envelope, Recipient
from tamis.sandbox.client import STRANGER, Connection, MilterUnavailable, Verdict
from tamis.ticket import DAY

PAGE = Path(__file__).parents[1] / "docs/store.md"
ENVELOPE = Envelope(mail_from="anna@example.net", recipients=(Recipient("bob@example.org"),), queue_id="4XyZ")
MAILBOXES = ("carl@example.org", "dora@example.org")  # that a file tells of
MTAS = 6  # connections at once
EACH = 40  # messages of one connection


@dataclasses.dataclass
class Site:
    """A server, a milter on it, and the configuration of who owns the tables."""

    server: PostgreSQL
    milter: Milter
    owner: Config

    def tamis(self, *arguments: str) -> str:
        """Run a command as the owner; return what it prints."""
        command, *rest = arguments
        config = Path(self.milter.config).with_name("owner.toml")
        config.write_text(self.milter.config.read_text().replace("tamis_milter@", "tamis@"))
        done = subprocess.run(
            [*COMMAND, command, "--config", config, *rest], capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run two workers on a server that may be killed."""
    folder = tmp_path_factory.mktemp("site")
    with running() as server:
        name = server.new()
        (folder / URL).write_text(server.url(name))
        owner = make_config(folder, more='[resend]\nrelay = "inet:127.0.0.1:10026"\n')
        server.run("CREATE ROLE tamis_milter LOGIN", snippet(PAGE, "rights of the milter"), database=name)
        mailboxes = folder / "mailboxes"
        mailboxes.write_text("".join(f"{one}: {one}\n" for one in MAILBOXES))
        sections: dict[str, dict[str, object]] = {
            "milter": {"workers": 2},
            "store": {"url": server.url(name, role="tamis_milter")},
            "accounts": {"sources": ["table", f"file:{mailboxes}"]},
            "sessions": {"smtp": True},
        }
        with Milter(folder, sections) as milter:
            yield Site(server, milter, owner)


async def deliver(address: str, names: list[str], answers: dict[str, int]) -> None:
    """Send a message for each name until it is accepted, as an MTA does; count the tries."""
    for name in names:
        answers[name] = 0
        verdict = Verdict.TEMPFAIL
        while verdict is Verdict.TEMPFAIL:
            answers[name] += 1
            raw = mail.letter().replace(b"Subject:", f"X-Name: {name}\nSubject:".encode(), 1)
            raw = raw.replace(mail.message_id(raw).encode(), f"<{name}@example.net>".encode())
            try:
                async with await Connection.open(address, STRANGER, helo="mail.example.net") as mta:
                    verdict = (await mta.send(ENVELOPE, raw)).verdict
            except MilterUnavailable:
                verdict = Verdict.TEMPFAIL
        assert verdict is Verdict.ACCEPT


async def deliver_all(site: Site, phase: str) -> dict[str, int]:
    answers: dict[str, int] = {}
    names = [[f"{phase}-{mta}-{number}" for number in range(EACH)] for mta in range(MTAS)]
    await asyncio.gather(*(deliver(site.milter.address, some, answers) for some in names))
    return answers


def written(site: Site, phase: str) -> list[str]:
    """Return the names of messages that have tickets, one for each ticket."""
    rows = stored(site.owner, f"SELECT message_id FROM ticket WHERE message_id LIKE '<{phase}%%'")  # noqa: S608
    return [str(row[0]).strip("<>").partition("@")[0] for row in rows]


def test_each_message_has_one_ticket_and_none_is_lost_when_the_server_is_killed(site: Site) -> None:
    calm = asyncio.run(deliver_all(site, "calm"))
    assert sorted(written(site, "calm")) == sorted(calm)
    assert set(calm.values()) == {1}

    async def storm() -> dict[str, int]:
        sending = asyncio.create_task(deliver_all(site, "storm"))
        await until(lambda: len(written(site, "storm")) > MTAS)
        await asyncio.to_thread(site.server.kill)
        await asyncio.sleep(0)
        await asyncio.to_thread(site.server.start)
        return await sending

    tried = asyncio.run(storm())

    assert max(tried.values()) > 1
    assert set(tried) == set(written(site, "storm"))
    assert sorted(written(site, "calm")) == sorted(calm)
    assert site.tamis("tickets", "verify").startswith("0 faults in ")


def test_setting_is_in_force_within_a_second(site: Site) -> None:
    async def score_field() -> bool:
        async with await Connection.open(site.milter.address, STRANGER, helo="mail.example.net") as mta:
            return bool((await mta.send(ENVELOPE, mail.gtube())).modifications)

    async def act() -> tuple[bool, bool]:
        before = await score_field()
        await asyncio.to_thread(site.tamis, "account", "set", "bob@example.org", "antispam=off")

        async def is_off() -> bool:
            return not await score_field()

        return before, await until(is_off, seconds=PROMISED)

    assert asyncio.run(act()) == (True, True)
    assert '"antispam":"off"' in site.tamis("tickets", "--json").splitlines()[-1]


def as_milter(site: Site) -> Config:
    """Return the owner's configuration with the milter's role."""
    url = site.owner.store.url.replace("tamis@", "tamis_milter@")
    return site.owner.model_copy(update={"store": site.owner.store.model_copy(update={"url": url})})


def test_milter_may_do_what_a_worker_does(site: Site) -> None:
    sender = dataclasses.replace(ENVELOPE, mail_from="anna@example.org", auth_user="anna@example.org")
    site.tamis("account", "set", "anna@example.org", "antispam=on")
    site.milter.send(sender, mail.letter())

    async def act() -> frozenset[bytes]:
        async with stores.running(as_milter(site)) as store:
            for day in range(2):  # the second one seals the first
                await store.add(make_ticket(milliseconds=NOON + day * DAY))
            await store.accepted([b"key"])
            await store.remember([b"key"])
            return await store.accepted([b"key", b"other"], about_to_add=False)

    assert asyncio.run(act()) == {b"key"}
    sign_ins = "SELECT account FROM session"
    wait_until(lambda: bool(stored(site.owner, sign_ins)))  # no mail waits for it
    assert stored(site.owner, sign_ins) == [("anna@example.org",)]
    assert stored(site.owner, "SELECT state FROM chain ORDER BY day LIMIT 1") == [("sealed",)]
    assert "sign-in not recorded" not in site.milter.log()


def send_as(site: Site, login: str) -> None:
    """Send a message as who signed in, and wait until that is recorded."""
    site.milter.send(dataclasses.replace(ENVELOPE, mail_from=login, auth_user=login), mail.letter())
    asked = f"SELECT * FROM session WHERE account = '{login}'"  # noqa: S608  # a name of ours
    wait_until(lambda: bool(stored(site.owner, asked)) or "sign-in not recorded" in site.milter.log())


@pytest.mark.parametrize("was_erased", [False, True])
def test_milter_records_a_sign_in_of_whom_the_table_does_not_know(site: Site, *, was_erased: bool) -> None:
    login = MAILBOXES[was_erased]
    if was_erased:
        recipients = tuple(Recipient(one) for one in (login, "bob@example.org"))
        site.tamis("account", "set", "bob@example.org", "antispam=on")
        site.milter.send(dataclasses.replace(ENVELOPE, recipients=recipients), mail.letter())
        site.tamis("account", "erase", login, "--yes")  # but for the ticket that bob may keep

    send_as(site, login)

    assert "sign-in not recorded" not in site.milter.log()
    listed = map(json.loads, site.tamis("account", "list", "--json").splitlines())
    found = {one["address"]: one["status"] for one in listed}
    assert found[login] == ("erased" if was_erased else "active")


def test_milter_cannot_read_tickets_nor_change_them(site: Site) -> None:
    site.milter.send(ENVELOPE, mail.letter())
    refused = [
        "SELECT body FROM ticket",
        "SELECT account FROM ticket_account",
        "DELETE FROM ticket",
        "UPDATE ticket SET body = ''",
        "UPDATE ticket SET link = ''",
        "DELETE FROM ticket_account",
        "UPDATE setting SET value = '1'",
        "UPDATE account SET closed = 1",
        "INSERT INTO account (address, created, closed) VALUES ('eve@example.org', 1, 1)",
        "DELETE FROM account",
        "DELETE FROM chain",
        "DROP TABLE ticket",
    ]

    with other(as_milter(site)) as connection:
        for statement in refused:
            with pytest.raises(Exception, match=r"permission denied|must be owner"):
                connection.execute(statement)
