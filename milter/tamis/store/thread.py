"""The store of one process: a thread that owns the connection, and a cache in front of it.

The event loop asks, the thread works: it takes all that waits at once, so that the tickets of concurrent
messages share one commit and the addresses of several messages share few queries. What it resolved is kept
until something changes, so that most messages wait for the thread only once, for their ticket.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tamis.interfaces import UNCOUNTED, Metrics, StoreUnavailable
from tamis.preferences import Resolution
from tamis.store import copies, rounds, sessions, tickets
from tamis.store.database import Database
from tamis.store.jobs import Addition, AnyJob, Lookup, Recall, Remembrance, Resolutions, SignIn
from tamis.store.lane import Lane
from tamis.store.recent import SLACK, Recent
from tamis.store.rounds import Company
from tamis.ticket import Ticket

log = logging.getLogger(__name__)

POLL = 0.25  # seconds between looks for changes by others, which we promise to follow within one
HEARING = 0.75  # seconds between looks for copies that others remembered; with POLL less than one
CACHED = 20_000  # resolutions, of about half a kilobyte each

Job = TypeVar("Job", Addition, Lookup, Recall, Remembrance)


class Resolver(Protocol):
    """Answers who is behind addresses; called on the store's thread."""

    def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return one Resolution per address, in order; raise StoreUnavailable."""


class Watched(Protocol):
    """Something that resolutions depend on; called on the store's thread."""

    def changed(self) -> bool:
        """Tell whether there may be changes since the last call; raise StoreUnavailable."""


def milliseconds_now() -> int:
    """Return Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class Store:
    """Directory, Tickets and CopyGuard of one process; its coroutines run on the loop that it was given."""

    def __init__(
        self,
        database: Database,
        resolver: Resolver,
        *,
        watched: Sequence[Watched],
        remember: float | None,
        loop: asyncio.AbstractEventLoop,
        lane: Lane | None = None,
        metrics: Metrics = UNCOUNTED,
        now: Callable[[], int] = milliseconds_now,
    ) -> None:
        """Take the parts; copies are remembered for so many seconds, by a clock of Unix milliseconds.

        None is for a process that hands no copies over. With a lane, tickets are written by the writer at its
        end, as long as there is one.
        """
        self._database = database
        self._resolver = resolver
        self._watched = watched
        self._remembered = None if remember is None else round(remember * 1000)  # milliseconds
        self._recent = Recent()  # only touched on the loop
        self._heard = 0  # Unix milliseconds of the latest copy that it was told of
        self._next_hearing = 0.0  # monotonic seconds
        self._now = now
        self._loop = loop
        self._lane = lane
        self._metrics = metrics
        self._cache: OrderedDict[str, Resolution] = OrderedDict()  # only touched on the loop; latest use last
        self._signed_in: set[tuple[str, str | None]] = set()  # in the hour; only touched on the loop
        self._hour = 0  # hours of Unix time
        self._jobs: queue.SimpleQueue[AnyJob | None] = queue.SimpleQueue()  # None: end
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._company = Company()
        self._adding = 0  # tickets that are being written; only touched on the loop
        self._crowd = Company()  # of these
        self._closed = False
        self._next_look = 0.0  # monotonic seconds

    def start(self) -> None:
        """Start the thread; after the fork, in the process that uses the store."""
        self._thread.start()
        if self._lane is not None:
            self._lane.call()

    def close(self) -> None:
        """Write what waits and end the thread; may be called on any thread."""
        if not self._closed:
            self._closed = True
            if self._lane is not None:
                self._hand_over(self._lane.close)
            self._jobs.put(None)
        self._thread.join()

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return one Resolution per address, in order; raise StoreUnavailable."""
        cache = self._cache
        found: dict[str, Resolution] = {}
        missing: dict[str, None] = {}
        for address in addresses:
            known = cache.get(address)
            if known is None:
                missing[address] = None
            else:
                cache.move_to_end(address)
                found[address] = known
        if missing:
            future: asyncio.Future[Resolutions] = self._loop.create_future()
            self._put(Lookup(tuple(missing), future))
            found.update(await future)
        return [found[address] for address in addresses]

    async def account(self, address: str) -> str | None:
        """Return the one account behind an address, or None; raise StoreUnavailable."""
        (resolution,) = await self.resolve((address,))
        return resolution.members[0].account if len(resolution.members) == 1 else None

    async def add(self, ticket: Ticket) -> None:
        """Return once the ticket is durable; raise StoreUnavailable."""
        self._adding += 1
        try:
            if not await self._hand_on(ticket):
                future: asyncio.Future[None] = self._loop.create_future()
                self._put(Addition(ticket, future))
                await future
        finally:
            self._adding -= 1

    async def _hand_on(self, ticket: Ticket) -> bool:
        """Have the writer write a ticket; tell whether it has.

        Where there is one at a time, that would cost more than it saves.
        """
        if self._lane is None:
            return False
        self._crowd.came(self._adding)
        return self._crowd.is_expected and await self._lane.add(tickets.draft(ticket))

    async def accepted(self, keys: Sequence[bytes], *, about_to_add: bool = True) -> frozenset[bytes]:
        """Return those keys that were remembered not too long ago; raise StoreUnavailable."""
        if not keys:
            return frozenset()
        if not about_to_add and (known := self._recent.among(keys, since=self._since())) is not None:
            return known
        future: asyncio.Future[frozenset[bytes]] = self._loop.create_future()
        self._put(Recall(keys, about_to_add, future))
        return await future

    @property
    def remembers(self) -> bool:
        """Whether there may be copies that were remembered not too long ago."""
        return not self._recent.is_empty

    async def remember(self, keys: Sequence[bytes]) -> None:
        """Return once it is durable that the copies of these keys were accepted; raise StoreUnavailable."""
        if keys:
            future: asyncio.Future[None] = self._loop.create_future()
            self._put(Remembrance(keys, future))
            await asyncio.shield(future)  # they are out, whether anybody waits or not

    def signed_in(self, login: str, client: str | None) -> None:
        """Take note of who signed in to send mail, once an hour for each client; return at once."""
        now = self._now()
        hour = now // sessions.HOUR
        if hour != self._hour or len(self._signed_in) >= CACHED:
            self._hour = hour
            self._signed_in.clear()
        if (login, client) not in self._signed_in and not self._closed:
            self._signed_in.add((login, client))
            self._jobs.put(SignIn(login, client, now))

    def _put(self, job: AnyJob) -> None:
        if self._closed:
            raise StoreUnavailable("it is closed")
        self._jobs.put(job)

    # The rest runs on the thread, but for what is handed to the loop.

    def _run(self) -> None:
        ended = False
        while not ended:
            jobs = self._take()
            ended = None in jobs
            if time.monotonic() >= self._next_look:
                self._look()
                self._next_look = time.monotonic() + POLL
            self._work([job for job in jobs if isinstance(job, Lookup)], self._resolve)
            self._work([job for job in jobs if isinstance(job, Remembrance)], self._remember)
            recalls = [job for job in jobs if isinstance(job, Recall)]
            self._work([job for job in recalls if not job.about_to_add], self._recall)
            self._work([job for job in recalls if job.about_to_add], self._rehearse)
            self._work([job for job in jobs if isinstance(job, Addition)], self._write)
            for job in jobs:
                if isinstance(job, SignIn):
                    self._sign_in(job)
        self._database.close()

    def _take(self) -> list[AnyJob | None]:
        """Return all jobs that wait; wait for one until the next look is due."""
        jobs: list[AnyJob | None] = []
        try:
            jobs.append(self._jobs.get(timeout=max(0.0, self._next_look - time.monotonic())))
            # A copy that is out and not remembered would go out twice, did we end now: it waits for nobody.
            if self._company.is_expected and not isinstance(jobs[0], Remembrance):
                time.sleep(rounds.GATHER)
            while len(jobs) < rounds.AT_ONCE:
                jobs.append(self._jobs.get_nowait())
        except queue.Empty:
            pass
        if jobs:
            self._company.came(len(jobs))
        return jobs

    def _look(self) -> None:
        """Forget what was resolved where something that it depends on has changed."""
        changed = False
        for one in self._watched:
            try:
                changed |= one.changed()
            except StoreUnavailable:
                continue  # who needs a store that is away hears of it; a new connection counts as a change
            except Exception as error:  # as in rounds.attempt()
                log.error("store failed error=%s", type(error).__name__)
                changed = True
        if changed:
            self._hand_over(self._cache.clear)
        if self._remembered is not None and time.monotonic() >= self._next_hearing:
            self._listen()

    def _listen(self) -> None:
        """Hear which copies others have remembered."""
        since = self._since()
        try:
            with self._database.reading() as connection:
                found = copies.latest(connection, since=max(since, self._heard - SLACK))
        except StoreUnavailable:
            return
        self._next_hearing = time.monotonic() + HEARING
        self._heard = max(found.values(), default=self._heard)
        self._hand_over(lambda: self._recent.learn(found, since=since))

    def _work(self, jobs: Sequence[Job], act: Callable[[Sequence[Job]], None]) -> None:
        rounds.attempt(jobs, act, self._fail, is_wanted=_is_wanted)

    def _resolve(self, jobs: Sequence[Lookup]) -> None:
        addresses = list(dict.fromkeys(address for job in jobs for address in job.addresses))
        found = dict(zip(addresses, self._resolver.resolve(addresses), strict=True))
        self._hand_over(lambda: self._keep(jobs, found))

    def _write(self, jobs: Sequence[Addition]) -> None:
        started = time.perf_counter()
        rows = tickets.rows([job.ticket for job in jobs])
        with self._database.adding() as connection:
            waiting = [job for job in jobs if _is_wanted(job)]
            if len(waiting) < len(jobs):  # some were told "try again" while we waited for the lock
                rows = tickets.rows([job.ticket for job in waiting])
            tickets.add(connection, rows)
            if not all(map(_is_wanted, waiting)):  # PostgreSQL waits for locks in there
                raise rounds.Withdrawn
        self._metrics.committed(len(waiting), time.perf_counter() - started)
        self._hand_over(lambda: _succeed(jobs))

    def _sign_in(self, job: SignIn) -> None:
        """Record a sign-in to the account behind a login, unless the hour has it; no mail depends on it."""
        try:
            (found,) = self._resolver.resolve([job.login])
            if len(found.members) != 1 or (account := found.members[0].account) is None:
                return
            with self._database.writing() as connection:  # it may make the account, as commands do
                sessions.sign_in_to_send(connection, account, job.client, now=job.time)
        except Exception as error:  # as in rounds.attempt()
            told = error if isinstance(error, StoreUnavailable) else type(error).__name__
            log.warning("sign-in not recorded error=%s", told)
            self._hand_over(lambda: self._signed_in.discard((job.login, job.client)))

    def _recall(self, jobs: Sequence[Recall]) -> None:
        with self._database.reading() as connection:
            found = copies.accepted(connection, _keys(jobs), since=self._since())
        self._hand_over(lambda: _tell(jobs, found))

    def _rehearse(self, jobs: Sequence[Recall]) -> None:
        with self._database.adding() as connection:
            since = self._since()
            copies.rehearse(connection, _keys(jobs), since=since)
            found = copies.accepted(connection, _keys(jobs), since=since)
        self._hand_over(lambda: _tell(jobs, found))

    def _remember(self, jobs: Sequence[Remembrance]) -> None:
        now = self._now()
        with self._database.adding() as connection:
            copies.remember(connection, _keys(jobs), now=now)
        found = dict.fromkeys(_keys(jobs), now)
        self._hand_over(lambda: self._recent.learn(found, since=self._since()))
        self._hand_over(lambda: _succeed(jobs))

    def _since(self) -> int:
        return self._now() - (self._remembered or 0)

    def _fail(self, jobs: Sequence[Job], text: str) -> None:
        self._metrics.store_failed()

        def fail() -> None:
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(StoreUnavailable(text))

        self._hand_over(fail)

    def _hand_over(self, action: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop has ended, and with it all who waited
            log.debug("loop is closed")

    def _keep(self, jobs: Sequence[Lookup], found: Resolutions) -> None:
        """Take resolutions into the cache, on the loop, in the order in which the thread found them.

        The coroutine that asked runs later: it could bring back what a change has made stale meanwhile.
        """
        self._cache.update(found)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        for job in jobs:
            if not job.future.done():
                job.future.set_result(found)


def _is_wanted(job: Addition | Lookup | Recall | Remembrance) -> bool:
    return not job.future.cancelled()


def _keys(jobs: Sequence[Recall | Remembrance]) -> frozenset[bytes]:
    return frozenset(key for job in jobs for key in job.keys)


def _tell(jobs: Sequence[Recall], found: frozenset[bytes]) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_result(found.intersection(job.keys))


def _succeed(jobs: Sequence[Addition | Remembrance]) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_result(None)
