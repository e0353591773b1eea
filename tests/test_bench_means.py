"""What each means costs and how often it is taken: the benchmark's cases, its relay and its mix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bench import messages, mix, runs
from tests.bench.means import CASES, complaints, main

from tamis.ticket import Means

SENT = 2
COPIES = SENT * (1 + 4)


def tickets(**others: str) -> Iterator[dict[str, object]]:
    """Return the tickets of SENT messages to each case, some with means that are none of theirs."""
    for case in CASES:
        means = others.get(case.name, case.means.value)
        for _ in range(SENT):
            yield {"recipients": [{"address": case.recipients[0]}], "means": means}


def test_each_round_begins_with_another_one() -> None:
    assert [runs.in_turn("abc", number) for number in (0, 1, 5)] == [
        ("a", "b", "c"),
        ("b", "c", "a"),
        ("c", "a", "b"),
    ]


def test_cases_that_were_answered_by_their_means_are_fine() -> None:
    assert complaints(tickets(), SENT, copies=COPIES) == []


def test_a_case_that_was_answered_by_other_means_is_told() -> None:
    (complaint,) = complaints(tickets(detail="common"), SENT, copies=COPIES)

    assert complaint == "detail: expected 2 tickets with detail, got {'common': 2}"


def test_messages_without_a_ticket_are_told() -> None:
    found = [one for one in tickets() if one["means"] != "uniform"]

    (complaint,) = complaints(found, SENT, copies=COPIES)

    assert complaint == "uniform: expected 2 tickets with uniform, got {}"


def test_copies_that_are_missing_are_told() -> None:
    assert complaints(tickets(), SENT, copies=COPIES - 1) == ["expected 10 copies, got 9"]


def test_a_small_run_has_each_means(tmp_path: Path) -> None:
    result = tmp_path / "result.json"

    code = main(
        [
            *("--rounds", "1", "--messages", "4", "--connections", "2", "--mix", "0"),
            *("--folder", str(tmp_path / "run"), "--json", str(result)),
        ]
    )

    cells = json.loads(result.read_text())["cells"]
    assert code == 0
    assert {one["server"]: one["verdicts"] for one in cells} == {case.name: {"accept": 4} for case in CASES}


@pytest.fixture(scope="module")
def found() -> mix.Mix:
    """Judge some generated messages."""
    return mix.measure(messages.generated(300))


def test_the_mix_is_the_same_each_time(found: mix.Mix) -> None:
    assert mix.measure(messages.generated(300)) == found


def test_each_message_of_the_mix_has_its_means(found: mix.Mix) -> None:
    assert [one.means.total() for one in found.shares] == [one.messages for one in found.shares]
    assert [one.messages for one in found.shares if not one.several] == [300, 300]


def test_a_relay_leaves_nothing_to_common_means(found: mix.Mix) -> None:
    assert [one.means[Means.COMMON] for one in found.shares] == [0, 0, 0, 0]


def test_fields_on_clean_mail_too_need_more_copies(found: mix.Mix) -> None:
    copies = {one.on_clean: one.copies for one in found.shares}

    assert 0 < copies[False] < copies[True]


def test_the_mix_has_users_as_it_says() -> None:
    everyone = [one.preferences for one in mix.users()]

    off = [one for one in everyone if not (one.antivirus and one.antispam and one.graymail)]
    own = [one for one in everyone if one.spam_mark != 5.0]
    assert (len(everyone), len(off), len(own)) == (mix.USERS, mix.WITHOUT_ONE, mix.WITH_THRESHOLD)
