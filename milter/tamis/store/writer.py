"""The process that writes the tickets of all workers of a node, many of them in one commit.

Each worker could do so by itself, but with several there are more commits, and each of them makes the others
read the database's pages anew (docs/decisions/0015-one-writer.md).
"""

from __future__ import annotations

import json
import logging
import selectors
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tamis.config import Store as Settings
from tamis.interfaces import UNCOUNTED, Metrics
from tamis.store import lane, rounds, tickets
from tamis.store.database import Database
from tamis.store.rounds import Company
from tamis.store.tickets import Draft

log = logging.getLogger(__name__)

PEER = struct.Struct("iII")  # struct ucred: process, user, group (unix(7))


@dataclass(eq=False, slots=True)
class Peer:
    """A worker that has called."""

    socket: socket.socket
    jobs: dict[int, Job] = field(default_factory=dict)  # those that were not answered, by their numbers


@dataclass(eq=False, slots=True)
class Job:
    """A ticket to write."""

    peer: Peer
    number: int
    draft: Draft
    is_wanted: bool = True  # the worker still waits for it


class Writer:
    """Writes what workers send until it is to leave and all have hung up."""

    def __init__(
        self, settings: Settings, listener: socket.socket, user: int, *, metrics: Metrics = UNCOUNTED
    ) -> None:
        """Take the store, the socket on which workers call, and the user who they are."""
        self._name = lane.name(settings)
        self._database = Database(settings)
        self._listener = listener
        self._user = user
        self._metrics = metrics
        self._peers: set[Peer] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._waiting: list[Job] = []
        self._company = Company()
        self._leaving = False

    def watch(self, control: socket.socket, act: Callable[[], bool]) -> None:
        """Call something when a socket can be read, for as long as it returns true."""
        self._selector.register(control, selectors.EVENT_READ, act)

    def run(self) -> None:
        """Write until it is to leave and all have hung up."""
        while self._peers or not self._leaving:
            for key, _ in self._selector.select(0 if self._waiting else None):
                match key.data:
                    case None:
                        self._accept()
                    case Peer() as peer:
                        self._hear(peer)
                    case act if not act():
                        self._selector.unregister(key.fileobj)
            if self._waiting:
                self._work()
        self._database.close()

    def leave(self) -> None:
        """Take no more calls, and end after the last ticket."""
        if not self._leaving:
            self._leaving = True
            self._selector.unregister(self._listener)
            self._listener.close()
            for peer in tuple(self._peers):
                self._say(peer, None)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has gone, or we have just been told to leave
            return
        connection.setblocking(False)
        _, user, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
        if user != self._user:
            log.warning("call refused of user=%d", user)
            connection.close()
            return
        peer = Peer(connection)
        self._peers.add(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)
        self._say(peer, self._name)

    def _hear(self, peer: Peer) -> None:
        """Take what a worker has sent."""
        while peer in self._peers:
            try:
                octets = peer.socket.recv(lane.PACKET)
            except BlockingIOError:
                return
            except OSError:
                octets = b""
            if not octets:
                self._forget(peer)
                return
            number, *given = json.loads(octets)
            if given:
                peer.jobs[number] = Job(peer, number, Draft(*given))
                self._waiting.append(peer.jobs[number])
            elif (job := peer.jobs.pop(number, None)) is not None:
                job.is_wanted = False

    def _hear_all(self) -> None:
        for peer in tuple(self._peers):
            self._hear(peer)

    def _work(self) -> None:
        """Write tickets that wait."""
        if self._company.is_expected:
            time.sleep(rounds.GATHER)
            self._hear_all()
        jobs, self._waiting = self._waiting[: rounds.AT_ONCE], self._waiting[rounds.AT_ONCE :]
        self._company.came(len(jobs))
        rounds.attempt(jobs, self._write, self._fail, is_wanted=_is_wanted)

    def _write(self, jobs: Sequence[Job]) -> None:
        started = time.perf_counter()
        rows = tickets.rows_of(job.draft for job in jobs)
        with self._database.adding() as connection:
            self._hear_all()  # some were told "try again" while we waited for the lock
            waiting = [job for job in jobs if job.is_wanted]
            if len(waiting) < len(jobs):
                rows = tickets.rows_of(job.draft for job in waiting)
            tickets.add(connection, rows)
            self._hear_all()  # PostgreSQL waits for locks in there
            if not all(map(_is_wanted, waiting)):
                raise rounds.Withdrawn
        self._metrics.committed(len(waiting), time.perf_counter() - started)
        self._answer(jobs, None)

    def _fail(self, jobs: Sequence[Job], text: str) -> None:
        self._metrics.store_failed()
        self._answer(jobs, text)

    def _answer(self, jobs: Sequence[Job], error: str | None) -> None:
        numbers: dict[Peer, list[int]] = {}
        for job in jobs:
            job.peer.jobs.pop(job.number, None)
            numbers.setdefault(job.peer, []).append(job.number)
        for peer, some in numbers.items():
            self._say(peer, [error, some])

    def _say(self, peer: Peer, word: object) -> None:
        if peer in self._peers:
            try:
                peer.socket.send(json.dumps(word).encode())
            except OSError:  # it has ended, or hears nothing any more
                self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        """Hang up; what nobody waits for any more is not written."""
        self._peers.discard(peer)
        self._selector.unregister(peer.socket)
        peer.socket.close()
        for job in peer.jobs.values():
            job.is_wanted = False


def _is_wanted(job: Job) -> bool:
    return job.is_wanted
