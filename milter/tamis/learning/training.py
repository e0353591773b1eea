"""Trains the models: what words and structure say, and beside it what each rule is worth.

Each corpus counts the same, and ham as much as spam in each. What the content model says of a message enters
the weights of the rules only from a model that was not trained on that message's corpus: a model recognises its
own corpora, and would outshine the rules there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from tamis.finding import Graymail
from tamis.learning.model import GraymailModel, Linear, SpamModel
from tamis.learning.table import Table

LN2 = float(np.log(2.0))
INVERSE_REGULARISATION = 100.0  # C of the content model, for weights that sum to one per corpus
LIMIT = 8.0  # bits; what the content may say at most, before its scale
ROUNDS = 200  # of the solver at most
TOLERANCE = 1e-3  # of the solver; finer changes no rank
WORTH = 500.0  # messages that one corpus counts as, against the prior
PRIOR_SCALE = 0.5  # of the content's evidence beside the rules'
STIFFNESS = 1.0  # how much a rule's bits are held to what its author gave: 1 / variance in bits
MOST = 4.0  # bits of one rule for spam
LEAST = -2.5  # bits of one rule for ham; ham's marks are easily forged
MARK = 5.0  # bits; the default threshold
HAM_RATE = 0.001  # of ham of corpora that a model has not seen may reach MARK


class TrainingError(Exception):
    """The corpora do not suffice; the text tells what is missing."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and the score of every message under models that were not trained on its corpus."""

    model: SpamModel
    held_out: NDArray[np.float64]  # bits, shape (n,), at the model's level


def train_spam(table: Table, priors: Mapping[str, float]) -> Trained:
    """Return the spam model; priors are each rule's bits as its author gave them.

    Raises TrainingError where there are fewer than three corpora or a kind of mail is missing.
    """
    names = table.names
    if len(names) < 3 or table.spam.all() or not table.spam.any():
        raise TrainingError("expected ham and spam in at least three corpora, so that two can be left out")
    content = _content_without(table)
    prior = np.array([priors[name] for name in table.rules])
    held_out = np.zeros(len(table.spam))
    for name in names:
        others = tuple(one for one in names if one != name)
        inner = np.zeros(len(table.spam))
        for one in others:
            inner[table.of(one)] = content[frozenset((name, one))].clipped[table.of(one)]
        fit = _fit_rules(table, inner, table.of(*others), prior)
        mine = table.of(name)
        held_out[mine] = fit.scores(content[frozenset((name,))].clipped, table.hits)[mine]
    outer = np.zeros(len(table.spam))
    for name in names:
        outer[table.of(name)] = content[frozenset((name,))].clipped[table.of(name)]
    fit = _fit_rules(table, outer, table.of(*names), prior)
    shift = MARK - _level(table, held_out)
    model = SpamModel(
        content[frozenset()].linear,
        limit=LIMIT,
        scale=fit.scale,
        level=round(fit.level + shift, 2),
        rules=dict(zip(table.rules, np.round(fit.bits, 2).tolist(), strict=True)),
    )
    return Trained(model, held_out + shift)


def _level(table: Table, scores: NDArray[np.float64]) -> float:
    """Return the score that at most HAM_RATE of ham reaches."""
    ham = np.sort(scores[~table.spam])
    return float(ham[-1 - int(HAM_RATE * len(ham))]) + 0.06  # scores are rounded to 0.1


@dataclass(frozen=True, slots=True)
class _Content:
    linear: Linear
    clipped: NDArray[np.float64]  # of every message of the table


def _content_without(table: Table) -> dict[frozenset[str], _Content]:
    """Return the content models for each choice of at most two corpora that are left out."""
    found = {}
    for size in (0, 1, 2):
        for left_out in combinations(table.names, size):
            linear = fit_content(table, ~table.of(*left_out))
            bits = table.features @ linear.weights.astype(np.float64) + linear.bias
            found[frozenset(left_out)] = _Content(linear, np.clip(bits, -LIMIT, LIMIT))
    return found


def fit_content(table: Table, rows: NDArray[np.bool_]) -> Linear:
    """Return the content model of some messages, in bits; one that says nothing if a kind is missing."""
    spam = table.spam[rows]
    if spam.all() or not spam.any():
        return Linear(np.zeros(table.features.shape[1], np.float16), 0.0)
    learner = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=ROUNDS, tol=TOLERANCE)
    learner.fit(table.features[rows], spam, sample_weight=balance(table.corpora[rows], spam))
    weights = (learner.coef_[0] / LN2).astype(np.float16)
    return Linear(weights, float(learner.intercept_[0] / LN2))


def balance(corpora: NDArray[np.str_], kinds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return weights that sum to one in each corpus, and are shared equally by the kinds that it has."""
    weights = np.zeros(len(kinds))
    for name in np.unique(corpora):
        mine = corpora == name
        present = np.unique(kinds[mine])
        for kind in present:
            rows = mine & (kinds == kind)
            weights[rows] = 1.0 / (len(present) * rows.sum())
    return weights


@dataclass(frozen=True, slots=True)
class _Fit:
    scale: float
    bits: NDArray[np.float64]
    level: float

    def scores(self, content: NDArray[np.float64], hits: NDArray[np.float64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = self.scale * content + hits @ self.bits + self.level
        return total


def _fit_rules(
    table: Table, content: NDArray[np.float64], rows: NDArray[np.bool_], prior: NDArray[np.float64]
) -> _Fit:
    """Return the most probable bits of the rules: logistic regression with a normal prior at their own.

    A rule keeps its sign, and a rule that no message met keeps its prior.
    """
    design = np.column_stack((content, table.hits, np.ones(len(content))))[rows]
    spam = table.spam[rows]
    weights = WORTH * balance(table.corpora[rows], spam)
    sign = np.where(spam, 1.0, -1.0)
    start = np.concatenate(([PRIOR_SCALE], prior, [0.0]))
    stiffness = np.concatenate(([10.0 * STIFFNESS], np.full(len(prior), STIFFNESS), [0.0]))

    def loss(bits: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = LN2 * sign * (design @ bits)
        away = bits - start
        value = float(weights @ np.logaddexp(0.0, -margin) + stiffness @ away**2 / 2)
        slope = -LN2 * (design.T @ (weights * sign * np.exp(-np.logaddexp(0.0, margin)))) + stiffness * away
        return value, slope

    signs = [(0.0, MOST) if one > 0 else (LEAST, 0.0) for one in prior]
    limits: Sequence[tuple[float | None, float | None]] = [(0.0, 1.0), *signs, (None, None)]
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 500}).x
    return _Fit(float(best[0]), best[1:-1], float(best[-1]))


def train_graymail(table: Table) -> GraymailModel:
    """Return the model that tells newsletters from other wanted mail; raise TrainingError."""
    known = np.array([one is not None for one in table.graymail]) & ~table.spam
    newsletter = np.array([one is Graymail.NEWSLETTER for one in table.graymail])
    if not newsletter[known].any() or newsletter[known].all():
        raise TrainingError("expected newsletters and other ham of known class")
    learner = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=ROUNDS, tol=TOLERANCE)
    learner.fit(
        table.features[known],
        newsletter[known],
        sample_weight=balance(table.corpora[known], newsletter[known]),
    )
    weights = (learner.coef_[0] / LN2).astype(np.float16)
    return GraymailModel(Linear(weights, float(learner.intercept_[0] / LN2)), slope=1.0)
