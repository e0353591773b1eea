"""The whole story of a message, with a directory, a scanner and a store made of values."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.examples import (
    INFECTED,
    SCANNER_AWAY,
    SPAM,
    config,
    envelope,
    findings,
    member,
    message,
    resolution,
)
from tests.prometheus import Samples

from tamis.config import Config
from tamis.decision import Plan, Reply
from tamis.finding import FailedCheck, Filter, Findings
from tamis.interfaces import StoreUnavailable
from tamis.judgement import MANY
from tamis.message import Envelope, Message, Recipient
from tamis.pipeline import MAX_DEFERRED, Pipeline
from tamis.policy.fields import MAX_REMOVED
from tamis.preferences import Preferences, Resolution, Treatment
from tamis.service.table import Table
from tamis.service.textfile import exposition
from tamis.ticket import Action, Means, Ticket

NOW = 1_795_425_245_120  # 2026-11-23T09:14:05.120Z in milliseconds
BUSY = StoreUnavailable("database is locked")


class World:
    """What a pipeline meets, and the order of what happened."""

    def __init__(
        self,
        found: Findings | None = None,
        *resolutions: Resolution,
        site: Config | None = None,
        fails_at: str = "",
        hangs_at: str = "",
    ) -> None:
        """Take the facts, who is behind the recipients, and what fails or hangs: "resolve" or "add"."""
        self.tickets: list[Ticket] = []
        self.events: list[str] = []
        self.wanted: list[frozenset[Filter]] = []
        self._found = found or findings()
        self._resolutions = {one.address: one for one in resolutions}
        self._site = site or config()
        self._fails_at = fails_at
        self._hangs_at = hangs_at
        self._metrics = Table()

    async def _step(self, name: str) -> None:
        self.events.append(name)
        if name == self._fails_at:
            raise BUSY
        if name == self._hangs_at == "scan":
            raise TimeoutError
        if name == self._hangs_at:
            await asyncio.Event().wait()

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Resolve; who is not given is his own account."""
        await self._step("resolve")
        return [self._resolutions.get(one) or resolution(one) for one in addresses]

    async def account(self, address: str) -> str | None:
        """Return an account of example.org."""
        return address if address.endswith("@example.org") else None

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Return the facts."""
        await self._step("scan")
        self.wanted.append(wanted)
        return self._found

    async def add(self, ticket: Ticket) -> None:
        """Keep a ticket."""
        await self._step("add")
        await asyncio.sleep(0)
        self.tickets.append(ticket)

    def handle(self, one: Message) -> Plan:
        """Return the plan for a message, made at a fixed time."""
        return asyncio.run(self._pipeline().handle(one))

    def admit(self, address: str, after: Envelope, *, turned_away: int = 0) -> Reply | None:
        """Return the reply to a recipient who comes after others."""
        story = self._pipeline().recipient(after, Recipient(address), turned_away=turned_away)
        return asyncio.run(story)

    def _pipeline(self) -> Pipeline:
        metrics = self._metrics.worker(0)
        return Pipeline(self._site, self, self, self, metrics=metrics, now=lambda: NOW)

    def counted(self) -> Samples:
        """Return what was counted."""
        return Samples(exposition(self._metrics, 1))

    def ticket(self, one: Message) -> Ticket:
        """Return the one ticket of a message."""
        self.handle(one)
        (found,) = self.tickets
        return found


def test_a_message_is_resolved_scanned_ticketed_and_answered() -> None:
    world = World(findings(antispam=SPAM))

    plan = world.handle(message())

    assert world.events == ["resolve", "scan", "add"]
    assert len(world.tickets) == 1  # kept before the answer
    assert ("X-Spam-Flag", "YES") in plan.fields


def test_the_ticket_tells_of_the_message() -> None:
    ticket = World(findings(antispam=SPAM)).ticket(message())

    assert ticket.as_json() | {"id": ""} == {
        "id": "",
        "time": "2026-11-23T09:14:05.120Z",
        "direction": "incoming",
        "mode": "enforce",
        "message_id": "<1@example.net>",
        "queue_id": "4Xy7",
        "sender": "anna@example.net",
        "sender_account": None,
        "recipients": [
            {
                "address": "bob@example.org",
                "account": "bob@example.org",
                "antivirus": "clean",
                "antispam": "spam",
                "score": 7.3,
                "graymail": "none",
                "action": "mark",
                "reasons": ["LINK_TEXT_MISMATCH"],
            }
        ],
        "means": "uniform",
    }


def test_the_ticket_tells_what_the_operator_names() -> None:
    world = World(site=config(tickets__fields=["size", "subject"]))

    ticket = world.ticket(message())

    assert list(ticket.as_json())[-2:] == ["subject", "size"]


def test_a_reply_ends_in_the_tickets_id() -> None:
    world = World(findings(antivirus=INFECTED))

    plan = world.handle(message())

    assert (
        str(plan.reply)
        == f"550 5.7.1 Message contains malware (Eicar-Test-Signature) [{world.tickets[0].id}]"
    )
    assert world.tickets[0].recipients[0].action is Action.REFUSE


def test_what_was_not_told_is_null() -> None:
    one = Message(replace(envelope(mail_from=""), queue_id=None), (), b"")

    ticket = World().ticket(one)

    assert (ticket.sender, ticket.message_id, ticket.queue_id) == ("", None, None)


def test_a_group_has_an_entry_per_account() -> None:
    team = Resolution("team@example.org", (member("anna@example.org"), member("bob@example.org")))

    ticket = World(None, team).ticket(message(b"", "team@example.org"))

    assert [(one.address, one.account) for one in ticket.recipients] == [
        ("team@example.org", "anna@example.org"),
        ("team@example.org", "bob@example.org"),
    ]


def test_each_of_very_many_recipients_has_his_entry() -> None:
    people = tuple(Recipient(f"user{number}@example.org") for number in range(MANY + 1))

    ticket = World().ticket(replace(message(), envelope=replace(envelope(), recipients=people)))

    assert [one.address for one in ticket.recipients] == [one.address for one in people]


def test_a_recipient_without_a_domain_is_of_the_first_of_ours() -> None:
    ticket = World().ticket(message(b"", "anna"))  # Sendmail takes it for a local user

    assert [(one.address, one.account) for one in ticket.recipients] == [("anna", "anna@example.org")]


def test_an_address_that_is_not_utf8_can_be_ticketed() -> None:
    raw = b"\xff@example.org".decode("utf-8", "surrogateescape")
    one = message(b"", raw, headers={"Message-ID": "<é@example.net>"})

    ticket = World().ticket(one)

    assert ticket.recipients[0].address == "\ufffd@example.org"
    assert ticket.message_id == "<é@example.net>"


@pytest.mark.parametrize(
    ("auth_user", "mail_from", "account"),
    [
        ("bob@example.org", "anna@example.org", "bob@example.org"),
        ("bob", "anna@example.org", "anna@example.org"),
        ("bob", "", None),
    ],
)
def test_outgoing_mail_has_its_senders_account(auth_user: str, mail_from: str, account: str | None) -> None:
    one = message(around=envelope("carol@example.net", mail_from=mail_from, auth_user=auth_user))

    ticket = World().ticket(one)

    assert ticket.sender_account == account
    assert ticket.as_json()["outgoing"] == {
        "antivirus": "clean",
        "antispam": "ham",
        "score": -2.5,
        "graymail": "none",
        "reasons": ["PLAIN_TEXT"],
    }


def test_incoming_mail_has_no_senders_account() -> None:
    assert World().ticket(message(around=envelope(mail_from="anna@example.org"))).sender_account is None


FORGED = {"X-Spam-Flag": "NO", "Authentication-Results": "mx.example.org; spf=pass"}


def test_forged_fields_of_incoming_mail_are_removed() -> None:
    plan = World().handle(message(headers=FORGED))

    assert plan.remove_fields == (("Authentication-Results", 1), ("X-Spam-Flag", 1))


def test_more_fields_of_our_names_than_an_mta_can_remove_are_a_tempfail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fields = ((b"X-Spam-Flag", b" NO"),) * (MAX_REMOVED + 1)
    world = World()

    plan = world.handle(replace(message(), fields=fields))

    assert plan.reply is not None and plan.reply.code == "451"
    assert world.tickets[0].recipients[0].action is Action.TEMPFAIL
    assert "too many fields of our names" in caplog.messages[0]


def test_our_name_is_the_operators() -> None:
    site = config(mail__authserv_id="filter.example.org")

    assert World(site=site).handle(message(headers=FORGED)).remove_fields == (("X-Spam-Flag", 1),)


def test_fields_of_outgoing_mail_stay() -> None:
    around = envelope("carol@example.net", auth_user="bob@example.org")

    assert World().handle(message(headers=FORGED, around=around)).remove_fields == ()


def test_fields_of_outgoing_mail_to_ourselves_are_removed() -> None:
    around = envelope("bob@example.org", auth_user="anna@example.org")

    assert len(World().handle(message(headers=FORGED, around=around)).remove_fields) == 2


def test_nobody_is_asked_what_nobody_wants() -> None:
    off = resolution(wishes=Preferences(antivirus=False, antispam=False, graymail=False))
    world = World(None, off)

    world.handle(message())

    assert world.wanted == [frozenset()]


def test_in_shadow_mode_nothing_is_touched_and_all_is_ticketed() -> None:
    filing = resolution(wishes=Preferences(spam=Treatment.FILE))
    world = World(findings(antispam=SPAM), filing, site=config(milter__mode="shadow"))

    plan = world.handle(message(headers=FORGED))

    assert plan == Plan(plan.decisions, Means.UNIFORM)
    assert (world.tickets[0].mode, world.tickets[0].recipients[0].action) == ("shadow", Action.FILE)


def test_in_shadow_mode_malware_is_ticketed_as_refused_and_let_through() -> None:
    world = World(findings(antivirus=INFECTED), site=config(milter__mode="shadow"))

    plan = world.handle(message())

    assert plan.reply is None
    assert world.tickets[0].recipients[0].action is Action.REFUSE


@pytest.mark.parametrize("fault", [{"fails_at": "resolve"}, {"fails_at": "add"}, {"hangs_at": "add"}])
def test_in_shadow_mode_a_store_that_is_away_touches_nothing(
    fault: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    site = config(milter__mode="shadow", milter__deadline=0.05)
    world = World(site=site, **fault)  # type: ignore[arg-type]  # mypy takes it for any of the arguments

    plan = world.handle(message())

    assert plan.reply is None
    assert [one.levelno for one in caplog.records] == [logging.ERROR]
    assert "answer=accept" in caplog.text


@pytest.mark.parametrize("step", ["resolve", "add"])
def test_a_store_that_is_away_is_a_tempfail_and_one_log_line(
    step: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(fails_at=step)

    plan = world.handle(message())

    assert str(plan.reply) == "451 4.7.1 Filter temporarily unavailable, try again later"
    assert world.tickets == []
    assert [one.levelno for one in caplog.records] == [logging.ERROR]
    assert "4Xy7: store unavailable" in caplog.text


@pytest.mark.parametrize("step", ["resolve", "add"])
def test_a_deadline_that_passes_is_a_tempfail_and_one_log_line(
    step: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(hangs_at=step, site=config(milter__deadline=0.05))

    plan = world.handle(message())

    assert str(plan.reply) == "451 4.7.1 Filter temporarily unavailable, try again later"
    assert world.tickets == []
    assert [one.getMessage() for one in caplog.records] == ["4Xy7: deadline passed answer=tempfail"]


def test_a_scan_that_takes_too_long_is_a_tempfail_with_a_ticket(caplog: pytest.LogCaptureFixture) -> None:
    opted_out = resolution("bob@example.org", Preferences(antispam=False))
    world = World(None, opted_out, hangs_at="scan")

    plan = world.handle(message())

    (ticket,) = world.tickets
    (outcome,) = ticket.recipients
    assert str(plan.reply).endswith(f"[{ticket.id}]")
    assert (outcome.action, outcome.antivirus, outcome.antispam) == (Action.TEMPFAIL, "error", "off")
    assert [one.getMessage() for one in caplog.records] == ["4Xy7: scan takes too long answer=tempfail"]


def test_the_log_has_one_line_of_ids_and_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(findings(antispam=SPAM))

    world.handle(message())

    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith(f"4Xy7: ticket={world.tickets[0].id} direction=incoming ")
    assert "antispam=spam graymail=none action=mark means=uniform ms=" in line
    assert not any(word in line for word in ("anna", "bob", "example", "Tomorrow", "Hello"))


@pytest.mark.parametrize(
    ("found", "site", "reason"),
    [
        (findings(antivirus=SCANNER_AWAY), config(), "clamd"),
        (findings(antispam=FailedCheck()), config(antispam__on_error="tempfail"), "check"),
        (
            findings(antivirus=SCANNER_AWAY, graymail=FailedCheck()),
            config(antivirus__on_error="pass", graymail__on_error="tempfail"),
            "check",
        ),
    ],
)
def test_a_tempfail_is_counted_with_what_failed(found: Findings, site: Config, reason: str) -> None:
    world = World(found, site=site)

    world.handle(message())

    assert world.counted()("tamis_tempfails_total", reason=reason) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"fails_at": "resolve"}, "store"),
        ({"fails_at": "add"}, "store"),
        ({"hangs_at": "add"}, "deadline"),
        ({"hangs_at": "scan"}, "deadline"),
    ],
)
def test_a_tempfail_is_counted_once_with_its_reason(fault: dict[str, str], reason: str) -> None:
    world = World(site=config(milter__deadline=0.05), **fault)  # type: ignore[arg-type]  # as above

    world.handle(message())

    counted = world.counted()
    assert counted("tamis_tempfails_total", reason=reason) == 1
    assert counted("tamis_messages_total", direction="incoming", answer="tempfail") == 1


def test_a_message_with_too_many_fields_of_ours_is_counted_as_such() -> None:
    world = World()
    fields = ((b"X-Spam-Flag", b" NO"),) * (MAX_REMOVED + 1)

    world.handle(Message(envelope(), fields, b""))

    assert world.counted()("tamis_tempfails_total", reason="fields") == 1


def test_in_shadow_mode_the_answer_is_counted_as_it_was_and_the_action_as_it_would_have_been() -> None:
    world = World(findings(antivirus=INFECTED), site=config(milter__mode="shadow"))

    world.handle(message())

    counted = world.counted()
    assert counted("tamis_messages_total", direction="incoming", answer="accept") == 1
    assert counted("tamis_recipients_total", direction="incoming", action="refuse") == 1


def test_in_shadow_mode_nothing_is_a_tempfail() -> None:
    world = World(fails_at="add", site=config(milter__mode="shadow"))

    world.handle(message())

    counted = world.counted()
    assert counted("tamis_messages_total", direction="incoming", answer="accept") == 1
    assert counted("tamis_tempfails_total", reason="store") == 0


BOB_IN = envelope("bob@example.org")
UNLIKE_BOB = resolution("dave@example.org", Preferences(antispam=False))


def test_a_recipient_who_differs_from_the_first_is_deferred(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(None, UNLIKE_BOB)

    reply = world.admit("dave@example.org", envelope("bob@example.org", "carol@example.org"))

    assert str(reply) == "452 4.5.3 This recipient needs a transaction of its own, try again later"
    assert caplog.messages == ["4Xy7: recipient deferred"]
    assert world.counted()("tamis_recipients_deferred_total") == 1
    assert world.tickets == []


def test_a_deferral_is_logged_where_there_is_no_queue_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    World(None, UNLIKE_BOB).admit("dave@example.org", replace(BOB_IN, queue_id=None))

    assert caplog.messages == ["-: recipient deferred"]


def test_a_recipient_who_is_as_the_first_is_let_in() -> None:
    world = World()

    assert world.admit("anna@example.org", BOB_IN) is None
    assert world.counted()("tamis_recipients_deferred_total") == 0


def test_the_first_recipient_is_let_in_unseen() -> None:
    world = World(None, UNLIKE_BOB)

    assert world.admit("dave@example.org", replace(BOB_IN, recipients=())) is None
    assert world.events == []


@pytest.mark.parametrize("ours", [{"auth_user": "pat"}, {"client_ip": "127.0.0.1"}])
def test_who_submits_is_never_told_to_wait(ours: dict[str, str]) -> None:
    world = World(None, UNLIKE_BOB, fails_at="resolve")

    assert world.admit("dave@example.org", replace(BOB_IN, **ours)) is None  # type: ignore[arg-type]


def test_a_transaction_has_so_many_deferred_recipients_at_most() -> None:
    world = World(None, UNLIKE_BOB)

    assert world.admit("dave@example.org", BOB_IN, turned_away=MAX_DEFERRED - 1) is not None
    assert world.admit("dave@example.org", BOB_IN, turned_away=MAX_DEFERRED) is None


@pytest.mark.parametrize(
    ("fault", "cause"), [({"fails_at": "resolve"}, str(BUSY)), ({"hangs_at": "resolve"}, "deadline passed")]
)
def test_a_recipient_who_cannot_be_looked_up_comes_again(
    fault: dict[str, str], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(site=config(milter__deadline=0.05), **fault)  # type: ignore[arg-type]

    reply = world.admit("dave@example.org", BOB_IN)

    assert str(reply) == "451 4.7.1 Filter temporarily unavailable, try again later"
    assert caplog.messages == [f"4Xy7: recipient not looked up answer=tempfail cause={cause}"]
    assert world.counted()("tamis_recipients_deferred_total") == 0
