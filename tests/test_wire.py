"""The sandbox's side of the milter protocol: frames, events, client and edits."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.servers.filter import CONTINUE, Filter, running

from tamis.message import Envelope, Recipient
from tamis.sandbox import wire
from tamis.sandbox.client import Answer, Client, Connection, MilterUnavailable, Verdict
from tamis.sandbox.edit import apply
from tamis.sandbox.section import split
from tamis.sandbox.wire import (
    AddField,
    AddRecipient,
    ChangeField,
    Command,
    InsertField,
    Modification,
    Options,
    ProtocolError,
    RemoveRecipient,
    Response,
    Stage,
    Steps,
)

RAW = b"From: anna@example.net\r\nSubject:  two\r\n\tlines\r\nTo:bob@example.org\r\n\r\nHello\r\n"
BOB = Recipient("bob@example.org")
CAROL = Recipient("carol@example.org")
ENVELOPE = Envelope(mail_from="anna@example.net", recipients=(BOB, CAROL), queue_id="4XyZ")
QUIET = frozenset((Command.CONNECT, Command.HELO, Command.MAIL, Command.RCPT, Command.HEADER, Command.BODY))
QUIET_STEPS = (
    Steps.QUIET_CONNECT
    | Steps.QUIET_HELO
    | Steps.QUIET_MAIL
    | Steps.QUIET_RCPT
    | Steps.QUIET_HEADER
    | Steps.QUIET_BODY
    | Steps.NO_DATA
    | Steps.NO_END_OF_HEADER
    | Steps.LEADING_SPACE
)


def exchange(
    one: Filter, folder: Path, raws: Sequence[bytes] = (RAW,), *, envelope: Envelope = ENVELOPE
) -> list[Answer]:
    """Send messages over one connection to a filter, and return its answers."""

    async def story() -> list[Answer]:
        async with running(one, folder), await Connection.open(one.address, helo="mail.example.net") as mta:
            return [await mta.send(envelope, raw) for raw in raws]

    return asyncio.run(story())


def strings(*parts: bytes) -> bytes:
    return b"".join(part + b"\0" for part in parts)


# Frames


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_frames_survive_any_cutting_of_the_stream(payloads: list[bytes], step: int) -> None:
    stream = b"".join(wire.frame(Command.BODY, payload) for payload in payloads)

    decoder = wire.Decoder()
    found = [one for at in range(0, len(stream), step) for one in decoder.feed(stream[at : at + step])]

    assert found == [(b"B", payload) for payload in payloads]


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_impossible_frame_length_is_an_error(length: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.Decoder().feed(length + b"c")


def test_negotiation_carries_lists_of_macros() -> None:
    offer = Options(macros={Stage.CONNECT: ("j",), Stage.MAIL: ("{auth_authen}", "i")})

    ((_, payload),) = wire.Decoder().feed(wire.negotiate(offer))

    assert wire.options(payload) == offer


def test_percent_signs_of_a_reply_are_halved() -> None:
    assert wire.reply(b"550 5.7.1 100%% spam\0") == "550 5.7.1 100% spam"


@pytest.mark.parametrize("payload", [b"250 ok\0", b"5x0 no\0", b""])
def test_reply_that_refuses_nothing_is_an_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.reply(payload)


def test_connect_tells_family_port_and_address() -> None:
    assert wire.connect("mx.example.net", "192.0.2.7", 25)[5:] == b"mx.example.net\x004\x00\x19192.0.2.7\x00"
    assert wire.connect("localhost", "2001:db8::1", 25)[5:] == b"localhost\x006\x00\x192001:db8::1\x00"
    assert wire.connect("localhost", None, 25)[5:] == b"localhost\x00U"


# Cutting messages


@given(st.binary())
def test_any_message_with_an_empty_line_is_put_together_again(octets: bytes) -> None:
    raw = b"Subject: x\r\n " + octets.replace(b"\n", b"\n ") + b"\r\n\r\n" + octets

    assert split(raw).octets == raw


def test_body_without_an_empty_line_gets_one() -> None:
    section = split(b"Subject: x\r\nno field\r\n")

    assert section.octets == b"Subject: x\r\n\r\nno field\r\n"


def test_field_value_keeps_its_space_and_folds() -> None:
    assert [(one.name, one.value) for one in split(RAW).fields] == [
        (b"From", b" anna@example.net"),
        (b"Subject", b"  two\n\tlines"),
        (b"To", b"bob@example.org"),
    ]


# What the filter is told


def test_dialogue_is_told_in_its_order(tmp_path: Path) -> None:
    one = Filter()

    exchange(one, tmp_path)

    said = [command for command, _ in one.commands if command is not Command.MACRO]
    assert said == [
        Command.NEGOTIATE,
        Command.CONNECT,
        Command.HELO,
        Command.MAIL,
        Command.RCPT,
        Command.RCPT,
        Command.DATA,
        Command.HEADER,
        Command.HEADER,
        Command.HEADER,
        Command.END_OF_HEADER,
        Command.BODY,
        Command.END_OF_MESSAGE,
        Command.ABORT,
        Command.QUIT,
    ]


def test_space_behind_the_colon_is_kept_where_negotiated(tmp_path: Path) -> None:
    one = Filter(Options(steps=Steps.LEADING_SPACE))

    exchange(one, tmp_path)

    assert one.told(Command.HEADER)[0] == strings(b"From", b" anna@example.net")


def test_one_space_behind_the_colon_is_dropped_else(tmp_path: Path) -> None:
    one = Filter()

    exchange(one, tmp_path)

    assert one.told(Command.HEADER)[1] == strings(b"Subject", b" two\n\tlines")


def test_commands_that_await_no_answer_go_out_in_one_write(tmp_path: Path) -> None:
    one = Filter(Options(steps=QUIET_STEPS), quiet=QUIET)

    exchange(one, tmp_path)

    negotiation, everything, goodbye = one.writes
    assert (negotiation, goodbye) == (1, 2)  # the latter: abort and quit
    assert everything == len(one.commands) - 3


def test_unwanted_commands_are_not_told(tmp_path: Path) -> None:
    one = Filter(Options(steps=Steps.NO_DATA | Steps.NO_HELO | Steps.NO_BODY | Steps.NO_END_OF_HEADER))

    exchange(one, tmp_path)

    for command in (Command.DATA, Command.HELO, Command.BODY, Command.END_OF_HEADER):
        assert one.told(command) == []


def test_queue_id_is_told_once_a_recipient_is_taken(tmp_path: Path) -> None:
    one = Filter()

    exchange(one, tmp_path)

    assert "i" not in one.macros(Command.MAIL)[0]
    assert [told.get("i") for told in one.macros(Command.RCPT)] == [None, "4XyZ"]
    assert one.macros(Command.DATA) == one.macros(Command.END_OF_MESSAGE) == [{"i": "4XyZ"}]


def test_filter_chooses_its_macros(tmp_path: Path) -> None:
    one = Filter(Options(steps=Steps(0), macros={Stage.MAIL: ("{auth_authen}", "j", "{client_addr}")}))

    exchange(one, tmp_path, envelope=Envelope(auth_user="anna", recipients=(BOB,)))

    chosen = {"{auth_authen}": "anna", "j": "mx.example.org", "{client_addr}": "192.0.2.25"}
    assert one.macros(Command.MAIL) == [chosen]
    assert one.macros(Command.RCPT)[0]["{rcpt_addr}"] == "bob@example.org"


def test_unknown_client_is_named_by_his_address(tmp_path: Path) -> None:
    one = Filter()

    exchange(one, tmp_path)

    assert one.told(Command.CONNECT)[0].startswith(b"[192.0.2.25]\0")


def test_envelope_parameters_are_told(tmp_path: Path) -> None:
    one = Filter()
    recipients = (Recipient("bob@example.org", ("NOTIFY=NEVER",)),)
    envelope = Envelope(mail_from="zoë@example.net", mail_parameters=("SMTPUTF8",), recipients=recipients)

    exchange(one, tmp_path, envelope=envelope)

    assert one.told(Command.MAIL) == [strings("<zoë@example.net>".encode(), b"SMTPUTF8")]
    assert one.told(Command.RCPT) == [strings(b"<bob@example.org>", b"NOTIFY=NEVER")]


@given(st.binary(max_size=200).map(lambda body: body * 2000))
@settings(max_examples=20, deadline=None)
def test_body_survives_the_wire_byte_for_byte(body: bytes) -> None:
    one = Filter(Options(steps=QUIET_STEPS), quiet=QUIET)

    with tempfile.TemporaryDirectory() as folder:
        exchange(one, Path(folder), [b"Subject: x\r\n\r\n" + body])

    chunks = one.told(Command.BODY)
    assert b"".join(chunks) == body
    assert all(len(chunk) == wire.CHUNK for chunk in chunks[:-1])


# What the filter answers


def test_end_of_message_carries_modifications_and_verdict(tmp_path: Path) -> None:
    octets = (
        wire.frame(Response.INSERT_FIELD, b"\0\0\0\0" + strings(b"X-A", b"1"))
        + wire.frame(Response.PROGRESS)
        + wire.frame(Response.ADD_RECIPIENT_WITH_PARAMETERS, strings(b"<d@example.org>", b"NOTIFY=NEVER"))
        + wire.frame(Response.ACCEPT)
    )
    one = Filter(answers={Command.END_OF_MESSAGE: [octets]})

    (answer,) = exchange(one, tmp_path)

    changes = (InsertField(0, b"X-A", b" 1"), AddRecipient("d@example.org", ("NOTIFY=NEVER",)))
    assert answer == Answer(Verdict.ACCEPT, modifications=changes)


@pytest.mark.parametrize(
    ("octets", "verdict", "reply"),
    [
        (wire.frame(Response.REJECT), Verdict.REJECT, "550 5.7.1 Command rejected"),
        (wire.frame(Response.TEMPFAIL), Verdict.TEMPFAIL, "451 4.7.1 Service unavailable - try again later"),
        (wire.frame(Response.DISCARD), Verdict.DISCARD, None),
        (wire.frame(Response.REPLY, b"550 5.7.1 No\0"), Verdict.REJECT, "550 5.7.1 No"),
        (wire.frame(Response.REPLY, b"451 4.7.1 Later\0"), Verdict.TEMPFAIL, "451 4.7.1 Later"),
    ],
)
def test_decision_becomes_verdict_and_reply(
    octets: bytes, verdict: Verdict, reply: str | None, tmp_path: Path
) -> None:
    one = Filter(answers={Command.END_OF_MESSAGE: [octets]})

    (answer,) = exchange(one, tmp_path)

    assert (answer.verdict, answer.reply) == (verdict, reply)


def test_refused_recipient_is_refused_alone(tmp_path: Path) -> None:
    refusal = wire.frame(Response.REPLY, b"452 4.5.3 Come again\0")
    one = Filter(answers={Command.RCPT: [CONTINUE, refusal]})

    (answer,) = exchange(one, tmp_path)

    assert answer == Answer(Verdict.ACCEPT, refused=(("carol@example.org", "452 4.5.3 Come again"),))


def test_message_ends_where_every_recipient_is_refused(tmp_path: Path) -> None:
    one = Filter(answers={Command.RCPT: [wire.frame(Response.REJECT)] * 2})

    (answer,) = exchange(one, tmp_path)

    assert answer.verdict is Verdict.REJECT
    assert one.told(Command.END_OF_MESSAGE) == []


def test_message_accepted_at_mail_is_not_told_further(tmp_path: Path) -> None:
    one = Filter(answers={Command.MAIL: [wire.frame(Response.ACCEPT)]})

    answers = exchange(one, tmp_path, [RAW, RAW])

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPT] * 2
    assert len(one.told(Command.END_OF_MESSAGE)) == 1


def test_skipped_chunks_are_not_told(tmp_path: Path) -> None:
    one = Filter(answers={Command.BODY: [wire.frame(Response.SKIP)]})

    exchange(one, tmp_path, [b"Subject: x\r\n\r\n" + bytes(4 * wire.CHUNK)])

    assert len(one.told(Command.BODY)) == 1
    assert len(one.told(Command.END_OF_MESSAGE)) == 1


def test_several_messages_go_over_one_connection(tmp_path: Path) -> None:
    one = Filter()

    answers = exchange(one, tmp_path, [RAW] * 3)

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPT] * 3
    assert len(one.told(Command.CONNECT)) == 1


def test_filter_that_hangs_up_is_unavailable(tmp_path: Path) -> None:
    async def story() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_unix_server(hang_up, tmp_path / "s")
        async with server:
            await Connection.open(f"unix:{tmp_path}/s")

    with pytest.raises(MilterUnavailable):
        asyncio.run(story())


def test_absent_filter_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(MilterUnavailable):
        asyncio.run(Connection.open(f"unix:{tmp_path}/nobody", Client()))


def test_full_queue_of_connections_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def story(listener: socket.socket) -> bytes:
        opening = asyncio.create_task(Connection.open(f"unix:{path}"))
        await asyncio.sleep(0)
        (await asyncio.to_thread(listener.accept))[0].close()
        filter_side, _ = await asyncio.to_thread(listener.accept)
        with filter_side:
            said = await asyncio.to_thread(filter_side.recv, 1000)
        with pytest.raises(MilterUnavailable):
            await opening
        return said

    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(path)
        listener.listen(0)
        listener.settimeout(10)
        other.connect(path)
        assert asyncio.run(story(listener)) == wire.negotiate(Options())


# Edits


def edited(*modifications: Modification, raw: bytes = RAW, received: bytes = b"") -> bytes:
    return apply(raw, (BOB, CAROL), modifications, received=received)[0]


@given(st.binary().map(lambda octets: b"Subject: x\r\n\r\n" + octets))
def test_message_without_modifications_stays_the_same(raw: bytes) -> None:
    assert edited(raw=raw) == raw


def test_field_is_inserted_on_top() -> None:
    assert edited(InsertField(0, b"X-A", b" 1\n\t2")) == b"X-A: 1\r\n\t2\r\n" + RAW


def test_field_0_goes_above_the_own_trace_and_field_1_below() -> None:
    received = b"Received: here\r\n"

    message = edited(InsertField(0, b"X-A", b" 1"), received=received)
    assert message == b"X-A: 1\r\n" + received + RAW
    message = edited(InsertField(1, b"X-A", b" 1"), received=received)
    assert message == received + b"X-A: 1\r\n" + RAW


def test_field_is_added_at_the_end_of_the_header_section() -> None:
    head, _, body = RAW.partition(b"\r\n\r\n")

    assert edited(AddField(b"X-A", b" 1")) == head + b"\r\nX-A: 1\r\n\r\n" + body


def test_named_occurrence_is_removed_and_no_other() -> None:
    raw = b"X-A: 1\r\nx-a : 2\r\nX-AB: 3\r\nX-A:4\r\n\r\n"

    assert edited(ChangeField(2, b"X-A", b""), raw=raw) == b"X-A: 1\r\nX-AB: 3\r\nX-A:4\r\n\r\n"
    assert edited(ChangeField(4, b"X-A", b""), raw=raw) == raw


def test_occurrences_count_anew_after_each_removal() -> None:
    raw = b"X-A: 1\r\nX-A: 2\r\nX-A: 3\r\n\r\n"

    left = edited(ChangeField(1, b"X-A", b""), ChangeField(2, b"X-A", b""), raw=raw)

    assert left == b"X-A: 2\r\n\r\n"


def test_folded_field_is_replaced_whole() -> None:
    assert b"Subject: three\r\nTo:" in edited(ChangeField(1, b"subject", b" three")).replace(
        b"subject", b"Subject"
    )


def test_own_trace_is_not_counted_as_an_occurrence() -> None:
    raw = b"Received: there\r\n" + RAW

    message = edited(ChangeField(1, b"Received", b""), raw=raw, received=b"Received: here\r\n")

    assert message == b"Received: here\r\n" + RAW


def test_own_trace_stays_hidden_below_an_inserted_field() -> None:
    changes = (InsertField(0, b"X-A", b" 1"), ChangeField(1, b"X-A", b""), ChangeField(1, b"Received", b""))

    assert edited(*changes, received=b"Received: here\r\n") == b"Received: here\r\n" + RAW


def test_added_field_can_be_changed() -> None:
    head, _, body = RAW.partition(b"\r\n\r\n")

    message = edited(AddField(b"X-A", b" 1"), ChangeField(1, b"X-A", b" 2"))

    assert message == head + b"\r\nX-A: 2\r\n\r\n" + body


def test_recipients_are_removed_and_added_once() -> None:
    changes = (
        RemoveRecipient("bob@example.org"),
        AddRecipient("d@example.org"),
        AddRecipient("d@example.org"),
    )

    _, recipients = apply(RAW, (BOB, CAROL), changes)

    assert recipients == (CAROL, Recipient("d@example.org"))
