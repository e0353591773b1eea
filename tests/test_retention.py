"""What is due to a record: hold before floor before erasure before ceiling; and what rules cannot keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import parsed

from tamis.retention.classes import KINDS, Clock, RecordClass
from tamis.retention.conflicts import clashes, remarks
from tamis.retention.due import Action, Owner, Reason, Record, Verdict, due, to_be_warned
from tamis.retention.period import DAY
from tamis.retention.presets import PRESETS
from tamis.retention.rules import LEAD, Bound, Key, Rules


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


MADE = ms("2027-01-31T12:00")
MAILO = '[retention]\npreset = "mailo"\n'


def rules(text: str = "") -> Rules:
    return parsed(text).rules


def ticket(*owners: Owner, held_until: int | None = None, pseudonymised: bool = False) -> Record:
    return Record(RecordClass.TICKET, MADE, owners, held_until=held_until, pseudonymised=pseudonymised)


def test_a_hold_goes_before_all_else() -> None:
    held = ticket(Owner(erasure=MADE + DAY), held_until=ms("2040-01-01"))

    verdict = due(held, rules(), ms("2039-12-31"))

    assert verdict == Verdict(Action.KEEP, Reason.HOLD, until=ms("2040-01-01"))


def test_what_a_hold_kept_is_due_from_its_end_on() -> None:
    held = ticket(held_until=ms("2040-01-01"))

    verdict = due(held, rules(), ms("2040-01-01"))

    assert (verdict.action, verdict.since) == (Action.DELETE, ms("2040-01-01"))


def test_a_floor_goes_before_an_erasure_request() -> None:
    asked = ticket(Owner(erasure=ms("2027-03-01")))

    verdict = due(asked, rules(MAILO), ms("2028-01-31T11:59"))

    assert verdict == Verdict(Action.KEEP, Reason.FLOOR, Clock.AGE, until=ms("2028-01-31T12:00"))


def test_an_erasure_request_is_due_where_its_floor_ends() -> None:
    asked = ticket(Owner(erasure=ms("2027-03-01")))
    end = ms("2028-01-31T12:00")

    assert due(asked, rules(MAILO), end) == Verdict(
        Action.DELETE, Reason.ERASURE, since=end, until=end + LEAD
    )


def test_an_erasure_request_is_due_at_once_without_a_floor() -> None:
    asked = Record(RecordClass.SESSION, MADE, (Owner(erasure=MADE + 1),))

    assert due(asked, rules(MAILO), MADE + 1).reason is Reason.ERASURE


def test_an_erasure_request_is_not_about_what_comes_after_it() -> None:
    assert due(ticket(Owner(erasure=MADE - 1)), rules(), MADE).action is Action.KEEP


def test_a_ceiling_is_due_some_days_before_it() -> None:
    ceiling = ms("2028-01-31T12:00")
    record = ticket()

    assert due(record, rules(), ceiling - LEAD - 1).until == ceiling - LEAD
    assert due(record, rules(), ceiling - LEAD) == Verdict(
        Action.DELETE, Reason.CEILING, Clock.AGE, since=ceiling - LEAD, until=ceiling
    )


@pytest.mark.parametrize(
    ("day", "action"), [(45, Action.KEEP), (56, Action.KEEP), (57, Action.DELETE), (60, Action.DELETE)]
)
def test_a_closed_account_is_erased_in_the_window_that_was_promised(day: int, action: Action) -> None:
    account = Record(RecordClass.ACCOUNT, MADE, (Owner(closed=MADE),))

    assert due(account, rules('[retention]\npreset = "mailpro"\n'), MADE + day * DAY).action is action


def test_a_reopened_account_is_whole() -> None:
    account = Record(RecordClass.ACCOUNT, MADE, (Owner(closed=None),))

    assert due(account, rules(), MADE + 5000 * DAY) == Verdict(Action.KEEP, Reason.UNLIMITED)


def test_a_ticket_of_two_stays_for_who_may_keep_it() -> None:
    shared = ticket(Owner(erasure=MADE + DAY), Owner())

    assert due(shared, rules(), MADE + 2 * DAY).action is Action.KEEP
    assert due(replace(shared, owners=shared.owners[:1]), rules(), MADE + 2 * DAY).action is Action.DELETE


def test_a_restricted_accounts_tickets_stay_to_their_floor_only() -> None:
    restricted = ticket(Owner(restricted=MADE))

    assert due(restricted, rules(MAILO), MADE + DAY).reason is Reason.FLOOR
    assert due(restricted, rules(), MADE + DAY).reason is Reason.RESTRICTION


IMAIL = '[retention]\npreset = "imail"\n'
LATER = ms("2030-02-05")  # three years and some days after MADE


def test_nobody_is_erased_for_being_away_without_a_warning() -> None:
    account = Record(RecordClass.ACCOUNT, MADE, (Owner(last_sign_in=MADE),))

    assert due(account, rules(IMAIL), LATER + 1000 * DAY).action is Action.KEEP


@pytest.mark.parametrize(("day", "action"), [(27, Action.KEEP), (28, Action.DELETE)])
def test_who_was_warned_has_the_whole_notice(day: int, action: Action) -> None:
    account = Record(RecordClass.ACCOUNT, MADE, (Owner(last_sign_in=MADE, warned=LATER),))

    assert due(account, rules(IMAIL), LATER + day * DAY).action is action


def test_a_sign_in_undoes_a_warning() -> None:
    back = Owner(last_sign_in=LATER + DAY, warned=LATER)
    account = Record(RecordClass.ACCOUNT, MADE, (back,))

    assert due(account, rules(IMAIL), LATER + 2000 * DAY).action is Action.KEEP
    assert to_be_warned(back, rules(IMAIL), LATER + 2000 * DAY)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (Owner(last_sign_in=MADE), True),
        (Owner(last_sign_in=LATER - DAY), False),
        (Owner(last_sign_in=MADE, warned=LATER - DAY), False),
        (Owner(last_sign_in=MADE, closed=LATER - DAY), False),
        (Owner(), False),
    ],
)
def test_who_has_been_away_for_three_years_is_to_be_warned(owner: Owner, expected: bool) -> None:
    assert to_be_warned(owner, rules(IMAIL), LATER) is expected
    assert not to_be_warned(owner, rules(), LATER)


PSEUDONYMS = '[tickets]\npseudonymise_after = "6 months"\n'


def test_addresses_are_replaced_once_at_their_age() -> None:
    at = ms("2027-07-31T12:00")

    assert due(ticket(), rules(PSEUDONYMS), at - 1) == Verdict(
        Action.KEEP, Reason.PSEUDONYMISATION, Clock.AGE, until=at
    )
    assert due(ticket(), rules(PSEUDONYMS), at).action is Action.PSEUDONYMISE
    assert due(ticket(pseudonymised=True), rules(PSEUDONYMS), at).action is Action.KEEP


def test_copies_are_remembered_for_as_long_as_resend_remember_says() -> None:
    copy = Record(RecordClass.COPY_GUARD, MADE)
    minutes = rules("[resend]\nremember = '10m'\n")

    assert due(copy, minutes, MADE + 600_000 - 1).action is Action.KEEP
    assert due(copy, minutes, MADE + 600_000).action is Action.DELETE


times = st.integers(0, 3000).map(lambda days: MADE + days * DAY)
owners = st.builds(
    Owner,
    closed=st.none() | times,
    erasure=st.none() | times,
    restricted=st.none() | times,
    last_sign_in=st.none() | times,
    warned=st.none() | times,
)
records = st.builds(
    Record,
    st.sampled_from(RecordClass),
    times,
    st.lists(owners, max_size=2).map(tuple),
    held_until=st.none() | times,
)


@given(records, times, times, st.sampled_from(sorted(PRESETS)))
def test_a_clock_that_is_set_back_keeps(record: Record, one: int, other: int, preset: str) -> None:
    earlier, later = sorted((one, other))
    chosen = rules(f'[retention]\npreset = "{preset}"\n')

    if due(record, chosen, earlier).action is Action.DELETE:
        assert due(record, chosen, later).action is Action.DELETE


@given(records, times, st.sampled_from(sorted(PRESETS)))
def test_what_is_kept_is_kept_until_the_time_that_is_told(record: Record, now: int, preset: str) -> None:
    chosen = rules(f'[retention]\npreset = "{preset}"\n')
    verdict = due(record, chosen, now)

    if verdict.action is Action.KEEP and verdict.until is not None:
        assert due(record, chosen, verdict.until - 1) == verdict
        assert due(record, chosen, verdict.until) != verdict


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_can_be_kept_and_breaks_no_promise_of_its_own(preset: str) -> None:
    chosen = rules(f'[retention]\npreset = "{preset}"\n')

    assert [*clashes(chosen), *remarks(chosen)] == []


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {""}))
def test_a_preset_names_a_promise_and_only_clocks_that_there_are(preset: str) -> None:
    figures = PRESETS[preset]

    assert any(figure.promise for figure in figures.values())
    assert all(key.clock in KINDS[key.kind].clocks for key in figures)


@pytest.mark.parametrize("kind", RecordClass)
def test_every_class_has_a_purpose_and_an_end(kind: RecordClass) -> None:
    known = KINDS[kind]

    assert all((known.name.english, known.name.french, known.purpose.english, known.purpose.french))
    assert any(Key(kind, clock, Bound.CEILING) in rules().figures for clock in known.clocks)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            MAILO + 'ticket.age.floor = "6 months"',
            'ticket.age.floor = "6 months" breaks a promise (mailo: "operating tickets',
        ),
        (
            MAILO + 'log.age.ceiling = "2 months"',
            'log.age.ceiling = "2 months" breaks a promise (mailo: "log',
        ),
        (MAILO + 'log.age.ceiling = ""', 'log.age.ceiling = "" breaks a promise'),
        (MAILO + 'session.age.floor = "10d"', 'session.age.floor = "10d" breaks a promise'),
        (
            '[retention]\npreset = "mailpro"\nticket.age.floor = "10 months"',
            'ticket.age.floor = "10 months" goes before ticket.closing.ceiling = "60d" (mailpro: "If you',
        ),
        ('[retention]\nticket.age.ceiling = ""', "ticket: no ceiling, records are kept for ever"),
        (
            '[retention]\npreset = "mailfence"\nticket.age.ceiling = ""',
            "ticket: no ceiling by age, tickets of nobody's account are kept for ever",
        ),
    ],
)
def test_what_an_own_figure_breaks_is_named(text: str, says: str) -> None:
    assert any(one.startswith(says) for one in remarks(rules(text)))


@pytest.mark.parametrize(
    "text", ['ticket.age.floor = "2 years"\nticket.age.ceiling = "3 years"', 'log.age.ceiling = "14d"']
)
def test_an_own_figure_may_be_stricter_than_the_promise(text: str) -> None:
    assert list(remarks(rules(MAILO + text))) == []
