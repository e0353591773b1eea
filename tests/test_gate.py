"""The gate: what is in hand is bounded, and what hangs goes first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.config import Milter
from tamis.front.gate import SMALL, Gate
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


def test_what_has_hung_for_the_longest_time_makes_room_for_the_others() -> None:
    one = gate(octets=100 * SMALL)
    hangs, came_on, latest = Coming(), Coming(), Coming()
    one.hold(came_on, 10 * SMALL)
    one.hold(hangs, 40 * SMALL)
    one.hold(came_on, 40 * SMALL)

    one.hold(latest, 30 * SMALL)

    assert [each.dropped for each in (hangs, came_on, latest)] == [True, False, False]
    assert one.octets == 70 * SMALL


def test_the_latest_is_dropped_where_no_other_can_be() -> None:
    one = gate(octets=100 * SMALL)
    latest = Coming()
    one.enter(90 * SMALL)

    one.hold(latest, 20 * SMALL)

    assert latest.dropped
    assert one.octets == 90 * SMALL


def test_little_is_neither_counted_nor_dropped() -> None:
    one = gate(octets=2 * SMALL)
    little = Coming()
    one.hold(little, SMALL - 1)

    one.hold(Coming(), 2 * SMALL)

    assert not little.dropped
    assert one.octets == 2 * SMALL


def test_what_becomes_little_again_is_not_counted_any_more() -> None:
    one = gate(octets=2 * SMALL)
    coming = Coming()
    one.hold(coming, SMALL)

    one.hold(coming, 0)

    assert one.octets == 0


def test_a_complete_message_has_room_before_those_that_still_come_in() -> None:
    one = gate(octets=100 * SMALL)
    hangs = Coming()
    one.hold(hangs, 80 * SMALL)

    assert one.enter(50 * SMALL) is None
    assert hangs.dropped


def test_a_message_that_has_come_in_is_not_dropped_any_more() -> None:
    one = gate(octets=100 * SMALL)
    complete = Coming()
    one.hold(complete, 80 * SMALL)
    one.release(complete)

    one.hold(Coming(), 90 * SMALL)

    assert not complete.dropped


def test_limits_may_change_meanwhile() -> None:
    one = gate(messages=1, octets=100)
    one.enter(100)

    one.apply(Milter(max_in_flight=2, max_message=100, max_in_memory=200))

    assert one.enter(100) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("hold", "release", "enter", "leave")),
        st.integers(0, 3),
        st.sampled_from((0, 1, SMALL - 1, SMALL, 2 * SMALL, 5 * SMALL)),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_and_goes_the_limit_is_kept_and_nothing_is_forgotten(
    steps: list[tuple[str, int, int]],
) -> None:
    one = gate(messages=3, octets=4 * SMALL)
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
        assert one.octets <= 4 * SMALL
    for each in coming:
        one.release(each)

    assert (one.inside, one.octets) == (len(inside), sum(inside))
