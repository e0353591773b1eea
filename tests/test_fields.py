"""Fields of our names that come in from outside are removed; others stay."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.authres import MAX_FIELDS, MAX_HEAD
from tamis.policy.fields import OURS, forged

Field = tuple[bytes, bytes]


def test_fields_of_our_names_are_removed_last_first() -> None:
    fields = [
        (b"X-Spam-Flag", b" NO"),
        (b"Subject", b" hello"),
        (b"x-spam-flag", b" NO"),
        (b"X-Graymail", b" none"),
        (b"X-SPAM-FLAG", b" NO"),
    ]

    assert forged(fields, "mx.example.org") == (
        ("X-SPAM-FLAG", 3),
        ("X-Graymail", 1),
        ("x-spam-flag", 2),
        ("X-Spam-Flag", 1),
    )


def test_a_blank_before_the_colon_hides_nothing() -> None:
    assert forged([(b"X-Spam-Flag ", b" NO"), (b"X-Spam-Flag", b" NO")], "") == (
        ("X-Spam-Flag", 2),
        ("X-Spam-Flag", 1),
    )


def test_results_under_our_name_are_removed_and_others_stay() -> None:
    fields = [
        (b"Authentication-Results", b" mx.example.net; spf=pass"),
        (b"Authentication-Results", b" MX.example.org; spf=pass"),
        (b"Authentication-Results", b" mx.example.org.example.net; spf=pass"),
        (b"Authentication-Results", b'\n "mx.example.org" 1; none'),
    ]

    assert forged(fields, "mx.Example.org") == (("Authentication-Results", 4), ("Authentication-Results", 2))


def test_comments_do_not_hide_our_name() -> None:
    values = (
        b" (a (b) c) mx.example.org; spf=pass",
        b' (") mx.example.org; x',
        b' "mx.example.org; spf=pass',
    )
    fields = [(b"Authentication-Results", value) for value in values]

    assert len(forged(fields, "mx.example.org")) == 3


def test_results_whose_verifier_takes_long_to_find_are_removed() -> None:
    values = (
        b" (" + b"a" * MAX_HEAD + b") mx.example.org; spf=pass",
        b" " * MAX_HEAD + b"mx.example.net; none",
    )
    fields = [(b"Authentication-Results", value) for value in values]

    assert len(forged(fields, "mx.example.org")) == 2


def test_long_results_of_others_stay() -> None:
    value = b" mx.example.net; spf=pass" + b" smtp.mailfrom=anna@example.net" * 100

    assert forged([(b"Authentication-Results", value)], "mx.example.org") == ()


def test_results_beyond_those_that_are_read_are_removed() -> None:
    fields = [(b"Authentication-Results", b" mx.example.net; none")] * (MAX_FIELDS + 2)

    assert len(forged(fields, "mx.example.org")) == 2


def test_without_a_name_of_ours_all_results_stay() -> None:
    assert forged([(b"Authentication-Results", b" mx.example.org; spf=pass")], "") == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from((*OURS, b"Subject", b"Authentication-Results", b"X\xff", b"")),
            st.binary(max_size=30),
        )
    )
)
@settings(max_examples=300, deadline=None)
def test_removing_as_told_leaves_none_of_ours(fields: list[Field]) -> None:
    left = list(fields)

    for name, occurrence in forged(fields, "mx.example.org"):
        places = [at for at, (key, _) in enumerate(left) if key.lower() == name.lower().encode()]
        del left[places[occurrence - 1]]

    assert [one for one in left if one[0] not in OURS] == left
    assert [one for one in left if one[0] != b"Authentication-Results"] == [
        one for one in fields if one[0] not in OURS and one[0] != b"Authentication-Results"
    ]
