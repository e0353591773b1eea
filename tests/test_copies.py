"""Copies of a plan: each goes out once, whatever happens between two of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.copies import BEFORE, CLOSING, LATE, NEVER, hurry, with_relay
from tests.examples import config, envelope, message
from tests.servers.milter import PATIENCE
from tests.servers.relay import Act, Way
from tests.servers.relay import Relay as Server

from tamis.decision import Decision, Field, Plan
from tamis.finding import Filter
from tamis.interfaces import StoreUnavailable
from tamis.message import Message, Recipient
from tamis.policy.allowed import allowed
from tamis.policy.combine import combine
from tamis.resend import copies
from tamis.resend.connection import RelayUnavailable
from tamis.resend.copies import Copies
from tamis.resend.guard import guard_name
from tamis.resend.relay import Relay
from tamis.ticket import Action, Means

KEY = b"k" * 32
EVERYBODY = ANNA, BOB, CAROL = "anna@example.org", "bob@example.org", "carol@example.org"
LETTER = message(b"Hello\r\n", *EVERYBODY)
MAY = allowed(LETTER, config(resend__relay="inet:127.0.0.1:10026"))


def due(address: str, score: str = "") -> Decision:
    """Return a decision by which somebody's message carries a score, or nothing."""
    fields = (Field("X-Spam-Score", score, Filter.ANTISPAM),) if score else ()
    action = Action.MARK if score else Action.DELIVER
    return Decision(
        Recipient(address), address, True, action, "off", "ham", "off", fields=fields, address=address
    )


EVERYONE = combine([due(ANNA), due(BOB, "5"), due(CAROL, "7")], MAY)  # Anna stays; two copies
ALIKE = combine([due(ANNA), due(BOB), due(CAROL)], MAY)


class Guard:
    """Remembers as the store does."""

    def __init__(self) -> None:
        self.kept: set[bytes] = set()
        self.about_to_add: list[bool] = []  # of each time that it was asked
        self.fails: set[int] = set()  # at which calls, from 0
        self._calls = 0
        self.over: Callable[[], object] = lambda: None  # called when it has taken some

    @property
    def remembers(self) -> bool:
        """Whether any are kept."""
        return bool(self.kept)

    async def accepted(self, keys: Sequence[bytes], *, about_to_add: bool = True) -> frozenset[bytes]:
        """Return those that are kept."""
        self._count()
        self.about_to_add.append(about_to_add)
        return frozenset(self.kept.intersection(keys))

    async def remember(self, keys: Sequence[bytes]) -> None:
        """Keep some."""
        self._count()
        self.kept |= set(keys)
        self.over()

    def _count(self) -> None:
        self._calls += 1
        if self._calls - 1 in self.fails:
            raise StoreUnavailable("disk is full")


class World:
    """One installation, its store and its relay, over several attempts."""

    def __init__(self, folder: Path, **acts: Sequence[Act]) -> None:
        """Take what the relay does at some steps instead of what a good one does."""
        self.server = Server(acts=acts)
        self.guard = Guard()
        self.turns = 0  # points of no return
        self._folder = folder

    def _turn(self) -> None:
        self.turns += 1

    def run(self, story: Callable[[Callable[[Plan, Message], Awaitable[Plan]]], Awaitable[Plan]]) -> Plan:
        """Run a story that is given what delivers; one copy goes after the other."""

        async def inner(_: Relay) -> Plan:
            one = Copies(self.server.address, self.guard, KEY, connections=1)
            try:
                return await story(
                    lambda plan, letter: one.deliver(letter, plan, MAY, point_of_no_return=self._turn)
                )
            finally:
                async with asyncio.timeout(PATIENCE):
                    while one.under_way:
                        await asyncio.sleep(0.001)
                one.close()

        return with_relay(self._folder, self.server, inner)

    def deliver(self, plan: Plan = EVERYONE, letter: Message = LETTER) -> Plan:
        """Return what is left of a plan for the transaction."""
        return self.run(lambda deliver: deliver(plan, letter))

    def settled(self) -> Counter[str]:
        """Return how often each gets the message, which comes again until it is taken."""
        for _ in range(4):
            try:
                rest = self.deliver()
            except (RelayUnavailable, StoreUnavailable):
                continue
            return Counter([*self.reached, *(set(EVERYBODY) - set(rest.remove_recipients))])
        raise AssertionError("it is never taken")

    @property
    def reached(self) -> list[str]:
        """Whom the copies reached, in their order."""
        return [
            rcpt.removeprefix("RCPT TO:<").partition(">")[0] for one in self.server.taken for rcpt in one.rcpt
        ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_copies_go_out_and_the_rest_stays(world: World) -> None:
    rest = world.deliver()

    assert world.reached == [BOB, CAROL]
    assert (rest.means, rest.remove_recipients, rest.fields, rest.copies) == (
        Means.SPLIT,
        (BOB, CAROL),
        (),
        (),
    )
    assert (world.guard.about_to_add, world.turns) == ([True], 1)


def test_the_relay_knows_us_by_the_guards_name(world: World) -> None:
    world.deliver()

    assert set(world.server.said("EHLO")) == {f"EHLO {guard_name(KEY)}"}


def test_without_copies_nothing_is_handed_over(world: World) -> None:
    assert world.deliver(ALIKE) == ALIKE
    assert (world.server.commands, world.guard.about_to_add, world.turns) == ([], [], 0)


def test_who_was_sent_a_copy_gets_none_when_the_message_comes_again(world: World) -> None:
    world.guard.fails = {1}  # Bob's was accepted, and is remembered later only
    with pytest.raises(StoreUnavailable):
        world.deliver()

    rest = world.deliver()

    assert world.reached == [BOB, CAROL]
    assert rest.remove_recipients == (BOB, CAROL)


def test_who_was_sent_a_copy_is_left_out_though_all_agree_by_now(world: World) -> None:
    world.deliver()

    rest = world.deliver(ALIKE)

    assert world.reached == [BOB, CAROL]
    assert (rest.means, rest.remove_recipients) == (Means.SPLIT, (BOB, CAROL))


@pytest.mark.parametrize(
    "other",
    [
        replace(LETTER, body=b"Hello!\r\n"),
        replace(LETTER, fields=LETTER.fields[:-1]),
        replace(LETTER, envelope=replace(LETTER.envelope, mail_from="pat@example.net")),
    ],
    ids=["body", "header", "sender"],
)
def test_another_message_goes_its_own_way(world: World, other: Message) -> None:
    world.deliver()

    world.deliver(letter=other)

    assert world.reached == [BOB, CAROL] * 2


def test_a_relay_that_is_away_leaves_nothing_behind(tmp_path: Path) -> None:
    world = World(tmp_path, connect=[b"421 4.3.2 full\r\n"])

    with pytest.raises(RelayUnavailable):
        world.deliver()

    assert (world.reached, world.guard.kept, world.turns) == ([], set(), 0)


@pytest.mark.parametrize("step", ["DATA", "end"])
def test_a_first_copy_that_is_deferred_leaves_nothing_behind(tmp_path: Path, step: str) -> None:
    world = World(tmp_path, **{step: [LATE]})

    with pytest.raises(RelayUnavailable):
        world.deliver()

    assert (world.reached, world.guard.kept) == ([], set())


def test_who_is_refused_stays_with_what_all_who_stay_agreed_to(tmp_path: Path) -> None:
    world = World(tmp_path, end=[NEVER])

    rest = world.deliver()

    assert world.reached == [CAROL]
    assert (rest.remove_recipients, rest.fields, rest.means) == ((CAROL,), (), Means.SPLIT)
    assert len(world.guard.kept) == 1


def test_a_copy_of_which_nothing_was_heard_stays(tmp_path: Path) -> None:
    world = World(tmp_path, end=[Way.HANG_UP])

    rest = world.deliver()

    assert rest.remove_recipients == (CAROL,)


def test_copies_go_on_when_nobody_waits_for_the_answer_any_more(world: World) -> None:
    async def story(deliver: Callable[[Plan, Message], Awaitable[Plan]]) -> Plan:
        task = asyncio.ensure_future(deliver(EVERYONE, LETTER))
        world.guard.over = task.cancel
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(PATIENCE):
            while len(world.guard.kept) < 2:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        return EVERYONE

    world.run(story)

    assert world.reached == [BOB, CAROL]


@pytest.mark.parametrize("helo", [guard_name(KEY), guard_name(b"other"), "mail.example.net"])
def test_our_own_copies_are_known_by_the_name(helo: str, tmp_path: Path) -> None:
    one = Copies(Server().address, Guard(), KEY)
    came = message(around=replace(envelope(BOB), helo=helo))

    assert one.is_ours(came) is (helo == guard_name(KEY))


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("step", [*BEFORE, "DATA", "content", "end"])
@pytest.mark.parametrize("act", [LATE, NEVER, CLOSING, Way.HANG, Way.HANG_UP])
def test_whatever_the_relay_does_everyone_gets_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, act: Act, number: int
) -> None:
    if act is Way.HANG:
        hurry(monkeypatch, step)
    world = World(tmp_path, **{step: [Way.BE_GOOD] * number + [act]})

    assert world.settled() == {ANNA: 1, BOB: 1, CAROL: 1}


def test_only_who_was_sent_a_copy_of_which_nothing_was_heard_gets_it_twice(tmp_path: Path) -> None:
    world = World(tmp_path, end=[Way.LOSE])

    assert world.settled() == {ANNA: 1, BOB: 2, CAROL: 1}


@pytest.mark.parametrize("fails", range(4))
def test_whenever_the_store_fails_everyone_gets_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    monkeypatch.setattr(copies, "LATER", 0.01)
    world.guard.fails = {fails}

    assert world.settled() == {ANNA: 1, BOB: 1, CAROL: 1}
