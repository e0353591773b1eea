"""What is wanted of an MTA, of all that it offers (SMFIC_OPTNEG, libmilter/mfdef.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

VERSION = 6  # SMFI_PROT_VERSION
# SMFIF_ADDHDRS, ADDRCPT, DELRCPT, CHGHDRS, ADDRCPT_PAR and SETSYMLIST
ACTIONS = 0x1 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100
CHOOSE_MACROS = 0x100  # SMFIF_SETSYMLIST
# SMFIP_NR_CONN, HELO, MAIL, RCPT, DATA, HDR, EOH and BODY: no answer is awaited.
QUIET = 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x80 | 0x40000 | 0x80000
QUIET_BUT_RCPT = QUIET & ~0x8000
UNUSED = 0x200 | 0x40 | 0x100  # SMFIP_NODATA, NOEOH and NOUNKNOWN: not sent
LEADING_SPACE = 0x100000  # SMFIP_HDR_LEADSPC: values come with the blank after the colon
# SMFIM_CONNECT, ENVFROM, ENVRCPT and EOM
MACROS = (
    (0, b"j {daemon_name}"),
    (2, b"{auth_authen} {daemon_name} {client_addr} j i"),
    (3, b"{rcpt_addr}"),
    (5, b"i"),
)
CHOSEN = b"".join(stage.to_bytes(4) + names + b"\0" for stage, names in MACROS)
CHOSEN_TO_ASK = CHOSEN.replace(b"{rcpt_addr}", b"{rcpt_addr} i")  # a log line begins with i
OPTIONS = struct.Struct("!III")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What holds for a connection."""

    answer: bytes  # the payload of SMFIC_OPTNEG
    quiet: bool  # the MTA awaits no answer that makes no difference
    asks: bool  # that to each recipient does
    leading_space: bool  # values of header fields come with the blank after the colon


@lru_cache(maxsize=16)  # an MTA offers the same for each connection
def negotiate(payload: bytes, *, asks: bool) -> Agreement | None:
    """Return what is asked for: the actions that plans need, and no more answers than must be given.

    None where the offer is not one.
    """
    if len(payload) < OPTIONS.size:
        return None
    version, actions, offered = OPTIONS.unpack_from(payload)
    silent = QUIET_BUT_RCPT if asks else QUIET
    quiet = offered & silent == silent
    steps = offered & ((silent if quiet else 0) | UNUSED | LEADING_SPACE)
    answer = OPTIONS.pack(min(version, VERSION), actions & ACTIONS, steps)
    if actions & CHOOSE_MACROS:
        answer += CHOSEN_TO_ASK if asks else CHOSEN
    return Agreement(answer, quiet, asks, bool(steps & LEADING_SPACE))
