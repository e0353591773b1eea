"""What the notice says again and again, in one language: lists, periods, dates, names of records."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.retention import period
from tamis.retention.classes import Words
from tamis.words import times
from tamis.words.catalogue import Catalogue, catalogue, text

# One, and several, of each unit.
UNITS = {
    "year": (text("1 year"), text("{number} years")),
    "month": (text("1 month"), text("{number} months")),
    "d": (text("1 day"), text("{number} days")),
    "h": (text("1 hour"), text("{number} hours")),
    "m": (text("1 minute"), text("{number} minutes")),
    "s": (text("1 second"), text("{number} seconds")),
}
MANY = 12  # names in a sentence; of more the rest is counted


class Speech:
    """One language."""

    def __init__(self, language: str) -> None:
        """Take one of words.catalogue.languages()."""
        self._language = language
        self._catalogue: Catalogue = catalogue(language)

    def gettext(self, english: str) -> str:
        """Return a text in the language."""
        return self._catalogue.gettext(english)

    def words(self, words: Words) -> str:
        """Return what a class of records is called, or is for."""
        return words.french if self._language == "fr" else words.english

    def all_of(self, names: Sequence[str]) -> str:
        """Return "a, b and c", with the rest counted where there are many."""
        if len(names) > MANY:
            rest = self.gettext("{number} others").format(number=len(names) - MANY + 1)
            names = (*names[: MANY - 1], rest)
        if len(names) == 1:
            return names[0]
        return self.gettext("{some} and {last}").format(some=", ".join(names[:-1]), last=names[-1])

    def parted(self, clauses: Sequence[str]) -> str:
        """Return clauses of a sentence; French has a blank before a semicolon, where no line may end."""
        return ("\u00a0; " if self._language == "fr" else "; ").join(clauses)

    def bits(self, value: str | float) -> str:
        """Return a score."""
        return times.tenths(self._catalogue, float(value))

    def period(self, written: str) -> str:
        """Return a period of the configuration in words."""
        shown = str(period.parse(written))
        digits = "".join(one for one in shown if one.isdigit())
        one, several = UNITS[shown.removeprefix(digits).strip().removesuffix("s") or "s"]
        return self.gettext(one if digits == "1" else several).format(number=digits)

    def date(self, time: int) -> str:
        """Return the day of UTC of a Unix time in ms."""
        return times.day(self._catalogue, time)
