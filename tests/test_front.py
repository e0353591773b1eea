"""The fronts: what the MTA tells arrives byte for byte, and every message gets an answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.servers.echo import Echo, echo
from tests.servers.ports import free_port

from tamis.message import Envelope, Recipient
from tamis.sandbox import wire
from tamis.sandbox.client import Answer, Client, Connection, Verdict, new_queue_id
from tamis.sandbox.section import Field, Section, split
from tamis.sandbox.wire import InsertField

ENVELOPE = Envelope(mail_from="anna@example.net", recipients=(Recipient("bob@example.org"),), queue_id="4XyZ")
CLIENT = Client(ip="192.0.2.7", name="mail.example.net")
RAW = b"From: anna@example.net\r\nSubject: hello\r\n\r\nHello\r\n"


FRONTS = ("stream", "libmilter")


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> Iterator[Echo]:
    with echo(request.param) as one:
        yield one


@pytest.fixture(scope="module", params=FRONTS)
def asking_front(request: pytest.FixtureRequest) -> Iterator[Echo]:
    with echo(request.param, {"defer_mixed": True}) as one:
        yield one


def send(
    front: Echo,
    *raws: bytes,
    envelope: Envelope = ENVELOPE,
    client: Client = CLIENT,
    helo: str = "mail.example.net",
) -> list[Answer]:
    """Send messages over one connection."""

    async def story() -> list[Answer]:
        async with await Connection.open(front.address, client, helo=helo) as mta:
            return [await mta.send(envelope, raw) for raw in raws]

    return asyncio.run(story())


def fields(answer: Answer) -> dict[bytes, bytes]:
    assert answer.verdict is Verdict.ACCEPT, answer
    return {one.name: one.value for one in answer.modifications if isinstance(one, InsertField)}


def digest(answer: Answer) -> str:
    return fields(answer)[b"X-Digest"].decode().strip()


def facts(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fields(answer)[b"X-Facts"])
    return found


NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1)
VALUE = st.binary(max_size=80).map(lambda value: value.translate(None, b"\0\r\n"))
FOLDED = st.lists(VALUE.filter(bytes.strip), min_size=1, max_size=4).map(b"\r\n\t".join)
FIELD = st.tuples(NAME.map(str.encode), st.sampled_from((b"", b" ", b"\t  ")), FOLDED).map(
    lambda parts: parts[0] + b":" + parts[1] + parts[2]
)
MESSAGE = st.tuples(st.lists(FIELD, min_size=1, max_size=8), st.binary(max_size=2000)).map(
    lambda parts: b"\r\n".join((*parts[0], b"", parts[1]))
)


@settings(max_examples=150, deadline=None)
@given(MESSAGE)
def test_message_survives_the_wire_byte_for_byte(front: Echo, raw: bytes) -> None:
    (answer,) = send(front, raw)

    assert digest(answer) == hashlib.sha256(split(raw).octets).hexdigest()


def test_body_of_many_chunks_survives(front: Echo) -> None:
    raw = b"Subject: big\r\n\r\n" + bytes(range(256)) * 4000

    (answer,) = send(front, raw)

    assert digest(answer) == hashlib.sha256(raw).hexdigest()


def test_field_as_long_as_postfix_allows_survives(front: Echo) -> None:
    raw = b"Subject: long\r\nX-Long: " + b"x" * 102_400 + b"\r\n\r\nHello\r\n"

    (answer,) = send(front, raw)

    assert digest(answer) == hashlib.sha256(raw).hexdigest()


def test_envelope_is_what_the_mta_said(front: Echo) -> None:
    envelope = Envelope(
        mail_from="anna@example.net",
        recipients=(Recipient("bob@example.org", ("NOTIFY=NEVER", "ORCPT=rfc822;b@example.org")),),
        queue_id="4XyZ",
        auth_user="anna",
        mail_parameters=("SIZE=100", "BODY=8BITMIME"),
    )
    client = Client(ip="2001:db8::7", name="mail.example.net", daemon_name="ORIGINATING")

    (answer,) = send(front, RAW, envelope=envelope, client=client, helo="helo.example.net")

    found = facts(answer)
    del found["names"]
    assert found == {
        "mail_from": "anna@example.net",
        "recipients": [
            {
                "address": "bob@example.org",
                "parameters": ["NOTIFY=NEVER", "ORCPT=rfc822;b@example.org"],
                "resolved": "bob@example.org",
            }
        ],
        "client_ip": "2001:db8::7",
        "client_name": "mail.example.net",
        "helo": "helo.example.net",
        "queue_id": "4XyZ",
        "auth_user": "anna",
        "daemon_name": "ORIGINATING",
        "mta_name": "mx.example.org",
        "mail_parameters": ["SIZE=100", "BODY=8BITMIME"],
    }


def test_messages_of_one_connection_do_not_mix(front: Echo) -> None:
    other = b"Subject: other\r\n\r\nOther\r\n"

    answers = send(front, RAW, other, RAW)

    assert [digest(one) for one in answers] == [hashlib.sha256(raw).hexdigest() for raw in (RAW, other, RAW)]


def test_aborted_message_leaves_nothing_behind(front: Echo) -> None:
    async def story() -> Answer:
        async with await Connection.open(front.address, CLIENT, helo="x") as mta:
            await mta.mail("lost@example.net", auth_user="lost")
            await mta.rcpt(Recipient("lost@example.org"))
            mta.abort()
            return await mta.send(ENVELOPE, RAW)

    answer = asyncio.run(story())

    assert digest(answer) == hashlib.sha256(RAW).hexdigest()
    assert facts(answer)["auth_user"] is None


def test_field_name_that_is_not_utf8_keeps_its_place(front: Echo) -> None:
    names = (
        b"Subject",
        b"X-\xe9t\xe9",
        b"X-Last",
    )  # as Sendmail passes them on; Postfix begins the body there
    section = Section(tuple(Field(name, name + b": value\r\n") for name in names), b"\r\n", b"Hello\r\n")

    async def story() -> Answer:
        async with await Connection.open(front.address, CLIENT, helo="x") as mta:
            await mta.mail("anna@example.net")
            await mta.rcpt(Recipient("bob@example.org"))
            return await mta.message(section)

    answer = asyncio.run(story())

    assert facts(answer)["names"] == ["Subject", "X-\udce9t\udce9", "X-Last"]


def test_helo_name_that_is_not_utf8_is_no_obstacle(front: Echo) -> None:
    (answer,) = send(front, RAW, helo="\udce9t\udce9")

    assert facts(answer)["helo"] == "\udce9t\udce9"


def test_client_without_address_and_name_is_no_obstacle(front: Echo) -> None:
    (answer,) = send(front, RAW, client=Client(ip=None, name="localhost"))

    assert facts(answer)["client_ip"] in (None, "unknown")


def test_address_in_utf8_survives(front: Echo) -> None:
    envelope = Envelope(mail_from="", recipients=(Recipient("jürgen@example.org"),), queue_id="4XyZ")

    (answer,) = send(front, RAW, envelope=envelope)

    address = "jürgen@example.org"
    assert facts(answer)["recipients"] == [{"address": address, "parameters": [], "resolved": address}]


def test_failed_pipeline_is_a_tempfail_and_its_words_are_kept_out_of_the_log(front: Echo) -> None:
    (answer,) = send(front, b"Subject: raise secret\r\n\r\nHello\r\n")

    assert answer.reply is not None
    assert answer.reply.startswith("451 4.7.1 ")
    assert "secret" not in front.log()


@pytest.mark.parametrize("name", FRONTS)
def test_messages_beyond_the_limit_are_tempfailed_at_once_and_others_go_on(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    folder.mkdir()

    async def story(front: Echo) -> tuple[list[Verdict], list[Verdict]]:
        async def one(raw: bytes) -> Verdict:
            async with await Connection.open(front.address, CLIENT, helo="x") as mta:
                return (await mta.send(replace(ENVELOPE, queue_id=new_queue_id()), raw)).verdict

        inside: list[asyncio.Task[Verdict]] = []
        while len(inside) < 4:
            inside.append(asyncio.create_task(one(f"Subject: wait {folder}\r\n\r\n".encode())))
            while len(list(folder.iterdir())) < len(inside):
                await asyncio.sleep(0.01)
        beyond = [await one(RAW), await one(RAW)]
        shutil.rmtree(folder)
        return beyond, [*await asyncio.gather(*inside), await one(RAW)]

    with echo(name, {"max_in_flight": 4}) as front:
        beyond, others = asyncio.run(story(front))

    assert beyond == [Verdict.TEMPFAIL] * 2
    assert others == [Verdict.ACCEPT] * 5


def test_mta_that_offers_no_quiet_steps_gets_its_answers(front: Echo) -> None:
    old = wire.Options(steps=wire.Steps(0))

    async def story() -> bytes:
        reader, writer = await asyncio.open_unix_connection(front.address.removeprefix("unix:"))
        writer.write(wire.negotiate(old))
        decoder = wire.Decoder()
        writer.write(wire.connect("mail.example.net", "192.0.2.7", 25) + wire.helo("x"))
        frames: list[tuple[bytes, bytes]] = []
        while len(frames) < 3:
            frames += decoder.feed(await reader.read(4096))
        writer.close()
        return b"".join(word for word, _ in frames)

    assert asyncio.run(story()) == b"Occ"


def test_answers_on_inet_are_not_held_back() -> None:
    program = """
import socket
from tamis.address import InetAddress
from tamis.config import Milter
from tamis.front.libmilter import Libmilter
listener = Libmilter(Milter()).listen(InetAddress("127.0.0.1", %d))
print(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
"""

    done = subprocess.run([sys.executable, "-c", program % free_port()], capture_output=True, text=True)

    assert done.stdout == "1\n", done.stderr


HEAPS = """
import ctypes, os, sys, threading
from tamis.front.library import keep_one_heap
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
if sys.argv[1] == "one":
    keep_one_heap()
barrier = threading.Barrier(8)
threads = [threading.Thread(target=lambda: (bytearray(100_000), barrier.wait())) for _ in range(8)]
[one.start() for one in threads], [one.join() for one in threads]
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.parametrize(("how", "expected"), [("one", True), ("many", False)])
def test_threads_of_libmilter_share_one_heap(how: str, expected: bool) -> None:
    told = subprocess.run([sys.executable, "-c", HEAPS, how], stdout=subprocess.PIPE, check=True).stdout

    assert (told.count(b"<heap ") == 1) is expected


def to(*names: str) -> Envelope:
    return replace(ENVELOPE, recipients=tuple(Recipient(f"{name}@example.org") for name in names))


def test_a_recipient_who_is_turned_away_is_none_of_the_messages(asking_front: Echo) -> None:
    (answer,) = send(asking_front, RAW, envelope=to("bob", "later", "carol", "later2"))

    start = "452 4.5.3 4XyZ: anna@example.net to bob@example.org"
    assert dict(answer.refused) == {
        "later@example.org": f"{start} and later@example.org, 0 turned away, 100%",
        "later2@example.org": f"{start},carol@example.org and later2@example.org, 1 turned away, 100%",
    }
    assert [one["address"] for one in facts(answer)["recipients"]] == ["bob@example.org", "carol@example.org"]
    assert digest(answer) == hashlib.sha256(RAW).hexdigest()


def test_the_next_message_has_turned_nobody_away(asking_front: Echo) -> None:
    answers = send(asking_front, RAW, RAW, envelope=to("bob", "later"))

    assert answers[0] == answers[1]
    assert " 0 turned away" in answers[1].refused[0][1]


def test_nobody_is_turned_away_where_the_front_does_not_ask(front: Echo) -> None:
    (answer,) = send(front, RAW, envelope=to("bob", "later"))

    assert answer.refused == ()


def test_a_recipient_about_whom_the_pipeline_failed_comes_again_and_others_go_on(asking_front: Echo) -> None:
    (answer,) = send(asking_front, RAW, envelope=to("bob", "raise", "carol"))

    ((_, reply),) = answer.refused
    assert reply.startswith("451 4.7.1 ")
    assert [one["address"] for one in facts(answer)["recipients"]] == ["bob@example.org", "carol@example.org"]
    assert "pipeline failed error=ValueError" in asking_front.log()
    assert "raise@" not in asking_front.log()


HELLO = wire.connect("mail.example.net", "192.0.2.7", 25) + wire.helo("x") + wire.mail("anna@example.net")
TWO = HELLO + wire.rcpt("bob@example.org") + wire.rcpt("later@example.org")
NEXT_SESSION = b"\0\0\0\1K"  # SMFIC_QUIT_NC


@pytest.mark.parametrize(
    ("steps", "told", "expected"),
    [(wire.ALL_STEPS, TWO + NEXT_SESSION + TWO, b"Ocycy"), (wire.Steps(0), TWO, b"Occccy")],
    ids=["two sessions", "without quiet steps"],
)
def test_each_recipient_is_answered(
    asking_front: Echo, steps: wire.Steps, told: bytes, expected: bytes
) -> None:
    async def story() -> bytes:
        reader, writer = await asyncio.open_unix_connection(asking_front.address.removeprefix("unix:"))
        writer.write(wire.negotiate(wire.Options(steps=steps)) + told)
        decoder = wire.Decoder()
        frames: list[tuple[bytes, bytes]] = []
        while len(frames) < len(expected) and (received := await reader.read(4096)):
            frames += decoder.feed(received)
        writer.close()
        return b"".join(word for word, _ in frames)

    assert asyncio.run(story()) == expected
