"""Trains the models: what words and structure say, and beside it what each rule is worth.

A model recognises the corpora that it was trained on, and is sure of them for the wrong reasons. So the rules
are weighed, the slope is measured and the level is set by what models say that did not see the message's
corpus. docs/learning.md tells the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tamis.finding import Graymail
from tamis.learning.model import GraymailModel, Linear, SpamModel
from tamis.learning.table import Table

LN2 = float(np.log(2.0))
STRENGTH = (
    1e4  # C of scikit-learn (inverse regularisation) for rows of length one; ten times less or more is worse
)
ROUNDS = 500  # of the solver at most
TOLERANCE = 1e-4  # of the solver
TYPICAL = 3000.0  # messages of a corpus that counts once; others count by the root of their size
LEAST, MOST = -8.0, 2.0  # bits that the content may say: strange mail looks like spam to it, not like ham
WORTH = 500.0  # messages that a typical corpus is worth against the authors' bits
STIFFNESS = 30.0  # how much a rule is held to its author's bits: 1 / variance in bits
MOST_OF_RULE, LEAST_OF_RULE = 4.0, -2.5  # bits; ham's marks are easily forged
MARK = 5.0  # bits; the default threshold
HAM_RATE = 0.001  # of the ham of a corpus that the model has not seen may reach MARK


class TrainingError(Exception):
    """The corpora do not suffice; the text tells what is missing."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and each message's score under models that were not trained on its corpus."""

    model: SpamModel
    held_out: NDArray[np.float64]  # bits, shape (n,), at the model's slope and level
    slope: float  # by which scores were stretched, so that one bit doubles the odds


def train_spam(table: Table, priors: Mapping[str, float]) -> Trained:
    """Return the spam model; priors are each rule's bits as its author gave them.

    Raises TrainingError where there are fewer than three corpora or a kind of mail is missing.
    """
    names = table.names
    if len(names) < 3 or table.spam.all() or not table.spam.any():
        raise TrainingError("expected ham and spam in three corpora or more, so that two can be left out")
    with threadpool_limits(limits=1):  # sums of several threads differ in their last bits
        return _train_spam(table, priors)


def _train_spam(table: Table, priors: Mapping[str, float]) -> Trained:
    names = table.names
    prior = np.array([priors[name] for name in table.rules])
    linear, seen = _contents(table)
    held_out = np.zeros(len(table.spam))
    for name in names:
        others = [one for one in names if one != name]
        evidence = _evidence(table, {one: seen[frozenset((name, one))] for one in others})
        weighed = _weigh_rules(table, evidence, table.of(*others), prior)
        own = _evidence(table, {name: seen[frozenset((name,))]})
        held_out[table.of(name)] = (own + table.hits @ weighed.bits + weighed.level)[table.of(name)]
    evidence = _evidence(table, {one: seen[frozenset((one,))] for one in names})
    weighed = _weigh_rules(table, evidence, table.of(*names), prior)
    slope = _slope(table, held_out)
    shift = MARK - slope * _level(table, held_out)
    model = SpamModel(
        linear,
        least=LEAST,
        most=MOST,
        scale=slope,
        level=slope * weighed.level + shift,
        rules=dict(zip(table.rules, (slope * weighed.bits).tolist(), strict=True)),
    )
    return Trained(model, slope * held_out + shift, slope)


def balance(table: Table, rows: NDArray[np.bool_], kinds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return weights, zero outside of rows: corpora count by the root of their size, kinds in each alike."""
    weights = np.zeros(len(kinds))
    for name in table.names:
        mine = rows & table.of(name)
        present = [mine & (kinds == kind) for kind in (False, True) if (mine & (kinds == kind)).any()]
        for one in present:
            weights[one] = np.sqrt(mine.sum() / TYPICAL) / (len(present) * one.sum())
    return weights


def fit(table: Table, rows: NDArray[np.bool_], kinds: NDArray[np.bool_]) -> Linear:
    """Return the linear model, in bits, that tells kinds apart; it says nothing if a kind is missing."""
    if kinds[rows].all() or not kinds[rows].any():
        return Linear(np.zeros(table.features.shape[1], np.float16), 0.0)
    seen = table.features[rows]
    met = np.unique(seen.indices)  # the others keep no weight, and the solver is spared them
    learner = LogisticRegression(C=STRENGTH, max_iter=ROUNDS, tol=TOLERANCE)
    learner.fit(seen[:, met], kinds[rows], sample_weight=balance(table, rows, kinds)[rows])
    weights = np.zeros(seen.shape[1], np.float16)
    weights[met] = learner.coef_[0] / LN2
    return Linear(weights, float(learner.intercept_[0] / LN2))


def bits(table: Table, linear: Linear) -> NDArray[np.float64]:
    """Return what a linear model says of each message, in bits."""
    found: NDArray[np.float64] = table.features @ linear.weights.astype(np.float64) + linear.bias
    return found


def _contents(table: Table) -> tuple[Linear, dict[frozenset[str], NDArray[np.float64]]]:
    """Return the content model, and what those say that one or two corpora were left out of."""
    everything = np.ones(len(table.spam), np.bool_)
    seen = {}
    for size in (1, 2):
        for left_out in combinations(table.names, size):
            seen[frozenset(left_out)] = bits(table, fit(table, ~table.of(*left_out), table.spam))
    return fit(table, everything, table.spam), seen


def _evidence(table: Table, by_corpus: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the content's evidence as it is added up, for the messages of some corpora, else 0."""
    evidence = np.zeros(len(table.spam))
    for name, said in by_corpus.items():
        mine = table.of(name)
        evidence[mine] = np.clip(said[mine], LEAST, MOST)
    return evidence


@dataclass(frozen=True, slots=True)
class _Weighed:
    bits: NDArray[np.float64]
    level: float


def _weigh_rules(
    table: Table, evidence: NDArray[np.float64], rows: NDArray[np.bool_], prior: NDArray[np.float64]
) -> _Weighed:
    """Return the most probable bits of the rules beside the content's evidence.

    This is logistic regression with a normal prior about what the authors gave: a rule keeps its sign, and a
    rule that no message met keeps its bits.
    """
    design = np.column_stack((table.hits, np.ones(len(evidence))))[rows]
    weights = WORTH * balance(table, rows, table.spam)[rows]
    sign = np.where(table.spam, 1.0, -1.0)[rows]
    start = np.append(prior, 0.0)
    stiffness = np.append(np.full(len(prior), STIFFNESS), 0.0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = LN2 * sign * (design @ values + evidence[rows])
        away = values - start
        total = float(weights @ np.logaddexp(0.0, -margin) + stiffness @ away**2 / 2)
        wrong = np.exp(-np.logaddexp(0.0, margin))
        return total, stiffness * away - LN2 * (design.T @ (weights * sign * wrong))

    limits = [(0.0, MOST_OF_RULE) if one > 0 else (LEAST_OF_RULE, 0.0) for one in prior]
    best = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[*limits, (None, None)], options={"maxiter": ROUNDS}
    ).x
    return _Weighed(best[:-1], float(best[-1]))


def _slope(table: Table, scores: NDArray[np.float64]) -> float:
    """Return what scores must be multiplied by, so that one more doubles the odds (Platt's scaling)."""
    weights = balance(table, np.ones(len(scores), np.bool_), table.spam)
    learner = LogisticRegression(C=1e6).fit(scores[:, None], table.spam, sample_weight=weights)
    return float(learner.coef_[0, 0] / LN2)


def _level(table: Table, scores: NDArray[np.float64]) -> float:
    """Return the least score that in no corpus more than HAM_RATE of the ham reaches."""
    level = -np.inf
    for name in table.names:
        ham = np.sort(scores[table.of(name) & ~table.spam])
        if len(ham):
            level = max(level, float(ham[-1 - int(HAM_RATE * len(ham))]))
    return level + 0.1  # scores are rounded to 0.1


@dataclass(frozen=True, slots=True)
class TrainedGraymail:
    """A model, and each message's probability under models that were not trained on its corpus."""

    model: GraymailModel
    held_out: NDArray[np.float64]  # shape (n,); NaN for spam and for ham of unknown class


def train_graymail(table: Table) -> TrainedGraymail:
    """Return the model that tells newsletters from other wanted mail; raise TrainingError."""
    known = np.array([one is not None for one in table.graymail]) & ~table.spam
    newsletter = np.array([one is Graymail.NEWSLETTER for one in table.graymail])
    if len(table.names) < 2 or newsletter[known].all() or not newsletter[known].any():
        raise TrainingError("expected newsletters and other ham of known class in two corpora or more")
    with threadpool_limits(limits=1):
        return _train_graymail(table, known, newsletter)


def _train_graymail(table: Table, known: NDArray[np.bool_], newsletter: NDArray[np.bool_]) -> TrainedGraymail:
    said = np.full(len(known), np.nan)
    for name in table.names:
        mine = known & table.of(name)
        said[mine] = bits(table, fit(table, known & ~mine, newsletter))[mine]
    platt = LogisticRegression(C=1e6).fit(
        said[known, None], newsletter[known], sample_weight=balance(table, known, newsletter)[known]
    )
    slope = float(platt.coef_[0, 0] / LN2)
    shift = float(platt.intercept_[0] / LN2)
    linear = fit(table, known, newsletter)
    return TrainedGraymail(
        GraymailModel(Linear(linear.weights, linear.bias + shift / slope), slope=slope),
        1.0 / (1.0 + np.exp2(-(slope * said + shift))),
    )
