"""The antispam filter: what rules find and what the content model says, added up in bits."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import islice
from typing import Protocol

from tamis.checks.rules import catalogue
from tamis.finding import SpamFinding
from tamis.message import Message
from tamis.mime import MAX_TEXTS

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
GTUBE_SCORE = 1000.0  # bits
CONTENT = "CONTENT_MODEL"
WORTH_TELLING = 0.3  # bits; less is no reason
MAX_REASONS = 12  # so that X-Spam-Status and tickets stay short


class Model(Protocol):
    """What the filter needs of a trained model."""

    @property
    def level(self) -> float:
        """Bits that every message starts from."""

    @property
    def rules(self) -> Mapping[str, float]:
        """Learned bits by rule; rules that are not there keep their own."""

    def content(self, message: Message) -> float:
        """Return the evidence of words and structure in bits."""


class UnknownRule(ValueError):
    """The operator gave bits to a rule that does not exist."""

    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name[:80], catalogue.RULES, n=1, cutoff=0.5)
        super().__init__("unknown rule" + (f"; did you mean {near[0]}?" if near else ""))
        self.name = name


class Antispam:
    """Scores messages; one for all workers."""

    def __init__(self, model: Model, weights: Mapping[str, float]) -> None:
        """Take the operator's bits for rules by name; raise UnknownRule."""
        self._model = model
        self._bits = {name: model.rules.get(name, rule.bits) for name, rule in catalogue.RULES.items()}
        for name, bits in weights.items():
            if name not in self._bits:
                raise UnknownRule(name)
            self._bits[name] = bits

    def run(self, message: Message) -> SpamFinding:
        """Return score and reasons."""
        if _holds_gtube(message):
            return SpamFinding(GTUBE_SCORE, ("GTUBE",))
        bits = {name: self._bits[name] for name in catalogue.find(message)}
        bits[CONTENT] = self._model.content(message)
        score = self._model.level + sum(bits.values())
        return SpamFinding(round(score, 1) + 0.0, _reasons(bits))


def _reasons(bits: Mapping[str, float]) -> tuple[str, ...]:
    """Return the names of what matters, strongest first."""
    worth = [(-abs(one), name) for name, one in bits.items() if abs(one) >= WORTH_TELLING]
    worth.sort()
    return tuple([name for _, name in worth[:MAX_REASONS]])


def _holds_gtube(message: Message) -> bool:
    """Tell whether the test string stands in the subject or in a text part, whatever its encoding."""
    content = message.content
    if GTUBE in content.subject:
        return True
    texts = (
        part.text
        for part in content.parts
        if part.content_type.startswith("text/") or part.content_type == "message/rfc822"
    )
    return any(GTUBE in text for text in islice(texts, MAX_TEXTS))
