"""The milter protocol (version 6, libmilter/mfdef.h) spoken by the event loop itself, without libmilter.

libmilter's threads and the loop's would contend for Python's lock at each header field. Here all commands
that one read brings are taken at once, on the loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, cast

from tamis import sockets
from tamis.address import InetAddress, UnixAddress
from tamis.config import Milter
from tamis.decision import Reply
from tamis.front.front import MAX_PACKET, Ask, Handle
from tamis.front.gate import Gate
from tamis.front.negotiation import negotiate
from tamis.front.packets import GOES_ON, NUMBER, carry_out, packet, refuse
from tamis.front.session import Session, cut, rcpt_to, text
from tamis.interfaces import UNCOUNTED, Answer, Metrics, Tempfail
from tamis.message import Message, Recipient
from tamis.policy.combine import unavailable

log = logging.getLogger(__name__)

OF_A_MESSAGE = ("i", "auth_authen", "rcpt_addr")
# The macros that are kept, by their names as MTAs write them: some write all of them in braces.
KEPT = {
    written.encode(): name
    for name in ("j", "daemon_name", "client_addr", *OF_A_MESSAGE)
    for written in (name, f"{{{name}}}")
}
HEADER = ord("L")  # SMFIC_HEADER
RECIPIENT = ord("R")  # SMFIC_RCPT
END_OF_MESSAGE = ord("E")  # SMFIC_BODYEOB
ANSWERED = frozenset(b"CHMRTLNBU")  # the commands of the steps in QUIET, and SMFIC_UNKNOWN
NEVER_QUIET = ord("U")
HEAD = struct.Struct("!IB")
PAUSE = 0.5  # seconds without new connections when there is no descriptor for one
LEAVE = 0.002  # seconds that an idle worker leaves a connection to one that is at work
WARM = 0.0003  # seconds after its last connection that a worker counts as at work; less than a message takes


class ProtocolError(Exception):
    """The other side does not speak the protocol."""


class Stream:
    """The front of one worker process."""

    handle: Handle  # from serve() on
    _loop: asyncio.AbstractEventLoop
    _listener: socket.socket

    def __init__(self, settings: Milter) -> None:
        self.gate = Gate(settings)
        self.metrics: Metrics = UNCOUNTED
        self.ask: Ask | None = None
        self.max_message = settings.max_message
        self.conversations: set[Conversation] = set()
        self._alone = settings.workers == 1
        self._coming = 0  # connections that are taken and have no conversation yet
        self._ended = 0.0  # seconds of the loop's clock, when the last conversation did
        self._tasks: set[asyncio.Task[None]] = set()

    def apply(self, settings: Milter) -> None:
        """Take limits and times from [milter]; also while serving."""
        self.max_message = settings.max_message
        self._alone = settings.workers == 1
        self.gate.apply(settings)

    def listen(self, address: UnixAddress | InetAddress) -> socket.socket:
        """Open the listening socket, for this process and those that it forks; raise OSError."""
        return sockets.listen(address)

    async def serve(self, handle: Handle, listener: socket.socket) -> None:
        """Begin to take connections from the socket that listen() opened; handle is the pipeline's."""
        self.handle = handle
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._loop.add_reader(listener, self._offered)

    def leave(self) -> None:
        """Take no more connections; those in hand go on. On the loop's thread."""
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def hang_up(self) -> None:
        """End the connections that are between two messages."""
        for one in tuple(self.conversations):
            if not one.busy:
                one.end()

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self.conversations)

    @property
    def busy(self) -> bool:
        """Whether a message has begun that was not answered yet."""
        return any(one.busy for one in self.conversations)

    def forget(self, conversation: Conversation) -> None:
        """Note that a conversation has ended."""
        self.conversations.discard(conversation)
        self._ended = self._loop.time()

    @property
    def _at_work(self) -> bool:
        if self.conversations or self._coming or self._alone:
            return True
        return self._loop.time() - self._ended < WARM

    def _offered(self) -> None:
        """Take a connection if at work; else leave it for a moment to a worker whose caches are warm."""
        if self._at_work:
            self._accept()
        else:
            self._look_away(LEAVE)

    def _accept(self) -> None:
        """Take one connection: a worker that is busy comes here less often, and others have their turn."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # another worker took it, or the MTA went away
            return
        except OSError as error:  # out of descriptors or memory, for now
            log.error("cannot take connections error=%s", error.strerror)
            self._look_away(PAUSE)
            return
        connection.setblocking(False)
        self._coming += 1
        self.start(self._converse(connection))

    def _look_away(self, seconds: float) -> None:
        """Take no connection for so long, and then the next one."""
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._look_again)

    def _look_again(self) -> None:
        if self._listener.fileno() >= 0:  # else leave() came meanwhile
            self._loop.add_reader(self._listener, self._offered)
            self._accept()

    async def _converse(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: Conversation(self), connection)
        except OSError:  # it has gone
            connection.close()
        finally:
            self._coming -= 1

    def start(self, story: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a story, and keep it from being collected as garbage."""
        task = self._loop.create_task(story)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class Conversation(asyncio.Protocol):
    """One connection of the MTA."""

    def __init__(self, front: Stream) -> None:
        self._front = front
        self._session = Session()
        self._macros: dict[str, str] = {}
        self._leading_space = False
        self._rest = bytearray()  # received, and not taken yet
        self._enough = HEAD.size  # octets of it that can be taken
        self._answering: asyncio.Task[None] | None = None  # the MTA awaits an answer: what follows waits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where answers go."""
        self._transport = cast("asyncio.Transport", transport)
        self._front.conversations.add(self)

    @property
    def busy(self) -> bool:
        """Whether a message has begun that was not answered yet."""
        return self._session.begun or self._answering is not None

    def end(self) -> None:
        """Hang up, once what was said has been sent."""
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Give up the message in flight: the MTA, which heard no answer, tries again."""
        self._front.forget(self)
        self._front.gate.release(self)
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        """Take the commands that are complete; what is wrong ends the connection, and the MTA tries again."""
        if self._rest:
            if len(self._rest) + len(data) < self._enough:  # not looked at with each octet that drips in
                self._rest += data
                return
            data = b"".join((self._rest, data))
        self._try(data)

    def _try(self, data: bytes) -> None:
        try:
            self._take(data)
        except ProtocolError:
            log.warning("connection ended: what came is not the milter protocol")
            self._transport.abort()
        except Exception as error:
            log.error("front failed error=%s", type(error).__name__)
            self._transport.abort()

    def _take(self, data: bytes) -> None:
        at, size = 0, len(data)
        enough = HEAD.size
        while self._answering is None and size - at >= HEAD.size:
            length, word = HEAD.unpack_from(data, at)
            if not 0 < length <= MAX_PACKET:
                raise ProtocolError
            end = at + NUMBER.size + length
            if end > size:
                enough = NUMBER.size + length
                break
            payload = data[at + HEAD.size : end]
            at = end
            if word == HEADER:
                name, _, value = payload.partition(b"\0")
                self._session.fields.append((name, value.removesuffix(b"\0")))
            elif word == END_OF_MESSAGE:
                self._session.received += at
                self._end_of_message(payload)
            elif word == RECIPIENT and self._session.asks:
                self._session.received += at
                self._answering = self._front.start(self._admit(self._recipient(payload)))
                break
            elif word in self._acts:
                self._acts[word](self, payload)
                if self._transport.is_closing():  # SMFIC_QUIT: what follows was never said
                    return
            if word in ANSWERED and not (self._session.quiet and word != NEVER_QUIET):
                self._transport.write(GOES_ON)
        if self._rest or at < size:
            self._rest = bytearray(data[at:])
        if self._answering is None:
            self._enough = enough
            self._count(at)
        elif self._rest:
            if size > 2 * MAX_PACKET:
                raise ProtocolError
            self._enough = 2 * MAX_PACKET

    def _count(self, octets: int) -> None:
        """Count what the session has taken."""
        session = self._session
        session.received += octets
        if session.dropped:
            session.drop()  # what came since
        self._front.gate.hold(self, session.octets + len(self._rest))

    def drop(self) -> None:
        """Let go of the message that comes in."""
        self._session.drop()

    def _negotiate(self, payload: bytes) -> None:
        """Say what is wanted of the MTA."""
        agreed = negotiate(payload, asks=self._front.ask is not None)
        if agreed is None:
            raise ProtocolError
        self._session.quiet, self._session.asks = agreed.quiet, agreed.asks
        self._leading_space = agreed.leading_space
        self._transport.write(packet(b"O", agreed.answer))

    def _macro(self, payload: bytes) -> None:
        words = payload[1:].split(b"\0")
        for name, value in zip(words[::2], words[1::2], strict=False):
            kept = KEPT.get(name)
            if kept is not None:
                self._macros[kept] = cut(value)

    def _connect(self, payload: bytes) -> None:
        """Note the client; its address follows family and port."""
        session = self._session
        name, _, place = payload.partition(b"\0")
        session.client_name = cut(name)
        if place[:1] in (b"4", b"6"):
            session.client_ip = text(place[3:].removesuffix(b"\0")).removeprefix("IPv6:")
        session.mta_name = self._macros.get("j", "")
        session.daemon_name = self._macros.get("daemon_name")

    def _helo(self, payload: bytes) -> None:
        self._session.helo = cut(payload.removesuffix(b"\0"))

    def _mail(self, payload: bytes) -> None:
        """Begin a message."""
        session, macros = self._session, self._macros
        sender, *parameters = payload.removesuffix(b"\0").split(b"\0")
        session.mail(sender, tuple(parameters))
        session.auth_user = macros.get("auth_authen")
        session.daemon_name = macros.get("daemon_name") or session.daemon_name
        session.mta_name = macros.get("j") or session.mta_name
        session.came_from(macros.get("client_addr"))

    def _rcpt(self, payload: bytes) -> None:
        self._session.recipients.append(self._recipient(payload))

    def _recipient(self, payload: bytes) -> Recipient:
        path, *parameters = payload.removesuffix(b"\0").split(b"\0")
        return rcpt_to(path, parameters, self._macros.get("rcpt_addr", ""))

    def _body(self, payload: bytes) -> None:
        self._session.body(payload, self._front.max_message)

    def _abort(self, payload: bytes) -> None:
        """Forget the message; the connection goes on."""
        self._session.forget()
        self._forget_macros()

    def _next_session(self, payload: bytes) -> None:
        """Forget the SMTP session; the connection goes on with another one."""
        former, self._session = self._session, Session()
        self._session.quiet, self._session.asks = former.quiet, former.asks
        self._macros.clear()

    def _quit(self, payload: bytes) -> None:
        self.end()

    def _forget_macros(self) -> None:
        for name in OF_A_MESSAGE:
            self._macros.pop(name, None)

    def _end_of_message(self, payload: bytes) -> None:
        """Hand the message to the pipeline; SMFIC_BODYEOB may bring the last of the body."""
        session = self._session
        if payload:
            session.body(payload, self._front.max_message)
        self._front.gate.release(self)
        octets, dropped = session.octets, session.dropped
        message = session.message(self._macros.get("i"))
        self._forget_macros()
        self._answering = self._front.start(self._answer(message, octets, dropped=dropped))

    async def _answer(self, message: Message, octets: int, *, dropped: bool) -> None:
        """Wait for the plan of a message that takes so many octets and carry it out."""
        answer = refuse(unavailable(None))
        gate = self._front.gate
        queue_id = message.envelope.queue_id
        reason = Tempfail.MEMORY if dropped else gate.enter(octets)
        if reason is None:
            try:
                plan = await self._front.handle(message)
                answer = carry_out(plan, leading_space=self._leading_space)
            except asyncio.CancelledError:
                log.warning("%s: connection lost before the answer", queue_id)
                self._front.metrics.unticketed(Answer.NONE)
                raise
            except Exception as error:  # whatever it is, the MTA keeps the message and tries again
                log.error("%s: pipeline failed error=%s", queue_id, type(error).__name__)
                self._front.metrics.unticketed(Answer.TEMPFAIL, Tempfail.ERROR)
            finally:
                gate.leave(octets)
        else:
            log.warning("%s: %s answer=tempfail", queue_id, gate.words(reason))
            self._front.metrics.unticketed(Answer.TEMPFAIL, reason)
        self._go_on(answer)

    async def _admit(self, recipient: Recipient) -> None:
        """Wait until the pipeline lets a recipient in, or does not."""
        session, ask = self._session, self._front.ask
        queue_id = self._macros.get("i")
        reply: Reply | None = None
        try:
            if ask is not None:  # else it was switched off since the connection began
                envelope = session.envelope(queue_id)
                reply = await ask(envelope, recipient, turned_away=session.turned_away)
        except Exception as error:  # whatever it is, he comes again
            log.error("%s: pipeline failed error=%s", queue_id, type(error).__name__)
            reply = unavailable(None)
        if reply is None:
            session.recipients.append(recipient)
            self._go_on(GOES_ON)
        else:
            session.turned_away += 1
            self._go_on(refuse(reply))

    def _go_on(self, answer: bytes) -> None:
        """Give the answer that was awaited, and take what has come since."""
        self._answering = None
        if not self._transport.is_closing():
            self._transport.write(answer)
            if self._rest:
                self._try(bytes(self._rest))

    # By function and not by bound method: those would make a cycle, and what was told by an MTA that hung up
    # would stay in memory until Python looks for cycles.
    _acts: ClassVar[Mapping[int, Callable[[Conversation, bytes], None]]] = {
        ord("A"): _abort,
        ord("B"): _body,
        ord("C"): _connect,
        ord("D"): _macro,
        ord("H"): _helo,
        ord("K"): _next_session,  # SMFIC_QUIT_NC
        ord("M"): _mail,
        ord("O"): _negotiate,
        ord("Q"): _quit,
        ord("R"): _rcpt,
    }
