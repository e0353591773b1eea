"""Writes the tickets of all workers: what waits on all connections shares a commit, and each hears once.

A commit costs as much as several tickets, and a second process that writes to an SQLite file makes the caches
of the first one cold (docs/decisions/0011-one-writer.md). While another program has the database's lock, the
sockets are served, too; for nothing else does it wait but for something to do.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeAlias

from tamis.config import Store as Settings
from tamis.interfaces import UNCOUNTED, Metrics, StoreUnavailable
from tamis.store import frames, local, tickets
from tamis.store.database import Database, Refused
from tamis.store.frames import Addition, Broken, Frames, Opening, Withdrawal
from tamis.store.tickets import Row

log = logging.getLogger(__name__)

AT_ONCE = 500  # tickets in one commit
LARGE = 8_000_000  # octets of tickets after which no further one goes into the same commit
# Where there are others, a ticket waits for them for so many seconds: a commit costs as much as several.
GATHER = 0.002
COMPANY = 16  # rounds after one with several tickets
CHUNK = 64 * 1024  # octets taken from a connection at a time; more come from pages that are new each time
UNREAD = 1_000_000  # octets of answers, some 100,000; a worker that leaves more unread is let go of
PAUSE = 0.1  # seconds, where no descriptor is free for a connection


class Peer:
    """A worker's connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.frames = Frames()
        self.pile: Pile | None = None  # once it has named its store
        self.unsent = bytearray()


Key: TypeAlias = tuple[Peer, int]


class Pile:
    """The tickets that wait for one store."""

    def __init__(self, make: Callable[[], Database]) -> None:
        self._make = make
        self._database: Database | None = None
        self.waiting: dict[Key, Row] = {}
        self.peers: set[Peer] = set()

    def first(self) -> Sequence[Key]:
        """Return which tickets go into the next commit."""
        chosen: list[Key] = []
        octets = 0
        for key, row in islice(self.waiting.items(), AT_ONCE):
            chosen.append(key)
            octets += len(row.body)
            if octets >= LARGE:
                break
        return chosen

    def still(self, keys: Sequence[Key]) -> Sequence[Key]:
        """Return which of some tickets still wait."""
        return [key for key in keys if key in self.waiting]

    @property
    def database(self) -> Database:
        """The database; raise StoreUnavailable."""
        if self._database is None:
            self._database = self._make()
        return self._database

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()


class Writer:
    """Takes tickets from whoever connects, and writes them."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        metrics: Metrics = UNCOUNTED,
        open_database: Callable[[Settings], Database] = Database,
    ) -> None:
        """Take a listening socket of local.listen()."""
        self._listener = listener
        self._metrics = metrics
        self._open_database = open_database
        self._peers: set[Peer] = set()
        self._piles: dict[Settings, Pile] = {}
        self._ending = False
        self._company = 0  # rounds in which a ticket still waits for others
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def obey(self, control: socket.socket, go_on: Callable[[], bool]) -> None:
        """Call go_on each time that there is something to read; False: end after the last connection."""

        def heed(_: int) -> None:
            if not go_on():
                self._ending = True
                self._selector.unregister(control)

        self._selector.register(control, selectors.EVENT_READ, heed)

    def run(self) -> None:
        """Write until the end."""
        while True:
            busy = self._take()
            for pile in list(self._piles.values()):  # others may come while one waits for its lock
                if pile.waiting:
                    self._write(pile, pile.first())
            self._put_away()
            if self._ending and not self._peers and not busy:
                break
        self._selector.close()

    def _take(self) -> bool:
        """Take what waits on all connections, or wait for something; tell whether there was anything."""
        ended = self._ending and not self._peers
        patience = 0.0 if ended or self._count() else None
        busy = self._serve(patience)
        if self._company > 0 and self._count():
            self._company -= 1
            time.sleep(GATHER)
            self._serve(0.0)
        if self._count() > 1:
            self._company = COMPANY
        return busy

    def _count(self) -> int:
        return sum(len(pile.waiting) for pile in self._piles.values())

    def _serve(self, patience: float | None) -> bool:
        """Do what the sockets ask for; tell whether there was anything within so many seconds."""
        found = self._selector.select(patience)
        for key, events in found:
            key.data(events)
        return bool(found)

    def _pass(self, seconds: float) -> None:
        """Serve for some seconds, in which another has the database's lock."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._serve(left)

    # Connections.

    def _accept(self, _: int) -> None:
        try:
            connection, _name = self._listener.accept()
        except BlockingIOError:  # it was given up
            return
        except OSError as error:
            log.error("writer cannot take a connection error=%s", error.strerror)
            time.sleep(PAUSE)
            return
        if not local.is_ours(connection):
            log.warning("writer refused a connection of another user")
            connection.close()
            return
        connection.setblocking(False)
        peer = Peer(connection)
        self._peers.add(peer)
        self._register(peer)

    def _register(self, peer: Peer) -> None:
        """Wait for what comes from a worker, and to say what is unsent."""

        def act(events: int) -> None:
            if events & selectors.EVENT_WRITE:
                self._say(peer, b"")
            if events & selectors.EVENT_READ and peer in self._peers:
                self._hear(peer)

        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.unsent else 0)
        with contextlib.suppress(KeyError):
            self._selector.unregister(peer.connection)
        self._selector.register(peer.connection, events, act)

    def _hear(self, peer: Peer) -> None:
        """Take what a worker says; whoever says something else than workers do is let go of."""
        try:
            octets = peer.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._let_go(peer)
            return
        try:
            for value in peer.frames.take(octets):
                self._obey(peer, frames.request(value))
        except Broken as error:
            log.error("writer ended a connection: what came is no ticket cause=%s", error)
            self._let_go(peer)

    def _obey(self, peer: Peer, request: frames.Request) -> None:
        match request:
            case Opening(settings) if peer.pile is None:
                if settings not in self._piles:
                    self._piles[settings] = Pile(lambda: self._open_database(settings))
                peer.pile = self._piles[settings]
                peer.pile.peers.add(peer)
            case Addition(number, row) if peer.pile is not None:
                peer.pile.waiting[peer, number] = row
            case Withdrawal(number) if peer.pile is not None:
                peer.pile.waiting.pop((peer, number), None)
            case _:
                raise Broken("out of order")

    def _say(self, peer: Peer, octets: bytes) -> None:
        """Send as much as a worker takes, and keep the rest for later."""
        had = bool(peer.unsent)
        peer.unsent += octets
        try:
            sent = peer.connection.send(peer.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has ended
            self._let_go(peer)
            return
        del peer.unsent[:sent]
        if len(peer.unsent) > UNREAD:
            log.error("writer ended a connection: answers are not read")
            self._let_go(peer)
        elif bool(peer.unsent) != had:
            self._register(peer)

    def _let_go(self, peer: Peer) -> None:
        """Forget a worker, with the tickets whose answer it can give no more."""
        self._peers.discard(peer)
        self._selector.unregister(peer.connection)
        peer.connection.close()
        if peer.pile is not None:
            peer.pile.peers.discard(peer)
            for key in [key for key in peer.pile.waiting if key[0] is peer]:
                del peer.pile.waiting[key]

    def _put_away(self) -> None:
        """Close the stores that nobody writes to any more."""
        for settings in [one for one, pile in self._piles.items() if not pile.peers]:
            self._piles.pop(settings).close()

    # The store.

    def _write(self, pile: Pile, keys: Sequence[Key]) -> None:
        """Write tickets together; where the database takes one of them amiss, each by itself."""
        if not keys:
            return
        started = time.perf_counter()
        error = None
        try:
            with pile.database.writing(self._pass) as connection:
                keys = pile.still(keys)  # some may have been taken back while we waited for the lock
                tickets.add(connection, [pile.waiting[key] for key in keys])
        except Refused as refused:
            if len(keys) > 1:
                for key in keys:
                    self._write(pile, pile.still([key]))
                return
            error = str(refused)
        except StoreUnavailable as unavailable:
            error = str(unavailable)
        except Exception as fault:  # else the process would end, and every ticket in hand be lost
            log.error("writer failed error=%s", type(fault).__name__)
            error = type(fault).__name__
        if error is None:
            self._metrics.committed(len(keys), time.perf_counter() - started)
        else:
            self._metrics.store_failed()
        self._settle(pile, pile.still(keys), error)

    def _settle(self, pile: Pile, keys: Sequence[Key], error: str | None) -> None:
        """Tell what became of tickets, each worker once."""
        numbers: dict[Peer, list[int]] = {}
        for peer, number in keys:
            del pile.waiting[peer, number]
            numbers.setdefault(peer, []).append(number)
        for peer, some in numbers.items():
            self._say(peer, frames.outcome(some, error))
