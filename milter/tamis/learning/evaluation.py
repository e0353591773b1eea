"""How well scores part spam from ham, for model cards and for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from tamis.finding import Graymail
from tamis.learning.table import Table

ROUNDING = 0.05  # bits; scores are rounded to 0.1 before they are compared


@dataclass(frozen=True, slots=True)
class SpamFigures:
    """What became of one corpus under a model that was not trained on it."""

    corpus: str
    ham: int
    ham_marked: int
    spam: int
    spam_marked: int
    area: float | None  # under the ROC curve; None where one kind is missing
    highest_ham: float | None  # bits; the score that one ham in a thousand exceeds

    def as_json(self) -> dict[str, object]:
        """Return what JSON says."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GraymailFigures:
    """What became of the ham of known class in one corpus under a model that was not trained on it."""

    corpus: str
    newsletters: int
    newsletters_found: int
    others: int
    others_taken: int

    def as_json(self) -> dict[str, object]:
        """Return what JSON says."""
        return asdict(self)


def spam_figures(table: Table, held_out: NDArray[np.float64], *, mark: float) -> Iterator[SpamFigures]:
    """Yield the figures of each corpus, given held-out scores and the threshold in bits."""
    for name in table.names:
        mine = table.of(name)
        ham, spam = held_out[mine & ~table.spam], held_out[mine & table.spam]
        both = bool(len(ham) and len(spam))
        yield SpamFigures(
            corpus=name,
            ham=len(ham),
            ham_marked=int((ham >= mark - ROUNDING).sum()),
            spam=len(spam),
            spam_marked=int((spam >= mark - ROUNDING).sum()),
            area=round(float(roc_auc_score(table.spam[mine], held_out[mine])), 4) if both else None,
            highest_ham=round(float(np.quantile(ham, 0.999)), 1) if len(ham) else None,
        )


def graymail_figures(
    table: Table, held_out: NDArray[np.float64], *, limit: float
) -> Iterator[GraymailFigures]:
    """Yield the figures of each corpus, given held-out probabilities and the limit that counts."""
    newsletter = np.array([one is Graymail.NEWSLETTER for one in table.graymail])
    for name in table.names:
        known = table.of(name) & ~np.isnan(held_out)
        found = held_out >= limit
        yield GraymailFigures(
            corpus=name,
            newsletters=int((known & newsletter).sum()),
            newsletters_found=int((known & newsletter & found).sum()),
            others=int((known & ~newsletter).sum()),
            others_taken=int((known & ~newsletter & found).sum()),
        )
