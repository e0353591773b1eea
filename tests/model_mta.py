"""An MTA on one page, written apart from the code: what each mailbox gets of a message under a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tamis.decision import Plan
from tamis.message import Message, Recipient


@dataclass(frozen=True, slots=True)
class Copy:
    """One delivered message: whose, in which folder, and its bytes."""

    mailbox: str
    folder: str
    raw: bytes

    @property
    def head(self) -> bytes:
        """The header section."""
        return self.raw.partition(b"\r\n\r\n")[0]

    def has(self, *names: str) -> bool:
        """Tell whether the header section has a field of one of those names."""
        lines = self.head.lower().split(b"\r\n")
        return any(line.startswith(name.lower().encode() + b":") for line in lines for name in names)


class Mta:
    """Knows groups and aliases, and what parts a detail from an address."""

    def __init__(self, aliases: Mapping[str, tuple[str, ...]], delimiter: str) -> None:
        self._aliases = aliases
        self._delimiter = delimiter

    def deliver(self, message: Message, plan: Plan) -> frozenset[Copy] | str:
        """Return the copies that arrive, or the reply to the client where none does."""
        if plan.reply is not None:
            return str(plan.reply)
        raw = self._edited(message, plan)
        queue = [one for one in message.envelope.recipients if one.address not in plan.remove_recipients]
        queue += plan.add_recipients
        return frozenset(
            Copy(*self._split(final), raw) for recipient in queue for final in self._expand(recipient)
        )

    def _edited(self, message: Message, plan: Plan) -> bytes:
        fields = list(message.fields)
        for name, occurrence in plan.remove_fields:
            seen = 0
            for at, (key, _) in enumerate(fields):
                seen += key.decode("latin-1").lower() == name.lower()
                if seen == occurrence:
                    del fields[at]
                    break
        new = [(name.encode(), b" " + value.encode()) for name, value in plan.fields]
        return Message(message.envelope, (*new, *fields), message.body).raw

    def _expand(self, recipient: Recipient) -> tuple[str, ...]:
        return self._aliases.get(recipient.address, (recipient.address,))

    def _split(self, address: str) -> tuple[str, str]:
        local, _, domain = address.partition("@")
        if not self._delimiter:
            return address, ""
        name, _, detail = local.partition(self._delimiter)
        return f"{name}@{domain}", detail
