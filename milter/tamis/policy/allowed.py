"""What may be done with one message, so that everyone gets his due."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.config import Config
from tamis.message import Message


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator and the transaction allow."""

    delimiter: str  # what parts a detail from an address; "" where mail cannot be filed
    split: bool = False  # copies may be handed to the MTA beside the transaction
    discard: bool = True  # malware that not everyone refuses is kept from those who do


def allowed(message: Message, config: Config) -> Allowed:
    """Return what may be done with a message; a body that was not kept whole cannot be handed on."""
    return Allowed(
        delimiter=config.mail.recipient_delimiter,
        split=bool(config.resend.relay) and not message.omitted,
        discard=config.antivirus.mixed == "discard",
    )
