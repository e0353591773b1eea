"""A message whose recipients chose differently: copies go beside the transaction, all before the answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.copies import with_relay
from tests.examples import SPAM, config, envelope, findings, message, resolution
from tests.prometheus import Samples
from tests.servers.relay import Act, Way
from tests.servers.relay import Relay as Server
from tests.test_copies import ANNA, BOB, Guard
from tests.test_pipeline import World

from tamis.config import Config
from tamis.decision import Plan
from tamis.message import Message
from tamis.pipeline import Pipeline
from tamis.preferences import Preferences
from tamis.resend.copies import Copies
from tamis.resend.guard import guard_name
from tamis.resend.relay import Relay
from tamis.service.table import Table
from tamis.service.textfile import exposition
from tamis.ticket import Action, Means

KEY = b"k" * 32
LETTER = message(b"Hello\r\n", ANNA, BOB)
WANTS_NOTHING = Preferences(antivirus=False, antispam=False, graymail=False)


class Site(World):
    """A pipeline with a relay: Anna's spam is marked, and Bob has all filters off."""

    def __init__(
        self,
        folder: Path,
        *,
        fails_at: str = "",
        acts: dict[str, Sequence[Act]] | None = None,
        **settings: object,
    ) -> None:
        site = config(resend__relay="inet:127.0.0.1:10026", **settings)
        super().__init__(
            findings(antispam=SPAM), resolution(BOB, WANTS_NOTHING), site=site, fails_at=fails_at
        )
        self.guard = Guard()
        self.relay = Server(acts=acts or {})
        self._folder = folder
        self._settings: Config = site
        self._table = Table()

    def answer(self, one: Message = LETTER) -> Plan:
        """Return the plan for a message."""

        async def story(_: Relay) -> Plan:
            copies = Copies(self.relay.address, self.guard, KEY)
            pipeline = Pipeline(
                self._settings, self, self, self, copies=copies, metrics=self._table.worker(0)
            )
            try:
                return await pipeline.handle(one)
            finally:
                assert pipeline.inside == 0
                copies.close()

        return with_relay(self._folder, self.relay, story)

    @property
    def counts(self) -> Samples:
        """What was counted."""
        return Samples(exposition(self._table, 1))


def test_everyone_gets_his_own_and_the_ticket_says_how(tmp_path: Path) -> None:
    site = Site(tmp_path)

    plan = site.answer()

    (copy,) = site.relay.taken
    assert (copy.rcpt, b"X-Spam" in copy.content) == (
        ("RCPT TO:<anna@example.org> ORCPT=rfc822;anna@example.org",),
        True,
    )
    assert (plan.remove_recipients, plan.fields, plan.reply) == ((ANNA,), (), None)
    (ticket,) = site.tickets
    assert ticket.means is Means.SPLIT
    assert [one.action for one in ticket.recipients] == [Action.MARK, Action.DELIVER]


def test_the_ticket_is_written_once_the_copies_are_out(tmp_path: Path) -> None:
    site = Site(tmp_path, fails_at="add")

    plan = site.answer()

    assert plan.reply is not None
    assert plan.reply.code == "451"
    assert len(site.guard.kept) == 1  # so that Anna's does not go out again


@pytest.mark.parametrize("step", ["connect", "end"])
def test_a_relay_that_is_away_or_full_is_a_tempfail_with_a_ticket(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    site = Site(tmp_path, acts={step: [b"421 4.3.2 full\r\n"]})

    plan = site.answer()

    assert (
        str(plan.reply) == f"451 4.7.1 Filter temporarily unavailable, try again later [{site.tickets[0].id}]"
    )
    assert [one.action for one in site.tickets[0].recipients] == [Action.TEMPFAIL] * 2
    assert site.relay.taken == []
    assert site.counts("tamis_tempfails_total", reason="relay") == 1
    (line,) = [one for one in caplog.messages if "relay unavailable" in one]
    assert line.startswith("4Xy7: relay unavailable answer=tempfail cause=")


def test_the_deadline_ends_before_the_first_copy_goes_out(tmp_path: Path) -> None:
    site = Site(tmp_path, milter__deadline="1s")
    site.relay.pause = 1.2

    assert site.answer().reply is None
    assert len(site.relay.taken) == 1


def test_the_deadline_counts_until_then(tmp_path: Path) -> None:
    site = Site(tmp_path, milter__deadline="300ms", acts={"RCPT": [Way.HANG]})

    plan = site.answer()

    assert plan.reply is not None
    assert site.relay.taken == []


def test_in_shadow_mode_no_copy_goes_out(tmp_path: Path) -> None:
    site = Site(tmp_path, milter__mode="shadow")

    plan = site.answer()

    assert (plan.remove_recipients, site.relay.commands) == ((), [])
    assert site.tickets[0].means is Means.SPLIT


def test_a_copy_that_comes_back_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    site = Site(tmp_path)
    came = replace(envelope(ANNA, BOB), helo=guard_name(KEY), client_ip="127.0.0.1")

    plan = site.answer(message(headers={"X-Spam-Flag": "YES"}, around=came))

    assert (plan.fields, plan.remove_fields, plan.remove_recipients) == ((), (), ())
    assert (site.relay.commands, site.wanted) == ([], [])
    assert [one.antispam for one in site.tickets[0].recipients] == ["off", "off"]
    assert caplog.messages == [
        "4Xy7: a copy came back: resend.relay must lead past this milter; message left as it is"
    ]


def test_who_knows_the_name_from_a_copy_and_comes_from_outside_is_filtered(tmp_path: Path) -> None:
    site = Site(tmp_path)

    site.answer(message(around=replace(envelope(ANNA, BOB), helo=guard_name(KEY))))

    assert site.tickets[0].means is Means.SPLIT


def test_a_message_that_is_not_whole_is_not_split(tmp_path: Path) -> None:
    site = Site(tmp_path)

    plan = site.answer(replace(LETTER, omitted=1))

    assert (plan.reply, plan.means, site.relay.commands) == (None, Means.COMMON, [])
