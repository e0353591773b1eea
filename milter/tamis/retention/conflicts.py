"""What rules cannot keep: ceilings under floors, and promises that an operator's own figures break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tamis.retention.classes import KINDS, Clock, RecordClass
from tamis.retention.period import DAY, Period
from tamis.retention.rules import LEAD, SHORTEST, Bound, Figure, Key, Rules

APART = f"{LEAD // DAY}d"  # a record is due that long before its ceiling


@dataclass(frozen=True, slots=True)
class Clash:
    """A key of the configuration whose figure cannot be, and why."""

    key: tuple[str, ...]
    reason: str


def clashes(rules: Rules) -> Iterator[Clash]:
    """Return the figures that cannot be kept, whatever happens."""
    for key, ceiling in rules.figures.items():
        if key.bound is not Bound.CEILING or ceiling.period is None or key.kind is RecordClass.COPY_GUARD:
            continue
        if Period(milliseconds=SHORTEST).may_exceed(ceiling.period):
            reason = f"expected at least {SHORTEST // DAY}d, as a purge runs once a day, got {ceiling}"
            yield Clash(("retention", *key), reason)
        floor = rules.figures.get(key._replace(bound=Bound.FLOOR))
        if floor and floor.period and floor.period.may_exceed(ceiling.period, LEAD):
            yield _under(key, floor, ceiling, rules)
    kept = rules.period(RecordClass.TICKET, Clock.AGE, Bound.FLOOR)
    after = rules.pseudonymise
    if after and kept and kept.may_exceed(after):
        floor = rules.figures[Key(RecordClass.TICKET, Clock.AGE, Bound.FLOOR)]
        reason = f"expected at least {_shown(floor, rules, 'floor')}, got {after}"
        yield Clash(("tickets", "pseudonymise_after"), reason)


def _under(key: Key, floor: Figure, ceiling: Figure, rules: Rules) -> Clash:
    """Return what is said of a ceiling under its floor, at the key that the operator gave."""
    if ceiling.own or not floor.own:
        reason = f"expected at least {APART} more than {_shown(floor, rules, 'floor')}, got {ceiling}"
        return Clash(("retention", *key), reason)
    reason = f"expected at least {APART} less than {_shown(ceiling, rules, 'ceiling')}, got {floor}"
    return Clash(("retention", *key._replace(bound=Bound.FLOOR)), reason)


def _shown(figure: Figure, rules: Rules, word: str) -> str:
    return f"the {word} of {figure}{_quoted(figure, rules)}"


def _quoted(figure: Figure, rules: Rules) -> str:
    return f' ({rules.preset}: "{figure.promise}")' if figure.promise else ""


def remarks(rules: Rules) -> Iterator[str]:
    """Return a sentence for whatever the operator should know of figures that can be."""
    yield from _broken(rules)
    yield from _outlasted(rules)
    yield from _endless(rules)


def _broken(rules: Rules) -> Iterator[str]:
    """Return a sentence for each promise of the preset that an own figure breaks."""
    for key, promised in rules.promised.items():
        figure = rules.figures[key]
        if promised.promise and not _keeps(figure, promised, key.bound):
            yield f'{key} = "{figure}" breaks a promise{_quoted(promised, rules)}'


def _keeps(figure: Figure, promised: Figure, bound: Bound) -> bool:
    """Return whether what was promised holds with another figure."""
    if figure.period == promised.period:
        return True
    if figure.period is None or promised.period is None:
        return bound is Bound.CEILING and promised.period is None
    if bound is Bound.FLOOR:
        return not promised.period.may_exceed(figure.period)
    return not figure.period.may_exceed(promised.period)


def _outlasted(rules: Rules) -> Iterator[str]:
    """Return a sentence for each ceiling, chosen or promised, that a floor by another clock can outlast."""
    for key, ceiling in rules.figures.items():
        if key.bound is not Bound.CEILING or not ceiling.period or not (ceiling.own or ceiling.promise):
            continue
        for clock in KINDS[key.kind].clocks:
            place = Key(key.kind, clock, Bound.FLOOR)
            floor = rules.figures.get(place)
            if floor and floor.period and _can_outlast(clock, floor.period, key.clock, ceiling.period):
                yield (
                    f'{place} = "{floor}" goes before {key} = "{ceiling}"{_quoted(ceiling, rules)}: '
                    "some records stay for longer"
                )


def _can_outlast(floored: Clock, floor: Period, ceiled: Clock, ceiling: Period) -> bool:
    match (floored, ceiled):
        case (Clock.AGE, Clock.CLOSING):
            return floor.may_exceed(ceiling, LEAD)
        case (Clock.AGE, Clock.SIGN_IN) | (Clock.CLOSING, Clock.AGE):
            return True  # records go on being made while nobody signs in; old ones may come under the floor
        case _:
            return False  # the same clock, for clashes(), or two of which only one runs


def _endless(rules: Rules) -> Iterator[str]:
    """Return a sentence for each class of which records may stay for ever."""
    for kind in RecordClass:
        ends = {limit.clock for limit in rules.limits[kind] if limit.ceiling}
        if not ends:
            yield f"{kind}: no ceiling, records are kept for ever"
        elif kind is RecordClass.TICKET and Clock.AGE not in ends:
            yield f"{kind}: no ceiling by age, tickets of nobody's account are kept for ever"
