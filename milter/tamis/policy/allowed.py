"""What may be done with one message, so that everyone gets his due."""

from __future__ import annotations

from tamis.config import Config
from tamis.message import Message
from tamis.policy.direction import submitted
from tamis.values import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator and the transaction allow."""

    delimiter: str  # what parts a detail from an address; "" where mail cannot be filed
    split: bool = False  # copies may be handed to the MTA beside the transaction
    discard: bool = True  # malware that not everyone refuses is kept from those who do
    trace: bool = False  # copies name the client; not one of ours, whose address is the MTA's to show or hide


def allowed(message: Message, config: Config) -> Allowed:
    """Return what may be done with a message; a body that was not kept whole cannot be handed on."""
    split = bool(config.resend.relay) and not message.omitted
    return Allowed(
        delimiter=config.mail.recipient_delimiter,
        split=split,
        discard=config.antivirus.mixed == "discard",
        trace=split and not submitted(message.envelope, config),
    )
