"""Runs the wanted checks on a message and gathers their findings; asks the scanner first, awaits it last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import TypeVar

from tamis import authres
from tamis.checks.authentication import authentication
from tamis.config import Config
from tamis.finding import FailedCheck, Filter, Findings, Sender, VirusFinding, VirusStatus
from tamis.interfaces import GraymailCheck, SpamCheck, VirusScanner
from tamis.message import Message
from tamis.spelling import plain

log = logging.getLogger(__name__)

BIG = 1 << 18  # octets of a body; such messages may compute for more than a few ms, and so not on the loop
SHARE = 0.8  # of the deadline at most for the scanner, so that its failure can still be ticketed
LAST_CALL = 0.9  # of the deadline at most for a big message, for the same reason

Result = TypeVar("Result")


class Scanner:
    """All filters of one worker."""

    def __init__(
        self,
        config: Config,
        *,
        antivirus: VirusScanner,
        antispam: SpamCheck,
        graymail: GraymailCheck,
        executor: Executor,
    ) -> None:
        """Take the filters, and the executor that big messages are judged in."""
        self._antivirus = antivirus
        self._antispam = antispam
        self._graymail = graymail
        self._executor = executor
        self._patience = min(config.antivirus.timeout, SHARE * config.milter.deadline)
        self._last_call = LAST_CALL * config.milter.deadline
        self._max_message = config.milter.max_message
        self._own_id = config.mail.authserv_id.lower()
        self._trusted = frozenset(one.lower() for one in config.mail.trusted_authserv_ids) - {self._own_id}

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Return the findings of the wanted filters; the others do not see the message.

        Raise TimeoutError where a big message takes too long.
        """
        if Filter.ANTIVIRUS not in wanted:
            return await self._judge(message, wanted)
        asked = asyncio.create_task(self._ask_scanner(message))
        try:
            await asyncio.sleep(0)  # the task sends the message to the scanner before we compute
            findings = await self._judge(message, wanted)
            return replace(findings, antivirus=await asked)
        finally:
            asked.cancel()  # without effect once it is done

    async def _ask_scanner(self, message: Message) -> VirusFinding:
        try:
            async with asyncio.timeout(self._patience):
                return await self._antivirus.run(message)
        except TimeoutError:
            log.warning("%s: antivirus gave no answer in time", message.envelope.queue_id)
        except Exception as error:
            _log_failure("antivirus", message, error)
        return VirusFinding(VirusStatus.ERROR)

    async def _judge(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        if not wanted & {Filter.ANTISPAM, Filter.GRAYMAIL}:
            return Findings(Sender(None, message.envelope.reverse_path))
        if len(message.body) >= BIG:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self._last_call):
                return await loop.run_in_executor(self._executor, self._compute, message, wanted)
        return self._compute(message, wanted)

    def _compute(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        if len(message.body) > self._max_message:  # judged on its start
            message = Message(message.envelope, message.fields, message.body[: self._max_message])
        antispam = graymail = None
        if Filter.ANTISPAM in wanted:
            antispam = _run("antispam", self._antispam.run, message)
        if Filter.GRAYMAIL in wanted:
            graymail = _run("graymail", self._graymail.run, message)
        sender = _run("sender", self._sender, message)
        if isinstance(sender, FailedCheck):
            sender = Sender(None, message.envelope.reverse_path)
        return Findings(sender, antispam=antispam, graymail=graymail)

    def _sender(self, message: Message) -> Sender:
        authors = message.content.from_addresses
        mail_from = message.envelope.reverse_path
        if len(authors) != 1:
            return Sender(None, mail_from)
        results = message.content.values(authres.RESULTS)[: authres.MAX_FIELDS] if self._trusted else []
        author = plain(authors[0])
        if not results:
            return Sender(author, mail_from)
        own_id = self._own_id or message.envelope.mta_name.lower()
        proof = authentication(results, self._trusted - {own_id}, authors[0].rpartition("@")[2])
        return Sender(author, mail_from, proof)


def _run(name: str, check: Callable[[Message], Result], message: Message) -> Result | FailedCheck:
    """Run a check; whatever goes wrong in it is the filter's on_error, never the message's loss."""
    try:
        return check(message)
    except Exception as error:
        _log_failure(name, message, error)
        return FailedCheck()


def _log_failure(name: str, message: Message, error: Exception) -> None:
    """Log where a check failed, and nothing that the exception may quote from the message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else "unknown"
    log.error("%s: %s failed error=%s at=%s", message.envelope.queue_id, name, type(error).__name__, place)
