"""The messages that are sent: invented ones, always the same, or real ones from a corpus."""

from __future__ import annotations

import base64
import json
import lzma
import random
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from ipaddress import ip_address
from itertools import cycle, islice
from pathlib import Path

from tests.bench.frames import Mail

SAMPLES = Path(__file__).parents[1] / "samples"
MAILBOXES = 200  # recipients that the messages are for
EPOCH = 1_780_000_000  # Unix time in the Date fields

SUBJECTS = (
    "Lunch on {0}", "Your order {1} is on its way", "Minutes of the {0} meeting", "Re: {0} and the {2}",
    "[{2}-users] How to set the {0}?", "This week: {0}, {2} and more", "Invoice {1}", "Reset your password",
    "{2} commented on your {0}", "LAST CHANCE: {0} 80% OFF", "Your account {1} will be closed",
)  # fmt: skip
WORDS = """
the of and to a in that it is was for on are with they be at one have this from or had by but some
what there we can out other were all your when up use word how said an each she which do their time
if will way about many then them would write like so these her long make thing see him two has look
more day could go come did my sound no most number who over know water than call first people may
down side been now find garden river letter mountain bicycle invoice meeting train coffee library
window market bridge island concert recipe journey weather neighbour kitchen schedule proposal
contract report budget ticket release branch kernel package server filter sieve folder
""".split()  # noqa: SIM905  # read more easily so
ACCENTED = (*WORDS, *"été déjà grüße straße für über naïve façade “quoted” €9".split())  # noqa: SIM905
ASCII_ONLY = 0.7  # of the messages; as in the corpora


def generated(count: int, *, seed: int = 1) -> list[Mail]:
    """Return invented messages, the same for the same arguments, of sizes as mail has them."""
    chance = random.Random(seed)  # noqa: S311  # the same messages each time is what it is for
    mails = samples()
    while len(mails) < count:
        mails.append(_invent(chance, len(mails)))
    chance.shuffle(mails)
    return mails[:count]


def some(count: int, collections: Sequence[Path] = ()) -> list[Mail]:
    """Return messages of collections, over again where they are too few, or else invented ones."""
    if not collections:
        return generated(count)
    return list(islice(cycle(shuffled(list(corpus(collections)))), count))


def shuffled(mails: list[Mail], *, seed: int = 1) -> list[Mail]:
    """Return messages in an order that is the same each time and mixes their sources."""
    random.Random(seed).shuffle(mails)  # noqa: S311  # the same order each time is what it is for
    return mails


def samples() -> list[Mail]:
    """Return the sample messages of the tests."""
    return [
        mail(path.read_bytes(), recipient=f"sample{number}@example.org")
        for number, path in enumerate(sorted(SAMPLES.glob("*.eml")))
    ]


def corpus(paths: Sequence[Path]) -> Iterator[Mail]:
    """Return the messages of collections: JSON lines, with the message's text as Latin-1 under "clean"."""
    number = 0
    for path in paths:
        with lzma.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                record = json.loads(line)
                yield from_record(record, number)
                number += 1


def from_record(record: dict[str, object], number: int) -> Mail:
    """Return one message of a collection; its recipient becomes one of ours."""
    envelope = record.get("env") or {}
    if not isinstance(envelope, dict):
        envelope = {}
    return mail(
        str(record["clean"]).encode("latin-1"),
        mail_from=_plain(envelope.get("mail_from"), "sender@example.net", also_empty=True),
        recipient=f"user{number % MAILBOXES}@example.org",
        client_ip=_ip(envelope.get("ip")),
        helo=_plain(envelope.get("helo"), "client.example.net"),
    )


def mail(
    raw: bytes,
    *,
    mail_from: str = "sender@example.net",
    recipient: str = "user@example.org",
    client_ip: str = "192.0.2.10",
    helo: str = "client.example.net",
) -> Mail:
    """Return a message as an MTA passes it on: folds with LF, body with CRLF."""
    fields, body = split(raw.replace(b"\r\n", b"\n"))
    return Mail(fields, body.replace(b"\n", b"\r\n"), mail_from, (recipient,), client_ip, helo)


def split(raw: bytes) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """Return the header fields and the body of a message with LF line ends.

    As Postfix reads it: the first line that is no field and continues none begins the body.
    """
    fields: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(raw):
        end = raw.find(b"\n", at)
        end = len(raw) if end < 0 else end
        line = raw[at:end]
        name, colon, value = line.partition(b":")
        if not line:
            return tuple(fields), raw[end + 1 :]
        if line[:1] in b" \t" and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b"\n" + line)
        elif colon and name and all(32 < octet < 127 for octet in name.rstrip(b" \t")):
            fields.append((name.rstrip(b" \t"), value))
        else:
            break
        at = end + 1
    return tuple(fields), raw[at:]


def _ip(value: object) -> str:
    """Return an IP address; collectors put other words in its place, too."""
    try:
        return str(ip_address(str(value)))
    except ValueError:
        return "192.0.2.10"


def _plain(value: object, otherwise: str, *, also_empty: bool = False) -> str:
    text = value if isinstance(value, str) else None
    if text is None or (not text and not also_empty) or any(ord(sign) < 33 for sign in text):
        return otherwise
    return text


def _invent(chance: random.Random, number: int) -> Mail:
    size = min(int(chance.lognormvariate(7.85, 1.0)), 100_000)  # with markup 5.7 kB on average
    words = WORDS if chance.random() < ASCII_ONLY else ACCENTED
    subject = chance.choice(SUBJECTS).format(
        chance.choice(words), chance.randrange(10**6), chance.choice(words)
    )
    kind = chance.random()
    if kind < 0.5:
        content = _text_part(chance, words, size)
    elif kind < 0.93:
        content = _alternative(chance, words, size)
    else:
        content = _attachment(chance, words, size)
    person = f"{chance.choice(WORDS[60:100])}{chance.randrange(100)}"
    head = [
        f"Received: from client.example.net (client.example.net [192.0.2.{number % 250 + 1}])",
        f"\tby relay.example.net (Postfix) with ESMTPS id 4C{number:08X}",
        f"\tfor <user{number % MAILBOXES}@example.org>; {formatdate(EPOCH + number)}",
        f"Date: {formatdate(EPOCH + number)}",
        f"From: {person.title()} <{person}@example.net>",
        f"To: user{number % MAILBOXES}@example.org",
        f"Subject: {subject}",
        f"Message-ID: <{number}.{chance.randrange(10**9)}@example.net>",
        "MIME-Version: 1.0",
    ]
    if kind > 0.65:
        head.append(f"List-Unsubscribe: <https://example.net/u/{number}>, <mailto:off@example.net>")
    return mail(
        "\n".join(head).encode() + b"\n" + content,
        mail_from=f"{person}@example.net",
        recipient=f"user{number % MAILBOXES}@example.org",
        client_ip=f"192.0.2.{number % 250 + 1}",
    )


def _prose(chance: random.Random, words: Sequence[str], size: int) -> str:
    lines: list[str] = []
    total = 0
    while total < size:
        line = " ".join(chance.choices(words, k=12)).capitalize() + "."
        lines.append(line)
        total += len(line.encode()) + 1
        if chance.random() < 0.15:
            lines.append("")
    return "\n".join(lines) + "\n"


def _text_part(chance: random.Random, words: Sequence[str], size: int) -> bytes:
    head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    return (head + _prose(chance, words, size)).encode()


def _alternative(chance: random.Random, words: Sequence[str], size: int) -> bytes:
    """Return a multipart/alternative, its HTML in base64 as many newsletters have it."""
    items = "".join(
        f'<tr><td style="padding:8px"><a href="https://example.net/{chance.randrange(10**6)}?c={number}">'
        f"{line}</a></td></tr>\n"
        for number, line in enumerate(_prose(chance, words, size // 4).splitlines())
    )
    page = f"<html><head><title>News</title></head><body><table>{items}</table></body></html>"
    return (
        b"Content-Type: multipart/alternative; boundary=two\n\n--two\n"
        + _text_part(chance, words, size // 4)
        + b"--two\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(page.encode())
        + b"--two--\n"
    )


def _attachment(chance: random.Random, words: Sequence[str], size: int) -> bytes:
    return (
        b"Content-Type: multipart/mixed; boundary=mixed\n\n--mixed\n"
        + _text_part(chance, words, 800)
        + b"--mixed\nContent-Type: application/pdf; name=document.pdf\n"
        + b"Content-Disposition: attachment; filename=document.pdf\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(chance.randbytes(3 * size))
        + b"--mixed--\n"
    )
