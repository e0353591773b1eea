"""The gate: what is in hand is bounded, and what hangs with the most of it goes first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.config import Milter
from tamis.front.gate import Gate
from tamis.interfaces import Tempfail


class Coming:
    """A message that comes in."""

    def __init__(self) -> None:
        self.dropped = False

    def drop(self) -> None:
        """Note that there is no room for it."""
        self.dropped = True


def gate(*, messages: int = 10, octets: int = 100) -> Gate:
    return Gate(Milter(max_in_flight=messages, max_message=octets // 4, max_in_memory=octets))


def test_messages_within_the_limits_have_a_place() -> None:
    one = gate(messages=2)

    assert [one.enter(10), one.enter(10)] == [None, None]
    assert (one.inside, one.octets) == (2, 20)


def test_a_message_too_many_hears_which_limit_it_was() -> None:
    one = gate(messages=1)
    one.enter(10)

    assert one.words(one.enter(10) or Tempfail.ERROR) == "too many messages in flight limit=1"


def test_a_message_that_needs_too_much_room_hears_which_limit_it_was() -> None:
    one = gate(octets=100)
    one.enter(60)

    assert one.words(one.enter(60) or Tempfail.ERROR) == "too much mail in memory limit=100"
    assert (one.inside, one.octets) == (1, 60)


def test_a_place_given_back_is_free() -> None:
    one = gate(messages=1, octets=100)
    one.enter(100)
    one.leave(100)

    assert one.enter(100) is None


def test_the_largest_that_still_comes_in_makes_room_for_the_others() -> None:
    one = gate(octets=100)
    hangs, small, latest = Coming(), Coming(), Coming()
    one.hold(hangs, 80)
    one.hold(small, 10)

    one.hold(latest, 20)

    assert [each.dropped for each in (hangs, small, latest)] == [True, False, False]
    assert one.octets == 30


def test_the_latest_is_dropped_where_it_is_the_largest() -> None:
    one = gate(octets=100)
    latest = Coming()
    one.enter(90)

    one.hold(latest, 20)

    assert latest.dropped


def test_a_complete_message_has_room_before_those_that_still_come_in() -> None:
    one = gate(octets=100)
    hangs = Coming()
    one.hold(hangs, 80)

    assert one.enter(50) is None
    assert hangs.dropped


def test_a_message_that_has_come_in_is_not_dropped_any_more() -> None:
    one = gate(octets=100)
    complete = Coming()
    one.hold(complete, 80)
    one.release(complete)

    one.hold(Coming(), 90)

    assert not complete.dropped


def test_limits_may_change_meanwhile() -> None:
    one = gate(messages=1, octets=100)
    one.enter(100)

    one.apply(Milter(max_in_flight=2, max_message=100, max_in_memory=200))

    assert one.enter(100) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(("hold", "release", "enter", "leave")), st.integers(0, 3), st.integers(0, 120)),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_and_goes_the_limit_is_kept_and_nothing_is_forgotten(
    steps: list[tuple[str, int, int]],
) -> None:
    one = gate(messages=3, octets=100)
    coming = [Coming() for _ in range(4)]
    inside: list[int] = []

    for what, which, octets in steps:
        if what == "hold":
            one.hold(coming[which], octets)
        elif what == "release":
            one.release(coming[which])
        elif what == "enter" and one.enter(octets) is None:
            inside.append(octets)
        elif what == "leave" and inside:
            one.leave(inside.pop())
        assert one.octets <= 100
    for each in coming:
        one.release(each)

    assert (one.inside, one.octets) == (len(inside), sum(inside))
