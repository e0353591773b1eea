"""The milter protocol through pymilter and libmilter (Sendmail's libmilter API, protocol version 6).

libmilter calls back on threads of its own, and pymilter binds a Python thread state to the connection, so
callbacks only collect bytes; everything else runs on the event loop's thread. Two consequences are used here:
thread-local storage is the connection's, and pymilter reports what it cannot decode through sys.excepthook on
that same thread state.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

import milter

from tamis import sockets
from tamis.address import InetAddress, UnixAddress
from tamis.config import Milter
from tamis.decision import Plan, Reply
from tamis.front import library
from tamis.front.front import MAX_PACKET, Ask, Handle
from tamis.front.gate import Gate
from tamis.front.nudging import Nudging
from tamis.front.session import MAX_NAME, Session, cut, rcpt_to
from tamis.interfaces import UNCOUNTED, Answer, Metrics, Tempfail
from tamis.message import Recipient
from tamis.policy.combine import unavailable
from tamis.resend.handover import LONGEST

log = logging.getLogger(__name__)

Result = TypeVar("Result")

ACTIONS = (
    milter.ADDHDRS | milter.CHGHDRS | milter.ADDRCPT | milter.DELRCPT | milter.ADDRCPT_PAR | milter.SETSYMLIST
)
QUIET = (
    milter.P_NR_CONN
    | milter.P_NR_HELO
    | milter.P_NR_MAIL
    | milter.P_NR_RCPT
    | milter.P_NR_DATA
    | milter.P_NR_HDR
    | milter.P_NR_EOH
    | milter.P_NR_BODY
)
QUIET_BUT_RCPT = QUIET & ~milter.P_NR_RCPT
UNUSED = milter.P_NODATA | milter.P_NOEOH | milter.P_NOUNKNOWN
# libmilter takes at most 5 macros per stage.
MACROS = (
    (milter.M_CONNECT, "j {daemon_name}"),
    (milter.M_ENVFROM, "{auth_authen} {daemon_name} {client_addr} j i"),
    (milter.M_ENVRCPT, "{rcpt_addr}"),
    (milter.M_EOM, "i"),
)
MACROS_TO_ASK = tuple(
    (stage, f"{names} i" if stage == milter.M_ENVRCPT else names) for stage, names in MACROS
)  # a log line begins with i
# Seconds that a thread waits beyond the deadline, which is the pipeline's to keep until copies go out.
GRACE = LONGEST + 5


class Libmilter:
    """The front of one worker process; there can be one only, as libmilter's callbacks are global."""

    handle: Handle  # from serve() on
    _loop: asyncio.AbstractEventLoop
    _listener: socket.socket

    def __init__(self, settings: Milter) -> None:
        self.gate = Gate(settings)
        self.metrics: Metrics = UNCOUNTED
        self.ask: Ask | None = None
        self.apply(settings)
        self._here = threading.local()  # .session is the connection's, see the module's docstring
        self._sessions: set[Session] = set()  # of the open connections
        self._tasks: set[asyncio.Task[None]] = set()
        self._nudging = Nudging()

    def apply(self, settings: Milter) -> None:
        """Take limits and times from [milter]; also while serving."""
        self._patience = settings.deadline + GRACE
        self._max_message = settings.max_message
        self.gate.apply(settings)

    def listen(self, address: UnixAddress | InetAddress) -> socket.socket:
        """Open the listening socket, for this process and those that it forks; raise OSError.

        TCP_NODELAY is set on it, and inherited by accepted sockets: libmilter answers in small writes, each
        of which would otherwise wait some 40 ms for the MTA's delayed acknowledgement.
        """
        library.keep_one_heap()
        self._register()
        if isinstance(address, UnixAddress):
            sockets.remove_stale(address.path)
            milter.setconn(f"unix:{address.path}")
        else:
            kind, host = ("inet6", f"[{address.host}]") if ":" in address.host else ("inet", address.host)
            milter.setconn(f"{kind}:{address.port}@{host}")
        milter.setbacklog(sockets.BACKLOG)
        before = library.listening()
        try:
            milter.opensocket(False)
        except milter.error as error:
            raise OSError(library.reason(address)) from error
        (descriptor,) = library.listening() - before
        listener = socket.socket(fileno=descriptor)
        if isinstance(address, InetAddress):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener

    async def serve(self, handle: Handle, listener: socket.socket) -> None:
        """Let libmilter take connections, on threads of its own."""
        self.handle = handle
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        sys.excepthook = self._undecodable
        milter.set_exception_policy(milter.CONTINUE)
        library.set_max_packet(MAX_PACKET)
        threading.Thread(target=_run, name="libmilter", daemon=True).start()
        self._nudging.start(self._loop, listener)

    def leave(self) -> None:
        """Put a socket that nobody knows in the listener's place: others go on with the real one.

        libmilter has no word for it. The socket listens, since libmilter gives up, and drops its
        connections, when its listener fails.
        """
        self._nudging.stop()
        with socket.socket(socket.AF_UNIX) as unknown:
            unknown.bind("")  # an address that the kernel chooses, without a file (unix(7), autobind)
            unknown.listen()
            os.dup2(unknown.fileno(), self._listener.fileno())

    def hang_up(self) -> None:
        """Do nothing: libmilter ends a connection only by an answer to what the MTA said."""

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._sessions)

    @property
    def busy(self) -> bool:
        """Whether a message has begun that was not answered yet."""
        return self.gate.inside > 0 or any(one.begun for one in tuple(self._sessions))

    def _register(self) -> None:
        milter.set_flags(ACTIONS)
        milter.set_connect_callback(self.connect)
        milter.set_helo_callback(self.helo)
        milter.set_envfrom_callback(self.mail)
        milter.set_envrcpt_callback(self.rcpt)
        milter.set_header_callback(self.header)
        milter.set_body_callback(self.body)
        milter.set_eom_callback(self.end_of_message)
        milter.set_abort_callback(self.abort)
        milter.set_close_callback(self.close)
        milter.register("tamis", negotiate=self.negotiate)

    # Callbacks: on libmilter's threads. They must not call anything that takes the GIL by
    # PyGILState_Ensure (numpy's and Cython's callbacks, ctypes), or the process crashes.

    def negotiate(self, ctx: Any, options: list[int]) -> int:
        """Ask for the actions that plans need, and to be asked for no answer that makes no difference."""
        offered = options[1]
        asks = self.ask is not None
        silent = QUIET_BUT_RCPT if asks else QUIET
        session = self._begin(ctx, quiet=offered & silent == silent, asks=asks)
        options[0] &= ACTIONS
        options[1] = offered & ((silent if session.quiet else 0) | UNUSED | milter.P_HDR_LEADSPC)
        options[2] = options[3] = 0
        if options[0] & milter.SETSYMLIST:
            for stage, names in MACROS_TO_ASK if asks else MACROS:
                ctx.setsymlist(stage, names)
        return int(milter.CONTINUE)

    def connect(self, ctx: Any, hostname: str, family: int, hostaddr: Any) -> int:
        """Note the client; hostaddr is a tuple of address and port for inet and inet6."""
        # None after SMFIC_QUIT_NC: the next SMTP session on the connection, without a negotiation.
        session: Session | None = ctx.getpriv()
        if session is None:
            former: Session = self._here.session
            session = self._begin(ctx, quiet=former.quiet, asks=former.asks)
        session.client_name = hostname[:MAX_NAME]
        if isinstance(hostaddr, tuple):
            session.client_ip = hostaddr[0].removeprefix("IPv6:")
        session.mta_name = _macro(ctx, "j") or ""
        session.daemon_name = _macro(ctx, "{daemon_name}")
        return self._answer(session)

    def _begin(self, ctx: Any, *, quiet: bool, asks: bool) -> Session:
        session = Session()
        session.quiet, session.asks = quiet, asks
        ctx.setpriv(session)
        self._here.session = session
        self._sessions.add(session)
        return session

    def helo(self, ctx: Any, host: str) -> int:
        """Note the HELO name."""
        session: Session = ctx.getpriv()
        session.helo = host[:MAX_NAME]
        return self._answer(session)

    def mail(self, ctx: Any, sender: bytes, *parameters: bytes) -> int:
        """Begin a message."""
        session: Session = ctx.getpriv()
        session.mail(sender, parameters)
        session.auth_user = _macro(ctx, "{auth_authen}")
        session.daemon_name = _macro(ctx, "{daemon_name}") or session.daemon_name
        session.mta_name = _macro(ctx, "j") or session.mta_name
        session.came_from(_macro(ctx, "{client_addr}"))
        return self._noted(session, len(sender) + sum(map(len, parameters)))

    def rcpt(self, ctx: Any, recipient: bytes, *parameters: bytes) -> int:
        """Add a recipient, unless the pipeline is to be asked and turns him away."""
        session: Session = ctx.getpriv()
        resolved = _macro(ctx, "{rcpt_addr}") or ""
        one = rcpt_to(recipient, parameters, resolved)
        if session.asks and (reply := self._reply(session, one, _macro(ctx, "i"))) is not None:
            session.turned_away += 1
            return _refuse(ctx, reply)
        session.recipients.append(one)
        answer = self._noted(session, len(recipient) + sum(map(len, parameters)) + len(resolved))
        return int(milter.CONTINUE) if session.asks else answer

    def _reply(self, session: Session, recipient: Recipient, queue_id: str | None) -> Reply | None:
        """Return the reply to a recipient who is turned away."""
        envelope, turned_away = session.envelope(queue_id), session.turned_away

        async def ask() -> Reply | None:
            if self.ask is None:  # it was switched off since the connection began
                return None
            return await self.ask(envelope, recipient, turned_away=turned_away)

        answer = self._wait(ask)
        if not answer:
            log.error("%s: no answer about a recipient answer=tempfail", queue_id)
            return unavailable(None)
        return answer[0]

    def header(self, ctx: Any, name: str, value: bytes) -> int:
        """Add a header field."""
        session: Session = ctx.getpriv()
        session.fields.append((name.encode("utf-8", "surrogateescape"), value))
        return self._noted(session, len(name) + len(value))

    def body(self, ctx: Any, chunk: bytes) -> int:
        """Add a part of the body."""
        session: Session = ctx.getpriv()
        session.body(chunk, self._max_message)
        return self._noted(session, len(chunk))

    def abort(self, ctx: Any) -> int:
        """Forget the message; the connection goes on."""
        session: Session = ctx.getpriv()
        session.forget()
        self.gate.release(session)
        return int(milter.CONTINUE)

    def close(self, ctx: Any) -> int:
        """Forget the connection."""
        session: Session | None = ctx.getpriv()
        if session is None:
            self._nudging.arrived()
        else:
            self._sessions.discard(session)
            self.gate.release(session)
        ctx.setpriv(None)
        return int(milter.CONTINUE)

    def end_of_message(self, ctx: Any) -> int:
        """Hand the message to the loop, wait for its plan and carry it out."""
        try:
            return self._end_of_message(ctx)
        except Exception as error:  # whatever it is, the MTA keeps the message and tries again
            log.error("front failed error=%s", type(error).__name__)
            self._count(Tempfail.ERROR)
            return _refuse(ctx, unavailable(None))

    def _end_of_message(self, ctx: Any) -> int:
        session: Session = ctx.getpriv()
        queue_id = _macro(ctx, "i")
        self.gate.release(session)
        octets, failed, dropped = session.octets, session.failed, session.dropped
        message = session.message(queue_id)
        if failed:
            log.error("%s: message not collected answer=tempfail", queue_id)
            self._count(Tempfail.ERROR)
            return _refuse(ctx, unavailable(None))
        reason = Tempfail.MEMORY if dropped else self.gate.enter(octets)
        if reason is not None:
            log.warning("%s: %s answer=tempfail", queue_id, self.gate.words(reason))
            self._count(reason)
            return _refuse(ctx, unavailable(None))
        try:
            answer = self._wait(lambda: self.handle(message))
        finally:
            self.gate.leave(octets)
        if not answer:
            log.error("%s: no answer within the deadline answer=tempfail", queue_id)
            self._count(Tempfail.DEADLINE)
            return _refuse(ctx, unavailable(None))
        return _carry_out(ctx, answer[0])

    def _wait(self, work: Callable[[], Awaitable[Result]]) -> list[Result]:
        """Return the one answer of the pipeline, or none if it failed or did not keep its deadline.

        It is called on the loop's thread, where another pipeline cannot come between.
        """
        done = threading.Lock()  # cheaper than a concurrent future's condition
        done.acquire()
        answer: list[Result] = []
        task: list[asyncio.Task[None]] = []

        async def story() -> None:
            try:
                answer.append(await work())
            finally:
                done.release()

        def start() -> None:
            one = self._loop.create_task(story())
            self._tasks.add(one)
            one.add_done_callback(self._finished)
            task.append(one)

        self._loop.call_soon_threadsafe(start)
        if not done.acquire(timeout=self._patience):
            self._loop.call_soon_threadsafe(lambda: [one.cancel() for one in task])
            return []
        return answer

    def _count(self, reason: Tempfail) -> None:
        """Count a tempfail, on the loop's thread."""
        self._loop.call_soon_threadsafe(self.metrics.unticketed, Answer.TEMPFAIL, reason)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("pipeline failed error=%s", type(error).__name__)

    def _noted(self, session: Session, octets: int) -> int:
        """Count what a session has taken, and answer."""
        session.received += octets
        if session.dropped:
            session.drop()  # what came since
        self.gate.hold(session, session.octets)
        return self._answer(session)

    def _answer(self, session: Session) -> int:
        return int(milter.NOREPLY if session.quiet else milter.CONTINUE)

    def _undecodable(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Take what pymilter could not pass on: a header name or HELO name that is not UTF-8.

        The value of such a field is lost to us, not to the MTA; its place is kept so that fields count right.
        Any other exception fails the message. Nothing is printed, as it would print content.
        """
        session: Session | None = getattr(self._here, "session", None)
        if session is None:
            log.error("callback failed error=%s", kind.__name__)
        elif isinstance(error, UnicodeDecodeError) and trace is None:
            if session.recipients:
                session.fields.append((error.object, b""))
                self._noted(session, len(error.object))
            else:
                session.helo = cut(error.object)
        else:
            session.failed = True
            log.error("callback failed error=%s", kind.__name__)


def _macro(ctx: Any, name: str) -> str | None:
    try:
        value: str | None = ctx.getsymval(name)
    except UnicodeDecodeError:
        return None
    return value


def _refuse(ctx: Any, reply: object) -> int:
    code, status, words = str(reply).split(" ", 2)
    ctx.setreply(code, status, words)
    return int(milter.TEMPFAIL if code.startswith("4") else milter.REJECT)


def _carry_out(ctx: Any, plan: Plan) -> int:
    if plan.reply is not None:
        return _refuse(ctx, plan.reply)
    for name, occurrence in plan.remove_fields:
        ctx.chgheader(name, occurrence, None)
    for name, value in reversed(plan.fields):  # each goes on top of the former
        ctx.addheader(name, " " + value, 0)
    for address in plan.remove_recipients:
        ctx.delrcpt(f"<{address}>")
    for recipient in plan.add_recipients:
        ctx.addrcpt(f"<{recipient.address}>", " ".join(recipient.parameters) or None)
    return int(milter.CONTINUE)


def _run() -> None:
    """Serve until the process ends, which is when libmilter gives up: a new process will listen again."""
    try:
        milter.main()
    except milter.error as error:
        log.error("libmilter failed error=%s", type(error).__name__)
    logging.shutdown()
    os._exit(1)
