"""All rules in one explicit list, and what of them a message meets."""

from __future__ import annotations

from collections.abc import Mapping

from tamis.checks.rules import attachments, links, origin, subject, text, wording
from tamis.checks.rules.facts import Facts
from tamis.finding import Rule
from tamis.message import Message

TOPICS = (subject, origin, links, text, attachments, wording)
RULES: Mapping[str, Rule] = {rule.name: rule for topic in TOPICS for rule in topic.RULES}


def find(message: Message) -> tuple[str, ...]:
    """Return the names of the rules that a message meets, each once."""
    facts = Facts(message)
    return tuple(dict.fromkeys(name for topic in TOPICS for name in topic.find(facts)))
