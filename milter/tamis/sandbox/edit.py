"""What a filter asked for, done to the message and its recipients as Postfix does it (cleanup(8))."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.message import Recipient
from tamis.sandbox.section import Field, split
from tamis.sandbox.wire import (
    AddField,
    AddRecipient,
    ChangeField,
    InsertField,
    Modification,
    RemoveRecipient,
    ReplaceBody,
)

OUR_RECEIVED = Field(b"Received", b"")  # stands for the MTA's own trace field where none is given


def apply(
    raw: bytes,
    recipients: Sequence[Recipient],
    modifications: Sequence[Modification],
    *,
    received: bytes = b"",
) -> tuple[bytes, tuple[Recipient, ...]]:
    """Return message and recipients after the modifications.

    received is the trace field that the MTA put on top, which filters do not see (b"" for none): field 0 may
    be inserted above it, field 1 below it. Where the filter did not negotiate leading spaces, the caller has
    put them in. Changes of the sender and quarantine are left to the caller.
    """
    section = split(raw)
    fields = _Fields([Field(b"Received", received) if received else OUR_RECEIVED, *section.fields])
    wanted = list(recipients)
    body: list[bytes] = []
    for one in modifications:
        match one:
            case InsertField():
                fields.insert(one)
            case AddField():
                fields.append(one.name, one.value)
            case ChangeField():
                fields.change(one)
            case AddRecipient():
                if all(known.address != one.address for known in wanted):
                    wanted.append(Recipient(one.address, one.parameters))
            case RemoveRecipient():
                wanted = [known for known in wanted if known.address != one.address]
            case ReplaceBody():
                body.append(one.chunk)
    octets = (*fields.octets(), section.separator, b"".join(body) if body else section.body)
    return b"".join(octets), tuple(wanted)


class _Fields:
    """The header section as Postfix 3.7 changes it; the first field is the MTA's own."""

    def __init__(self, fields: list[Field]) -> None:
        self._own = fields[0]
        self._fields = fields

    def octets(self) -> list[bytes]:
        return [field.octets for field in self._fields]

    def append(self, name: bytes, value: bytes) -> None:
        last = self._fields[-1]
        if last.octets and not last.octets.endswith(b"\n"):
            self._fields[-1] = Field(last.name, last.octets + b"\r\n")
        self._fields.append(_field(name, value))

    def insert(self, change: InsertField) -> None:
        """Insert into the section as delivered: the MTA's own field counts."""
        if change.index < len(self._fields):
            self._fields.insert(change.index, _field(change.name, change.value))
        else:
            self.append(change.name, change.value)

    def change(self, change: ChangeField) -> None:
        """Change in the section without the MTA's own field, wherever that stands; index 0 means 1."""
        name = change.name.lower()
        found = [
            at
            for at, field in enumerate(self._fields)
            if field is not self._own and field.name.lower() == name
        ]
        which = max(change.index, 1) - 1
        if which >= len(found):
            if change.value:
                self.append(change.name, change.value)
        elif change.value:
            self._fields[found[which]] = _field(change.name, change.value)
        else:
            del self._fields[found[which]]


def _field(name: bytes, value: bytes) -> Field:
    lines = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return Field(name, name + b":" + lines + b"\r\n")
