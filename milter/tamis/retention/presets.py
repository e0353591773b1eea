"""Presets after the published practice of providers, each figure beside the promise that it keeps.

Source: the privacy policies of Mailo (2022-11-14), Mailfence (2017-06-21), Mailpro (2019-02-05), Imail
(translated from French) and Mailmo. A figure without words is ours, where a promise wants one and names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tamis.retention import period
from tamis.retention.classes import KINDS, Clock, RecordClass
from tamis.retention.rules import Bound, Figure, Figures, Key

# What goes with its account; sign-ins go by their own age, which is shorter.
PERSONAL = tuple(
    kind for kind in RecordClass if Clock.CLOSING in KINDS[kind].clocks and kind is not RecordClass.SESSION
)
LASTING = tuple(kind for kind in RecordClass if Clock.SIGN_IN in KINDS[kind].clocks)
OPERATING = (RecordClass.TICKET, RecordClass.SETTING_CHANGE)  # operations on accounts, metadata of mail
LOG = (RecordClass.LOG,)
SESSION = (RecordClass.SESSION,)
CONSENT = (RecordClass.CONSENT,)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure for some classes, "none" for no such limit, and the promise."""

    clock: Clock
    bound: Bound
    period: str
    kinds: tuple[RecordClass, ...]
    promise: str = ""


MAILO = (
    Row(
        Clock.AGE,
        Bound.FLOOR,
        "1 year",
        OPERATING,
        "operating tickets [...] This information is kept for a minimum of 1 year",
    ),
    Row(Clock.AGE, Bound.CEILING, "13 months", OPERATING),
    Row(
        Clock.AGE,
        Bound.CEILING,
        "1 month",
        LOG,
        "log files [...] kept for 1 month then deleted automatically",
    ),
    Row(
        Clock.AGE,
        Bound.CEILING,
        "1 month",
        SESSION,
        "the history of your sessions [...] is stored for 1 month [...] deleted automatically",
    ),
    Row(
        Clock.AGE,
        Bound.FLOOR,
        "none",
        SESSION,
        "you can access them at any time in the Options [...] and delete them yourself",
    ),
)
MAILFENCE = (
    Row(
        Clock.CLOSING,
        Bound.FLOOR,
        "365d",
        PERSONAL,
        "Belgian law imposes 365 days after account closing",
    ),
    Row(
        Clock.CLOSING,
        Bound.CEILING,
        "395d",
        PERSONAL,
        "all data will be permanently deleted 30 days after the legal expiration date",
    ),
)
MAILPRO = tuple(
    Row(
        Clock.CLOSING,
        bound,
        period,
        PERSONAL,
        "If you close your account [...] we will erase the data giving a time of 45 to 60 days",
    )
    for bound, period in ((Bound.FLOOR, "45d"), (Bound.CEILING, "60d"))
)
IMAIL = (
    Row(
        Clock.SIGN_IN,
        Bound.CEILING,
        "3 years",
        LASTING,
        "if you have not authenticated for three years, you will receive an e-mail inviting you to connect "
        "[...], failing which your data will be deleted",
    ),
    Row(
        Clock.AGE,
        Bound.CEILING,
        "13 months",
        CONSENT,
        "13 months after first deposit",  # said of cookies, whose consent is not extended by visits
    ),
)
MAILMO = (
    Row(
        Clock.CLOSING,
        Bound.CEILING,
        "6 months",
        OPERATING,
        "When you delete your account, those conversations are removed after a period of up to 6 months",
    ),
)


def _figures(rows: tuple[Row, ...]) -> Figures:
    return {
        Key(kind, row.clock, row.bound): Figure(
            None if row.period == "none" else period.parse(row.period), row.promise
        )
        for row in rows
        for kind in row.kinds
    }


PRESETS: Mapping[str, Figures] = {
    "": {},
    "mailo": _figures(MAILO),
    "mailfence": _figures(MAILFENCE),
    "mailpro": _figures(MAILPRO),
    "imail": _figures(IMAIL),
    "mailmo": _figures(MAILMO),
}
