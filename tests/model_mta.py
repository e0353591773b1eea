"""An MTA on one page, written apart from the code: what each mailbox gets of a message under a plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tamis.decision import Plan
from tamis.message import Message, Recipient


@dataclass(frozen=True, slots=True)
class Mail:
    """One delivered message: whose, in which folder, and its bytes."""

    mailbox: str
    folder: str
    raw: bytes

    @property
    def head(self) -> bytes:
        """The header section."""
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def lines(self) -> set[bytes]:
        """The lines of the header section."""
        return set(self.head.split(b"\r\n"))

    def has(self, *names: str) -> bool:
        """Tell whether the header section has a field of one of those names."""
        lines = self.head.lower().split(b"\r\n")
        return any(line.startswith(name.lower().encode() + b":") for line in lines for name in names)


class Mta:
    """Knows groups and aliases, and what parts a detail from an address; case means nothing to it.

    Recipients of one message who lead to the same place get it once. Nobody looks for that across messages.
    """

    def __init__(self, aliases: Mapping[str, tuple[str, ...]], delimiter: str) -> None:
        self._aliases = aliases
        self._delimiter = delimiter

    def deliver(self, message: Message, plan: Plan) -> frozenset[Mail] | str:
        """Return what arrives, or the reply to the client where nothing does."""
        if plan.reply is not None:
            return str(plan.reply)
        return once([*self.relay(message, plan), *self.transaction(message, plan)])

    def transaction(self, message: Message, plan: Plan) -> Collection[Mail]:
        """Return what arrives of the message itself."""
        received = message.envelope.recipients
        queue = [one for one in received if one.address not in plan.remove_recipients]
        # What is removed stays in the filter for duplicates, as in Postfix: added again, it is lost.
        seen = {one.address.lower() for one in received}
        queue += [one for one in plan.add_recipients if one.address.lower() not in seen]
        return self._mails(message, plan, fields=plan.fields, recipients=queue)

    def relay(self, message: Message, plan: Plan, refused: Collection[str] = ()) -> Collection[Mail]:
        """Return what arrives of the copies, of which some recipients may be refused."""
        mails: list[Mail] = []
        for copy in plan.copies:
            queue = [one for one in copy.recipients if one.address not in refused]
            mails += self._mails(message, plan, fields=copy.fields, recipients=queue)
        return mails

    def places(self, recipients: Iterable[Recipient]) -> set[tuple[str, str]]:
        """Return the mailboxes and folders that recipients lead to."""
        return {self._split(final) for one in recipients for final in self._expand(one.address.lower())}

    def _mails(
        self,
        message: Message,
        plan: Plan,
        *,
        fields: Sequence[tuple[str, str]],
        recipients: Iterable[Recipient],
    ) -> Collection[Mail]:
        left = list(message.fields)
        for name, occurrence in plan.remove_fields:
            seen = 0
            for at, (key, _) in enumerate(left):
                seen += key.decode("latin-1").lower() == name.lower()
                if seen == occurrence:
                    del left[at]
                    break
        new = [(name.encode(), b" " + value.encode()) for name, value in fields]
        raw = Message(message.envelope, (*new, *left), message.body).raw
        return [Mail(*place, raw) for place in self.places(recipients)]

    def _expand(self, address: str) -> Iterator[str]:
        for target in self._aliases.get(address, (address,)):
            if target == address:  # a mailbox of that name
                yield target
            else:
                yield from self._expand(target)

    def _split(self, address: str) -> tuple[str, str]:
        local, _, domain = address.partition("@")
        if not self._delimiter:
            return address, ""
        name, _, detail = local.partition(self._delimiter)
        return f"{name}@{domain}", detail


def once(mails: Collection[Mail]) -> frozenset[Mail]:
    """Return mails of which no two are in one place."""
    assert len({(one.mailbox, one.folder) for one in mails}) == len(mails), "somebody gets it twice"
    return frozenset(mails)
