"""What became of messages, by what Postfix logged, what lies in the mailboxes, and the tickets.

A piece is what one recipient is to get of one message.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

LINE = re.compile(r"\S+ +\S+ \S+ \S+ ([\w/]+)\[\d+\]: ([0-9A-Za-z]{10,}): (.*)")
COMPLAINT = re.compile(r"warning|fatal|panic|timeout|timed out|lost connection")
TICKET = re.compile(r"\[([0-9A-HJKMNP-TV-Z]{26})\]; from=")
MESSAGE_ID = re.compile(rb"^Message-ID: (\S+)", re.MULTILINE)
COPY = re.compile(rb"^Received: from tamis-[0-9a-f]{32}\.invalid ", re.MULTILINE)  # Tamis handed it in
COPIES = "postfix/copies/smtpd"  # the listener that it hands them to
Piece: TypeAlias = tuple[str, str]
"""Message-ID and recipient."""


@dataclass(slots=True)
class Attempt:
    """One try to hand a message in where the milter is asked."""

    message_id: str
    answer: str = ""  # "accepted", "refused", "tempfail", or none if it broke off before
    ticket: str | None = None  # what the answer names


@dataclass(frozen=True, slots=True)
class Ledger:
    """All tries by queue ID, how often each message was put off, by Message-ID, and lines that complain."""

    attempts: Mapping[str, Attempt]
    put_off: Counter[str]
    complaints: Sequence[str]

    @classmethod
    def read(cls, log: Iterable[str]) -> Ledger:
        """Return what the mail log of a Postfix tells that is its own upstream."""
        upstream: dict[str, str] = {}  # Message-ID by queue ID
        copies: set[str] = set()  # queue IDs
        attempts: dict[str, Attempt] = {}
        put_off: Counter[str] = Counter()
        complaints: list[str] = []
        for line in log:
            if COMPLAINT.search(line):
                complaints.append(line)
            if (match := LINE.match(line)) is None:
                continue
            service, queue_id, text = match.groups()
            if service == "upstream/smtpd":
                upstream[queue_id] = ""
            elif service == COPIES:
                copies.add(queue_id)
            elif service == "postfix/cleanup" and text.startswith("message-id="):
                message_id = text.removeprefix("message-id=")
                if queue_id in upstream:
                    upstream[queue_id] = message_id
                elif queue_id not in copies:
                    attempts[queue_id] = Attempt(message_id)
            elif service == "postfix/cleanup" and "milter-reject: END-OF-MESSAGE" in text:
                attempts[queue_id].answer = "refused" if ": 5.7.1 " in text else "tempfail"
                found = TICKET.search(text)
                attempts[queue_id].ticket = found[1] if found else None
            elif service == "postfix/qmgr" and text.startswith("from=<") and queue_id in attempts:
                attempts[queue_id].answer = "accepted"
            elif "status=deferred" in text and queue_id in upstream:
                put_off[upstream[queue_id]] += 1
        return cls(attempts, put_off, complaints)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How often each piece lies in Maildirs, in all and of these as a copy that Tamis handed in."""

    times: Counter[Piece]
    as_copy: Counter[Piece]

    @classmethod
    def read(cls, mailboxes: Path) -> Arrivals:
        """Return what is there."""
        times: Counter[Piece] = Counter()
        as_copy: Counter[Piece] = Counter()
        for path in mailboxes.glob("**/new/*"):
            raw = path.read_bytes()
            domain, user, *_ = path.relative_to(mailboxes).parts
            match = MESSAGE_ID.search(raw)
            if match is not None:
                piece = match[1].decode(), f"{user}@{domain}"
                times[piece] += 1
                as_copy[piece] += COPY.search(raw) is not None
        return cls(times, as_copy)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the messages that were sent during a fault, piece by piece."""

    name: str
    sent: int
    once: int  # delivered to the mailbox, once
    refused: int  # for their content, and returned to the sender
    lost: int
    doubled: int
    again: int  # as doubled, where the relay had a copy: its reply was not heard, or not remembered
    wrong: int  # malware that was delivered, or other mail that was refused
    tempfails: int  # as the sending MTA saw them
    tickets: int
    missing: int  # answers that stand in no ticket
    repeated: int  # tickets beyond one for an answer
    unheard: int  # tickets whose answer the MTA never got, or got another
    warnings: int  # lines in which the MTA complains of the milter, or of who asks it
    complaints: Counter[str]  # of Tamis's log, by kind

    @property
    def ok(self) -> bool:
        """Tell whether each message came to the end that is due to it, and each answer to its ticket."""
        return not (self.lost or self.doubled or self.wrong or self.missing or self.repeated)


def result(
    name: str,
    sent: Mapping[str, bool],
    *,
    recipients: Sequence[str],
    names: Sequence[str],
    ledger: Ledger,
    arrivals: Arrivals,
    tickets: Iterable[Mapping[str, Any]],
    log: str,
) -> Result:
    """Compare; sent says of each Message-ID, of which all went to all recipients, whether it is malware.

    By names the MTA knows the milter, and the listener that asks it.
    """
    tries = {queue_id: one for queue_id, one in ledger.attempts.items() if one.message_id in sent}
    refused = {one.message_id for one in tries.values() if one.answer == "refused"}
    by_queue_id = Counter(str(one["queue_id"]) for one in tickets)
    pieces = [(one, recipient) for one in sent for recipient in recipients]
    times, as_copy = arrivals.times, arrivals.as_copy
    returned = {piece for piece in pieces if piece[0] in refused}
    several = {piece for piece in pieces if times[piece] + (piece in returned) > 1}
    again = {piece for piece in several if times[piece] - as_copy[piece] <= 1} - returned
    told = {queue_id for queue_id, one in tries.items() if _has_ticket(one)}
    return Result(
        name,
        sent=len(pieces),
        once=sum(times[one] == 1 for one in pieces),
        refused=len(returned),
        lost=sum(not times[one] and one not in returned for one in pieces),
        doubled=len(several - again),
        again=len(again),
        wrong=sum(malware != (one in refused) for one, malware in sent.items()),
        tempfails=sum(ledger.put_off[one] for one in sent),
        tickets=by_queue_id.total(),
        missing=len(told - by_queue_id.keys()),
        repeated=sum(number - 1 for number in by_queue_id.values()),
        unheard=len(by_queue_id.keys() - told),
        warnings=sum(any(name in line for name in names) for line in ledger.complaints),
        complaints=Counter(map(_kind, re.findall(r" (?:error|warning): (.*)", log))),
    )


def _has_ticket(attempt: Attempt) -> bool:
    return attempt.answer in ("accepted", "refused") or attempt.ticket is not None


def _kind(line: str) -> str:
    """Return a log line without what differs from message to message."""
    return re.sub(r"^\w+: | \w+=.*", "", line)
