"""The hostile list: each gets an answer, harms no other message, and nothing of ours breaks by it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from tests.hostile import BEYOND_LIBMILTER, CONVERSATIONS, Story, many_recipients, stories
from tests.servers.clamd import Clamd
from tests.servers.echo import Echo, echo
from tests.servers.mail import letter
from tests.servers.milter import Milter
from tests.servers.mta import Mta

from tamis.message import Envelope, Recipient, split
from tamis.sandbox import wire
from tamis.sandbox.client import Connection, Verdict, new_queue_id
from tamis.sandbox.wire import Command

FRONTS = ("stream", "libmilter")
DEADLINE = 20  # seconds
TROUBLE = re.compile(r" error: |Traceback")
IDLE = 2_000  # connections
STALLED = 250  # connections in the middle of a message, and as many in the middle of a packet


@pytest.fixture(scope="module", params=FRONTS)
def milter(
    request: pytest.FixtureRequest, clamd: Clamd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Milter]:
    settings = {
        "milter": {"front": request.param, "deadline": f"{DEADLINE}s", "max_message": "4MB"},
        "mail": {"trusted_authserv_ids": ["verifier.example.org"]},
    }
    with Milter(tmp_path_factory.mktemp("hostile"), settings, clamd=clamd.address) as one:
        yield one
        assert not TROUBLE.search(one.log())


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> Iterator[Echo]:
    with echo(request.param) as one:
        yield one
        assert not TROUBLE.search(one.log())


def alongside(milter: Milter, story: Callable[[], Awaitable[bytes]]) -> bytes:
    """Run a story, see honest messages treated well meanwhile, and return the story's answer."""

    async def both() -> bytes:
        async with asyncio.timeout(DEADLINE):
            hostile = asyncio.ensure_future(story())
            assert [await honest(milter), await honest(milter)] == [Verdict.ACCEPT] * 2
            return await hostile

    before = len(milter.log())
    answer = asyncio.run(both())
    assert not TROUBLE.search(milter.log()[before:])
    return answer


async def honest(milter: Milter) -> Verdict:
    """Send an honest message over a connection of its own, and return what becomes of it."""
    recipients = (Recipient("bob@example.org"),)
    envelope = Envelope(mail_from="pat@example.net", recipients=recipients, queue_id=new_queue_id())
    async with await Connection.open(milter.address, helo="mail.example.net") as mta:
        return (await mta.send(envelope, letter())).verdict


@pytest.mark.parametrize("name", stories())
def test_a_hostile_message_is_answered_and_harms_no_other(milter: Milter, name: str) -> None:
    octets = b"".join(stories()[name]().commands())

    async def story() -> bytes:
        mta = await Mta.connect(milter.address)
        await mta.say(octets)
        return (await mta.answer())[-1][0]

    assert alongside(milter, story) in (b"c", b"y")


@pytest.mark.parametrize("name", BEYOND_LIBMILTER)
def test_what_libmilter_does_not_take_harms_no_other(milter: Milter, name: str) -> None:
    async def story() -> bytes:
        mta = await Mta.connect(milter.address)
        await mta.say(b"".join(BEYOND_LIBMILTER[name].commands()))
        mta.hang_up()
        return b""

    alongside(milter, story)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_what_is_no_protocol_harms_no_other(milter: Milter, name: str) -> None:
    async def story() -> bytes:
        mta = await Mta.connect(milter.address)
        await mta.say(CONVERSATIONS[name])
        assert await honest(milter) is Verdict.ACCEPT
        mta.hang_up()
        return b""

    alongside(milter, story)


def test_more_recipients_than_any_mta_takes_are_answered_and_harm_no_other(milter: Milter) -> None:
    octets = b"".join(Story(recipients=many_recipients(20_000)).commands())

    async def story() -> bytes:
        mta = await Mta.connect(milter.address)
        await mta.say(octets)
        return (await mta.answer())[-1][0]

    assert alongside(milter, story) in (b"c", b"y")


def test_an_mta_that_hangs_up_anywhere_harms_no_other(milter: Milter) -> None:
    commands = [*Story().commands()]

    async def story() -> bytes:
        for number, command in enumerate(commands):
            for part in (0, 3, len(command) // 2):
                mta = await Mta.connect(milter.address)
                await mta.say(b"".join(commands[:number]) + command[:part])
                mta.hang_up()
        return b""

    alongside(milter, story)


def test_idle_connections_harm_no_other(milter: Milter) -> None:
    opening = b"".join([*Story().commands()][:3])

    async def story() -> bytes:
        async with AsyncExitStack() as stack:
            for _ in range(IDLE):
                mta = await Mta.connect(milter.address)
                stack.callback(mta.hang_up)
                await mta.say(opening)
            assert await honest(milter) is Verdict.ACCEPT
        return b""

    alongside(milter, story)


def test_connections_that_hang_in_the_middle_harm_no_other(milter: Milter) -> None:
    whole = b"".join(Story(body=b"a" * 60_000).commands())
    packets = [*Story(body=b"a" * 60_000).commands()]

    async def story() -> bytes:
        async with AsyncExitStack() as stack:
            for octets in (whole[:-1000], b"".join(packets[:-2])):
                for _ in range(STALLED):
                    mta = await Mta.connect(milter.address)
                    stack.callback(mta.hang_up)
                    await mta.say(octets)
            assert await honest(milter) is Verdict.ACCEPT
        return b""

    alongside(milter, story)


def test_connections_that_hang_and_come_at_once_harm_no_other(milter: Milter) -> None:
    """The worker is busy elsewhere when they come, and then finds them all."""
    half = next(Story().commands())[:-1]

    async def story() -> bytes:
        (worker,) = milter.workers()
        os.kill(worker, signal.SIGSTOP)
        async with AsyncExitStack() as stack:
            for _ in range(20):
                mta = await Mta.connect(milter.address)
                stack.callback(mta.hang_up)
                await mta.say(half)
            neighbour = asyncio.ensure_future(honest(milter))
            await asyncio.sleep(0.1)
            os.kill(worker, signal.SIGCONT)
            assert await neighbour is Verdict.ACCEPT
        return b""

    alongside(milter, story)


def test_nothing_of_a_message_given_up_is_in_the_next(front: Echo) -> None:
    first, *commands = [*Story(body=b"lost").commands()]
    raw = b"Subject: kept\r\n\r\nkept\r\n"
    fields, body = split(raw)
    kept = b"".join(Story(fields=fields, body=body, greeting=False).commands())

    async def story() -> list[bytes]:
        found = []
        for number in range(2, len(commands)):  # libmilter wants to know of the client first
            mta = await Mta.connect(front.address)
            await mta.say(first + b"".join(commands[:number]) + wire.frame(Command.ABORT) + kept)
            found.append(b"".join(payload for _, payload in await mta.answer()))
            mta.hang_up()
        return found

    answers = asyncio.run(story())

    digest = hashlib.sha256(raw).hexdigest().encode()
    assert [digest in one for one in answers] == [True] * len(answers)


def test_a_connection_carries_many_messages(front: Echo) -> None:
    async def story() -> list[Verdict]:
        envelope = Envelope(mail_from="anna@example.net", recipients=(Recipient("bob@example.org"),))
        async with await Connection.open(front.address, helo="mail.example.net") as mta:
            return [(await mta.send(envelope, b"Subject: %d\r\n\r\n" % n)).verdict for n in range(500)]

    assert asyncio.run(story()) == [Verdict.ACCEPT] * 500
