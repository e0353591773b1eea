"""The supervisor: opens the socket, loads the models, keeps the workers alive, takes the signals."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tamis import address, sockets
from tamis import config as configuration
from tamis.config import Config, ConfigError
from tamis.interfaces import StoreUnavailable
from tamis.judgement import milliseconds_now
from tamis.service import parts, pipe, promises, worker, writing
from tamis.service.children import Child, State
from tamis.service.families import Reload, Restart
from tamis.service.limits import allow_descriptors, forbid_dumps, show_as
from tamis.service.systemd import notify, reloading, watchdog
from tamis.service.table import Row, Table
from tamis.service.textfile import TextFile
from tamis.store import lane

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
FIRST_PAUSE = 0.1  # seconds before a dead worker is replaced; doubled each time that one dies young
LONGEST_PAUSE = 10.0  # seconds
YOUNG = 10.0  # seconds; a worker that lived longer resets the pause
TICK = 1.0  # seconds between looks at the workers
LEAST_SILENCE = 5.0  # seconds; a worker that is silent for longer, and beyond the deadline, hangs
MARGIN = 10.0  # seconds beyond milter.drain that a worker has to end before it is killed


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
        self._children: list[Child] = []  # workers
        self._writers: list[Child] = []  # of tickets: one, and those that leave
        self._pause = FIRST_PAUSE
        self._next_start = 0.0  # monotonic seconds
        self._next_tick = 0.0
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
        self._calls = lane.listen()  # where workers call the writer
        self._metrics.own.started()
        gc.freeze()
        milter = self._config.milter
        log.info("listening on %s workers=%d mode=%s", milter.listen, self._wanted, milter.mode)
        promises.take_over(self._config, now=milliseconds_now())
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
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # one that comes again must not kill what is at its end
        self._textfile.remove()
        log.info("stopped")

    @property
    def _wanted(self) -> int:
        """How many workers shall serve."""
        return parts.workers(self._config)

    # The socket.

    def _open(self) -> socket.socket:
        with sockets.reserved(self._where):
            listener = self._front.listen(self._where)
        self._permit(self._config)
        return listener

    def _permit(self, config: Config) -> None:
        """Give the socket the configured group and mode; raise OSError."""
        milter = config.milter
        sockets.permit(self._where, mode=milter.socket_mode, group=milter.socket_group, table="milter")

    def _close(self) -> None:
        """Be out of reach at once: an MTA whose connection nobody takes would wait for its time-out.

        First of all, too, as later the path may be a successor's.
        """
        self._listener.close()
        sockets.remove(self._where)

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
        for one in self._children:
            one.configure(text, self._version)
        if new.store != former.store or self._wanted == 1:
            for one in self._writers:
                one.retire()
        promises.take_over(new, former, now=milliseconds_now())  # may wait for the store, workers need not
        self._settle()

    # The workers.

    def _start_workers(self) -> None:
        while self._lacks_workers:
            if time.monotonic() < self._next_start:
                return
            slot = self._free_slot()
            one = self._fork("worker", partial(self._serve, self._metrics.worker(slot)), slot)
            if one is None:
                return
            self._children.append(one)

    def _start_writer(self) -> None:
        """Start a writer where several workers shall have one and have none."""
        if self._lacks_writer and time.monotonic() >= self._next_start:
            one = self._fork("writer", self._write, 0)
            if one is not None:
                self._writers.append(one)

    def _fork(self, what: str, act: Callable[[socket.socket], NoReturn], slot: int) -> Child | None:
        """Start a process that does something, with its end of a pipe."""
        try:
            ours, theirs = pipe.pair()
            pid = os.fork()
        except OSError as error:  # out of descriptors, processes or memory, for now
            log.error("cannot start a %s error=%s", what, error.strerror)
            self._postpone(2 * self._pause)
            return None
        if pid == 0:
            self._become(what, ours, theirs, act)
        theirs.close()
        one = Child(pid, ours, self._version, slot)
        self._selector.register(ours, selectors.EVENT_READ, one)
        return one

    def _free_slot(self) -> int:
        """Return the lowest number that no worker has."""
        taken = {one.slot for one in self._children}
        return next(slot for slot in itertools.count() if slot not in taken)

    def _become(
        self,
        what: str,
        ours: socket.socket,
        theirs: socket.socket,
        act: Callable[[socket.socket], NoReturn],
    ) -> NoReturn:
        """Leave the supervisor's things and do something else."""
        try:
            os.setpgid(0, 0)  # a terminal's Ctrl-C is for the supervisor alone
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # whoever means all of us: the supervisor tells
            self._selector.close()
            for one in (*self._wakeup, ours, *(other.control for other in self._everyone)):
                one.close()  # else the others' pipes would not end with the supervisor
            act(theirs)
        except BaseException as error:
            log.error("%s cannot start error=%s: %s", what, type(error).__name__, error)
        finally:
            os._exit(1)

    def _serve(self, metrics: Row, control: socket.socket) -> NoReturn:
        """Be a worker."""
        writer = self._calls.getsockname()
        self._calls.close()
        show_as("tamis-worker")
        self._front.apply(self._config.milter)
        worker.run(
            self._config,
            self._learned,
            self._front,
            listener=self._listener,
            control=control,
            writer=writer,
            metrics=metrics,
        )

    def _write(self, control: socket.socket) -> NoReturn:
        """Be the writer."""
        self._listener.close()
        show_as("tamis-writer")
        writing.run(self._config.store, calls=self._calls, control=control, metrics=self._metrics.own)

    @property
    def _everyone(self) -> Sequence[Child]:
        """All children."""
        return (*self._children, *self._writers)

    @property
    def _lacks_writer(self) -> bool:
        return self._wanted > 1 and all(one.state is State.LEAVING for one in self._writers)

    @property
    def _lacks_workers(self) -> bool:
        return self._count(State.STARTING, State.SERVING) < self._wanted

    def _count(self, *states: State) -> int:
        return sum(one.state in states for one in self._children)

    def _postpone(self, pause: float) -> None:
        """Start no worker for some seconds."""
        self._pause = min(pause, LONGEST_PAUSE)
        self._next_start = time.monotonic() + self._pause

    def _wait(self) -> None:
        """Take what workers say, and the ends of those that ended, until the next look is due."""
        due = self._next_tick
        if not self._stopping and (self._lacks_workers or self._lacks_writer):
            due = min(due, self._next_start)
        for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
            if key.data is None:
                self._drain_wakeups()
            else:
                self._take_word(key.data)
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK
            self._look_at_workers()

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
            case pipe.READY if one.state is State.STARTING:  # else it was told to leave before
                one.state = State.SERVING
            case pipe.WORN if one.state is State.SERVING:
                one.state = State.WORN
        if not self._stopping and one in self._children:
            one.configure(self._text, self._version)  # where it is behind
            self._settle()

    def _settle(self) -> None:
        """Retire the workers that are one too many, and announce what all workers have done."""
        serving = [one for one in self._children if one.state is State.SERVING]
        for one in serving[: max(0, len(serving) - self._wanted)]:
            one.retire()
        if len(serving) < self._wanted:
            return
        for one in self._children:
            if one.state is State.WORN:
                log.info("worker replaced pid=%d age=%.0fs", one.pid, one.age)
                self._metrics.own.restarted(Restart.RECYCLED)
                one.retire()
        if self._working_on and all(one.version == self._version for one in self._children):
            log.info("%s workers=%d", self._working_on, self._wanted)
            notify("READY=1")
            self._working_on = ""

    def _look_at_workers(self) -> None:
        """Ask each for a sign of life, kill those that owe one for too long, and give our own."""
        silence = max(LEAST_SILENCE, self._config.milter.deadline)
        lock = self._config.store.timeout  # for which a writer, who does one thing at a time, may be silent
        for one in self._everyone:
            if one.silent() > silence + (lock if one in self._writers else 0.0):
                log.error(
                    "%s hangs and is killed pid=%d silent=%.0fs", self._what(one), one.pid, one.silent()
                )
                one.kill()
            else:
                one.ping()
        if watchdog() is not None:
            notify("WATCHDOG=1")
        ready = self._count(State.SERVING, State.WORN)
        self._metrics.own.workers(wanted=self._wanted, ready=ready)
        self._textfile.write()

    def _what(self, one: Child) -> str:
        return "writer" if one in self._writers else "worker"

    def _bury(self, dead: Child) -> None:
        what = self._what(dead)
        self._selector.unregister(dead.control)
        status = dead.bury()
        if dead in self._writers:
            self._writers.remove(dead)
        else:
            self._children.remove(dead)
            self._metrics.worker(dead.slot).reset()
        if self._stopping:
            return
        if dead.state is State.LEAVING and status == 0:
            log.info("%s ended pid=%d age=%.0fs", what, dead.pid, dead.age)
            return
        self._metrics.own.restarted(Restart.HUNG if dead.hung else Restart.DIED)
        self._postpone(FIRST_PAUSE if dead.age > YOUNG else 2 * self._pause)
        values = (what, dead.pid, status, dead.age, self._pause)
        log.error("%s died pid=%d status=%d age=%.0fs restart_in=%.1fs", *values)

    def _stop_workers(self) -> None:
        notify("STOPPING=1")
        log.info("stopping")
        end = time.monotonic() + self._config.milter.drain + MARGIN
        for some in (self._children, self._writers):  # workers need the writer for their last tickets
            for one in some:
                one.tell(pipe.STOP)
            while some and time.monotonic() < end:
                self._wait()
        for one in self._everyone:
            log.error("%s did not stop and is killed pid=%d", self._what(one), one.pid)
            one.kill()
            one.bury()
