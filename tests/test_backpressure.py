"""What is in hand is bounded in octets: beyond it a tempfail at once, and recovery by itself."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.hostile import Story
from tests.servers.echo import Echo, echo
from tests.servers.milter import Milter
from tests.servers.mta import Mta
from tests.test_service import wait_until

FRONTS = ("stream", "libmilter")
LIMITS = {"max_message": "1MB", "max_in_memory": "4MB"}
PATIENCE = 60  # seconds
FULL = "too much mail in memory limit=4000000 answer=tempfail"
ACCEPTED, TEMPFAILED = b"c", b"y"


def story(body: bytes, *, subject: bytes = b" x", queue_id: bytes = b"4XyZ") -> Sequence[bytes]:
    return [*Story(fields=((b"Subject", subject),), body=body, macros=b"i\0" + queue_id + b"\0").commands()]


async def sent(stack: AsyncExitStack, address: str, octets: bytes) -> Mta:
    """Return a connection on which octets were sent."""
    mta = await Mta.connect(address)
    stack.callback(mta.hang_up)
    await mta.say(octets)
    return mta


async def verdict(mta: Mta) -> bytes:
    return (await mta.answer())[-1][0]


@pytest.mark.parametrize("name", FRONTS)
def test_messages_that_hang_make_room_for_one_that_is_complete(name: str) -> None:
    packets = [story(b"a" * 450_000, queue_id=b"HANGS%d" % number) for number in range(8)]
    large = b"".join(story(b"b" * 900_000))

    async def both(front: Echo) -> tuple[bytes, list[bytes]]:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            hanging = [await sent(stack, front.address, b"".join(one[:-2])) for one in packets]
            for mta in hanging:
                await mta.taken()
            complete = await verdict(await sent(stack, front.address, large))
            for mta, one in zip(hanging, packets, strict=True):
                await mta.say(b"".join(one[-2:]))
            return complete, [await verdict(mta) for mta in hanging]

    with echo(name, LIMITS) as front:
        complete, hung = asyncio.run(both(front))

        assert complete == ACCEPTED
        assert 1 <= hung.count(TEMPFAILED) <= 3
        assert hung.count(ACCEPTED) == 8 - hung.count(TEMPFAILED)
        assert front.log().count(FULL) == hung.count(TEMPFAILED)


@pytest.mark.parametrize("name", FRONTS)
def test_what_finds_no_room_beside_messages_in_flight_is_tempfailed_at_once_and_room_comes_back(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "waiting"
    folder.mkdir()
    waits = b" wait " + str(folder).encode()
    body = b"a" * 900_000

    async def both(front: Echo) -> tuple[list[bytes], bytes]:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            inside = []
            for number in range(4):
                octets = b"".join(story(body, subject=waits, queue_id=b"WAITS%d" % number))
                inside.append(await sent(stack, front.address, octets))
                while len([*folder.iterdir()]) < number + 1:
                    await asyncio.sleep(0.01)
            beyond = [await verdict(await sent(stack, front.address, b"".join(story(body)))) for _ in "12"]
            shutil.rmtree(folder)
            assert [await verdict(mta) for mta in inside] == [ACCEPTED] * 4
            return beyond, await verdict(await sent(stack, front.address, b"".join(story(body))))

    with echo(name, LIMITS) as front:
        beyond, after = asyncio.run(both(front))

        assert beyond == [TEMPFAILED] * 2
        assert front.log().count(FULL) == 2
        assert after == ACCEPTED


@pytest.mark.parametrize("name", FRONTS)
def test_a_message_given_up_leaves_its_room(name: str) -> None:
    body = b"a" * 900_000

    async def both(front: Echo) -> list[bytes]:
        async with asyncio.timeout(PATIENCE):
            for _ in range(20):
                mta = await Mta.connect(front.address)
                await mta.say(b"".join(story(body)[:-1]))
                mta.hang_up()
            async with AsyncExitStack() as stack:
                octets = b"".join(story(body))
                return [await verdict(await sent(stack, front.address, octets)) for _ in range(6)]

    with echo(name, LIMITS) as front:
        assert asyncio.run(both(front)) == [ACCEPTED] * 6


@pytest.mark.parametrize("name", FRONTS)
def test_a_body_beyond_what_is_judged_takes_no_more_room(name: str, tmp_path: Path) -> None:
    octets = b"".join(story(b"a" * 20_000_000))

    async def both(milter: Milter) -> bytes:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            return await verdict(await sent(stack, milter.address, octets))

    with Milter(tmp_path, {"milter": {"front": name, **LIMITS}}) as milter:
        assert asyncio.run(both(milter)) == ACCEPTED


def memory(milter: Milter, which: str) -> int:
    """Return octets that the one worker has in memory, VmRSS, or has had at most, VmHWM (proc(5))."""
    (worker,) = milter.workers()
    found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("name", FRONTS)
def test_memory_stays_bounded_whatever_many_connections_push(name: str, tmp_path: Path) -> None:
    limits = {"max_message": "4MB", "max_in_memory": "16MB"}
    packets = story(b"a" * 4_000_000)

    async def flooded(milter: Milter) -> list[bytes]:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            begun = b"".join(packets[:-2])
            mtas = await asyncio.gather(*(sent(stack, milter.address, begun) for _ in range(100)))
            for mta in mtas:
                await mta.say(b"".join(packets[-2:]))
            return [await verdict(mta) for mta in mtas]

    with Milter(tmp_path, {"milter": {"front": name, **limits}}) as milter:
        before = memory(milter, "VmRSS")
        verdicts = asyncio.run(flooded(milter))
        most = memory(milter, "VmHWM")

    assert 1 <= verdicts.count(ACCEPTED) <= 4
    assert verdicts.count(TEMPFAILED) == 100 - verdicts.count(ACCEPTED)
    assert most - before < 100_000_000


@pytest.mark.parametrize("name", FRONTS)
def test_memory_is_given_back_after_a_flood(name: str, tmp_path: Path) -> None:
    large, small = story(b"a" * 20_000_000), story(b"a" * 200_000)
    end = b"".join(large[-2:])

    async def flooded(milter: Milter, twice: int) -> list[bytes]:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            begun = b"".join(large[:-2])
            mtas = await asyncio.gather(*(sent(stack, milter.address, begun) for _ in range(8)))
            await asyncio.to_thread(wait_until, lambda: memory(milter, "VmRSS") > twice)
            in_hand = await sent(stack, milter.address, b"".join(small[:-2]))  # lies behind their pieces
            for mta in mtas:
                await mta.say(end)
            verdicts = [await verdict(mta) for mta in mtas]
            await asyncio.to_thread(wait_until, lambda: memory(milter, "VmRSS") < twice)
            await in_hand.say(end)
            return [*verdicts, await verdict(in_hand)]

    with Milter(tmp_path, {"milter": {"front": name}}) as milter:
        assert asyncio.run(flooded(milter, 2 * memory(milter, "VmRSS"))) == [ACCEPTED] * 9
