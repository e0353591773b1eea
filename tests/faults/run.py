"""Lets faults happen while an upstream Postfix sends mail through Tamis; tells what became of the mail."""

from __future__ import annotations

import itertools
import re
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.faults import disk, ledger
from tests.faults.acts import FAULTS, WISHES, Stage, Tables
from tests.faults.ledger import Arrivals, Result
from tests.servers import mail
from tests.servers.clamd import Clamd
from tests.servers.milter import Milter
from tests.servers.mtas import Listeners
from tests.servers.postfix import Postfix, running
from tests.servers.smtp import connection

RETRYING = (
    # qmgr(8) tries a message up to a second early. If the agent that put it off has not let go of it by then,
    # it lies in "incoming" for a minute, and until qmgr is woken: by a new message, or the clock (master.cf).
    "minimal_backoff_time = 3s",
    "maximal_backoff_time = 3s",
    "queue_run_delay = 1s",
    "service_throttle_time = 1s",  # that a server is not started again after it was killed before its work
    "enable_long_queue_ids = yes",  # the short ones are used again
)
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "milter": {"socket_mode": "0666", "workers": 2},
    "mail": {"domains": ["example.org"]},
}
KINDS = (mail.letter, mail.gtube, mail.letter, mail.newsletter, mail.letter, mail.eicar_in_zip)
Case = tuple[str, str]
"""A fault and a front, by name."""

FEW = 4  # that start at once: with all of them on a busy machine each takes a minute
WARM = 0.3  # seconds of mail before and after a fault
PATIENCE = 120.0  # seconds until all mail has come to its end


class Load:
    """Mail that is sent as long as the context lasts."""

    def __init__(self, port: int, recipients: Sequence[str], *, rate: float) -> None:
        """Take the upstream's port and the number of messages in a second."""
        self._recipients = recipients
        self.sent: dict[str, bool] = {}  # by Message-ID, whether it is malware
        self._port = port
        self._pause = 1 / rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(WARM)

    def __exit__(self, *error: object) -> None:
        time.sleep(WARM)
        self._stopped.set()
        self._thread.join()

    def _send(self) -> None:
        due = time.monotonic()
        with connection(self._port, client=None) as upstream:
            for make in itertools.cycle(KINDS):
                if self._stopped.wait(max(0.0, due - time.monotonic())):
                    return
                due += self._pause
                raw = make()
                assert upstream.send(raw, *self._recipients).code == 250
                self.sent[mail.message_id(raw)] = make is mail.eicar_in_zip


class Story:
    """One fault, and the Tamis that it happens to."""

    def __init__(
        self,
        fault: str,
        front: str,
        folder: Path,
        *,
        listeners: Listeners,
        postfix: Postfix,
        seconds: float,
    ) -> None:
        """Start behind Postfix's listeners, with a scanner."""
        self._name = f"{fault}, {front}"
        self._fault = FAULTS[fault]
        self._listeners = listeners
        self._ends = ExitStack()
        database = folder / "store" / "tamis.db"
        database.parent.mkdir(parents=True)
        try:
            clamd = self._ends.enter_context(Clamd(folder / "scanner"))
            if self._fault.small_disk:
                self._ends.enter_context(disk.small(database.parent))
            tables = _merged(
                SETTINGS,
                {"milter": {"front": front}, "store": {"url": f"sqlite:///{database}"}},
                {"resend": {"relay": f"inet:127.0.0.1:{postfix.copies}"}},
                self._fault.tables,
            )
            milter = self._ends.enter_context(
                Milter(folder, tables, listen=listeners.milter, clamd=clamd.address)
            )
        except BaseException:
            self._ends.close()
            raise
        for account, wishes in WISHES.items():
            milter.do("account", "set", account, *wishes)
        put_off = re.compile(rf":{listeners.mx}, .*status=deferred")

        def felt() -> bool:
            return any(map(put_off.search, postfix.log))

        self._stage = Stage(milter, clamd, database, seconds, felt, postfix.kill_copies)
        self._sent: Mapping[str, bool] = {}

    def happen(self, rate: float) -> None:
        """Let the fault happen while mail comes from upstream."""
        load = Load(self._listeners.upstream, self._fault.recipients, rate=rate)
        with load:
            self._fault.act(self._stage)
        self._sent = load.sent

    def result(self, book: ledger.Ledger, arrivals: Arrivals) -> Result:
        """Return what became of the mail, once it has come to its end."""
        milter, mine = self._stage.milter, self._listeners
        return ledger.result(
            self._name,
            self._sent,
            names=(mine.milter_in_mta, f"[127.0.0.1]:{mine.mx}"),
            recipients=self._fault.recipients,
            ledger=book,
            arrivals=arrivals,
            tickets=milter.tickets(),
            log=milter.log(),
        )

    def close(self) -> None:
        """Stop it all."""
        self._ends.close()


def run(cases: Sequence[Case], *, seconds: float, rate: float) -> list[Result]:
    """Let faults happen, each to a Tamis of its own, all at the same time; return what became of the mail."""
    listeners = ["-".join(case).replace(" ", "-") for case in cases]  # parts of paths
    with (
        tempfile.TemporaryDirectory(prefix="tamis-") as folder,
        running(listeners, main=RETRYING) as postfix,
        ExitStack() as ends,
        ThreadPoolExecutor(len(cases)) as together,
        ThreadPoolExecutor(FEW) as few,
    ):

        def begin(case: Case, listener: str) -> Story:
            mine = postfix.listeners[listener]
            story = Story(*case, Path(folder) / listener, listeners=mine, postfix=postfix, seconds=seconds)
            ends.callback(story.close)
            return story

        stories = list(few.map(begin, cases, listeners))
        list(together.map(lambda story: story.happen(rate), stories))
        _wait_for_the_end(postfix)
        book, arrivals = ledger.Ledger.read(postfix.log), Arrivals.read(postfix.mailboxes)
        return list(few.map(lambda story: story.result(book, arrivals), stories))


def _merged(*several: Tables) -> Tables:
    whole: dict[str, dict[str, object]] = {}
    for tables in several:
        for name, table in tables.items():
            whole.setdefault(name, {}).update(table)
    return whole


def _wait_for_the_end(postfix: Postfix) -> None:
    end = time.monotonic() + PATIENCE
    while waiting := postfix.queued():
        if time.monotonic() >= end:
            about = [line for line in postfix.log if any(f" {path.name}: " in line for path in waiting)]
            lines = "\n".join([*map(str, waiting[:20]), *about[:20], *postfix.log[-10:]])
            raise AssertionError(f"{len(waiting)} messages do not leave the queue:\n{lines}")
        time.sleep(0.1)
