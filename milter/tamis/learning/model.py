"""The shipped models: plain arrays that score with numpy alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from tamis.learning import features
from tamis.learning.features import Latest
from tamis.message import Message

Name = Literal["antispam", "graymail"]


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear model on the features of a message, scaled to length one; weights of shape (SIZE,)."""

    weights: NDArray[np.float16]
    bias: float
    latest: Latest = field(default_factory=Latest, repr=False, compare=False)  # may be shared by models

    def bits(self, message: Message) -> float:
        """Return the evidence in bits (log2 of odds) that the message's words and structure give."""
        found = self.weights.take(self.latest.indices(message))
        total = float(np.add.reduce(found, dtype=np.float64))
        return total / math.sqrt(max(1, len(found))) + self.bias


@dataclass(frozen=True, slots=True)
class SpamModel:
    """What was learned about spam: the content's evidence, and the rules' bits beside it."""

    linear: Linear
    least: float  # bits; the content tells no more than this for ham,
    most: float  # and than this for spam
    scale: float  # by which it is calibrated
    level: float  # bits that every message starts from
    rules: Mapping[str, float]  # bits by rule

    def content(self, message: Message) -> float:
        """Return the content's evidence for spam in bits, limited and scaled."""
        return self.scale * min(self.most, max(self.least, self.linear.bits(message)))


@dataclass(frozen=True, slots=True)
class GraymailModel:
    """What was learned about newsletters: how to tell them from other wanted mail."""

    linear: Linear
    slope: float  # calibrates the bits

    def newsletter(self, message: Message) -> float:
        """Return the probability that a wanted message is a newsletter."""
        bits = self.slope * self.linear.bits(message)
        return 1.0 / (1.0 + math.exp2(-min(60.0, max(-60.0, bits))))


def write(path: Path, model: SpamModel | GraymailModel) -> None:
    """Write a model as plain arrays, the same octets for the same model."""
    arrays: dict[str, NDArray[Any]] = {
        "weights": model.linear.weights,
        "bias": np.array(model.linear.bias),
    }
    if isinstance(model, SpamModel):
        arrays["numbers"] = np.array([model.least, model.most, model.scale, model.level])
        arrays["rules"] = np.array(list(model.rules), dtype=np.str_)
        arrays["rule_bits"] = np.array(list(model.rules.values()))
    else:
        arrays["numbers"] = np.array([model.slope])
    np.savez(path, allow_pickle=False, **arrays)


@overload
def load(
    name: Literal["antispam"], folder: Path | None = None, *, latest: Latest | None = None
) -> SpamModel: ...
@overload
def load(
    name: Literal["graymail"], folder: Path | None = None, *, latest: Latest | None = None
) -> GraymailModel: ...
def load(
    name: Name, folder: Path | None = None, *, latest: Latest | None = None
) -> SpamModel | GraymailModel:
    """Return a model of a folder, by default the shipped one; raise OSError or ValueError.

    Models that are given the same latest compute the features of a message once.
    """
    where = files("tamis.models") if folder is None else folder
    with where.joinpath(f"{name}.npz").open("rb") as file:
        arrays = _arrays(name, file)
    linear = Linear(arrays["weights"].astype(np.float16), float(arrays["bias"]), latest or Latest())
    numbers = [float(one) for one in arrays["numbers"]]
    if name == "graymail":
        return GraymailModel(linear, slope=numbers[0])
    rules = dict(zip(arrays["rules"].tolist(), arrays["rule_bits"].tolist(), strict=True))
    least, most, scale, level = numbers
    return SpamModel(linear, least=least, most=most, scale=scale, level=level, rules=rules)


def _arrays(name: str, file: IO[bytes]) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays: dict[str, NDArray[Any]] = {key: stored[key] for key in stored.files}
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise ValueError(f"{name}.npz is damaged: {error}") from error
    if arrays["weights"].shape != (features.SIZE,):
        raise ValueError(f"{name}.npz: expected {features.SIZE} weights, got {arrays['weights'].shape}")
    return arrays
