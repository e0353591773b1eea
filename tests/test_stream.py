"""The front on the event loop: messages arrive byte for byte however they are cut, plans are carried out."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import tempfile
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.address import UnixAddress
from tamis.config import Milter
from tamis.decision import Plan, Reply
from tamis.front.front import MAX_PACKET, Ask
from tamis.front.stream import LEAVE, Conversation, Stream
from tamis.message import Envelope, Message, Recipient
from tamis.sandbox import wire
from tamis.sandbox.client import Answer, Client, Connection, MilterUnavailable, Verdict
from tamis.sandbox.section import Field, Section, split
from tamis.sandbox.wire import AddRecipient, ChangeField, Command, InsertField, RemoveRecipient, Steps
from tamis.ticket import Means

ENVELOPE = Envelope(mail_from="anna@example.net", recipients=(Recipient("bob@example.org"),), queue_id="4XyZ")
CLIENT = Client(ip="192.0.2.7", name="mail.example.net")
RAW = b"From: anna@example.net\r\nSubject: hello\r\n\r\nHello\r\n"
ACCEPTED = Plan((), Means.UNIFORM)


class Listener:
    """A pipeline that keeps what it is given and answers with one plan."""

    def __init__(self, plan: Plan = ACCEPTED) -> None:
        self.messages: list[Message] = []
        self._plan = plan

    async def __call__(self, message: Message) -> Plan:
        """Take a message."""
        self.messages.append(message)
        return self._plan


def run(
    pipeline: Callable[[Message], Awaitable[Plan]],
    story: Callable[[str, Stream], Awaitable[None]],
    *,
    limit: int = 100,
    ask: Ask | None = None,
) -> None:
    """Run a story beside a front that listens at the address that the story is told."""

    async def both() -> None:
        with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
            front = Stream(Milter(max_in_flight=limit))
            front.ask = ask
            address = UnixAddress(f"{folder}/front.sock")
            listener = front.listen(address)
            await front.serve(pipeline, listener)
            await story(str(address), front)
            if listener.fileno() >= 0:
                front.leave()

    asyncio.run(both())


def send(pipeline: Callable[[Message], Awaitable[Plan]], *raws: bytes) -> list[Answer]:
    """Send messages over one connection."""
    answers: list[Answer] = []

    async def story(address: str, front: Stream) -> None:
        async with await Connection.open(address, CLIENT, helo="mail.example.net") as mta:
            for raw in raws:
                answers.append(await mta.send(ENVELOPE, raw))

    run(pipeline, story)
    return answers


async def talk(address: str, pieces: list[bytes], words: int) -> bytes:
    """Send octets in pieces; return the words of the first answers, or of all until the front hangs up."""
    reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    decoder = wire.Decoder()
    found: list[tuple[bytes, bytes]] = []
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    while len(found) < words and (received := await reader.read(4096)):
        found += decoder.feed(received)
    writer.close()
    return b"".join(word for word, _ in found)


def conversation(steps: Steps = wire.ALL_STEPS) -> bytes:
    """Return all that an MTA says for one message, without waiting for answers."""
    return b"".join(
        (
            wire.negotiate(wire.Options(steps=steps)),
            wire.connect("mail.example.net", "192.0.2.7", 25),
            wire.helo("mail.example.net"),
            wire.macros(Command.MAIL, {"i": "4XyZ", "{auth_authen}": "anna"}),
            wire.mail("anna@example.net", ["SIZE=100"]),
            wire.rcpt("bob@example.org", ["NOTIFY=NEVER"]),
            wire.header(b"Subject", b" hello"),
            *wire.body(b"Hello\r\n"),
            wire.frame(Command.END_OF_MESSAGE),
        )
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, len(conversation()) - 1), max_size=12).map(sorted))
def test_a_message_is_the_same_however_its_octets_are_cut(cuts: list[int]) -> None:
    pipeline = Listener()
    octets = conversation()
    pieces = [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]

    async def story(address: str, front: Stream) -> None:
        await talk(address, pieces, words=2)

    run(pipeline, story)

    (message,) = pipeline.messages
    assert message.raw == b"Subject: hello\r\n\r\nHello\r\n"
    assert message.envelope == Envelope(
        mail_from="anna@example.net",
        recipients=(Recipient("bob@example.org", ("NOTIFY=NEVER",)),),
        client_ip="192.0.2.7",
        client_name="mail.example.net",
        helo="mail.example.net",
        queue_id="4XyZ",
        auth_user="anna",
        mail_parameters=("SIZE=100",),
    )


def test_a_message_of_many_chunks_survives_byte_for_byte() -> None:
    pipeline = Listener()
    raw = b"Subject: big\r\nX-Long: " + b"x" * 102_400 + b"\r\n\r\n" + bytes(range(256)) * 4000

    send(pipeline, raw)

    assert pipeline.messages[0].raw == split(raw).octets


def test_messages_of_one_connection_do_not_mix() -> None:
    pipeline = Listener()
    raws = (RAW, b"Subject: other\r\n\r\nOther\r\n", RAW)

    send(pipeline, *raws)

    assert tuple(one.raw for one in pipeline.messages) == raws


def test_aborted_message_leaves_nothing_behind() -> None:
    pipeline = Listener()

    async def story(address: str, front: Stream) -> None:
        async with await Connection.open(address, CLIENT, helo="x") as mta:
            await mta.mail("lost@example.net", auth_user="lost")
            await mta.rcpt(Recipient("lost@example.org"))
            mta.abort()
            await mta.send(ENVELOPE, RAW)

    run(pipeline, story)

    (message,) = pipeline.messages
    assert (message.raw, message.envelope.auth_user) == (RAW, None)


def test_field_name_that_is_not_utf8_keeps_its_value() -> None:
    pipeline = Listener()
    name = b"X-\xe9t\xe9"  # as Sendmail passes it on

    async def story(address: str, front: Stream) -> None:
        async with await Connection.open(address, CLIENT, helo="x") as mta:
            await mta.mail("anna@example.net")
            await mta.rcpt(Recipient("bob@example.org"))
            await mta.message(Section((Field(name, name + b": value\r\n"),), b"\r\n", b"Hello\r\n"))

    run(pipeline, story)

    assert pipeline.messages[0].fields == ((name, b" value"),)


def test_a_plan_is_carried_out() -> None:
    plan = replace(
        ACCEPTED,
        fields=(("X-First", "1"), ("X-Second", "2")),
        remove_fields=(("X-Spam-Flag", 2), ("X-Spam-Flag", 1)),
        remove_recipients=("bob@example.org",),
        add_recipients=(Recipient("bob+junk@example.org", ("NOTIFY=NEVER",)), Recipient("carl@example.org")),
    )

    (answer,) = send(Listener(plan), RAW)

    assert answer == Answer(
        Verdict.ACCEPT,
        modifications=(
            ChangeField(2, b"X-Spam-Flag", b""),
            ChangeField(1, b"X-Spam-Flag", b""),
            InsertField(0, b"X-Second", b" 2"),
            InsertField(0, b"X-First", b" 1"),
            RemoveRecipient("bob@example.org"),
            AddRecipient("bob+junk@example.org", ("NOTIFY=NEVER",)),
            AddRecipient("carl@example.org"),
        ),
    )


def test_a_refusal_is_said_in_its_own_words() -> None:
    plan = replace(ACCEPTED, reply=Reply("550", "5.7.1", "infected by 100%"))

    (answer,) = send(Listener(plan), RAW)

    assert (answer.verdict, answer.reply) == (Verdict.REJECT, "550 5.7.1 infected by 100%")


def test_failed_pipeline_is_a_tempfail_and_its_words_are_kept_out_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(message: Message) -> Plan:
        raise ValueError("secret")

    (answer,) = send(fail, RAW)

    assert answer.verdict is Verdict.TEMPFAIL
    assert caplog.messages == ["4XyZ: pipeline failed error=ValueError"]


def test_messages_beyond_the_limit_are_tempfailed_and_others_go_on() -> None:
    may_go = asyncio.Event()
    inside = asyncio.Event()
    answers: list[Answer] = []

    async def wait(message: Message) -> Plan:
        inside.set()
        await may_go.wait()
        return ACCEPTED

    async def one(address: str) -> Answer:
        async with await Connection.open(address, CLIENT, helo="x") as mta:
            return await mta.send(ENVELOPE, RAW)

    async def story(address: str, front: Stream) -> None:
        first = asyncio.create_task(one(address))
        await inside.wait()
        answers.append(await one(address))
        may_go.set()
        answers.append(await first)

    run(wait, story, limit=1)

    assert [answer.verdict for answer in answers] == [Verdict.TEMPFAIL, Verdict.ACCEPT]


def test_mta_that_offers_no_quiet_steps_gets_its_answers() -> None:
    words: list[bytes] = []

    async def story(address: str, front: Stream) -> None:
        words.append(await talk(address, [conversation(Steps(0))], words=8))

    run(Listener(), story)

    # negotiation; connect, helo, mail, rcpt, header, body; end of message
    assert words == [b"Occccccc"]


@pytest.mark.parametrize(
    "octets",
    [b"\0\0\0\0C", b"\xff\xff\xff\xffC", wire.frame(Command.NEGOTIATE, b"short"), b"GET / HTTP/1.0\r\n\r\n"],
)
def test_what_is_no_milter_protocol_ends_the_connection(octets: bytes) -> None:
    words: list[bytes] = []

    async def story(address: str, front: Stream) -> None:
        words.append(await talk(address, [octets], words=1))

    run(Listener(), story)

    assert words == [b""]


def test_a_negotiation_cut_short_is_no_failure_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def story(address: str, front: Stream) -> None:
        await talk(address, [wire.frame(Command.NEGOTIATE, b"short")], words=1)

    run(Listener(), story)

    assert caplog.messages == ["connection ended: what came is not the milter protocol"]


def test_what_follows_a_quit_was_never_said() -> None:
    pipeline = Listener()

    async def story(address: str, front: Stream) -> None:
        await talk(address, [wire.frame(Command.QUIT) + conversation()], words=1)

    run(pipeline, story)

    assert pipeline.messages == []


def test_what_comes_while_a_message_is_in_flight_is_bounded() -> None:
    may_go = asyncio.Event()

    async def wait(message: Message) -> Plan:
        await may_go.wait()
        return ACCEPTED

    async def story(address: str, front: Stream) -> None:
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
        writer.write(conversation())
        writer.write(bytes(3 * MAX_PACKET))
        with pytest.raises(ConnectionError):
            while await reader.read(4096):
                pass
            raise ConnectionResetError
        may_go.set()

    run(wait, story)


@pytest.mark.parametrize("awaited", ["message", "recipient"])
def test_what_an_mta_awaits_that_has_gone_is_given_up(awaited: str) -> None:
    inside = asyncio.Event()
    gave_up = asyncio.Event()

    async def wait(*_: object, **__: object) -> Any:
        inside.set()
        try:
            return await asyncio.Future()
        except asyncio.CancelledError:
            gave_up.set()
            raise

    async def story(address: str, front: Stream) -> None:
        _, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
        writer.write(to_three())
        await inside.wait()
        writer.close()
        async with asyncio.timeout(10):
            await gave_up.wait()
        assert front.gate.inside == 0

    run(wait, story, ask=wait if awaited == "recipient" else None)


def test_what_an_mta_that_hung_up_has_told_is_forgotten_at_once() -> None:
    async def story(address: str, front: Stream) -> None:
        _, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
        writer.write(conversation().removesuffix(wire.frame(Command.END_OF_MESSAGE)))
        async with asyncio.timeout(10):
            while not (alive := [weakref.ref(one) for one in gc.get_objects() if type(one) is Conversation]):
                await asyncio.sleep(0)
            writer.close()
            while any(one() for one in alive):
                await asyncio.sleep(0)

    gc.collect()  # what other tests left behind
    gc.disable()
    try:
        run(Listener(), story)
    finally:
        gc.enable()


def test_end_of_message_without_a_message_is_no_message_of_the_last_sender() -> None:
    pipeline = Listener()

    async def story(address: str, front: Stream) -> None:
        await talk(address, [conversation(), wire.frame(Command.END_OF_MESSAGE)], words=3)

    run(pipeline, story)

    assert pipeline.messages[1].envelope.recipients == ()


def test_a_front_that_has_no_descriptor_left_takes_connections_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.front.stream.PAUSE", 0.01)
    words: list[bytes] = []

    async def story(address: str, front: Stream) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket(socket.AF_UNIX) as mta:
            resource.setrlimit(resource.RLIMIT_NOFILE, (mta.fileno() + 1, before[1]))
            try:
                mta.connect(address.removeprefix("unix:"))
                async with asyncio.timeout(10):
                    while not caplog.messages:
                        await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            words.append(await talk(address, [conversation()], words=2))

    run(Listener(), story)

    assert words == [b"Oc"]
    assert set(caplog.messages) == {"cannot take connections error=Too many open files"}


@pytest.mark.parametrize("at_work", [0, 1])
def test_an_idle_worker_leaves_connections_to_one_that_is_at_work(
    at_work: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_idle_one: list[int] = []

    async def both() -> None:
        address = UnixAddress(f"{tmp_path}/front.sock")
        fronts = Stream(Milter()), Stream(Milter())
        listener = fronts[0].listen(address)
        doors = [listener.dup() for _ in fronts]
        await fronts[at_work].serve(Listener(), doors[at_work])
        async with await Connection.open(str(address), CLIENT, helo="x"):
            monkeypatch.setattr("tamis.front.stream.LEAVE", 60.0)  # else it comes back when the next one does
            await fronts[1 - at_work].serve(Listener(), doors[1 - at_work])
            for _ in range(20):
                async with await Connection.open(str(address), CLIENT, helo="x"):
                    of_the_idle_one.append(fronts[1 - at_work].connections)
        for one in fronts:
            one.leave()

    asyncio.run(both())

    assert of_the_idle_one == [0] * 20


def test_an_idle_worker_that_takes_a_connection_takes_those_that_wait_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def story(address: str, front: Stream) -> None:
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def note(delay: float, *rest: Any) -> asyncio.TimerHandle:
            pauses.append(delay)
            return call_later(delay, *rest)

        monkeypatch.setattr(loop, "call_later", note)
        mtas = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for mta in mtas:
            mta.connect(address.removeprefix("unix:"))
        while front.connections < len(mtas):
            await asyncio.sleep(0)
        for mta in mtas:
            mta.close()

    run(Listener(), story)

    assert pauses == [LEAVE]


def test_a_front_that_leaves_answers_what_it_has_and_takes_no_more() -> None:
    may_go = asyncio.Event()
    inside = asyncio.Event()
    verdicts: list[Verdict] = []

    async def wait(message: Message) -> Plan:
        inside.set()
        await may_go.wait()
        return ACCEPTED

    async def story(address: str, front: Stream) -> None:
        async with await Connection.open(address, CLIENT, helo="x") as mta:
            answer = asyncio.create_task(mta.send(ENVELOPE, RAW))
            await inside.wait()
            front.leave()
            with pytest.raises(MilterUnavailable):
                await Connection.open(address, CLIENT, helo="x")
            may_go.set()
            verdicts.append((await answer).verdict)

    run(wait, story)

    assert verdicts == [Verdict.ACCEPT]


def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "front.sock"))
    front = Stream(Milter(max_in_flight=1))

    with front.listen(address), pytest.raises(OSError, match="another process listens there"):
        front.listen(address)


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "front.sock"))
    front = Stream(Milter(max_in_flight=1))
    front.listen(address).close()

    with front.listen(address) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


async def turn_dave_away(envelope: Envelope, recipient: Recipient, *, turned_away: int) -> Reply | None:
    await asyncio.sleep(0)
    return Reply("452", "4.5.3", "later") if recipient.address.startswith("dave") else None


def to_three(steps: Steps = wire.ALL_STEPS) -> bytes:
    """Return all that an MTA would say of a message to three, if it did not wait for answers."""
    rcpt = wire.rcpt("bob@example.org", ["NOTIFY=NEVER"])
    three = rcpt + wire.rcpt("dave@example.org") + wire.rcpt("carol@example.org")
    return conversation(steps).replace(rcpt, three)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, len(to_three()) - 1), max_size=12).map(sorted),
    st.sampled_from((wire.ALL_STEPS, Steps(0))),
)
def test_what_follows_a_recipient_waits_for_the_answer_however_its_octets_are_cut(
    cuts: list[int], steps: Steps
) -> None:
    pipeline = Listener()
    octets = to_three(steps)
    pieces = [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    expected = b"Ocycc" if steps else b"Occccycccc"
    words: list[bytes] = []

    async def story(address: str, front: Stream) -> None:
        words.append(await talk(address, pieces, words=len(expected)))

    run(pipeline, story, ask=turn_dave_away)

    (message,) = pipeline.messages
    assert words == [expected]
    assert message.raw == b"Subject: hello\r\n\r\nHello\r\n"
    assert [one.address for one in message.envelope.recipients] == ["bob@example.org", "carol@example.org"]


@pytest.mark.parametrize(("before", "after"), [(turn_dave_away, None), (None, turn_dave_away)])
def test_a_connection_goes_on_as_it_began_when_asking_is_switched(
    before: Ask | None, after: Ask | None
) -> None:
    refused: list[tuple[tuple[str, str], ...]] = []
    both = replace(ENVELOPE, recipients=(Recipient("bob@example.org"), Recipient("dave@example.org")))

    async def story(address: str, front: Stream) -> None:
        async with await Connection.open(address, CLIENT, helo="x") as mta:
            front.ask = after
            refused.append((await mta.send(both, RAW)).refused)
        async with await Connection.open(address, CLIENT, helo="x") as mta:
            refused.append((await mta.send(both, RAW)).refused)

    run(Listener(), story, ask=before)

    assert [len(one) for one in refused] == [0, 1 if after else 0]
