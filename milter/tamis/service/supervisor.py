"""The supervisor: opens the socket, loads the models, keeps the workers alive, takes the signals."""

from __future__ import annotations

import gc
import grp
import logging
import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tamis import address
from tamis.config import Config
from tamis.service import parts, worker
from tamis.service.limits import allow_descriptors, forbid_dumps
from tamis.service.systemd import notify

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
FIRST_PAUSE = 0.1  # seconds before a dead worker is replaced; doubled each time that one dies young
LONGEST_PAUSE = 10.0  # seconds
YOUNG = 10.0  # seconds; a worker that lived longer resets the pause
MARGIN = 10.0  # seconds beyond the deadline that a worker has to end before it is killed


@dataclass(eq=False)
class Worker:
    """A child process, seen from the supervisor."""

    pid: int
    control: socket.socket
    started: float = field(default_factory=time.monotonic)
    ready: bool = False

    def speaks(self) -> bool:
        """Take a word; False where the worker has ended."""
        try:
            return bool(self.control.recv(1))
        except ConnectionResetError:  # before it read what we had told it
            return False


class Supervisor:
    """One `tamis serve`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._front = parts.front(config)
        self._loaded = parts.filters(config)
        self._workers: list[Worker] = []
        self._wanted = config.milter.workers or len(os.sched_getaffinity(0))
        self._pause = FIRST_PAUSE
        self._next_start = 0.0  # monotonic seconds
        self._stopping = False
        self._announced = False
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raise OSError where the socket cannot be opened."""
        forbid_dumps()
        allow_descriptors()
        self._listen_to_signals()
        self._listener = self._open()
        gc.freeze()
        log.info(
            "listening on %s workers=%d mode=%s",
            self._config.milter.listen,
            self._wanted,
            self._config.milter.mode,
        )
        try:
            while not self._stopping:
                self._start_workers()
                self._wait(self._timeout())
        finally:
            self._close()
        self._stop_workers()
        log.info("stopped")

    def _open(self) -> socket.socket:
        milter = self._config.milter
        where = address.parse(milter.listen)
        # The socket's own mode and group are set below; until then only we may connect.
        before = os.umask(0o177)
        try:
            listener = self._front.listen(where)
        except OSError as error:
            raise OSError(f"cannot listen on {where}: {error.strerror or error}") from error
        finally:
            os.umask(before)
        if isinstance(where, address.UnixAddress):
            path = Path(where.path)
            if milter.socket_group:
                _give_to_group(path, milter.socket_group)
            path.chmod(int(milter.socket_mode, 8))
        return listener

    def _close(self) -> None:
        """Be out of reach at once: an MTA whose connection nobody takes would wait for its time-out.

        First of all, too, as later the path may be a successor's.
        """
        self._listener.close()
        where = address.parse(self._config.milter.listen)
        if isinstance(where, address.UnixAddress):
            Path(where.path).unlink(missing_ok=True)

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
                log.warning("SIGHUP: restart to apply a changed configuration")

    def _start_workers(self) -> None:
        while len(self._workers) < self._wanted and time.monotonic() >= self._next_start:
            try:
                ours, theirs = socket.socketpair()
                pid = os.fork()
            except OSError as error:  # out of descriptors, processes or memory, for now
                log.error("cannot start a worker error=%s", error.strerror)
                self._postpone(2 * self._pause)
                return
            if pid == 0:
                self._become_worker(ours, theirs)
            theirs.close()
            one = Worker(pid, ours)
            self._workers.append(one)
            self._selector.register(ours, selectors.EVENT_READ, one)

    def _become_worker(self, ours: socket.socket, theirs: socket.socket) -> None:
        """Leave the supervisor's things and serve; never return."""
        try:
            os.setpgid(0, 0)  # a terminal's Ctrl-C is for the supervisor alone
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # whoever means all of us: the supervisor tells
            self._selector.close()
            for one in (*self._wakeup, ours, *(other.control for other in self._workers)):
                one.close()  # else the others' pipes would not end with the supervisor
            worker.run(self._config, self._loaded, self._front, listener=self._listener, control=theirs)
        except BaseException as error:
            log.error("worker cannot start error=%s: %s", type(error).__name__, error)
        finally:
            os._exit(1)

    def _postpone(self, pause: float) -> None:
        """Start no worker for some seconds."""
        self._pause = min(pause, LONGEST_PAUSE)
        self._next_start = time.monotonic() + self._pause

    def _timeout(self) -> float | None:
        if len(self._workers) == self._wanted:
            return None
        return max(0.0, self._next_start - time.monotonic())

    def _wait(self, timeout: float | None) -> None:
        """Take what workers say, and the ends of those that ended."""
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                self._drain_wakeups()
            elif key.data.speaks():
                key.data.ready = True
                self._announce()
            else:
                self._bury(key.data)

    def _drain_wakeups(self) -> None:
        try:
            while self._wakeup[0].recv(64):
                pass
        except BlockingIOError:
            return

    def _announce(self) -> None:
        if not self._announced and sum(one.ready for one in self._workers) == self._wanted:
            self._announced = True
            notify("READY=1")
            log.info("ready workers=%d", self._wanted)

    def _bury(self, dead: Worker) -> None:
        self._selector.unregister(dead.control)
        dead.control.close()
        self._workers.remove(dead)
        _, status = os.waitpid(dead.pid, 0)
        if self._stopping:
            return
        code = os.waitstatus_to_exitcode(status)
        age = time.monotonic() - dead.started
        self._postpone(FIRST_PAUSE if age > YOUNG else 2 * self._pause)
        log.error("worker died pid=%d status=%d age=%.0fs restart_in=%.1fs", dead.pid, code, age, self._pause)

    def _stop_workers(self) -> None:
        notify("STOPPING=1")
        log.info("stopping")
        for one in self._workers:
            try:
                one.control.sendall(worker.STOP)
            except OSError:
                continue  # it has just died
        end = time.monotonic() + self._config.milter.deadline + MARGIN
        while self._workers and time.monotonic() < end:
            self._wait(max(0.0, end - time.monotonic()))
        for one in self._workers:
            log.error("worker did not stop and is killed pid=%d", one.pid)
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)


def _give_to_group(path: Path, group: str) -> None:
    """Give the socket to a group by name; raise OSError for an unknown one."""
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        raise OSError(f"milter.socket_group: there is no group {group}") from None
