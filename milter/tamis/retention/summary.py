"""The rules in a line, for `tamis check`."""

from __future__ import annotations

from tamis.retention.classes import Clock, RecordClass
from tamis.retention.rules import Limit, Rules

AFTER = {Clock.AGE: "", Clock.CLOSING: " after closing", Clock.SIGN_IN: " without sign-in"}


def summary(rules: Rules) -> str:
    """Return how long each class is kept."""
    told = (
        f"{kind} {', '.join(map(_limit, rules.limits[kind]))}" for kind in RecordClass if rules.limits[kind]
    )
    return f"{rules.preset or 'no preset'}: {'; '.join(told)}"


def _limit(limit: Limit) -> str:
    ends = " to ".join(str(one) for one in (limit.floor, limit.ceiling) if one)
    word = "" if limit.floor and limit.ceiling else "at least " if limit.floor else "up to "
    return f"{word}{ends}{AFTER[limit.clock]}"
