"""The language of a page: the one that its user has chosen, or the best that his browser asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo

from markupsafe import Markup, escape

from tamis.words import times
from tamis.words.catalogue import Catalogue, catalogue, languages

MOST = 20  # languages that a browser is heard about


@dataclass(frozen=True, slots=True)
class Language:
    """One language, and the zone of the times that are said in it."""

    name: str
    zone: tzinfo

    @property
    def _words(self) -> Catalogue:
        return catalogue(self.name)

    def say(self, english: str, **values: object) -> Markup:
        """Return a text of the catalogue as HTML; what is put into its {places} is escaped."""
        return Markup(escape(self._words.gettext(english))).format(**values)  # noqa: S704  # escaped

    def moment(self, time: int) -> str:
        """Return a Unix time in ms."""
        return times.moment(self._words, time, self.zone)

    def day(self, time: int) -> str:
        """Return the day of a Unix time in ms."""
        return times.day(self._words, time, self.zone)

    def minute(self, time: int) -> str:
        """Return the hour and the minute of a Unix time in ms."""
        return times.minute(time, self.zone)

    def date(self, time: int) -> str:
        """Return the day of a Unix time in ms, in digits."""
        return times.date(time, self.zone)

    def seconds(self, number: float) -> str:
        """Return a time in seconds, to the millisecond."""
        return times.seconds(self._words, number)

    def tenths(self, number: float) -> str:
        """Return a number with one decimal."""
        return times.tenths(self._words, number)


def spoken(wanted: str | None) -> str | None:
    """Return a language that was asked for, None where it is none of ours."""
    return wanted if wanted in languages() else None


def choose(wanted: str | None, accepted: str, default: str) -> str:
    """Return the wanted language, else the best of Accept-Language (RFC 9110), else the default."""
    if wanted is not None:
        return wanted
    best = sorted(_accepted(accepted), key=lambda one: -one[1])
    return next((name for name, quality in best if quality > 0 and name in languages()), default)


def _accepted(header: str) -> Iterator[tuple[str, float]]:
    for one in header.split(",")[:MOST]:
        name, _, weight = one.strip().partition(";")
        _, _, number = weight.partition("q=")
        try:
            quality = float(number) if number else 1.0
        except ValueError:
            continue
        yield name.strip().lower().partition("-")[0], quality
