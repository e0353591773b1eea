"""[retention] and [tickets]: how long each class of records is kept."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, ValidationInfo, field_validator, model_validator

from tamis import refusal
from tamis.retention import period
from tamis.retention.classes import KINDS, Clock, RecordClass
from tamis.retention.fields import Field
from tamis.retention.period import DAY, Period
from tamis.retention.presets import PRESETS
from tamis.retention.rules import NOTICE, Bound, Figure, Key, Rules, assemble
from tamis.section import Section

SHORTEST_NOTICE = Period(milliseconds=7 * DAY)  # a week, so that who is away for some days can read it


def _period(value: object) -> object:
    if isinstance(value, Period):
        return value
    if not isinstance(value, str):
        raise ValueError(f'expected a duration such as "1 year" or "395d", got {refusal.shown(value)}')
    return period.parse(value)


def _period_or_none(value: object) -> object:
    return Period() if value == "" else _period(value)


Span = Annotated[Period, BeforeValidator(_period)]
SpanOrNone = Annotated[Period | None, BeforeValidator(_period_or_none)]


class Ceiling(Section):
    """A limit to the life of a record."""

    ceiling: SpanOrNone = None


class Bounds(Ceiling):
    """Limits to the life of a record, on both sides."""

    floor: SpanOrNone = None


class Limits(Section):
    """[retention.CLASS]: the operator's own figures; an empty period says that there is no such limit."""

    age: Bounds = Bounds()
    closing: Bounds = Bounds()
    sign_in: Ceiling = Ceiling()

    def figures(self, kind: RecordClass) -> Iterator[tuple[Key, Figure]]:
        """Return what is given for a class."""
        for clock in Clock:
            limit: Ceiling = getattr(self, clock)
            for bound in Bound:
                given = getattr(limit, bound, None)
                if given is not None:
                    yield Key(kind, clock, bound), Figure(None if given == Period() else given, own=True)


class Retention(Section):
    """[retention]: a preset, and own figures."""

    preset: Literal["", "mailo", "mailfence", "mailpro", "imail", "mailmo"] = ""
    notice: Span = NOTICE
    account: Limits = Limits()
    ticket: Limits = Limits()
    session: Limits = Limits()
    setting_change: Limits = Limits()
    consent: Limits = Limits()
    log: Limits = Limits()
    legal_act: Limits = Limits()
    correspondent: Limits = Limits()
    counter: Limits = Limits()
    personal_model: Limits = Limits()

    @field_validator("notice")
    @classmethod
    def _long_enough(cls, value: Period) -> Period:
        if SHORTEST_NOTICE.may_exceed(value):
            raise ValueError(f"expected at least {SHORTEST_NOTICE}, got {value}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _guard(cls, value: object) -> object:
        if isinstance(value, dict) and RecordClass.COPY_GUARD in value:
            raise refusal.SettingError(RecordClass.COPY_GUARD, "its ceiling is resend.remember")
        return value

    @field_validator(*(kind for kind in RecordClass if kind is not RecordClass.COPY_GUARD))
    @classmethod
    def _clocks(cls, value: Limits, info: ValidationInfo) -> Limits:
        kind = RecordClass(info.field_name or "")
        known = KINDS[kind].clocks
        for clock in Clock:
            if clock not in known and clock in value.model_fields_set:
                expected = " or ".join(f"{kind}.{one}" for one in known)
                raise refusal.SettingError(clock, f"no such clock here, expected {expected}")
        return value

    def rules(self, *, remember: Period, pseudonymise: Period | None) -> Rules:
        """Return the rules in force."""
        own = dict(
            one
            for kind in RecordClass
            if kind is not RecordClass.COPY_GUARD
            for one in getattr(self, kind).figures(kind)
        )
        return assemble(
            self.preset,
            PRESETS[self.preset],
            own,
            remember=remember,
            notice=self.notice,
            pseudonymise=pseudonymise,
        )


def _field(value: object) -> Field:
    for field in Field:
        if value == field:
            return field
    near = difflib.get_close_matches(value[:80], Field, n=1, cutoff=0.5) if isinstance(value, str) else ()
    meant = f'; did you mean "{near[0]}"?' if near else ""
    *some, last = (f'"{field}"' for field in Field)
    raise ValueError(f"expected {', '.join(some)} or {last}, got {refusal.shown(value)}{meant}")


class Tickets(Section):
    """[tickets]: what they hold beside the rest, and what becomes of them as they age."""

    fields: tuple[Field, ...] = ()
    pseudonymise_after: SpanOrNone = Period()

    @field_validator("fields", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        named = set(map(_field, value))
        return tuple(field for field in Field if field in named)

    @property
    def period(self) -> Period | None:
        """The age from which on addresses are replaced, None for never."""
        return None if self.pseudonymise_after == Period() else self.pseudonymise_after
