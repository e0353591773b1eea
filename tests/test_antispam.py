"""The antispam filter: evidence in bits that adds, with its reasons."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.checks.antispam import GTUBE, MAX_REASONS, Antispam
from tamis.learning.model import load
from tamis.message import Envelope, Message, Recipient, split

HEAD = (
    b"From: Anna Doe <anna@example.org>\r\nTo: bob@example.net\r\nSubject: Lunch\r\n"
    b"Date: Mon, 23 Nov 2026 10:14:05 +0100\r\nMessage-ID: <1@example.org>\r\n"
)
LETTER = HEAD + b"\r\nHello Bob, shall we meet at noon? Bring the map that you left with us.\r\n"
SCAM = (
    b"From: PayPal Service <x8204719@mail.example.top>\nReply-To: paypal.help@gmail.com\n"
    b"To: bob@example.net\n"
    b"Subject: URGENT!! YOUR ACCOUNT IS SUSPENDED\nDate: Mon, 23 Nov 2026 10:14:05 +0100\n"
    b"Message-ID: <1@example.top>\nContent-Type: text/html; charset=utf-8\n\n"
    b"<p>Dear customer, your account has been limited. Click here to verify your account in 24 hours:"
    b"</p><p><a href='http://192.0.2.7/paypal'>www.paypal.com</a></p>\n"
)


@dataclass(frozen=True)
class FakeModel:
    """A model that knows what it says."""

    level: float = 0.0
    rules: Mapping[str, float] = field(default_factory=dict)
    said: float = 0.0

    def content(self, message: Message) -> float:
        """Return what it was made with."""
        return self.said


def message(raw: bytes) -> Message:
    fields, body = split(raw)
    return Message(Envelope(), fields, body)


@pytest.fixture(scope="module")
def shipped() -> Antispam:
    return Antispam(load("antispam"), {})


def test_level_content_and_rules_add_up() -> None:
    check = Antispam(FakeModel(level=-3.0, rules={"SUBJECT_SHOUTS": 1.3}, said=2.04), {})

    finding = check.run(message(LETTER.replace(b"Lunch", b"Lunch!!")))

    assert finding.score == 0.3
    assert finding.reasons == ("CONTENT_MODEL", "SUBJECT_SHOUTS")


def test_rule_unknown_to_the_model_keeps_its_authors_bits() -> None:
    check = Antispam(FakeModel(), {})

    assert check.run(message(LETTER.replace(b"Lunch", b"Lunch!!"))).score == 1.0


def test_operators_bits_beat_the_models() -> None:
    check = Antispam(FakeModel(rules={"SUBJECT_SHOUTS": 1.3}), {"SUBJECT_SHOUTS": -2.0})

    assert check.run(message(LETTER.replace(b"Lunch", b"Lunch!!"))).score == -2.0


def test_rule_without_bits_is_no_reason() -> None:
    check = Antispam(FakeModel(), {"SUBJECT_SHOUTS": 0.0})

    assert check.run(message(LETTER.replace(b"Lunch", b"Lunch!!"))).reasons == ()


def test_weight_of_an_unknown_rule_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean SUBJECT_ALL_CAPS"):
        Antispam(FakeModel(), {"SUBJECT_ALLCAPS": 1.0})


def test_score_is_never_minus_zero() -> None:
    check = Antispam(FakeModel(level=-0.04), {})

    assert str(check.run(message(LETTER)).score) == "0.0"


def test_reasons_are_the_strongest_and_bounded() -> None:
    check = Antispam(FakeModel(), {})

    finding = check.run(message(SCAM))

    assert len(finding.reasons) == MAX_REASONS
    assert finding.reasons[0] in ("FROM_NAME_BRAND", "LINK_IP_ADDRESS")


GTUBE_MAIL = {
    "in the body": HEAD + b"\r\n" + GTUBE.encode() + b"\r\n",
    "in the subject": b"Subject: " + GTUBE.encode() + b"\n\n",
    "in base64": HEAD + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(GTUBE.encode()),
    "in quoted-printable": HEAD
    + b"Content-Transfer-Encoding: quoted-printable\n\n"
    + GTUBE.replace(".", "=2E").encode(),
    "in HTML beside plain text": b"Content-Type: multipart/alternative; boundary=x\n\n--x\n\nHello\n"
    b"--x\nContent-Type: text/html\n\n<p>" + GTUBE.encode() + b"</p>\n--x--\n",
    "behind much text": HEAD + b"\r\n" + b"Nothing to see here.\r\n" * 4000 + GTUBE.encode(),
}


@pytest.mark.parametrize("raw", GTUBE_MAIL.values(), ids=GTUBE_MAIL.keys())
def test_gtube_is_a_thousand_bits(raw: bytes, shipped: Antispam) -> None:
    finding = shipped.run(message(raw))

    assert (finding.score, finding.reasons) == (1000.0, ("GTUBE",))


def test_score_does_not_tell_who_else_is_addressed(shipped: Antispam) -> None:
    fields, body = split(SCAM.replace(b"URGENT!!", b"roberta, URGENT!!"))
    alone = Message(Envelope(recipients=(Recipient("bob@example.net"),)), fields, body)
    together = Message(
        Envelope(recipients=(Recipient("roberta@example.net"), Recipient("bob@example.net"))), fields, body
    )

    assert shipped.run(alone) == shipped.run(together)


def test_shipped_model_leaves_a_letter_alone(shipped: Antispam) -> None:
    assert shipped.run(message(LETTER)).score < 0.0


def test_shipped_model_knows_a_plain_swindle(shipped: Antispam) -> None:
    assert shipped.run(message(SCAM)).score >= 5.0


@given(st.binary(max_size=2000))
def test_any_bytes_get_a_score(raw: bytes) -> None:
    finding = Antispam(FakeModel(), {}).run(message(raw))

    assert finding.score == round(finding.score, 1)
