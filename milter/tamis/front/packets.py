"""What the MTA is told, as packets of the milter protocol (version 6, libmilter/mfdef.h)."""

from __future__ import annotations

import struct

from tamis.decision import Plan, Reply

GOES_ON = b"\0\0\0\1c"  # SMFIR_CONTINUE
NUMBER = struct.Struct("!I")


def packet(word: bytes, payload: bytes) -> bytes:
    """Return one packet."""
    return NUMBER.pack(len(payload) + 1) + word + payload


def _octets(*values: str) -> bytes:
    return b"".join(value.encode("utf-8", "surrogateescape") + b"\0" for value in values)


def refuse(reply: Reply) -> bytes:
    """Return SMFIR_REPLYCODE; Sendmail takes its text as a format, and so each "%" is doubled."""
    return packet(b"y", _octets(str(reply).replace("%", "%%")))


def carry_out(plan: Plan, *, leading_space: bool) -> bytes:
    """Return all that the MTA is told of a plan, for one write."""
    if plan.reply is not None:
        return refuse(plan.reply)
    blank = " " if leading_space else ""
    packets = [
        packet(b"m", NUMBER.pack(occurrence) + _octets(name, ""))  # SMFIR_CHGHEADER
        for name, occurrence in plan.remove_fields
    ]
    packets += [
        packet(b"i", NUMBER.pack(0) + _octets(name, blank + value))  # SMFIR_INSHEADER
        for name, value in reversed(plan.fields)  # each goes on top of the former
    ]
    packets += [packet(b"-", _octets(f"<{one}>")) for one in plan.remove_recipients]  # SMFIR_DELRCPT
    for recipient in plan.add_recipients:
        path = f"<{recipient.address}>"
        if recipient.parameters:  # SMFIR_ADDRCPT_PAR
            packets.append(packet(b"2", _octets(path, " ".join(recipient.parameters))))
        else:  # SMFIR_ADDRCPT
            packets.append(packet(b"+", _octets(path)))
    packets.append(GOES_ON)
    return b"".join(packets)
