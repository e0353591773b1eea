"""Rules about who a message says that it is from, and about the fields that its writer's program made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.brands import brand_of
from tamis.checks.rules.facts import Facts, site
from tamis.finding import Rule

RULES = (
    Rule("FROM_MISSING", "There is no From address.", 2.0),
    Rule("FROM_SEVERAL", "There are several From fields or addresses.", 1.5),
    Rule("FROM_NAME_HOLDS_ADDRESS", "The display name holds an address of another domain.", 2.0),
    Rule("FROM_NAME_BRAND", "The display name is a known firm's, and the domain is not.", 2.5),
    Rule("FROM_RANDOM_LOCAL", "The local part of From has many digits or looks random.", 1.0),
    Rule("FROM_IS_RECIPIENT", "The message says that it is from its own recipient.", 1.5),
    Rule("FROM_NAME_MISSING", "The author has no display name.", 0.3),
    Rule("REPLY_TO_DIFFERS", "Answers go to another domain than the author's.", 0.5),
    Rule("REPLY_TO_FREEMAIL", "Answers go to a free mailbox, and the author's is at another domain.", 2.0),
    Rule("FREEMAIL_FROM", "The author's mailbox is at a free provider.", 0.3),
    Rule("ENVELOPE_DIFFERS", "The reverse-path is at another domain than the author.", 0.3),
    Rule("ENVELOPE_NULL", "The reverse-path is empty.", -0.3),
    Rule("HELO_ADDRESS", "The client called itself by an IP address.", 1.5),
    Rule("HELO_NOT_QUALIFIED", "The client called itself by a name without a dot.", 1.0),
    Rule("HELO_DYNAMIC", "The client's name is that of a customer's line.", 1.5),
    Rule("HELO_FORGED", "The client called itself by a large provider's bare domain.", 1.5),
    Rule("MESSAGE_ID_MISSING", "There is no Message-ID.", 1.0),
    Rule("MESSAGE_ID_MALFORMED", "The Message-ID is not of the form <left@right>.", 1.5),
    Rule("MESSAGE_ID_FOREIGN", "The Message-ID names another domain than author and reverse-path.", 0.5),
    Rule("DATE_MISSING", "There is no Date.", 1.0),
    Rule("DATE_MALFORMED", "The Date cannot be read.", 1.5),
    Rule("TO_MISSING", "Neither To nor Cc names anybody.", 1.0),
    Rule("TO_NAME_IS_ADDRESS", "The display name in To is the address itself.", 0.5),
    Rule("FIELDS_TWICE", "A field that may stand once stands several times.", 1.0),
    Rule("PRIORITY_HIGH", "The message is marked as urgent.", 0.7),
    Rule("MAILER_FORGED", "The mail program's fields do not fit each other.", 1.5),
    Rule("REPLY_REFERS", "The message refers to one that it answers.", -2.0),
)

FREEMAIL = frozenset(
    "gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.es yahoo.co.jp ymail.com hotmail.com "
    "hotmail.fr hotmail.co.uk outlook.com outlook.fr outlook.de live.com msn.com aol.com mail.com mail.ru "
    "yandex.ru yandex.com gmx.de gmx.net gmx.com web.de qq.com 163.com 126.com protonmail.com proton.me "
    "icloud.com me.com libero.it laposte.net orange.fr wanadoo.fr free.fr excite.com lycos.com netscape.net "
    "rediffmail.com bol.com.br uol.com.br terra.com.br zoho.com t-online.de seznam.cz naver.com tutanota.com "
    "consultant.com usa.com email.com".split()
)
ADDRESS = re.compile(r"[^\s@<>\"'()]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.I)
RANDOM = re.compile(r"\d{5,}|(?:[a-z]+\d+){3,}|[bcdfghjklmnpqrstvwxz]{6,}|^[a-f0-9-]{16,}$")
MESSAGE_ID = re.compile(rb"^\s*<[^<>@\s]+@([^<>@\s]+)>\s*$")
DATE = re.compile(
    rb"^\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s*)?\d{1,2}[\s-]+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    rb"[\s-]+\d{2,4}\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s*[+-]\d{4}|\s+\(?[a-z]{1,5}\)?|\s*$)",
    re.I,
)
HELO_ADDRESS = re.compile(r"^\[?\d{1,3}(?:\.\d{1,3}){3}\]?$")
DYNAMIC = re.compile(
    r"(?:^|[.-])(?:dsl|adsl|dial\w*|dyn\w*|ppp\w*|cable|pool|dhcp|client|cust\w*|user|broadband|catv)[\w-]*[.-]|(?:\d{1,3}[.-]){3}\d"
)
ONCE = (b"from", b"subject", b"date", b"message-id", b"to", b"reply-to", b"content-type", b"mime-version")


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    yield from _author(facts)
    yield from _answers(facts)
    if facts.envelope.auth_user is None:
        yield from _client(facts)
    yield from _made(facts)


def _author(facts: Facts) -> Iterator[str]:
    name, address = facts.author
    if not address:
        yield "FROM_MISSING"
        return
    if len(facts.content.from_addresses) > 1:
        yield "FROM_SEVERAL"
    domain = facts.from_domain
    held = ADDRESS.search(name) if "@" in name else None
    if held and site(held[1].lower()) != site(domain):
        yield "FROM_NAME_HOLDS_ADDRESS"
    if not name.strip():
        yield "FROM_NAME_MISSING"
    elif brand_of(name, domain):
        yield "FROM_NAME_BRAND"
    if RANDOM.search(address.partition("@")[0]):
        yield "FROM_RANDOM_LOCAL"
    if address in facts.recipients:
        yield "FROM_IS_RECIPIENT"
    if domain in FREEMAIL:
        yield "FREEMAIL_FROM"


def _answers(facts: Facts) -> Iterator[str]:
    domain, reply = facts.from_domain, facts.reply_domain
    if reply and site(reply) != site(domain):
        yield "REPLY_TO_FREEMAIL" if reply in FREEMAIL else "REPLY_TO_DIFFERS"
    path = facts.envelope.mail_from.lower()
    if not path:
        if facts.envelope.client_ip:
            yield "ENVELOPE_NULL"
    elif domain and site(path.rpartition("@")[2]) != site(domain):
        yield "ENVELOPE_DIFFERS"


def _client(facts: Facts) -> Iterator[str]:
    helo = facts.envelope.helo.strip().lower()
    if not helo:
        return
    if HELO_ADDRESS.match(helo):
        yield "HELO_ADDRESS"
    elif "." not in helo:
        yield "HELO_NOT_QUALIFIED"
    elif DYNAMIC.search(helo):
        yield "HELO_DYNAMIC"
    elif helo in FREEMAIL:
        yield "HELO_FORGED"


def _made(facts: Facts) -> Iterator[str]:
    first = facts.first
    raw_id = first.get(b"message-id")
    if raw_id is None:
        yield "MESSAGE_ID_MISSING"
    else:
        match = MESSAGE_ID.match(raw_id)
        if match is None:
            yield "MESSAGE_ID_MALFORMED"
        else:
            right = site(match[1].decode("latin-1").lower())
            known = {site(facts.from_domain), site(facts.envelope.mail_from.lower().rpartition("@")[2])}
            if right not in known:
                yield "MESSAGE_ID_FOREIGN"
    date = first.get(b"date")
    if date is None:
        yield "DATE_MISSING"
    elif not DATE.match(date):
        yield "DATE_MALFORMED"
    yield from _addressed(facts)
    names = [name.lower() for name, _ in facts.message.fields]
    if any(names.count(one) > 1 for one in ONCE):
        yield "FIELDS_TWICE"
    if (
        first.get(b"x-priority", b"").strip()[:1] in (b"1", b"2")
        or b"high" in first.get(b"importance", b"").lower()
    ):
        yield "PRIORITY_HIGH"
    if b"x-mailer" in first and b"outlook" in first[b"x-mailer"].lower() and b"x-mimeole" not in first:
        if b"outlook express" in first[b"x-mailer"].lower():
            yield "MAILER_FORGED"
    if b"in-reply-to" in first or b"references" in first:
        yield "REPLY_REFERS"


def _addressed(facts: Facts) -> Iterator[str]:
    to, cc = facts.first.get(b"to", b""), facts.first.get(b"cc", b"")
    if b"@" not in to and b"@" not in cc:
        yield "TO_MISSING"
    elif to.count(b"@") >= 2:
        shown, _, address = to[:500].partition(b"<")
        if shown.strip().strip(b"\"'").lower() == address.rpartition(b">")[0].strip().lower():
            yield "TO_NAME_IS_ADDRESS"
