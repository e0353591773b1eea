"""The supervisor: opens the socket, loads the models, keeps workers and writer alive, takes the signals."""

from __future__ import annotations

import gc
import grp
import itertools
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tamis import address
from tamis import config as configuration
from tamis.config import Config, ConfigError
from tamis.interfaces import StoreUnavailable
from tamis.service import children, parts, pipe, worker, writer
from tamis.service.children import Child, Pause, Role, State
from tamis.service.families import Reload, Restart
from tamis.service.limits import allow_descriptors, forbid_dumps
from tamis.service.systemd import notify, reloading, watchdog
from tamis.service.table import Row, Table
from tamis.service.textfile import TextFile
from tamis.store import local

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
TICK = 1.0  # seconds between looks at the processes
LEAST_SILENCE = 5.0  # seconds; who is silent for longer, and beyond what it may wait for, hangs
MARGIN = 10.0  # seconds beyond milter.drain that a worker has to end before it is killed
LAST = 5.0  # seconds that the writer has, after the last worker


class Supervisor:
    """One `tamis serve`."""

    def __init__(self, file: Path) -> None:
        """Take the configuration's file; raise ConfigError."""
        self._file = file
        self._text = configuration.read(file)
        self._config = configuration.parse(self._text, str(file))
        self._version = 0  # of the configuration; counts reloads
        self._front = parts.front(self._config)
        self._learned = parts.models()
        parts.filters(self._config, self._learned)
        self._where = address.parse(self._config.milter.listen)
        self._workers: list[Child] = []
        self._writer: Child | None = None
        self._pauses = {role: Pause() for role in Role}
        self._next_tick = 0.0  # monotonic seconds
        self._stopping = False
        self._asked_to_reload = False
        self._working_on = "ready"  # what is announced once all workers are as they should be
        self._selector = selectors.DefaultSelector()
        self._metrics = Table()
        self._textfile = TextFile(self._metrics, self._config)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raise OSError for the socket, StoreUnavailable for the store."""
        parts.prepare_store(self._config)
        forbid_dumps()
        allow_descriptors()
        self._listen_to_signals()
        self._listener = self._open()
        self._for_tickets = local.listen()  # ours, so that tickets wait while a writer that died is replaced
        self._metrics.own.started()
        gc.freeze()
        milter = self._config.milter
        log.info("listening on %s workers=%d mode=%s", milter.listen, self._wanted, milter.mode)
        try:
            while not self._stopping:
                if self._asked_to_reload:
                    self._reload()
                self._start_writer()
                self._start_workers()
                self._wait()
        finally:
            self._close()
        self._stop_workers()
        self._stop_writer()
        self._textfile.remove()
        log.info("stopped")

    @property
    def _wanted(self) -> int:
        """How many workers shall serve."""
        return self._config.milter.workers or len(os.sched_getaffinity(0))

    # The socket.

    def _open(self) -> socket.socket:
        # The socket's own mode and group are set below; until then only we may connect.
        before = os.umask(0o177)
        try:
            listener = self._front.listen(self._where)
        except OSError as error:
            raise OSError(f"cannot listen on {self._where}: {error.strerror or error}") from error
        finally:
            os.umask(before)
        self._permit(self._config)
        return listener

    def _permit(self, config: Config) -> None:
        """Give the socket the configured group and mode; raise OSError."""
        if isinstance(self._where, address.UnixAddress):
            path = Path(self._where.path)
            if config.milter.socket_group:
                _give_to_group(path, config.milter.socket_group)
            path.chmod(int(config.milter.socket_mode, 8))

    def _close(self) -> None:
        """Be out of reach at once: an MTA whose connection nobody takes would wait for its time-out.

        First of all, too, as later the path may be a successor's.
        """
        self._listener.close()
        if isinstance(self._where, address.UnixAddress):
            Path(self._where.path).unlink(missing_ok=True)

    # Signals.

    def _listen_to_signals(self) -> None:
        read, write = socket.socketpair()
        write.setblocking(False)
        read.setblocking(False)
        signal.set_wakeup_fd(write.fileno())
        self._wakeup = (read, write)
        self._selector.register(read, selectors.EVENT_READ)
        for number in SIGNALS:
            signal.signal(number, self._take_signal)

    def _take_signal(self, number: int, frame: FrameType | None) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT:
                self._stopping = True
            case signal.SIGHUP:
                self._asked_to_reload = True

    def _reload(self) -> None:
        """Take the configuration anew; one that cannot be used changes nothing."""
        self._asked_to_reload = False
        notify(reloading())
        try:
            text = configuration.read(self._file)
            new = configuration.parse(text, str(self._file))
            parts.filters(new, self._learned)
            if new.store != self._config.store:
                parts.prepare_store(new)
            self._permit(new)
        except (ConfigError, StoreUnavailable, OSError) as error:
            for line in str(error).splitlines():
                log.error("configuration not reloaded, the former stays: %s", line)
            self._metrics.own.reloaded(Reload.FAILED)
            notify("READY=1")
            return
        former, self._config, self._text = self._config, new, text
        self._version += 1
        self._metrics.own.reloaded(Reload.OK)
        self._textfile.apply(new)
        for key in ("listen", "front"):
            if getattr(new.milter, key) != getattr(former.milter, key):
                log.warning("milter.%s has changed: restart to apply that", key)
        self._working_on = "reloaded"
        for one in self._workers:
            one.configure(text, self._version)
        self._settle()

    # The processes.

    @property
    def _everybody(self) -> list[Child]:
        return self._workers if self._writer is None else [self._writer, *self._workers]

    def _start_writer(self) -> None:
        if self._writer is not None or not self._pauses[Role.WRITER].is_over:
            return

        def live(control: socket.socket) -> NoReturn:
            self._selector.close()
            writer.run(self._for_tickets, control=control, metrics=self._metrics.writer)

        self._writer = self._start(Role.WRITER, self._metrics.writer, live, without=self._listener)

    def _start_workers(self) -> None:
        name = self._for_tickets.getsockname()
        while self._count(State.STARTING, State.SERVING) < self._wanted:
            if not self._pauses[Role.WORKER].is_over:
                return
            slot = self._free_slot()
            row = self._metrics.worker(slot)

            def live(control: socket.socket, row: Row = row) -> NoReturn:
                self._selector.close()
                self._front.apply(self._config.milter)
                worker.run(
                    self._config,
                    self._learned,
                    self._front,
                    listener=self._listener,
                    control=control,
                    writer=name,
                    metrics=row,
                )

            one = self._start(Role.WORKER, row, live, without=self._for_tickets)
            if one is None:
                return
            one.version, one.slot = self._version, slot
            self._workers.append(one)

    def _start(
        self, role: Role, row: Row, live: Callable[[socket.socket], NoReturn], *, without: socket.socket
    ) -> Child | None:
        """Fork a process that does not have one of our sockets; None where that cannot be, for now."""
        theirs = (*self._wakeup, without, *(other.control for other in self._everybody))
        try:
            one = children.start(role, row, live, theirs=theirs)
        except OSError as error:  # out of descriptors, processes or memory
            log.error("cannot start a %s error=%s", role, error.strerror)
            self._pauses[role].begin()
            return None
        self._selector.register(one.control, selectors.EVENT_READ, one)
        return one

    def _free_slot(self) -> int:
        """Return the lowest number that no worker has."""
        taken = {one.slot for one in self._workers}
        return next(slot for slot in itertools.count() if slot not in taken)

    def _count(self, *states: State) -> int:
        return sum(one.state in states for one in self._workers)

    def _wait(self) -> None:
        """Take what processes say, and the ends of those that ended, until the next look is due."""
        due = self._next_tick
        if self._writer is None:
            due = min(due, self._pauses[Role.WRITER].end)
        if not self._stopping and self._count(State.STARTING, State.SERVING) < self._wanted:
            due = min(due, self._pauses[Role.WORKER].end)
        for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
            if key.data is None:
                self._drain_wakeups()
            else:
                self._take_word(key.data)
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK
            self._look_at_everybody()

    def _drain_wakeups(self) -> None:
        try:
            while self._wakeup[0].recv(64):
                pass
        except BlockingIOError:
            return

    def _take_word(self, one: Child) -> None:
        match one.hear():
            case b"":
                self._bury(one)
            case pipe.READY if one.state is State.STARTING:
                one.state = State.SERVING
            case pipe.WORN if one.state is State.SERVING:
                one.state = State.WORN
        if self._stopping:
            return
        if one.role is Role.WORKER:
            one.configure(self._text, self._version)  # where it is behind
        self._settle()

    def _settle(self) -> None:
        """Retire the workers that are one too many, and announce what all have done."""
        serving = [one for one in self._workers if one.state is State.SERVING]
        for one in serving[: max(0, len(serving) - self._wanted)]:
            one.retire()
        if len(serving) < self._wanted:
            return
        for one in self._workers:
            if one.state is State.WORN:
                log.info("worker replaced pid=%d age=%.0fs", one.pid, one.age)
                self._metrics.own.restarted(Restart.RECYCLED)
                one.retire()
        if self._writer is None or self._writer.state is not State.SERVING:
            return
        if self._working_on and all(one.version == self._version for one in self._workers):
            log.info("%s workers=%d", self._working_on, self._wanted)
            notify("READY=1")
            self._working_on = ""

    def _look_at_everybody(self) -> None:
        """Ask each for a sign of life, kill those that owe one for too long, and give our own."""
        for one in self._everybody:
            if one.silent() > self._silence(one.role):
                log.error("%s hangs and is killed pid=%d silent=%.0fs", one.role, one.pid, one.silent())
                one.kill()
            else:
                one.ping()
        if watchdog() is not None:
            notify("WATCHDOG=1")
        ready = self._count(State.SERVING, State.WORN)
        self._metrics.own.workers(wanted=self._wanted, ready=ready)
        self._textfile.write()

    def _silence(self, role: Role) -> float:
        """Return for how many seconds a process may say nothing."""
        match role:
            case Role.WORKER:
                return max(LEAST_SILENCE, self._config.milter.deadline)
            case Role.WRITER:  # SQLite itself may wait for so long, in recovery, say
                return LEAST_SILENCE + self._config.store.timeout

    def _bury(self, dead: Child) -> None:
        self._selector.unregister(dead.control)
        if dead is self._writer:
            self._writer = None
        else:
            self._workers.remove(dead)
        status = dead.bury()
        dead.row.reset()
        if dead.state is State.LEAVING and (status == 0 or self._stopping):
            if not self._stopping:
                log.info("%s ended pid=%d age=%.0fs", dead.role, dead.pid, dead.age)
            return
        reason = Restart.HUNG if dead.hung else Restart.DIED
        match dead.role:
            case Role.WORKER:
                self._metrics.own.restarted(reason)
            case Role.WRITER:
                self._metrics.own.writer_restarted(reason)
        pause = self._pauses[dead.role]
        pause.begin(dead.age)
        log.error(
            "%s died pid=%d status=%d age=%.0fs restart_in=%.1fs",
            dead.role,
            dead.pid,
            status,
            dead.age,
            pause.seconds,
        )

    def _stop_workers(self) -> None:
        notify("STOPPING=1")
        log.info("stopping")
        for one in self._workers:
            one.stop()
        end = time.monotonic() + self._config.milter.drain + MARGIN
        while self._workers and time.monotonic() < end:
            self._start_writer()  # where it died: they wait for their tickets
            self._wait()
        self._end(self._workers)
        self._workers = []

    def _stop_writer(self) -> None:
        """Stop the writer once no worker needs it."""
        if self._writer is not None:
            self._writer.stop()
        end = time.monotonic() + LAST
        while self._writer is not None and time.monotonic() < end:
            self._wait()
        self._end(self._everybody)
        self._for_tickets.close()

    def _end(self, late: Sequence[Child]) -> None:
        """Kill those that did not end in time."""
        for one in late:
            log.error("%s did not stop and is killed pid=%d", one.role, one.pid)
            one.kill()
            self._selector.unregister(one.control)
            one.bury()


def _give_to_group(path: Path, group: str) -> None:
    """Give the socket to a group by name; raise OSError where there is none, or we are not in it."""
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        raise OSError(f"milter.socket_group: there is no group {group}") from None
    except PermissionError:
        raise OSError(f"milter.socket_group: the user that runs this is not in the group {group}") from None
