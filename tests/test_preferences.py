"""Settings by the names under which accounts, files and commands give them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis import preferences
from tamis.preferences import KEYS, Preferences, SenderLists, Treatment, Value


@pytest.mark.parametrize(
    ("key", "given_value", "kept"),
    [
        ("antispam", "off", "off"),
        ("antivirus", True, "on"),
        ("learning", False, "off"),
        ("antispam.action", "file", "file"),
        ("graymail.list", "none", "none"),
        ("antispam.mark", "4.5", 4.5),
        ("antispam.mark", 3, 3.0),
        ("antispam.mark", 6.26, 6.3),
        ("senders.allowed", "Friend@Example.NET, @example.com", ("friend@example.net", "@example.com")),
        ("senders.blocked", ["@*.example.com", "@*.example.com"], ("@*.example.com",)),
        ("senders.social", "", ()),
    ],
)
def test_settings_are_kept_in_one_form(key: str, given_value: object, kept: object) -> None:
    assert preferences.parse(key, given_value) == kept


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("antispam", "maybe", 'expected on or off, got "maybe"'),
        ("antispam", 1, "expected on or off, got 1"),
        ("antispam.action", "delete", 'expected mark, file or none, got "delete"'),
        ("antispam.mark", "high", "expected bits"),
        ("antispam.mark", "nan", "expected bits"),
        ("antispam.mark", "inf", "expected bits"),
        ("antispam.mark", True, "expected bits"),
        ("antispam.mark", "1001", "at most 1000"),
        ("senders.allowed", "friend", "expected user@domain, @domain or @*.domain"),
        ("senders.allowed", "@*", "expected user@domain"),
        ("senders.allowed", ["@example.net", 7], "expected user@domain"),
        ("senders.allowed", 7, "expected a list of senders"),
        ("antispam.marks", "5", 'unknown setting "antispam.marks"; did you mean antispam.mark?'),
        ("colour", "red", 'unknown setting "colour"'),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_expected(key: str, value: object, says: str) -> None:
    with pytest.raises(ValueError) as refusal:
        preferences.parse(key, value)

    assert says in str(refusal.value)


def test_a_hostile_pattern_costs_no_time() -> None:
    started = time.process_time()

    with pytest.raises(ValueError, match="expected user@domain"):
        preferences.parse("senders.allowed", "@" + "a." * 5000 + "(")

    assert time.process_time() - started < 1  # second


@given(
    st.sampled_from(KEYS), st.text(max_size=40) | st.floats() | st.booleans() | st.lists(st.text(max_size=20))
)
@settings(max_examples=300, deadline=None)
def test_any_value_is_kept_or_a_value_error(key: str, value: object) -> None:
    try:
        kept = preferences.parse(key, value)
    except ValueError:
        return

    assert preferences.parse(key, kept) == kept


def test_nothing_set_is_everything_on_but_learning() -> None:
    assert preferences.merge([]) == Preferences()


def test_own_settings_come_before_the_domains_and_the_sites() -> None:
    own: dict[str, Value] = {"antispam": "off"}
    domain: dict[str, Value] = {"antispam": "on", "graymail": "off"}
    site: dict[str, Value] = {"graymail": "on", "antispam.mark": 4.0, "antispam.action": "file"}

    merged = preferences.merge([own, domain, site])

    assert (merged.antispam, merged.graymail) == (False, False)
    assert (merged.spam_mark, merged.spam) == (4.0, Treatment.FILE)


def test_sender_lists_stay_apart_by_level() -> None:
    own: dict[str, Value] = {"senders.allowed": ("a@example.net",)}
    site: dict[str, Value] = {"senders.blocked": ("@example.net",)}

    merged = preferences.merge([own, {}, site])

    assert merged.senders == (
        SenderLists(allowed=("a@example.net",)),
        SenderLists(blocked=("@example.net",)),
    )


def test_effective_settings_name_every_key() -> None:
    shown = preferences.effective(
        [{"senders.allowed": ("a@example.net",)}, {"senders.allowed": ("@example.com",)}]
    )

    assert set(shown) == set(KEYS)
    assert shown["senders.allowed"] == ["a@example.net", "@example.com"]


@pytest.mark.parametrize(
    ("word", "keys"),
    [
        ("antispam", ("antispam", "antispam.mark")),
        ("actions", ("antispam.action", "graymail.newsletter", "graymail.social", "graymail.list")),
        ("senders", ("senders.allowed", "senders.blocked", "senders.newsletter", "senders.social")),
    ],
)
def test_a_word_of_may_change_frees_its_keys(word: str, keys: tuple[str, ...]) -> None:
    assert set(KEYS) - set(preferences.locked([word])) == set(keys)


def test_all_words_of_may_change_lock_nothing() -> None:
    assert preferences.locked(preferences.LOCKS) == ()
