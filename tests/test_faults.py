"""Mail while things fail, with an MTA that tries again: each message comes to one end, and is ticketed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from tests.faults.acts import ALIKE, FAULTS
from tests.faults.ledger import Arrivals, Ledger, Result, result
from tests.faults.run import run

SECONDS = 1.0  # that each fault lasts; `make faults` takes longer
RATE = 20.0  # messages in a second
FRONTS = ("stream", "libmilter")


@pytest.fixture(scope="module")
def results() -> Mapping[str, Result]:
    """Let all faults happen, to one front or the other; at the same time those that can."""
    found: dict[str, Result] = {}
    for alone in (False, True):
        names = [name for name, fault in FAULTS.items() if fault.alone is alone]
        cases = [(name, FRONTS[number % 2]) for number, name in enumerate(names)]
        found.update(zip(names, run(cases, seconds=SECONDS, rate=RATE), strict=True))
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_each_message_is_delivered_once_or_refused_for_its_content(
    results: Mapping[str, Result], fault: str
) -> None:
    one = results[fault]

    assert (one.lost, one.doubled, one.wrong) == (0, 0, 0)
    assert one.once + one.again + one.refused == one.sent > 0
    assert FAULTS[fault].cuts_in or not one.again


@pytest.mark.parametrize("fault", FAULTS)
def test_each_answer_stands_in_one_ticket(results: Mapping[str, Result], fault: str) -> None:
    one = results[fault]

    assert (one.missing, one.repeated) == (0, 0)


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.puts_off])
def test_fault_is_felt_as_later(results: Mapping[str, Result], fault: str) -> None:
    assert results[fault].tempfails > 0


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.puts_off is False])
def test_the_mta_notices_no_reloading_and_no_recycling(results: Mapping[str, Result], fault: str) -> None:
    one = results[fault]

    assert (one.tempfails, one.warnings) == (0, 0)
    assert FAULTS[fault].as_due(one)


@pytest.mark.parametrize("fault", FAULTS)
def test_log_complains_of_the_fault_alone(results: Mapping[str, Result], fault: str) -> None:
    assert results[fault].complaints.keys() <= FAULTS[fault].complaints


# What the comparison itself would find, with a mail log as Postfix writes it.
LOG = """\
Nov 23 09:14:05 mx upstream/smtpd[71]: 4jYllX1l49zJ9ZP: client=unknown[127.0.0.1]
Nov 23 09:14:05 mx postfix/cleanup[72]: 4jYllX1l49zJ9ZP: message-id=<a@example.net>
Nov 23 09:14:05 mx postfix/qmgr[73]: 4jYllX1l49zJ9ZP: from=<pat@example.net>, size=688, nrcpt=1 (queue active)
Nov 23 09:14:05 mx postfix/smtpd[74]: 4jYllX1sPxzJ9ZW: client=unknown[127.0.0.1]
Nov 23 09:14:05 mx postfix/cleanup[72]: 4jYllX1sPxzJ9ZW: message-id=<a@example.net>
Nov 23 09:14:05 mx postfix/cleanup[72]: 4jYllX1sPxzJ9ZW: milter-reject: END-OF-MESSAGE from \
unknown[127.0.0.1]: 4.7.1 Try again later [01M86ZVGY80AYQQXBT6C2PG7BN]; from=<pat@example.net> \
to=<anna@example.org>
Nov 23 09:14:05 mx postfix/smtp[75]: 4jYllX1l49zJ9ZP: to=<anna@example.org>, \
relay=127.0.0.1[127.0.0.1]:10025, dsn=4.7.1, \
status=deferred (host 127.0.0.1[127.0.0.1] said: 451 4.7.1 Try again later)
Nov 23 09:14:06 mx postfix/smtpd[74]: 4jYllY2L1GzJ9H9: client=unknown[127.0.0.1]
Nov 23 09:14:06 mx postfix/cleanup[72]: 4jYllY2L1GzJ9H9: message-id=<a@example.net>
Nov 23 09:14:06 mx postfix/qmgr[73]: 4jYllY2L1GzJ9H9: from=<pat@example.net>, size=865, nrcpt=1 (queue active)
"""
ANSWERED = ("4jYllX1sPxzJ9ZW", "4jYllY2L1GzJ9H9")


def compared(
    mailboxes: Mapping[str, int],
    *ticketed: str,
    malware: bool = False,
    more: str = "",
    copies: Mapping[str, int] | None = None,
) -> Result:
    """Return what is found of one message, by what lies in mailboxes, and the queue IDs that have tickets."""
    return result(
        "invented",
        {"<a@example.net>": malware},
        recipients=ALIKE,
        names=("unix:tamis/milter.sock", "[127.0.0.1]:10025"),
        ledger=Ledger.read((LOG + more).splitlines()),
        arrivals=Arrivals(_pieces(mailboxes), _pieces(copies or {})),
        tickets=[{"queue_id": one} for one in ticketed],
        log="2026-11-23T09:14:05.120Z tamis[7] error: 4jYllX1sPxzJ9ZW: deadline passed answer=tempfail",
    )


def _pieces(numbers: Mapping[str, int]) -> Counter[tuple[str, str]]:
    return Counter({(message_id, ALIKE[0]): number for message_id, number in numbers.items()})


def test_message_that_came_later_is_in_order() -> None:
    found = compared({"<a@example.net>": 1}, *ANSWERED)

    assert found.ok
    assert (found.tempfails, found.tickets, found.complaints) == (1, 2, {"deadline passed": 1})


def test_lost_message_is_found() -> None:
    assert compared({}, *ANSWERED).lost == 1


def test_second_copy_is_found() -> None:
    assert compared({"<a@example.net>": 2}, *ANSWERED).doubled == 1


@pytest.mark.parametrize(("number", "doubled", "again"), [(0, 1, 0), (1, 0, 1), (2, 0, 1)])
def test_a_piece_that_only_the_relay_doubled_is_told_apart(number: int, doubled: int, again: int) -> None:
    found = compared({"<a@example.net>": 2}, *ANSWERED, copies={"<a@example.net>": number})

    assert (found.doubled, found.again, found.once) == (doubled, again, 0)


def test_a_copy_is_no_attempt_to_hand_a_message_in() -> None:
    copy = """\
Nov 23 09:14:06 mx postfix/copies/smtpd[74]: 4jYllY3CopyJ9H9: client=unknown[127.0.0.1]
Nov 23 09:14:06 mx postfix/cleanup[72]: 4jYllY3CopyJ9H9: message-id=<a@example.net>
Nov 23 09:14:06 mx postfix/qmgr[73]: 4jYllY3CopyJ9H9: from=<pat@example.net>, size=865, nrcpt=1 (queue active)
"""

    assert compared({"<a@example.net>": 1}, *ANSWERED, more=copy).ok


def test_delivered_malware_is_found() -> None:
    assert compared({"<a@example.net>": 1}, *ANSWERED, malware=True).wrong == 1


@pytest.mark.parametrize("ticketed", [(), ANSWERED[:1], ANSWERED[1:]])
def test_missing_ticket_is_found(ticketed: tuple[str, ...]) -> None:
    assert compared({"<a@example.net>": 1}, *ticketed).missing == 2 - len(ticketed)


def test_second_ticket_is_found() -> None:
    assert compared({"<a@example.net>": 1}, *ANSWERED, *ANSWERED).repeated == 2


def test_ticket_without_an_answer_is_found() -> None:
    assert compared({"<a@example.net>": 1}, *ANSWERED, "4jYllZ0000zJ000").unheard == 1


@pytest.mark.parametrize(
    "line",
    [
        "postfix/smtpd[74]: warning: milter unix:tamis/milter.sock: can't read SMFIC_MAIL reply packet: EOF",
        "postfix/smtpd[74]: warning: connect to Milter service unix:tamis/milter.sock: Connection refused",
        "postfix/smtp[75]: 4jYllX1l49zJ9ZP: lost connection with 127.0.0.1[127.0.0.1]:10025 while sending",
    ],
)
def test_complaint_of_the_milter_is_counted(line: str) -> None:
    other = "postfix/smtpd[74]: warning: connect to Milter service unix:tamis/other.sock: Connection refused"

    found = compared({"<a@example.net>": 1}, *ANSWERED, more=f"Nov 23 09:14:07 mx {line}\n{other}\n")

    assert found.warnings == 1
    assert found.ok
