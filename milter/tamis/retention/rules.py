"""The rules in force: an operator's own figures above a preset's above the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tamis.retention.classes import Clock, RecordClass
from tamis.retention.period import DAY, Period

# Milliseconds before a ceiling from which on a record is due. A purge runs once a day: one may be missed, the
# day on which clocks go back has 25 hours, and timers are a little late.
LEAD = 3 * DAY
SHORTEST = 7 * DAY  # ceiling, so that what is due so early has been there for some days


class Bound(StrEnum):
    """Which side of a record's life a figure limits."""

    FLOOR = "floor"  # kept at least
    CEILING = "ceiling"  # gone by then


class Key(NamedTuple):
    """What a figure is about."""

    kind: RecordClass
    clock: Clock
    bound: Bound

    def __str__(self) -> str:
        return ".".join(self)


@dataclass(frozen=True, slots=True)
class Figure:
    """A floor or a ceiling; period None says that there is none."""

    period: Period | None
    promise: str = ""  # the provider's words that it keeps
    own: bool = False  # the operator's, not a preset's or a default

    def __str__(self) -> str:
        return "" if self.period is None else str(self.period)


Figures = Mapping[Key, Figure]


@dataclass(frozen=True, slots=True)
class Limit:
    """Floor and ceiling of a class by one clock."""

    clock: Clock
    floor: Period | None
    ceiling: Period | None
    lead: int  # milliseconds before the ceiling from which on a record is due


@dataclass(frozen=True, slots=True)
class Rules:
    """How long records are kept."""

    preset: str  # "" for none
    figures: Figures
    promised: Figures  # the preset's, some of which the operator may have replaced
    limits: Mapping[RecordClass, tuple[Limit, ...]]
    notice: Period  # between the warning of an account that nobody signs in to, and the end of its records
    pseudonymise: Period | None  # the age of tickets from which on addresses are replaced by keyed hashes

    def period(self, kind: RecordClass, clock: Clock, bound: Bound) -> Period | None:
        """Return a figure's period, None where there is no such limit."""
        figure = self.figures.get(Key(kind, clock, bound))
        return figure.period if figure else None


MONTH = Period(months=1)
YEAR = Period(months=12)
NOTICE = MONTH

# Where nothing is promised. In France logs should be kept for 6 months to 1 year (CNIL, 2021-122), and civil
# claims, for which acts of the law must be accounted for, lapse after 5 years (Civil Code, article 2224).
DEFAULTS: Figures = {
    Key(RecordClass.ACCOUNT, Clock.CLOSING, Bound.CEILING): Figure(MONTH),
    Key(RecordClass.TICKET, Clock.AGE, Bound.CEILING): Figure(YEAR),
    Key(RecordClass.SESSION, Clock.AGE, Bound.CEILING): Figure(MONTH),
    Key(RecordClass.SETTING_CHANGE, Clock.AGE, Bound.CEILING): Figure(YEAR),
    Key(RecordClass.CONSENT, Clock.CLOSING, Bound.CEILING): Figure(MONTH),
    Key(RecordClass.LOG, Clock.AGE, Bound.CEILING): Figure(MONTH),
    Key(RecordClass.LEGAL_ACT, Clock.AGE, Bound.FLOOR): Figure(Period(months=60)),
    Key(RecordClass.LEGAL_ACT, Clock.AGE, Bound.CEILING): Figure(Period(months=72)),
    Key(RecordClass.CORRESPONDENT, Clock.AGE, Bound.CEILING): Figure(YEAR),
    Key(RecordClass.CORRESPONDENT, Clock.CLOSING, Bound.CEILING): Figure(MONTH),
    Key(RecordClass.COUNTER, Clock.AGE, Bound.CEILING): Figure(MONTH),
    Key(RecordClass.PERSONAL_MODEL, Clock.CLOSING, Bound.CEILING): Figure(MONTH),
}


def assemble(
    preset: str,
    promised: Figures,
    own: Figures,
    *,
    remember: Period,
    notice: Period = NOTICE,
    pseudonymise: Period | None = None,
) -> Rules:
    """Return the rules in force; remember is how long copies are remembered (resend.remember)."""
    guard = Key(RecordClass.COPY_GUARD, Clock.AGE, Bound.CEILING)
    figures = {**DEFAULTS, **promised, **own, guard: Figure(remember, own=True)}
    limits = {kind: tuple(_limits(kind, figures)) for kind in RecordClass}
    return Rules(preset, figures, promised, limits, notice, pseudonymise)


def _limits(kind: RecordClass, figures: Figures) -> Iterator[Limit]:
    none = Figure(None)
    for clock in Clock:
        floor, ceiling = (figures.get(Key(kind, clock, bound), none).period for bound in Bound)
        # The guard looks after its own: what is over time counts no more, though it is still there.
        # Who is warned has the whole of the notice.
        exact = kind is RecordClass.COPY_GUARD or clock is Clock.SIGN_IN
        if floor or ceiling:
            yield Limit(clock, floor, ceiling, 0 if exact else LEAD)
