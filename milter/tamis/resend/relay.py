"""The MTA's listener for copies, [resend] relay."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.address import Address
from tamis.decision import Copy
from tamis.message import Message
from tamis.resend.commands import Extensions
from tamis.resend.connection import Connection
from tamis.resend.handover import Handover
from tamis.resend.pool import Pool

# Of one worker process. For each Postfix has a process, of at most 100 (default_process_limit), and of one
# client it takes 50 (smtpd_client_connection_count_limit, which spares $mynetworks).
CONNECTIONS = 8

PROBE = "tamis-check.invalid"  # name for EHLO of whoever only looks


class Relay:
    """The relay as one event loop sees it."""

    def __init__(self, where: Address, name: str, *, connections: int = CONNECTIONS) -> None:
        """Take where it listens, our name for EHLO, and how many connections there may be at once."""
        self._pool = Pool(where, name, connections)

    async def prepare(
        self, message: Message, copies: Sequence[Copy], remove: Sequence[tuple[str, int]] = ()
    ) -> Handover:
        """Tell the relay of sender and recipients; return what then sends the copies or abandons them.

        remove names fields of the message that no copy carries, and their occurrence, from 1. Raises
        RelayUnavailable where the relay is away or defers something, and leaves nothing behind.
        """
        if message.omitted:
            raise ValueError("the message is not whole")
        handover = Handover(self._pool, message, copies, remove)
        await handover.prepare()
        return handover

    def close(self) -> None:
        """Close the connections that are kept for later."""
        self._pool.close()


async def probe(where: Address) -> Extensions:
    """Return the extensions that a relay offers us; raise RelayUnavailable."""
    connection = await Connection.open(where, PROBE)
    connection.close()
    return connection.offered
