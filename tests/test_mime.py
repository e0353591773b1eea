"""Any bytes give an answer, in bounded time, and real mail gives the right one."""

from __future__ import annotations

import encodings
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import message
from tests.fuzz.message import read_everything
from tests.hostile import BODIES, HEADERS, HOSTILE, HOSTILE_FIELDS, NAMES, VALUES, nested

from tamis import decoding, mailboxes, mime
from tamis.html import MAX_HTML
from tamis.message import Envelope, Message
from tamis.mime import Content


@given(HEADERS, BODIES)
@settings(max_examples=500, deadline=None)
def test_any_bytes_survive_the_parser(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    read_everything(Content(fields, body), body)
    read_everything(Content([(b"Content-Type", b"multipart/mixed; boundary=x"), *fields], body), body)


@given(
    st.lists(st.tuples(NAMES, VALUES.map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"\n ")))),
    BODIES,
)
@settings(max_examples=300, deadline=None)
def test_the_message_survives_byte_for_byte(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    one = Message(Envelope(), tuple(fields), body)
    before = (one.fields, one.body)

    read_everything(one.content, body)

    head = b"".join(name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n" for name, value in fields)
    assert one.raw == head + b"\r\n" + body
    assert one.size == len(one.raw)
    assert (one.fields, one.body) == before


def test_folds_are_sent_on_with_crlf() -> None:
    one = Message(Envelope(), ((b"Subject", b" one\n two"), (b"To", b" a\r\n\tb")), b"hello\r\n")

    assert one.raw == b"Subject: one\r\n two\r\nTo: a\r\n\tb\r\n\r\nhello\r\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_structure_costs_bounded_time(name: str) -> None:
    content_type, body = HOSTILE[name]
    content = Content([(b"Content-Type", content_type)], body)
    started = time.process_time()

    read_everything(content, body)

    assert time.process_time() - started < 1  # second; each takes a tenth of that at most


@pytest.mark.parametrize("value", HOSTILE_FIELDS)
def test_hostile_fields_cost_bounded_time(value: bytes) -> None:
    content = Content([(b"From", value), (b"Subject", value), (b"Message-ID", value)], b"")
    started = time.process_time()

    read_everything(content, b"")

    assert time.process_time() - started < 1  # second


def test_invented_character_sets_are_not_remembered() -> None:
    known = len(encodings._cache)

    for number in range(20):
        decoding.decode_charset(b"\xe9", f"x-invented-{number}")

    assert len(encodings._cache) == known


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"caf\xc3\xa9", "utf-8", "café"),
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"\x93hi\x94", "ISO_8859-1", "“hi”"),
        (b"\x93hi\x94", "latin1", "“hi”"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
        ("こんにちは".encode("iso-2022-jp"), "ISO-2022-JP", "こんにちは"),
        ("你好".encode("gb18030"), "gb18030", "你好"),
        (b"caf\xc3\xa9", "x-unknown", "café"),
        (b"caf\xe9", "x-unknown", "café"),
        (b"caf\xe9", "us-ascii", "café"),
        (b"\xff+ACI-", "utf7", "ÿ+ACI-"),
        (b"\\ud800\xff", "unicode escape", "\\ud800ÿ"),
        (b"x\x9c\xff", "zlib", "xœÿ"),
    ],
)
def test_text_is_read_by_its_character_set(octets: bytes, charset: str, text: str) -> None:
    assert decoding.decode_charset(octets, charset) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"anna@example.net", [("", "anna@example.net")]),
        (b" Anna <Anna@Example.NET>", [("Anna", "anna@example.net")]),
        (
            b'"Doe, Anna" <a@example.net>, b@example.net',
            [("Doe, Anna", "a@example.net"), ("", "b@example.net")],
        ),
        (b"=?utf-8?q?Zo=C3=AB?= <z@example.net>", [("Zoë", "z@example.net")]),
        (b'"friend@example.org" <evil@example.com>', [("friend@example.org", "evil@example.com")]),
        (b"friend@example.org <evil@example.com>", [("friend@example.org", "evil@example.com")]),
        (b"a@example.net (comment, with comma)", [("", "a@example.net")]),
        (b"Friends: a@example.net, b@example.net;", [("", "a@example.net"), ("", "b@example.net")]),
        (b"<@relay.example.org:a@example.net>", [("", "a@example.net")]),
        (b"Nobody", [("", "")]),
        (b"<a@example.net> <b@example.net>", [("", "a@example.net"), ("", "b@example.net")]),
        (b"a@example.net,\n b@example.net", [("", "a@example.net"), ("", "b@example.net")]),
        (b"", []),
    ],
)
def test_addresses_are_read(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert mailboxes.parse_addresses(value) == expected


@given(VALUES)
@settings(max_examples=300)
def test_a_mailbox_is_read_like_one_of_a_list(value: bytes) -> None:
    value = value.rstrip(b"\\")

    assert mailboxes.parse_addresses(value) == mailboxes.parse_addresses(value + b",")


def test_names_of_files_are_not_remembered() -> None:
    before = mime._usual_parameters.cache_info().currsize

    mime.parse_parameters(b"application/pdf; NAME=secret.pdf")

    assert mime._usual_parameters.cache_info().currsize == before


def test_an_attachment_is_not_in_memory_twice() -> None:
    body = b"--x\r\nContent-Type: image/png\r\n\r\n" + b"A" * 1_000_000 + b"\r\n--x--\r\n"
    content = Content([(b"Content-Type", b"multipart/mixed; boundary=x")], body)
    tracemalloc.start()

    parts = content.parts
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(parts[0].encoded) == 1_000_000
    assert taken < 100_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" Hello\n world ", "Hello world"),
        (b"=?iso-8859-1?Q?caf=E9?=", "café"),
        (b"=?utf-8?B?w6k=?= and =?utf-8?B?w6k=?=", "é and é"),
        (b"=?utf-8?B?w6k=?=\n =?utf-8?B?w6k=?=", "éé"),
        (b"=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€"),
        (b"=?utf-8*en?q?a_b?=", "a b"),
        (b"=?broken", "=?broken"),
        (b"caf\xe9", "café"),
    ],
)
def test_encoded_words_are_decoded(value: bytes, text: str) -> None:
    assert decoding.decode_words(value) == text


def test_a_reader_sees_the_plain_part_first() -> None:
    body = (
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"caf=C3=A9=\r\n!\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>other</p>\r\n--b--\r\n"
    )
    content = message(body, headers={"Content-Type": 'multipart/alternative; boundary="b"'}).content

    assert content.text == "café!"
    assert [part.content_type for part in content.parts] == ["text/plain", "text/html"]
    assert content.documents[0].text.strip() == "other"


def test_an_attachment_is_not_what_a_reader_sees() -> None:
    body = (
        b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: text/plain; name=a.txt\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.txt\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nc2Vj\r\ncmV0\r\n--b--\r\n"
    )
    content = message(body, headers={"Content-Type": "multipart/mixed; boundary=b"}).content

    assert content.text == "hello"
    assert content.parts[1].filename == "résumé.txt"
    assert content.parts[1].decoded == b"secret"


def test_a_part_cut_off_before_its_last_boundary_is_read() -> None:
    content = message(b"--b\r\n\r\nhello", headers={"Content-Type": "multipart/mixed; boundary=b"}).content

    assert content.text == "hello"


def test_what_is_not_looked_at_is_told() -> None:
    deep = Content([(b"Content-Type", b"multipart/mixed; boundary=b0")], nested(100))
    shallow = Content([(b"Content-Type", b"multipart/mixed; boundary=b0")], nested(3))

    assert deep.truncated
    assert not shallow.truncated


def test_lines_like_a_delimiter_are_looked_at_only_so_often() -> None:
    few = b"--b\r\n\r\n" + b"x--b\r\n" * 100 + b"--b\r\n\r\nlast"
    many = b"--b\r\n\r\n" + b"x--b\r\n" * mime.MAX_DELIMITERS + b"--b\r\n\r\nlast"
    field = (b"Content-Type", b"multipart/mixed; boundary=b")

    assert Content([field], few).parts[-1].text == "last"
    assert Content([field], many).truncated


def test_lines_of_parts_may_end_in_crlf_or_lf() -> None:
    body = b"--b\nContent-Type: text/html\n\n1\n--b\r\nContent-Type: text/html\r\n\r\n2\n\n3\r\n--b--\r\n"
    content = Content([(b"Content-Type", b"multipart/mixed; boundary=b")], body)

    assert [(one.content_type, one.encoded) for one in content.parts] == [
        ("text/html", b"1"),
        ("text/html", b"2\n\n3"),
    ]


def test_pages_are_parsed_until_there_is_enough() -> None:
    page = b"--b\r\nContent-Type: text/html\r\n\r\n" + b"x" * (MAX_HTML // 2) + b"\r\n"
    content = Content([(b"Content-Type", b"multipart/mixed; boundary=b")], page * 4)

    assert len(content.documents) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b" <1@example.net>"], "<1@example.net>"),
        ([b"\n <1@exam\n ple.net> (note)"], "<1@example.net>"),
        ([b" 1@example.net"], "1@example.net"),
        ([b" "], None),
        ([], None),
        ([b" <1@example.net>", b" <2@example.net>"], "<1@example.net>"),
    ],
)
def test_the_message_id_is_found(values: list[bytes], expected: str | None) -> None:
    assert Content([(b"Message-Id", value) for value in values], b"").message_id == expected
