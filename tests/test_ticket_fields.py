"""Subject, client address and size stand in tickets only where the operator names them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import MINIMAL, config, message

from tamis import config as configuration
from tamis import judgement
from tamis.commands.lines import as_text
from tamis.config import ConfigError
from tamis.desk.view import view
from tamis.message import Envelope, Message
from tamis.mime import Content
from tamis.retention.fields import Field

ALL = tuple(Field)


def ticket(one: Message, *fields: Field) -> dict[str, object]:
    judged = judgement.untouched(one, config())
    return judgement.about(
        one, judged, ticket_id="T", milliseconds=0, mode="enforce", fields=fields
    ).as_json()


def letter(subject: bytes) -> Message:
    one = message()
    fields = tuple(field for field in one.fields if field[0].lower() != b"subject")
    return Message(one.envelope, (*fields, (b"Subject", b" " + subject)), one.body)


@pytest.mark.parametrize("field", ALL)
def test_a_field_is_there_where_it_is_named(field: Field) -> None:
    bare = ticket(message())

    named = ticket(message(), field)

    assert set(named) - set(bare) == {field.value}
    assert {key: named[key] for key in bare} == bare


def test_a_ticket_tells_subject_client_and_size() -> None:
    one = letter(b"=?utf-8?q?R=C3=A9union?=\r\n de lundi")

    named = ticket(one, *ALL)

    assert (named["subject"], named["client_address"]) == ("R\u00e9union de lundi", one.envelope.client_ip)
    assert named["size"] == len(one.head) + 2 + len(one.body)


def test_what_a_message_has_not_is_null() -> None:
    one = Message(Envelope(), (), b"")

    named = ticket(one, *ALL)

    assert (named["subject"], named["client_address"]) == (None, None)


@given(st.binary(max_size=600))
def test_a_subject_is_a_line_of_at_most_200_characters(octets: bytes) -> None:
    subject = ticket(letter(octets), Field.SUBJECT)["subject"]

    assert isinstance(subject, str)
    assert len(subject) <= 200
    assert not any(unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") for one in subject)


def test_no_subject_is_decoded_for_a_ticket_that_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr(Content, "subject", property(decoded))

    assert "subject" not in ticket(message(), Field.SIZE)


def test_the_named_are_in_one_order_and_once() -> None:
    named = configuration.parse(
        f'{MINIMAL}[tickets]\nfields = ["size", "subject", "size"]\n', "tamis.toml"
    ).tickets.fields

    assert named == (Field.SUBJECT, Field.SIZE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            '["subjct"]',
            'expected "subject", "client_address" or "size", got "subjct"; did you mean "subject"?',
        ),
        ('["client"]', 'got "client"; did you mean "client_address"?'),
        ('["body"]', 'expected "subject", "client_address" or "size", got "body"'),
        ("[1]", "got 1"),
        ('"subject"', 'expected a list, got "subject"'),
    ],
)
def test_an_unknown_field_refuses_to_start(value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        configuration.parse(f"{MINIMAL}[tickets]\nfields = {value}\n", "tamis.toml")

    (line,) = str(error.value).splitlines()
    assert line.startswith("tamis.toml line 4: tickets.fields: ")
    assert line.endswith(expected)


def test_named_fields_are_shown_to_people() -> None:
    one = ticket(letter(b"Hello"), *ALL)
    bobs = view(one | {"sender_account": "bob@example.org"}, "bob@example.org")

    assert as_text(one).splitlines()[1].startswith("  subject=Hello client_address=")
    assert [bobs[field] for field in ALL] == [one[field] for field in ALL]
