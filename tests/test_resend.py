"""Copies handed to a relay: what it is told, and connections from their beginning to their end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.copies import (
    ACCEPTED,
    ANNA,
    BEFORE,
    BOB,
    CAROL,
    CLOSING,
    ENVELOPE,
    LETTER,
    NAME,
    NEVER,
    WRITTEN,
    Receipts,
    Recorder,
    contents,
    fates,
    hand,
    handed,
    with_relay,
)
from tests.copies import safe_log as safe_log
from tests.servers import relay as relays
from tests.servers.relay import EXTENSIONS, Act, Way

from tamis.decision import Copy
from tamis.message import Message, Recipient
from tamis.resend import handover, pool
from tamis.resend.connection import RelayUnavailable
from tamis.resend.handover import Handover
from tamis.resend.relay import Relay
from tamis.resend.transaction import Fate, Receipt


def test_copies_arrive_with_their_fields(tmp_path: Path) -> None:
    server = relays.Relay()
    marked = Copy(BOB.recipients, (("X-Spam-Flag", "YES"),))
    removal = Message(ENVELOPE, ((b"X-Spam-Flag", b" NO"), *LETTER.fields), LETTER.body)

    receipts = with_relay(
        tmp_path,
        server,
        lambda client: hand(client, ANNA, marked, message=removal, remove=[("X-Spam-Flag", 1)]),
    )

    assert receipts == ((ACCEPTED,), (ACCEPTED,))
    assert sorted((one.rcpt, one.content) for one in server.taken) == [
        (("RCPT TO:<anna@example.org>",), WRITTEN),
        (("RCPT TO:<bob@example.org>",), b"X-Spam-Flag: YES\r\n" + WRITTEN),
    ]


def test_what_can_be_said_at_once_is(tmp_path: Path) -> None:
    server = relays.Relay()
    two = Copy((*ANNA.recipients, *BOB.recipients))

    handed(tmp_path, server, two)

    assert server.reads[:4] == [1, 2, 2, 1]  # EHLO; XFORWARD and MAIL; both RCPT; DATA
    assert server.said("EHLO") == [f"EHLO {NAME}"]


def test_relay_without_pipelining_is_spoken_to_step_by_step(tmp_path: Path) -> None:
    server = relays.Relay(extensions=EXTENSIONS[1:])

    receipts = handed(tmp_path, server, Copy((*ANNA.recipients, *BOB.recipients)))

    assert fates(receipts) == [["accepted", "accepted"]]
    assert set(server.reads) == {1}


def test_relay_that_offers_nothing_gets_the_message(tmp_path: Path) -> None:
    server = relays.Relay(extensions=())

    assert fates(handed(tmp_path, server, ANNA)) == [["accepted"]]
    assert server.taken == [
        relays.Taken("MAIL FROM:<pat@example.net>", ("RCPT TO:<anna@example.org>",), WRITTEN)
    ]


def test_replies_may_come_octet_by_octet(tmp_path: Path) -> None:
    server = relays.Relay(drips=True)

    assert handed(tmp_path, server, ANNA, BOB) == ((ACCEPTED,), (ACCEPTED,))


def test_large_message_arrives_at_a_slow_relay(tmp_path: Path) -> None:
    large = Message(ENVELOPE, LETTER.fields, b"." * 75 + b"\r\n" + b"x" * 1_500_000 + b"\r\n")
    server = relays.Relay(pause=0.005)

    handed(tmp_path, server, ANNA, message=large)

    assert contents(server) == [b"Subject: Lunch\r\n\r\n" + large.body]


def test_message_without_the_end_of_its_body_is_not_handed_on(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole"):
        handed(tmp_path, relays.Relay(), ANNA, message=Message(ENVELOPE, (), b"", omitted=1))


def test_relay_that_refuses_xforward_takes_the_copy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = relays.Relay(acts={"XFORWARD": [b"550 5.7.0 who is pat@example.net?\r\n"]})

    assert handed(tmp_path, server, ANNA) == ((ACCEPTED,),)
    assert "4Xy1: relay refuses XFORWARD reply=550 5.7.0" in caplog.messages


def test_copy_that_is_refused_as_a_whole_leaves_the_others(tmp_path: Path) -> None:
    server = relays.Relay(acts={"MAIL": [b"552 5.3.4 too big\r\n"]})

    receipts = handed(tmp_path, server, ANNA, BOB)

    assert sorted(fates(receipts)) == [["accepted"], ["refused"]]
    assert Receipt(Fate.REFUSED, "552 5.3.4") in (receipts[0][0], receipts[1][0])
    assert len(server.taken) == 1


def test_recipient_who_is_refused_leaves_the_others(tmp_path: Path) -> None:
    server = relays.Relay(acts={"RCPT": [b"250 Ok\r\n", NEVER]})
    three = Copy((*ANNA.recipients, *BOB.recipients, *CAROL.recipients))

    receipts = handed(tmp_path, server, three)

    assert receipts == ((ACCEPTED, Receipt(Fate.REFUSED, "550 5.7.1"), ACCEPTED),)
    assert server.taken[0].rcpt == ("RCPT TO:<anna@example.org>", "RCPT TO:<carol@example.org>")


def test_no_content_is_sent_to_nobody(tmp_path: Path) -> None:
    server = relays.Relay(acts={"RCPT": [NEVER]})

    assert fates(handed(tmp_path, server, ANNA)) == [["refused"]]
    assert server.said("DATA") == []


def test_recipient_whom_the_relay_cannot_name_is_not_told(tmp_path: Path) -> None:
    server = relays.Relay(extensions=("PIPELINING", "8BITMIME"))
    two = Copy((Recipient("zoë@example.org"), *BOB.recipients))

    receipts = handed(tmp_path, server, two)

    assert receipts == ((Receipt(Fate.REFUSED, "553 5.6.7"), ACCEPTED),)
    assert server.said("RCPT") == ["RCPT TO:<bob@example.org>"]


def test_connection_is_used_again(tmp_path: Path) -> None:
    server = relays.Relay()

    async def story(client: Relay) -> None:
        for _ in range(3):
            assert await hand(client, ANNA) == ((ACCEPTED,),)

    with_relay(tmp_path, server, story)

    assert len(server.taken) == 3
    assert server.opened == 1
    assert server.said("QUIT") == ["QUIT"]


def test_idle_connection_is_closed_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE", 0.01)
    server = relays.Relay()

    async def story(client: Relay) -> list[str]:
        await hand(client, ANNA)
        while server.open:
            await asyncio.sleep(0.001)
        return list(server.commands)

    assert with_relay(tmp_path, server, story)[-1] == "QUIT"


@pytest.mark.parametrize("step", ["XFORWARD", "MAIL", "RCPT"])
@pytest.mark.parametrize("act", [Way.HANG_UP, CLOSING])
def test_connection_that_died_while_idle_is_replaced(tmp_path: Path, step: str, act: Act) -> None:
    server = relays.Relay()

    async def story(client: Relay) -> Receipts:
        await hand(client, ANNA)
        server.acts = {step: [act]}
        return await hand(client, BOB)

    assert with_relay(tmp_path, server, story) == ((ACCEPTED,),)
    assert len(server.taken) == 2
    assert server.opened == 2


@pytest.mark.parametrize("last_words", [b"", CLOSING])
def test_connection_that_says_farewell_is_replaced(tmp_path: Path, last_words: bytes) -> None:
    server = relays.Relay(acts={"end": [b"250 2.0.0 Ok: queued as 4XyZ\r\n" + last_words]})

    async def story(client: Relay) -> Receipts:
        await hand(client, ANNA)
        return await hand(client, BOB)

    assert with_relay(tmp_path, server, story) == ((ACCEPTED,),)
    assert len(server.taken) == 2


def test_content_is_never_sent_twice(tmp_path: Path) -> None:
    server = relays.Relay()

    async def story(client: Relay) -> Receipts:
        await hand(client, ANNA)
        server.acts = {"end": [Way.HANG_UP]}
        return await hand(client, BOB)

    assert fates(with_relay(tmp_path, server, story)) == [["unknown"]]
    assert len(server.said("DATA")) == 2


def test_connections_at_once_are_bounded(tmp_path: Path) -> None:
    server = relays.Relay(pause=0.001)
    copies = [Copy((Recipient(f"{number}@example.org"),)) for number in range(7)]

    async def story(client: Relay) -> list[Receipts]:
        return await asyncio.gather(*(hand(client, *copies) for _ in range(5)))

    receipts = with_relay(tmp_path, server, story, connections=3)

    assert receipts == [((ACCEPTED,),) * 7] * 5
    assert len(server.taken) == 35
    assert server.most <= 3


def test_all_recipients_are_told_before_any_content(tmp_path: Path) -> None:
    server = relays.Relay()

    handed(tmp_path, server, ANNA, BOB, CAROL)

    verbs = [one.partition(" ")[0] for one in server.commands]
    assert verbs.index("DATA") > max(at for at, verb in enumerate(verbs) if verb == "RCPT")


def test_acceptance_is_told_before_the_connection_goes_on(tmp_path: Path) -> None:
    server = relays.Relay()
    seen = []

    async def accepted(copy: int, recipients: tuple[Recipient, ...]) -> None:
        await asyncio.sleep(0.01)
        seen.append((copy, recipients, len(server.said("DATA"))))

    with_relay(tmp_path, server, lambda client: hand(client, ANNA, BOB, accepted=accepted), connections=1)

    assert seen == [(0, ANNA.recipients, 1), (1, BOB.recipients, 2)]


def test_nothing_more_is_sent_once_an_acceptance_cannot_be_recorded(tmp_path: Path) -> None:
    server = relays.Relay()

    async def accepted(copy: int, recipients: tuple[Recipient, ...]) -> None:
        raise OSError("store")

    with pytest.raises(OSError, match="store"):
        with_relay(
            tmp_path,
            server,
            lambda client: hand(client, ANNA, BOB, CAROL, accepted=accepted),
            connections=1,
        )

    assert len(server.taken) == 1


def test_many_recipients_are_several_transactions(tmp_path: Path) -> None:
    many = Copy(tuple(Recipient(f"{number}@example.org") for number in range(handover.RECIPIENTS + 1)))
    server = relays.Relay()
    recorder = Recorder()

    (receipts,) = with_relay(tmp_path, server, lambda client: hand(client, many, accepted=recorder))

    assert len(receipts) == handover.RECIPIENTS + 1
    assert sorted(len(one.rcpt) for one in server.taken) == [1, handover.RECIPIENTS]
    assert {copy for copy, _ in recorder.accepted} == {0}


def test_abandoned_copies_are_forgotten(tmp_path: Path) -> None:
    server = relays.Relay()

    async def story(client: Relay) -> Receipts:
        (await client.prepare(LETTER, [ANNA, BOB])).abandon()
        return await hand(client, CAROL)

    assert fates(with_relay(tmp_path, server, story, connections=2)) == [["accepted"]]
    assert [one.rcpt for one in server.taken] == [("RCPT TO:<carol@example.org>",)]


def test_nothing_but_content_follows_data(tmp_path: Path) -> None:
    server = relays.Relay(acts={"DATA": [b"354 go on\r\n250 what?\r\n"]})

    with pytest.raises(RelayUnavailable, match="deferred: no reply"):
        handed(tmp_path, server, ANNA)

    assert bytes(server.wire) == b""


@pytest.mark.parametrize("step", [*BEFORE, "DATA", "end"])
def test_cancelled_hand_over_leaves_nothing_open(tmp_path: Path, step: str) -> None:
    server = relays.Relay(acts={step: [Way.HANG]})

    async def story(client: Relay) -> Receipts:
        task = asyncio.create_task(hand(client, ANNA))
        while server.acts[step]:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await hand(client, BOB)

    assert fates(with_relay(tmp_path, server, story, connections=1)) == [["accepted"]]


def test_preparing_has_a_time_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PREPARING", 0.05)
    server = relays.Relay(acts={"RCPT": [Way.HANG]})

    with pytest.raises(RelayUnavailable, match="takes too long"):
        handed(tmp_path, server, ANNA)


def test_no_content_is_begun_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "SENDING", 0.05)
    server = relays.Relay(acts={"DATA": [Way.HANG]})

    with pytest.raises(RelayUnavailable, match="deferred"):
        with_relay(tmp_path, server, lambda client: hand(client, ANNA, BOB), connections=1)

    assert len(server.said("DATA")) == 1


def test_nobody_waits_for_connections_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PREPARING", 0.05)

    async def story(client: Relay) -> None:
        first: Handover = await client.prepare(LETTER, [ANNA])
        try:
            await client.prepare(LETTER, [BOB])
        finally:
            first.abandon()

    with pytest.raises(RelayUnavailable, match="takes too long"):
        with_relay(tmp_path, relays.Relay(), story, connections=1)


def test_hand_over_ends_before_postfix_gives_up() -> None:
    assert handover.LONGEST + 60 < 300  # milter.deadline and milter_content_timeout, in seconds
