"""Purging: deletes what is due, in small transactions between which the milter's tickets get in.

Old tickets that stay get pseudonyms, likewise where these are wanted. Each batch is judged once more by the
transaction that changes it, and counted in the receipt by the same one:
killed at any point, the next purge goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.desk.judging import Judge, Judged, rule
from tamis.desk.tally import Tally
from tamis.retention.classes import Clock, RecordClass
from tamis.retention.due import Action, Owner, aged, hidden_before, may_be_due
from tamis.retention.period import DAY
from tamis.retention.rules import Bound, Key, Rules
from tamis.store import (
    candidates,
    copies,
    credentials,
    forgetting,
    receipts,
    removal,
    rewriting,
    space,
    wiping,
)
from tamis.store.candidates import Candidate
from tamis.store.database import Database
from tamis.store.pace import Pace, Stride
from tamis.store.removal import Leaving
from tamis.ticket import first_id, timestamp

RELIEF = 100  # records, after which the log has some 300 pages; with 1000 a worker would have to write them
LEAP = 400 * DAY  # since the last purge; a clock that says so has more likely gone wrong
# The account last: its dates decide on the others.
KINDS = (
    RecordClass.TICKET,
    RecordClass.SESSION,
    RecordClass.SETTING_CHANGE,
    RecordClass.CONSENT,
    RecordClass.LEGAL_ACT,
)
RECEIPT = "receipt"  # kept as long as acts of the law
EXPIRED = "expired"  # the rule of what says itself when it ends: who is signed in to the web page

Pages = Iterator[Sequence[Candidate]]


class ClockLeap(Exception):
    """The clock is so far beyond the last purge that most records would be due."""


def last(database: Database) -> int | None:
    """Return when a purge ran last, in Unix ms; None before the first."""
    with database.reading() as connection:
        return receipts.last_time(connection)


def check_clock(database: Database, now: int) -> str | None:
    """Return a warning where the clock was set back; raise ClockLeap where it has gone far ahead."""
    last_time = last(database)
    if last_time is None or last_time <= now <= last_time + LEAP:
        return None
    told = f"the clock says {timestamp(now)}, and the last purge was at {timestamp(last_time)}"
    if now > last_time:
        raise ClockLeap(told)
    return f"{told}: only what is due by the earlier time goes"


class Purge:
    """Deletes what is due at a Unix time in ms."""

    def __init__(self, database: Database, rules: Rules, *, now: int, pace: Pace) -> None:
        self._database = database
        self._rules = rules
        self._now = now
        self._pace = pace
        self._judge = Judge(rules, now)
        # A key counts no more from the time on that is as long ago as it is remembered.
        guard = rules.figures[Key(RecordClass.COPY_GUARD, Clock.AGE, Bound.CEILING)].period
        self._guarded = now - (guard.shortest() if guard else now)
        self.tally = Tally(now)

    def run(self) -> None:
        """Delete all that is due, and write the receipt; raise StoreUnavailable."""
        with self._database.writing() as connection:
            self.tally.write(connection)
        for kind, pages in self._walk():
            self.delete(kind, pages)
        self._pseudonymise()
        for address in self._accounts():
            self.forget(address)
        self._forget_copies()
        self._forget_expired()
        for page in self._old_receipts():
            self._delete_receipts(page)
        self.finish()

    def finish(self) -> None:
        """Forget what is left of tickets whose chains are gone, and finish the receipt."""
        removal.tidy(self._database, self._pace)
        with self._database.writing() as connection:
            self.tally.write(connection, self._now)

    def plan(self) -> None:
        """Count what run() would delete; change nothing."""
        for kind, pages in self._walk():
            for page in pages:
                with self._database.reading() as connection:
                    self._count(kind, self._due(connection, kind, page))
        for page in self._clear():
            with self._database.reading() as connection:
                action, kind = Action.PSEUDONYMISE, RecordClass.TICKET
                self._count(kind, self._due(connection, kind, page, action), action)
        for address in self._accounts():
            with self._database.reading() as connection:
                if forgetting.is_due(connection, address):
                    self._count(RecordClass.ACCOUNT, self._account(connection, address))
        with self._database.reading() as connection:
            self._count_copies(copies.old(connection, since=self._guarded))
            self._count_expired(credentials.expired(connection, now=self._now))
        for page in self._old_receipts():
            with self._database.reading() as connection:
                due = self._due(connection, RecordClass.LEGAL_ACT, page)
            self.tally.add(RECEIPT, self._receipt_rule(), (one.record.time for one in due))

    def delete(self, kind: RecordClass, pages: Pages) -> None:
        """Delete what is due of pages of a class."""
        self._carry_out(Action.DELETE, kind, pages)

    def _carry_out(self, action: Action, kind: RecordClass, pages: Pages) -> None:
        """Do to pages of a class what is due."""
        stride = Stride(self._pace.clock)
        unwritten = 0
        for page in pages:
            with self._database.reading() as connection:
                due = [one.record for one in self._due(connection, kind, page, action)]
            while due:
                begun = self._pace.clock()
                some, due = due[: stride.rows], due[stride.rows :]
                with self._database.reading() as connection:
                    known = candidates.read(connection, kind, [one.id for one in some])
                with stride.step(self._database, len(some)) as connection:
                    self._act(connection, action, kind, some, known)
                unwritten += len(some)
                if unwritten >= RELIEF:
                    space.relieve(self._database)
                    unwritten = 0
                self._pace.after(begun)

    def forget(self, address: str) -> None:
        """Delete what is due of an account itself."""
        with self._database.reading() as connection:
            if not forgetting.is_due(connection, address):
                return
        begun = self._pace.clock()
        with self._database.writing() as connection:
            self.forget_in(connection, address)
        self._pace.after(begun)

    def forget_in(self, connection: Connection, address: str) -> None:
        """Do the same in a transaction that does something else, too."""
        due = self._account(connection, address)
        if due and forgetting.forget(connection, address):
            self._count(RecordClass.ACCOUNT, due)
            self.tally.write(connection)

    def of(self, kind: RecordClass, address: str) -> Pages:
        """Return the records of a class about an account that no floor by age keeps."""
        return self._pages(kind, address, "", aged(kind, Bound.FLOOR, self._rules, self._now))

    def _walk(self) -> Iterator[tuple[RecordClass, Pages]]:
        """Return records that may be due, each once: the old ones, then those of accounts with dates."""
        with self._database.reading() as connection:
            dated = candidates.dated(connection)
        for kind in KINDS:
            old = aged(kind, Bound.CEILING, self._rules, self._now)
            if old is not None:
                yield kind, self._pages(kind, None, "", old)
            if kind is not RecordClass.LEGAL_ACT:
                young = "" if old is None else first_id(old)
                yield kind, self._dated(kind, dated, young)

    def _dated(self, kind: RecordClass, dated: Mapping[str, Owner], young: str) -> Pages:
        walked = {
            address for address, owner in dated.items() if may_be_due(kind, owner, self._rules, self._now)
        }
        free = aged(kind, Bound.FLOOR, self._rules, self._now)
        for address in sorted(walked):
            for page in self._pages(kind, address, young, free):
                with self._database.reading() as connection:
                    named = self._judge.named(connection, page)
                # As long as one of its accounts may keep it, it stays.
                yield [one for one in named if one.accounts <= walked and address == min(one.accounts)]

    def _pseudonymise(self) -> None:
        self._carry_out(Action.PSEUDONYMISE, RecordClass.TICKET, self._clear())
        if self.tally.lines(Action.PSEUDONYMISE):
            rewriting.finish(self._database)

    def _clear(self) -> Pages:
        """Return tickets whose addresses may have to be replaced."""
        before = hidden_before(self._rules, self._now)
        if before is not None:
            for page in self._pages(RecordClass.TICKET, None, "", before):
                yield [one for one in page if not one.is_pseudonymous]

    def _pages(self, kind: RecordClass, owner: str | None, after: str, before: int | None) -> Pages:
        while True:
            with self._database.reading() as connection:
                page = candidates.page(connection, kind, owner, after=after, before=before)
            if not page:
                return
            yield page
            after = page[-1].id

    def _due(
        self,
        connection: Connection,
        kind: RecordClass,
        found: Sequence[Candidate],
        action: Action = Action.DELETE,
    ) -> list[Judged]:
        return [one for one in self._judge.judge(connection, kind, found) if one.verdict.action is action]

    def _act(
        self,
        connection: Connection,
        action: Action,
        kind: RecordClass,
        found: Sequence[Candidate],
        known: Mapping[str, Leaving],
    ) -> None:
        is_deleted = action is Action.DELETE
        ids = [one.id for one in found]
        there = candidates.there(connection, kind, ids) if is_deleted else candidates.clear(connection, ids)
        due = self._due(connection, kind, [one for one in found if one.id in there], action)
        ids = [one.record.id for one in due]
        if is_deleted:
            candidates.remove(connection, kind, ids, known)
        else:
            rewriting.pseudonymise(connection, ids, known)
        self._count(kind, due, action)
        self.tally.write(connection)

    def _count(self, kind: RecordClass, due: Sequence[Judged], action: Action = Action.DELETE) -> None:
        for one in due:
            self.tally.add(kind.value, rule(kind, one.verdict, self._rules), [one.record.time], action)

    def _accounts(self) -> list[str]:
        with self._database.reading() as connection:
            dated = candidates.dated(connection)
        kind = RecordClass.ACCOUNT
        return sorted(
            address for address, owner in dated.items() if may_be_due(kind, owner, self._rules, self._now)
        )

    def _account(self, connection: Connection, address: str) -> list[Judged]:
        found = candidates.account_of(connection, address)
        return self._due(connection, RecordClass.ACCOUNT, found)

    def _forget_copies(self) -> None:
        stride = Stride(self._pace.clock)
        more = True
        while more:
            begun = self._pace.clock()
            with stride.step(self._database, stride.rows) as connection:
                gone = copies.forget(connection, since=self._guarded, most=stride.rows)
                self._count_copies(gone)
                self.tally.write(connection)
            self._pace.after(begun)
            more = bool(gone)

    def _count_copies(self, times: Sequence[int]) -> None:
        figure = self._rules.figures[Key(RecordClass.COPY_GUARD, Clock.AGE, Bound.CEILING)]
        self.tally.add(RecordClass.COPY_GUARD.value, f'resend.remember = "{figure}"', times)

    def _forget_expired(self) -> None:
        more = True
        while more:
            begun = self._pace.clock()
            with self._database.writing() as connection:
                gone = credentials.remove_expired(connection, now=self._now)
                self._count_expired(gone)
                self.tally.write(connection)
            self._pace.after(begun)
            more = any(gone.values())

    def _count_expired(self, gone: Mapping[str, Sequence[int]]) -> None:
        for kind, times in gone.items():
            self.tally.add(kind, EXPIRED, times)

    def _old_receipts(self) -> Pages:
        before = aged(RecordClass.LEGAL_ACT, Bound.CEILING, self._rules, self._now)
        after = ""
        while before is not None:
            with self._database.reading() as connection:
                page = candidates.receipts(connection, after=after, before=before)
            if not page:
                return
            yield page
            after = page[-1].id

    def _receipt_rule(self) -> str:
        key = Key(RecordClass.LEGAL_ACT, Clock.AGE, Bound.CEILING)
        return f'{key} = "{self._rules.figures[key]}"'

    def _delete_receipts(self, page: Sequence[Candidate]) -> None:
        with self._database.writing() as connection:
            due = self._due(connection, RecordClass.LEGAL_ACT, page)
            receipts.remove(connection, [one.record.id for one in due])
            self.tally.add(RECEIPT, self._receipt_rule(), (one.record.time for one in due))
            self.tally.write(connection)


@dataclass(frozen=True, slots=True)
class Oldest:
    """The oldest record of a class that is left."""

    kind: RecordClass
    time: int  # Unix ms
    gone_by: int | None  # by its age, unless it is held; Unix ms


def oldest(database: Database, rules: Rules) -> list[Oldest]:
    """Return the oldest record of each class, against its ceiling."""
    found = []
    with database.reading() as connection:
        for kind in KINDS:
            made = candidates.oldest(connection, kind)
            if made is not None:
                ceiling = rules.period(kind, Clock.AGE, Bound.CEILING)
                found.append(Oldest(kind, made, ceiling.at_most_from(made) if ceiling else None))
    return found


def clean_up(database: Database, pace: Pace) -> tuple[bool, bool]:
    """Leave nothing of what was deleted in the database's files, and give free pages back.

    Return whether nobody was in the way, and whether the file was made so that all of this can be done.
    """
    is_able = space.give_back(database, pace.short)
    is_wiped = wiping.wipe(database, clock=pace.clock, rest=pace.after)
    return space.empty_log(database, pace.short) and is_wiped, is_able
