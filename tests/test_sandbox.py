"""The sandbox's SMTP server: what the milter is told, what clients are told, what arrives in Maildirs."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers.filter import CONTINUE, Filter, running
from tests.servers.smtp import Reply, connection

from tamis.preferences import Member, Preferences, Resolution
from tamis.sandbox import wire
from tamis.sandbox.maildir import Mailbox, Maildirs
from tamis.sandbox.samples import LIST, eicar, load
from tamis.sandbox.server import Server, Settings
from tamis.sandbox.wire import Command, Response

SAMPLES = Path(__file__).parent / "samples"
RAW = b"From: pat@example.net\r\nSubject: hello\r\n\r\nHello.\r\n"
CLIENT = "192.0.2.25"


class Names:
    """A directory of accounts, one alias to the outside, and one group."""

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return who is behind each address."""
        return [Resolution(address, self._members(address)) for address in addresses]

    async def account(self, address: str) -> str | None:
        """Return the account of an address."""
        return address

    def _members(self, address: str) -> tuple[Member, ...]:
        local = address.partition("@")[0].partition("+")[0]
        match local:
            case "away":
                return (Member(None, Preferences(), local=False, address="bob@example.net"),)
            case "team":
                return tuple(_member(name) for name in ("anna", "bob"))
            case "nobody":
                return (Member(None, Preferences(), local=True, address=address),)
            case _:
                return (_member(local),)


def _member(name: str) -> Member:
    return Member(f"{name}@example.org", Preferences(), local=True, address=f"{name}@example.org")


@dataclass
class Sandbox:
    """A running server with a milter made of bytes."""

    filter: Filter
    root: Path
    port: int = 0
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, raw: bytes, *to: str, user: str | None = None, options: Sequence[str] = ()) -> Reply:
        """Send a message over a connection of its own."""
        with connection(self.port, client=None, user=user) as client:
            return client.send(raw, *to, options=options)

    def mail(self, folder: str) -> list[bytes]:
        """Return the messages in a Maildir below the root, without what stands above From."""
        texts = [path.read_bytes() for path in sorted((self.root / folder / "new").glob("*"))]
        return [text[text.index(b"From: pat") :] for text in texts]


@contextmanager
def sandbox(one: Filter, folder: Path, *, max_message: int = 10**6, keep: bool = True) -> Iterator[Sandbox]:
    """Run a server in a thread of its own."""
    started = threading.Event()
    box = Sandbox(one, folder / "mail")

    async def serve() -> None:
        async with running(one, folder):
            settings = Settings(
                milter=one.address,
                domains=("example.org",),
                delimiter="+",
                max_message=max_message,
                name="mx.example.org",
                maildir=box.root if keep else None,
                client_ip=CLIENT,
            )
            server = Server(settings, Names())
            async with await server.listen("127.0.0.1", 0) as listening:
                box.port = listening.sockets[0].getsockname()[1]
                loop.append(asyncio.get_running_loop())
                started.set()
                await box.stop.wait()
            await server.close()

    loop: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(10)
    try:
        yield box
    finally:
        loop[0].call_soon_threadsafe(box.stop.set)
        thread.join(10)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(Filter(), tmp_path) as one:
        yield one


def answer(*frames: bytes) -> Filter:
    """Return a filter that answers the end of message so."""
    return Filter(answers={Command.END_OF_MESSAGE: [b"".join(frames)]})


# What the milter is told


def test_milter_is_told_the_whole_message(box: Sandbox) -> None:
    box.send(RAW, "bob@example.org")

    assert box.filter.told(Command.HELO) == [b"localhost\0"]
    assert box.filter.told(Command.MAIL) == [b"<pat@example.net>\0"]
    assert box.filter.told(Command.RCPT) == [b"<bob@example.org>\0"]
    assert box.filter.told(Command.BODY) == [b"Hello.\r\n"]


def test_milter_is_told_the_address_that_stands_for_all(box: Sandbox) -> None:
    box.send(RAW, "bob@example.org")

    assert box.filter.told(Command.CONNECT)[0].endswith(CLIENT.encode() + b"\0")


def test_milter_is_told_who_has_authenticated(box: Sandbox) -> None:
    box.send(RAW, "pat@example.net", user="anna@example.org")

    assert box.filter.macros(Command.MAIL)[0]["{auth_authen}"] == "anna@example.org"


def test_milter_is_told_parameters_and_other_scripts(box: Sandbox) -> None:
    with smtplib.SMTP("127.0.0.1", box.port) as client:
        client.ehlo()
        client.command_encoding = "utf-8"
        client.docmd("MAIL FROM:<zoë@example.net> SMTPUTF8 BODY=8BITMIME RET=HDRS")
        client.docmd("RCPT TO:<bob@example.org> NOTIFY=NEVER ORCPT=rfc822;Bob@example.org")
        client.data(RAW)

    sender = "<zoë@example.net>".encode()
    assert box.filter.told(Command.MAIL) == [
        b"\0".join((sender, b"SMTPUTF8", b"BODY=8BITMIME", b"RET=HDRS", b""))
    ]
    assert box.filter.told(Command.RCPT) == [
        b"<bob@example.org>\0NOTIFY=NEVER\0ORCPT=rfc822;Bob@example.org\0"
    ]


def test_milter_is_told_of_the_null_sender(box: Sandbox) -> None:
    with connection(box.port, client=None) as client:
        client.send(RAW, "bob@example.org", sender="")

    assert box.filter.told(Command.MAIL) == [b"<>\0"]


def test_milter_is_told_of_a_message_given_up(box: Sandbox) -> None:
    with connection(box.port, client=None) as client:
        client.begin("bob@example.org")
        client.reset()
        client.send(RAW, "bob@example.org")

    said = [command for command, _ in box.filter.commands if command is not Command.MACRO]
    assert said[3:6] == [Command.MAIL, Command.RCPT, Command.ABORT]
    assert len(box.filter.told(Command.END_OF_MESSAGE)) == 1


def test_several_messages_use_one_milter_connection(box: Sandbox) -> None:
    with connection(box.port, client=None) as client:
        client.send(RAW, "bob@example.org")
        client.send(RAW, "bob@example.org")

    assert len(box.filter.told(Command.CONNECT)) == 1
    assert len(box.filter.told(Command.END_OF_MESSAGE)) == 2


# What clients are told


def test_refusal_of_the_milter_reaches_the_client(tmp_path: Path) -> None:
    refusal = wire.frame(Response.REPLY, b"550 5.7.1 100%% malware [01X]\0")

    with sandbox(answer(refusal), tmp_path) as box:
        reply = box.send(RAW, "bob@example.org")

    assert reply == Reply(550, "5.7.1 100% malware [01X]")
    assert not box.root.exists()


def test_refused_recipient_alone_is_refused(tmp_path: Path) -> None:
    later = wire.frame(Response.REPLY, b"452 4.5.3 Later\0")
    one = Filter(answers={Command.RCPT: [CONTINUE, later]})

    with sandbox(one, tmp_path) as box, smtplib.SMTP("127.0.0.1", box.port) as client:
        refused = client.sendmail("pat@example.net", ["bob@example.org", "anna@example.org"], RAW)

    assert refused == {"anna@example.org": (452, b"4.5.3 Later")}


def test_relaying_for_strangers_is_denied(box: Sandbox) -> None:
    assert box.send(RAW, "pat@example.net") == Reply(554, "5.7.1 <pat@example.net>: Relay access denied")


def test_larger_message_than_allowed_is_refused(tmp_path: Path) -> None:
    with sandbox(Filter(), tmp_path, max_message=10_000) as box:
        reply = box.send(RAW + bytes(10_000), "bob@example.org")

    assert reply.code == 552


def test_without_milter_mail_is_deferred(tmp_path: Path) -> None:
    with sandbox(Filter(), tmp_path) as box:
        box.filter.address = ""
        (tmp_path / "filter.sock").rename(tmp_path / "elsewhere")
        reply = box.send(RAW, "bob@example.org")
        (tmp_path / "elsewhere").rename(tmp_path / "filter.sock")
        again = box.send(RAW, "bob@example.org")

    assert reply == Reply(451, "4.7.1 Service unavailable - try again later")
    assert again.code == 250


def test_milter_that_dies_at_the_message_defers_it(tmp_path: Path) -> None:
    garbage = b"\xff\xff\xff\xff"

    with sandbox(answer(garbage), tmp_path) as box:
        reply = box.send(RAW, "bob@example.org")

    assert reply.code == 451


# What arrives


@pytest.mark.parametrize(
    "body",
    [b"Hello.\r\n", b".\r\n..\r\n", b"x" * 300_000 + b"\r\n", b"a\0b\xff\x80\r\n", b"\r\n\r\n", b""],
    ids=["plain", "dots", "long line", "binary", "empty lines", "empty"],
)
def test_message_arrives_byte_for_byte(body: bytes, box: Sandbox) -> None:
    raw = b"From: pat@example.net\r\nSubject:x\r\n\tfolded \r\n\r\n" + body

    with smtplib.SMTP("127.0.0.1", box.port) as client:
        client.ehlo()
        client.docmd("MAIL FROM:<pat@example.net> BODY=8BITMIME")
        client.docmd("RCPT TO:<bob@example.org>")
        client.docmd("DATA")
        client.send(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        client.getreply()

    assert box.mail("bob@example.org") == [raw.replace(b"\r\n", b"\n")]


def test_trace_stands_on_top_and_inserted_fields_below_the_delivery(tmp_path: Path) -> None:
    mark = wire.frame(Response.INSERT_FIELD, b"\0\0\0\0X-Spam-Flag\0YES\0")

    with sandbox(answer(mark, CONTINUE), tmp_path) as box:
        box.send(RAW, "bob@example.org")

    (path,) = (box.root / "bob@example.org" / "new").iterdir()
    lines = path.read_bytes().splitlines()
    assert lines[:3] == [
        b"Return-Path: <pat@example.net>",
        b"Delivered-To: bob@example.org",
        b"X-Spam-Flag: YES",
    ]
    assert lines[3].startswith(b"Received: from localhost ([192.0.2.25])")


def test_detail_is_a_folder(tmp_path: Path) -> None:
    file = wire.frame(Response.REMOVE_RECIPIENT, b"<bob@example.org>\0") + wire.frame(
        Response.ADD_RECIPIENT_WITH_PARAMETERS, b"<bob+junk@example.org>\0NOTIFY=NEVER\0"
    )

    with sandbox(answer(file, CONTINUE), tmp_path) as box:
        box.send(RAW, "bob@example.org")

    assert box.mail("bob@example.org/.junk") == [RAW.replace(b"\r\n", b"\n")]
    assert box.mail("bob@example.org") == []


@pytest.mark.parametrize(
    ("recipient", "folders"),
    [
        ("Nobody@example.org", ["nobody@example.org"]),
        ("team@example.org", ["anna@example.org", "bob@example.org"]),
        ("away@example.org", ["outside"]),
    ],
)
def test_aliases_are_followed(recipient: str, folders: list[str], box: Sandbox) -> None:
    box.send(RAW, recipient.lower())

    assert sorted(path.name for path in box.root.iterdir()) == folders


def test_mail_to_the_world_lands_outside(box: Sandbox) -> None:
    box.send(RAW, "pat@example.net", user="anna@example.org")

    assert len(box.mail("outside")) == 1


def test_discarded_message_is_taken_and_dropped(tmp_path: Path) -> None:
    with sandbox(answer(wire.frame(Response.DISCARD)), tmp_path) as box:
        reply = box.send(RAW, "bob@example.org")

    assert reply.code == 250
    assert not box.root.exists()


def test_nothing_is_kept_where_no_folder_was_named(tmp_path: Path) -> None:
    with sandbox(Filter(), tmp_path, keep=False) as box:
        reply = box.send(RAW, "bob@example.org")

    assert reply.code == 250
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("owner", ["../../etc@example.org", ".hidden@example.org", "a/b@example.org"])
def test_address_cannot_lead_out_of_the_folder(owner: str, tmp_path: Path) -> None:
    path = Maildirs(tmp_path).deliver(Mailbox(owner, "../up"), b"x")

    assert path.resolve().is_relative_to(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


# Samples


def test_no_sample_file_holds_the_virus_test() -> None:
    assert all(eicar() not in path.read_bytes() for path in SAMPLES.iterdir())
    assert any(b"X5O!" not in sample.raw and b"WDVPIVAl" in sample.raw for sample in load(SAMPLES))


def test_every_sample_file_has_its_envelope() -> None:
    files = {path.stem for path in SAMPLES.glob("*.eml")}

    assert [sample.name for sample in load(SAMPLES)] == sorted(files)
    assert (SAMPLES / LIST).exists()


def test_samples_are_as_smtp_carries_them() -> None:
    for sample in load(SAMPLES):
        assert sample.raw.endswith(b"\r\n")
        assert b"\n" not in sample.raw.replace(b"\r\n", b"")
        assert max(map(len, sample.raw.split(b"\r\n"))) <= 998
