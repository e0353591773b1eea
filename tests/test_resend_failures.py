"""A relay that is slow, hostile or away: each copy is accepted once, or known not to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.copies import (
    ANNA,
    BEFORE,
    BOB,
    CAROL,
    CLOSING,
    ENVELOPE,
    LATE,
    LETTER,
    NAME,
    NEVER,
    WRITTEN,
    Recorder,
    contents,
    fates,
    hand,
    handed,
    hurry,
    with_relay,
)
from tests.copies import safe_log as safe_log
from tests.servers import relay as relays
from tests.servers.relay import EXTENSIONS, Act, Way

from tamis.address import UnixAddress
from tamis.message import Message
from tamis.resend import connection
from tamis.resend.connection import RelayUnavailable
from tamis.resend.relay import Relay


def test_relay_that_is_away_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        await hand(Relay(UnixAddress(f"{tmp_path}/nobody"), NAME), ANNA)

    with pytest.raises(RelayUnavailable, match="connect: FileNotFoundError"):
        uvloop.run(story())


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize(
    "act", [Way.HANG, Way.HANG_UP, CLOSING, b"nonsense pat@example.net\r\n", b"350 what?\r\n"]
)
def test_relay_that_fails_before_content_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, act: Act
) -> None:
    if act is Way.HANG:
        hurry(monkeypatch, step)
    if step == "XFORWARD" and act == b"350 what?\r\n":
        act = CLOSING  # a refusal of XFORWARD has a test of its own
    server = relays.Relay(acts={step: [act]})

    with pytest.raises(RelayUnavailable) as raised:
        handed(tmp_path, server, ANNA, BOB)

    assert "@" not in str(raised.value)
    assert server.said("DATA") == []
    assert server.taken == []


@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL", "RCPT"])
def test_deferral_before_content_defers_all(tmp_path: Path, step: str) -> None:
    server = relays.Relay(acts={step: [LATE]})

    with pytest.raises(RelayUnavailable, match=r"451 4\.3\.0"):
        handed(tmp_path, server, ANNA, BOB, CAROL)

    assert server.said("DATA") == []


@pytest.mark.parametrize(
    ("step", "act", "fate"),
    [
        ("DATA", LATE, "deferred"),
        ("DATA", NEVER, "refused"),
        ("DATA", CLOSING, "deferred"),
        ("DATA", b"250 what?\r\n", "deferred"),
        ("DATA", Way.HANG, "deferred"),
        ("DATA", Way.HANG_UP, "deferred"),
        ("end", LATE, "deferred"),
        ("end", NEVER, "refused"),
        ("end", CLOSING, "deferred"),
        ("end", b"354 what?\r\n", "unknown"),
        ("end", b"nonsense\r\n", "unknown"),
        ("end", Way.HANG, "unknown"),
        ("end", Way.HANG_UP, "unknown"),
    ],
)
def test_copy_that_fails_with_its_content_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, act: Act, fate: str
) -> None:
    if act is Way.HANG:
        hurry(monkeypatch, step)
    server = relays.Relay(acts={step: [act]})
    recorder = Recorder()

    receipts = with_relay(tmp_path, server, lambda client: hand(client, ANNA, BOB, accepted=recorder))

    assert sorted(fates(receipts)) == [["accepted"], [fate]]
    assert [copy for copy, _ in recorder.accepted] == [
        number for number, one in enumerate(fates(receipts)) if one == ["accepted"]
    ]
    assert len(server.taken) == 1


@pytest.mark.parametrize("step", ["DATA", "end"])
def test_deferral_of_the_first_copy_defers_all(tmp_path: Path, step: str) -> None:
    server = relays.Relay(acts={step: [LATE]})
    recorder = Recorder()

    with pytest.raises(RelayUnavailable, match=r"deferred: 451 4\.3\.0"):
        with_relay(tmp_path, server, lambda client: hand(client, ANNA, BOB, accepted=recorder), connections=1)

    assert (recorder.accepted, server.taken, len(server.said("DATA"))) == ([], [], 1)


@pytest.mark.parametrize("step", ["DATA", "end"])
def test_deferral_of_a_later_copy_leaves_the_others(tmp_path: Path, step: str) -> None:
    server = relays.Relay(acts={step: [Way.BE_GOOD, LATE]})

    receipts = with_relay(tmp_path, server, lambda client: hand(client, ANNA, BOB, CAROL), connections=1)

    assert fates(receipts) == [["accepted"], ["deferred"], ["accepted"]]


@pytest.mark.parametrize("act", [Way.HANG, Way.HANG_UP, LATE, b"250 2.0.0 Ok: queued as early\r\n"])
def test_relay_that_stops_taking_content_has_not_accepted_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    hurry(monkeypatch, "content")
    large = Message(ENVELOPE, LETTER.fields, b"x" * 3_000_000 + b"\r\n")
    server = relays.Relay(acts={"content": [act, Way.HANG]})

    with pytest.raises(RelayUnavailable, match="deferred"):
        handed(tmp_path, server, ANNA, message=large)
    assert server.taken == []


def test_relay_that_refuses_at_the_end_and_hangs_up_is_understood(tmp_path: Path) -> None:
    server = relays.Relay(acts={"content": [NEVER]}, pause=0.01)

    assert fates(handed(tmp_path, server, ANNA)) == [["refused"]]


@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
def test_reply_that_nobody_asked_for_is_not_taken_for_another(tmp_path: Path, step: str) -> None:
    good = {"connect": b"220 hello\r\n", "DATA": b"354 go on\r\n"}.get(step, b"250 Ok\r\n")
    server = relays.Relay(acts={step: [good + b"250 2.0.0 Ok: queued as nothing\r\n"]})

    why = "deferred: no reply" if step == "DATA" else "spoke out of turn"
    with pytest.raises(RelayUnavailable, match=why):
        handed(tmp_path, server, ANNA)
    assert server.taken == []


ANSWERS = st.one_of(
    st.sampled_from(list(Way)),
    st.sampled_from(
        [b"250 Ok\r\n", b"354 go on\r\n", LATE, NEVER, CLOSING, b"250-more\r\n", b"250 Ok\n", b""]
    ),
    st.binary(max_size=20),
    st.tuples(st.integers(100, 700), st.sampled_from([" ", "-", ""]), st.text(max_size=9)).map(
        lambda one: f"{one[0]}{one[1]}{one[2]}\r\n".encode()
    ),
)


STEPS = st.sampled_from([*BEFORE, "DATA", "end", "QUIT"])
# To say "250" in the midst of content, once its end is on its way, is a lie that nobody can see through.
AMID = st.sampled_from([Way.HANG, Way.HANG_UP, LATE, NEVER, CLOSING, b"354 go on\r\n", b"x", b""])


@given(
    acts=st.dictionaries(STEPS, st.lists(ANSWERS, max_size=4), max_size=3),
    amid=st.lists(AMID, max_size=3),
    extensions=st.sets(st.sampled_from([*EXTENSIONS, "XFORWARD", "pipelining", "\xff"])),
    drips=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_whatever_a_relay_says_no_copy_is_lost(
    tmp_path: Path,
    acts: Mapping[str, Sequence[Act]],
    amid: Sequence[Act],
    extensions: set[str],
    drips: bool,
) -> None:
    server = relays.Relay(extensions=sorted(extensions), acts={**acts, "content": amid}, drips=drips)
    recorder = Recorder()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONNECTING", "REPLY", "BLOCK", "END_OF_DATA"):
            patch.setattr(connection, name, 0.02)
        try:
            receipts = with_relay(tmp_path, server, lambda client: hand(client, ANNA, BOB, accepted=recorder))
        except RelayUnavailable as error:
            assert "@" not in str(error)
            assert contents(server) == []
            return

    accepted = sum(fate == ["accepted"] for fate in fates(receipts))
    assert len(recorder.accepted) == accepted
    assert accepted <= len(server.taken) <= accepted + sum(fate == ["unknown"] for fate in fates(receipts))
    assert set(contents(server)) <= {WRITTEN}
