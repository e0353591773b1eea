"""What the fuzz targets check, on examples that are the same each time; `make fuzz` looks for more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import configuration, frames, message
from tests.hostile import BODIES, HEADERS, HOSTILE, HOSTILE_FIELDS
from tests.model_milter import told

from tamis.front.session import Session, rcpt_to

BASE = 20_000  # calls that a message may cost whatever its size; the costliest honest one takes 4,000
PER_OCTET = 5  # calls

WORDS = st.sampled_from(
    (b"", b"anna", b"bob@example.org", b"BOB+x@example.org", b"all@example.org", b"a@b", b"\xff@")
)
ENVELOPES = st.tuples(
    st.sampled_from(b"0123456789"), st.lists(WORDS | st.binary(max_size=6), max_size=8)
).map(lambda parts: b" ".join((bytes((parts[0],)), *parts[1])).replace(b"\n", b""))
HEADS = HEADERS.map(lambda fields: b"".join(name + b":" + value + b"\n" for name, value in fields))
MESSAGES = st.builds(
    lambda envelope, head, body: b"\n".join((envelope, head, body)), ENVELOPES, HEADS, BODIES
)


def mutated(seeds: list[bytes], tokens: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return inputs in which pieces of a seed are left out, doubled or replaced."""

    def mutate(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for at, length, token in edits:
            at %= len(seed) + 1
            seed = seed[:at] + token + seed[at + length :]
        return seed

    pieces = st.sampled_from(tokens) | st.binary(max_size=4)
    edits = st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 40), pieces), max_size=4)
    return st.builds(mutate, st.sampled_from(seeds), edits)


def calls(function: Callable[[bytes], None], octets: bytes) -> int:
    """Return how many functions are called: work that is the same on any machine."""
    count = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        function(octets)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("seeds", "check"),
    [(one.seeds, one.check) for one in (message, configuration, frames)],
    ids=["message", "configuration", "frames"],
)
def test_seeds_hold_what_always_holds(
    seeds: Callable[[], Iterator[bytes]], check: Callable[[bytes], None]
) -> None:
    for seed in seeds():
        check(seed)


@given(MESSAGES)
def test_any_message_has_a_plan_and_a_ticket_that_can_be_stored(octets: bytes) -> None:
    message.check(octets)


@given(mutated(list(message.seeds()), list(message.tokens())))
def test_any_broken_message_has_a_plan_and_a_ticket_that_can_be_stored(octets: bytes) -> None:
    message.check(octets)


@given(MESSAGES)
def test_the_work_for_a_message_is_bounded_by_its_size(octets: bytes) -> None:
    assert calls(message.check, octets) <= BASE + PER_OCTET * len(octets)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_for_a_hostile_structure_is_bounded_by_its_size(name: str) -> None:
    content_type, body = HOSTILE[name]
    octets = b"1 - x a@example.net bob@example.org\nContent-Type: %b\n\n%b" % (content_type, body[:300_000])

    assert calls(message.check, octets) <= BASE + PER_OCTET * len(octets)


@pytest.mark.parametrize("value", HOSTILE_FIELDS)
def test_the_work_for_hostile_fields_is_bounded_by_their_size(value: bytes) -> None:
    names = (b"From", b"To", b"Subject", b"Content-Type", b"Authentication-Results", b"Reply-To")
    head = b"".join(b"%b: %b\n" % (name, value) for name in names)
    octets = b"1 - x a@example.net bob@example.org\n" + head

    assert calls(message.check, octets) <= BASE + PER_OCTET * len(octets)


def test_a_long_author_is_read_once_for_all_recipients() -> None:
    author = b"a" * 16_000 + b"(@example.net"
    recipients = b" ".join(b"%d@example.org" % number for number in range(20))
    octets = b"1 - x a@example.net %b\nFrom: <%b>\n\n" % (recipients, author)

    assert calls(message.check, octets) <= BASE + PER_OCTET * len(octets)


@given(mutated(list(configuration.seeds()), list(configuration.tokens())))
def test_any_file_is_a_configuration_that_can_be_used_or_is_refused_by_line_and_key(octets: bytes) -> None:
    configuration.check(octets)


@given(st.text().map(str.encode) | st.binary())
def test_any_octets_are_a_configuration_or_are_refused(octets: bytes) -> None:
    configuration.check(octets)


@given(mutated(list(frames.seeds()), list(frames.tokens())))
def test_any_conversation_however_cut_is_answered_as_the_model_says(octets: bytes) -> None:
    frames.check(octets)


STEPS = st.lists(st.tuples(st.sampled_from(b"MRLBAE"), st.binary(max_size=8)), max_size=20)


@given(STEPS)
def test_a_session_makes_the_messages_that_the_model_tells(steps: list[tuple[int, bytes]]) -> None:
    session, made = Session(), []
    octets = b""
    for word, given_octets in steps:
        argument = given_octets.replace(b"\0", b"")
        match bytes((word,)):
            case b"M":
                session.mail(argument, ())
            case b"R":
                session.recipients.append(rcpt_to(argument, (), ""))
            case b"L":
                session.fields.append((argument, argument))
                argument = argument + b"\0" + argument
            case b"B":
                session.chunks.append(argument)
            case b"A":
                session.mail(b"", ())
            case b"E":
                session.chunks.append(argument)
                made.append(frames.told_of(session.message(None)))
        octets += (len(argument) + 1).to_bytes(4) + bytes((word,)) + argument

    assert made == told(octets).messages
