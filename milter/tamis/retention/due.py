"""What is due to a record: hold before floor before erasure request before ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tamis.retention.classes import KINDS, Clock, RecordClass
from tamis.retention.rules import LEAD, Bound, Limit, Rules


@dataclass(frozen=True, slots=True)
class Owner:
    """What is known of an account that a record is about; times are Unix ms, None for what did not happen."""

    closed: int | None = None  # None again once it is reopened, which counts as a sign-in
    erasure: int | None = None  # when it was asked for last: what was recorded until then is to go
    restricted: int | None = None  # since when only what must be is kept
    last_sign_in: int | None = (
        None  # None also where nobody tells Tamis of sign-ins: then that clock stands still
    )
    warned: int | None = None  # when it was told last that nobody signs in


@dataclass(frozen=True, slots=True)
class Record:
    """What the rules ask about a record.

    It may have several owners, as a ticket of a message between users has: what one of them may keep stays.
    """

    kind: RecordClass
    time: int  # Unix ms
    owners: tuple[Owner, ...] = ()
    held_until: int | None = None  # Unix ms; the latest end of the holds that it is under
    pseudonymised: bool = False


class Action(StrEnum):
    """What becomes of a record now."""

    KEEP = "keep"
    DELETE = "delete"
    PSEUDONYMISE = "pseudonymise"


class Reason(StrEnum):
    """The rule that decided."""

    HOLD = "hold"
    FLOOR = "floor"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    CEILING = "ceiling"
    PSEUDONYMISATION = "pseudonymisation"
    UNLIMITED = "unlimited"  # nothing ends its time yet


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is due, and the rule that decided.

    What is to be done is due since a time, and must be done until another. What is kept is so until something
    else holds, None where that is not known.
    """

    action: Action
    reason: Reason
    clock: Clock | None = None  # of the floor or ceiling that decided
    since: int | None = None  # Unix ms
    until: int | None = None  # Unix ms


@dataclass(frozen=True, slots=True)
class _End:
    """When a rule begins or ceases to have its effect."""

    time: int
    reason: Reason
    clock: Clock | None = None


def _time(end: _End) -> int:
    return end.time


def due(record: Record, rules: Rules, now: int) -> Verdict:
    """Return what is due to a record at a Unix time in ms.

    All times are compared with now alone: while a clock is set back, records stay for longer.
    """
    if record.held_until is not None and record.held_until > now:
        return Verdict(Action.KEEP, Reason.HOLD, until=record.held_until)
    limits = rules.limits[record.kind]
    floor = max(_floors(record, limits), key=_time, default=None)
    if floor and floor.time > now:
        return Verdict(Action.KEEP, Reason.FLOOR, floor.clock, until=floor.time)
    free = max(record.held_until or 0, floor.time if floor else 0)
    end = _end(record, limits, rules)
    deleted = max(end.time, free) if end else None
    if end and deleted is not None and deleted <= now:
        return Verdict(Action.DELETE, end.reason, end.clock, since=deleted, until=deleted + LEAD)
    pseudonymised = _pseudonymised(record, rules, free)
    if pseudonymised is not None and pseudonymised <= now:
        reason = Reason.PSEUDONYMISATION
        return Verdict(
            Action.PSEUDONYMISE, reason, Clock.AGE, since=pseudonymised, until=pseudonymised + LEAD
        )
    if pseudonymised is not None and (deleted is None or pseudonymised < deleted):
        return Verdict(Action.KEEP, Reason.PSEUDONYMISATION, Clock.AGE, until=pseudonymised)
    if end:
        return Verdict(Action.KEEP, end.reason, end.clock, until=deleted)
    return Verdict(Action.KEEP, Reason.UNLIMITED)


def may_be_due(kind: RecordClass, owner: Owner, rules: Rules, now: int) -> bool:
    """Return whether anything of a class can be due for the sake of an owner, whatever its age."""
    oldest = Record(kind, 0, (owner,))
    return any(end.time <= now for end in _owners_ends(oldest, owner, rules.limits[kind], rules))


def aged(kind: RecordClass, bound: Bound, rules: Rules, now: int) -> int | None:
    """Return before when records were made whose floor or ceiling by age may be over, or due; None for none.

    Some days too late for some, as months are not alike: due() tells.
    """
    figure = rules.period(kind, Clock.AGE, bound)
    lead = LEAD if bound is Bound.CEILING else 0
    return None if figure is None else now + lead - figure.shortest() + 1


def hidden_before(rules: Rules, now: int) -> int | None:
    """Return before when tickets were made whose addresses may have to be replaced; None for none.

    Some days too late for some, likewise.
    """
    return None if rules.pseudonymise is None else now - rules.pseudonymise.shortest() + 1


def to_be_warned(owner: Owner, rules: Rules, now: int) -> bool:
    """Return whether nobody has signed in to an account for so long that its user must be told."""
    last = _last_sign_in(owner)
    if last is None or _warned(owner, last) is not None:
        return False
    ceilings = (
        limit.ceiling for limits in rules.limits.values() for limit in limits if limit.clock is Clock.SIGN_IN
    )
    return any(one is not None and one.at_most_from(last) <= now for one in ceilings)


def _last_sign_in(owner: Owner) -> int | None:
    """Return when the account's clock of sign-ins started, None where it stands still."""
    return owner.last_sign_in if owner.closed is None else None


def _warned(owner: Owner, last: int) -> int | None:
    """Return when the account was warned, unless somebody has signed in since."""
    return owner.warned if owner.warned is not None and owner.warned > last else None


def _floors(record: Record, limits: tuple[Limit, ...]) -> Iterator[_End]:
    for limit in limits:
        if not limit.floor:
            continue
        if limit.clock is Clock.AGE:
            yield _End(limit.floor.at_least_from(record.time), Reason.FLOOR, limit.clock)
        for owner in record.owners:
            if limit.clock is Clock.CLOSING and owner.closed is not None:
                yield _End(limit.floor.at_least_from(owner.closed), Reason.FLOOR, limit.clock)


def _end(record: Record, limits: tuple[Limit, ...], rules: Rules) -> _End | None:
    """Return what ends the record's time first: its age, or that it has no owner left who may keep it."""
    ends = []
    owned = [
        min(_owners_ends(record, owner, limits, rules), key=_time, default=None) for owner in record.owners
    ]
    lost = [end for end in owned if end]
    if lost and len(lost) == len(owned):
        ends.append(max(lost, key=_time))
    for limit in limits:
        if limit.clock is Clock.AGE and limit.ceiling:
            ends.append(
                _End(limit.ceiling.at_most_from(record.time) - limit.lead, Reason.CEILING, limit.clock)
            )
    return min(ends, key=_time, default=None)


def _owners_ends(record: Record, owner: Owner, limits: tuple[Limit, ...], rules: Rules) -> Iterator[_End]:
    """Return what ends the time of a record for one of its owners."""
    if owner.erasure is not None and record.time <= owner.erasure:
        yield _End(owner.erasure, Reason.ERASURE)
    if owner.restricted is not None and record.kind is RecordClass.TICKET:
        yield _End(max(record.time, owner.restricted), Reason.RESTRICTION)
    last = _last_sign_in(owner)
    warned = None if last is None else _warned(owner, last)
    for limit in limits:
        if not limit.ceiling:
            continue
        if limit.clock is Clock.CLOSING and owner.closed is not None:
            yield _End(limit.ceiling.at_most_from(owner.closed) - limit.lead, Reason.CEILING, limit.clock)
        if limit.clock is Clock.SIGN_IN and last is not None and warned is not None:
            told = rules.notice.at_least_from(warned)
            yield _End(max(limit.ceiling.at_most_from(last), told), Reason.CEILING, limit.clock)


def _pseudonymised(record: Record, rules: Rules, free: int) -> int | None:
    """Return from when on a record's addresses are to be replaced, or None."""
    if rules.pseudonymise is None or record.pseudonymised or not KINDS[record.kind].pseudonymous:
        return None
    return max(rules.pseudonymise.at_least_from(record.time), free)
