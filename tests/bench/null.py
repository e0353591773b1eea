"""A milter that does nothing, on pymilter: what the way through libmilter costs by itself.

Run as `python -m tests.bench.null unix:/path`. It asks for no answer before end of message, as Tamis does,
takes the parts of messages as bytes and forgets them.
"""

from __future__ import annotations

import sys
from typing import Any

import milter

QUIET = (
    milter.P_NR_CONN
    | milter.P_NR_HELO
    | milter.P_NR_MAIL
    | milter.P_NR_RCPT
    | milter.P_NR_DATA
    | milter.P_NR_HDR
    | milter.P_NR_EOH
    | milter.P_NR_BODY
)
UNUSED = milter.P_NODATA | milter.P_NOEOH | milter.P_NOUNKNOWN


def negotiate(ctx: Any, options: list[int]) -> int:
    """Ask to be asked for no answer before end of message."""
    options[0] = 0
    options[1] &= QUIET | UNUSED | milter.P_HDR_LEADSPC
    options[2] = options[3] = 0
    return int(milter.CONTINUE)


def silent(ctx: Any, *arguments: Any) -> int:
    """Take what the MTA says."""
    return int(milter.NOREPLY)


def end(ctx: Any) -> int:
    """Let the message pass."""
    return int(milter.CONTINUE)


def main(where: str) -> None:
    """Serve until SIGTERM."""
    milter.set_flags(0)
    milter.set_connect_callback(silent)
    milter.set_helo_callback(silent)
    milter.set_envfrom_callback(silent)
    milter.set_envrcpt_callback(silent)
    milter.set_header_callback(silent)
    milter.set_body_callback(silent)
    milter.set_eom_callback(end)
    milter.set_close_callback(end)
    milter.register("null", negotiate=negotiate)
    milter.setconn(where)
    milter.setbacklog(1024)
    milter.main()


if __name__ == "__main__":
    main(sys.argv[1])
