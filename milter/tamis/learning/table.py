"""Labelled messages as a table: which features and which rules each of them has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from tamis.finding import Graymail
from tamis.learning import features
from tamis.learning.corpus import Sample
from tamis.message import Message


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """n messages; rows of the arrays are messages, in the order in which they were read."""

    features: csr_matrix  # float32, shape (n, features.SIZE), rows of length one
    hits: NDArray[np.float64]  # shape (n, number of rules), 0 or 1
    rules: tuple[str, ...]
    spam: NDArray[np.bool_]
    corpora: NDArray[np.str_]
    graymail: tuple[Graymail | None, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The corpora in the order of their names."""
        return tuple(str(one) for one in np.unique(self.corpora))

    def of(self, *names: str) -> NDArray[np.bool_]:
        """Return which messages belong to those corpora."""
        found: NDArray[np.bool_] = np.isin(self.corpora, names)
        return found


def tabulate(
    samples: Iterable[Sample], find: Callable[[Message], Sequence[str]], rules: Mapping[str, float]
) -> Table:
    """Return the table of some samples, given what finds the rules that a message meets."""
    columns = {name: number for number, name in enumerate(rules)}
    found: list[NDArray[np.uint32]] = []
    hits: list[list[int]] = []
    kept: list[tuple[bool, str, Graymail | None]] = []
    for sample in samples:
        found.append(features.indices(sample.message))
        hits.append([columns[name] for name in find(sample.message)])
        kept.append((sample.spam, sample.corpus, sample.graymail))
    matrix = np.zeros((len(hits), len(columns)))
    for row, met in enumerate(hits):
        matrix[row, met] = 1.0
    return Table(
        features=_sparse(found),
        hits=matrix,
        rules=tuple(rules),
        spam=np.array([spam for spam, _, _ in kept], np.bool_),
        corpora=np.array([corpus for _, corpus, _ in kept], np.str_),
        graymail=tuple(graymail for _, _, graymail in kept),
    )


def _sparse(found: Sequence[NDArray[np.uint32]]) -> csr_matrix:
    counts = np.array([len(one) for one in found], np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)))
    columns = np.concatenate(found).astype(np.int32) if found else np.empty(0, np.int32)
    values = np.repeat(1.0 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return csr_matrix((values, columns, starts), shape=(len(found), features.SIZE))
