"""A worker that is killed while copies go out: the MTA tries again, and nobody goes without or gets it twice.

But for those whose copy the relay has taken over and the worker had no time to remember.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator

import pytest
import uvloop
from tests.copies import BEFORE
from tests.servers import mail
from tests.servers import relay as relays
from tests.servers.milter import Milter

from tamis.message import Envelope, Recipient
from tamis.sandbox import wire
from tamis.sandbox.client import Connection, MilterUnavailable, Verdict, new_queue_id

EVERYBODY = ANNA, BOB, CAROL = "anna@example.org", "bob@example.org", "carol@example.org"
ANSWERED = tuple(f"{step} answered" for step in BEFORE)
PAUSE = 0.02  # seconds until the MTA tries again
TRIES = 200
MOMENTS = 12
SEED = 20261128


class Killer:
    """Kills the worker once, when the relay comes to a step."""

    def __init__(self, milter: Milter, step: str, number: int, delay: float | None = None) -> None:
        """Take the step and how often it comes before; delay is in seconds, and None for at once."""
        self._milter = milter
        self._step = step
        self._left = number
        self._delay = delay
        self.struck = False
        self.relay = relays.Relay(seen=self)
        self.out: frozenset[str] = frozenset()  # whose copies the relay had when the MTA was left alone

    def __call__(self, step: str) -> None:
        """Be told of a step."""
        if step != self._step or self.struck:
            return
        if self._left:
            self._left -= 1
            return
        self.struck = True
        if self._delay is None:
            self._kill()
        else:
            asyncio.get_running_loop().call_later(self._delay, self._kill)

    def _kill(self) -> None:
        for pid in self._milter.workers():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def milter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Milter]:
    folder = tmp_path_factory.mktemp("killed")
    settings = {"resend": {"relay": f"unix:{folder}/relay.sock"}}
    with Milter(folder, settings) as one:
        one.do("account", "set", ANNA, "antispam=off", "graymail=off")
        one.do("account", "set", BOB, "antispam.action=mark")
        one.do("account", "set", CAROL, "antispam.mark=-50", "graymail=off")
        yield one


def reached(relay: relays.Relay) -> list[str]:
    """Return whom copies reached."""
    return [one.removeprefix("RCPT TO:<").partition(">")[0] for copy in relay.taken for one in copy.rcpt]


def played(killer: Killer, milter: Milter) -> Counter[str]:
    """Return how often each gets a message, which comes again until it is taken."""

    async def story() -> Counter[str]:
        recipients = tuple(map(Recipient, EVERYBODY))
        envelope = Envelope("pat@example.net", recipients, queue_id=new_queue_id())
        raw = mail.gtube()
        async with relays.running(killer.relay, milter.config.parent):
            for _ in range(TRIES):
                try:
                    async with await Connection.open(milter.address, helo="mail.example.net") as mta:
                        answer = await mta.send(envelope, raw)
                except (MilterUnavailable, wire.ProtocolError):
                    while killer.relay.open:  # it may have yet to read what the worker had said
                        await asyncio.sleep(0.001)
                    killer.out = frozenset(reached(killer.relay))
                    await asyncio.to_thread(milter.crash)  # which replaces a worker that died young at once
                    continue
                if answer.verdict is Verdict.ACCEPT:
                    break
                await asyncio.sleep(PAUSE)
            else:
                raise AssertionError("it is never taken")
        gone = {
            one.address.strip("<>") for one in answer.modifications if isinstance(one, wire.RemoveRecipient)
        }
        return Counter([*reached(killer.relay), *(set(EVERYBODY) - gone)])

    found = uvloop.run(story())
    assert killer.struck
    return found


@pytest.mark.parametrize(
    ("step", "number"),
    [*itertools.product(BEFORE, range(2)), *itertools.product(ANSWERED, range(2)), ("DATA", 0)],
)
def test_killed_before_a_copy_is_out_everyone_gets_it_once(milter: Milter, step: str, number: int) -> None:
    killer = Killer(milter, step, number)

    assert played(killer, milter) == dict.fromkeys(EVERYBODY, 1)


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("step", ["DATA answered", "content", "end", "end answered"])
def test_killed_while_copies_are_out_only_their_recipients_may_get_it_twice(
    milter: Milter, step: str, number: int
) -> None:
    killer = Killer(milter, step, number)

    got = played(killer, milter)

    assert set(got) == set(EVERYBODY)
    assert all(times == 1 or (times == 2 and one in killer.out) for one, times in got.items())


def test_killed_at_any_moment_nobody_goes_without(milter: Milter) -> None:
    chance = random.Random(SEED)  # noqa: S311
    for _ in range(MOMENTS):
        delay = chance.uniform(0, 0.004)
        killer = Killer(milter, "end answered", chance.randrange(2), delay)

        got = played(killer, milter)

        assert set(got) == set(EVERYBODY)
        assert all(times == 1 or (times == 2 and one in killer.out) for one, times in got.items())
