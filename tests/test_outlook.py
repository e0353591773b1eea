"""What users are told will become of their records is what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.examples import parsed

from tamis.desk.outlook import Outlook, if_closed, if_erased
from tamis.retention.classes import Clock, RecordClass
from tamis.retention.due import Action, Owner, Record, due
from tamis.retention.rules import Rules
from tamis.store.extent import Extent

PRESETS = ("", "mailo", "mailfence", "mailpro", "imail", "mailmo")
OWN = (
    RecordClass.ACCOUNT,
    RecordClass.TICKET,
    RecordClass.SESSION,
    RecordClass.SETTING_CHANGE,
    RecordClass.CONSENT,
)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


MADE, NOW = ms("2027-01-31T12:00"), ms("2027-03-10T09:00")
RECORDS = [Extent(kind, 3, MADE - 1000, MADE) for kind in OWN]


def rules(preset: str, more: str = "") -> Rules:
    return parsed(f'[retention]\npreset = "{preset}"\n{more}').rules


def check(one: Outlook, owner: Owner, given: Rules) -> None:
    """Compare with what is due to the newest record on the days that are told."""
    record = Record(one.records.kind, one.records.newest, (owner,))
    if one.kept_until is not None:
        assert due(record, given, one.kept_until - 1).action is Action.KEEP
    if one.gone_by is None:
        assert due(record, given, ms("2999-01-01")).action is Action.KEEP
    else:
        assert due(record, given, one.gone_by).action is Action.DELETE


@pytest.mark.parametrize("preset", PRESETS)
def test_records_of_a_closed_account_go_on_the_days_that_are_told(preset: str) -> None:
    given = rules(preset)

    for one in if_closed(RECORDS, Owner(), given, now=NOW):
        check(one, Owner(closed=NOW), given)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("closed", [None, MADE])
def test_what_an_erasure_leaves_goes_on_the_days_that_are_told(preset: str, closed: int | None) -> None:
    given, owner = rules(preset), Owner(closed=closed)

    for one in if_erased(RECORDS, owner, given, now=NOW):
        check(one, Owner(closed=closed, erasure=NOW), given)
        asked = Record(one.records.kind, MADE, (Owner(closed=closed, erasure=NOW),))
        assert (one.kept_until is None) == (due(asked, given, NOW).action is Action.DELETE)


def test_an_account_that_is_closed_already_counts_from_then() -> None:
    (first, *_) = if_closed(RECORDS, Owner(closed=MADE), rules("mailpro"), now=NOW)

    assert (first.kept_until, first.clock) == (ms("2027-03-17T12:00"), Clock.CLOSING)
    assert first.gone_by == ms("2027-04-01T12:00")


def test_that_addresses_are_replaced_meanwhile_ends_nothing() -> None:
    given = parsed('[tickets]\npseudonymise_after = "6 months"\n').rules

    told = if_closed(RECORDS, Owner(), given, now=NOW)

    assert [one.gone_by for one in told if one.records.kind is RecordClass.TICKET] == [ms("2028-01-31T12:00")]
