"""Each rule: a golden message that meets it, a line in the documentation, and cost that is bounded."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.checks.caseless import lower
from tamis.checks.rules import catalogue
from tamis.checks.rules.brands import brand_in_host, brand_of
from tamis.checks.rules.facts import site, url
from tamis.message import Envelope, Message, split

ROOT = Path(__file__).parents[1]
CASES = sorted((ROOT / "tests" / "cases").glob("*/*.eml"))
RULE_CASES = [
    path
    for path in CASES
    if path.parent.name in {topic.__name__.rpartition(".")[2] for topic in catalogue.TOPICS}
]
PATIENCE = 0.5  # seconds of CPU for a hostile message; a page of text takes a quarter of a millisecond


def message(raw: bytes, **envelope: str) -> Message:
    fields, body = split(raw)
    return Message(Envelope(**envelope), fields, body)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", RULE_CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden_message_meets_its_rules_and_no_others(path: Path) -> None:
    expected = tomllib.loads(path.with_suffix(".toml").read_text())

    found = catalogue.find(message(path.read_bytes(), **expected.get("envelope", {})))

    assert sorted(found) == expected["finds"], expected["about"]


def test_every_rule_has_a_golden_message_of_its_name() -> None:
    assert {path.stem.upper() for path in RULE_CASES} == set(catalogue.RULES)


def test_a_plain_letter_meets_no_rule() -> None:
    raw = (
        b"From: Anna Doe <anna@example.org>\nTo: bob@example.net\nSubject: Lunch\n"
        b"Date: Mon, 23 Nov 2026 10:14:05 +0100\nMessage-ID: <1@example.org>\n\nShall we meet at noon?\n"
    )

    assert catalogue.find(message(raw)) == ()


def test_names_are_unique_among_topics() -> None:
    names = [rule.name for topic in catalogue.TOPICS for rule in topic.RULES]

    assert len(names) == len(set(names))


def test_an_authenticated_client_may_call_itself_as_it_likes() -> None:
    raw = (ROOT / "tests/cases/origin/helo_address.eml").read_bytes()

    assert catalogue.find(message(raw, helo="[192.0.2.7]", auth_user="anna")) == ()


def test_the_brand_itself_may_use_its_name() -> None:
    assert brand_of("PayPal", "mail.paypal.com") is None
    assert brand_of("PayPal", "example.org") == "paypal"
    assert brand_in_host("www.paypal.com", "paypal.com") is None
    assert brand_in_host("paypal-login.example.org", "example.org") == "paypal"


def test_registered_domain_has_three_labels_below_a_shared_second_level() -> None:
    assert site("www.shop.example.co.uk") == "example.co.uk"
    assert site("www.example.org") == "example.org"


def test_host_is_read_as_browsers_read_it() -> None:
    assert url("https:\\\\User@EXAMPLE.org:8443\\x", "").host == "example.org"
    assert url("//%65xample.org/", "").host == "example.org"
    assert url("http://[2001:db8::1]:80/", "").host == "[2001:db8::1]"
    assert url("mailto:anna@example.org", "").host == ""


PAGE = b"Content-Type: text/html\n\n"
LINK = b"<a href=http://a.example.org/?http=http://x>www.example.net</a>"
ENCODED_ZIP = b"Content-Type: application/zip; name=x.zip\nContent-Transfer-Encoding: base64\n\n"
HOSTILE = {
    "letters apart": b"Subject: " + b"a " * 30_000 + b"\n\n" + b"a " * 100_000,
    "open comments": b"Content-Type: text/html\n\n" + b"<!--" * 50_000,
    "open brackets": b"From: " + b"<" * 60_000 + b"\nTo: " + b'"' * 60_000 + b"\n\n",
    "nested elements": b"Content-Type: text/html\n\n" + b"<div>" * 13_000 + b"x",
    "many links": b"Content-Type: text/html\n\n" + LINK * 5_000,
    "many addresses": b"\n\n" + b"http://example.org/" * 10_000,
    "blanks": b"Subject: " + b" " * 60_000 + b"x\n\n" + b" \n" * 100_000,
    "entities": b"Content-Type: text/html\n\n" + b"&#65" * 50_000,
    "many parts": b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n\n" * 100_000,
    "long name": b'Content-Type: application/zip; name="' + b"a." * 30_000 + b'"\n\n',
    "many long hosts": PAGE + b"".join(b"<a href=//%c%s/>" % (c, b"a1-" * 700) for c in range(97, 122)),
    "long local part": b"From: " + b"a" * 16_000 + b"-@example.org\n\n",
    "many redirects": PAGE + b"".join(b"<a href=//a%d/%shttp>" % (n, b"?http" * 200) for n in range(60)),
    "at signs": b"From: " + b"a@" * 30_000 + b"\nReply-To: " + b"a@b," * 15_000 + b"\n\n",
    "base64": ENCODED_ZIP + b"AAAA" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_message_takes_bounded_time(raw: bytes) -> None:
    hostile = message(raw)

    begin = time.process_time()
    catalogue.find(hostile)

    assert time.process_time() - begin < PATIENCE


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_any_bytes_are_data(head: bytes, body: bytes) -> None:
    found = catalogue.find(message(b"From: " + head + b"\nSubject: " + head + b"\n\n" + body))

    assert set(found) <= set(catalogue.RULES)


@given(st.text("kKIisS \u0130\u0131\u017f\u212a\u00df\u00e9\u00c9", max_size=12))
def test_lower_case_holds_what_is_found_ignoring_case(text: str) -> None:
    for pattern in (r"\bkis", r"is{2}\b", "s[e\u00e9]"):
        ignoring = re.search(pattern, text, re.I)

        assert bool(re.search(pattern, lower(text))) == bool(ignoring)
