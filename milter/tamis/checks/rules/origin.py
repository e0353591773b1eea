"""Rules about who a message says that it is from, and about the fields that its writer's program made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tamis.checks.rules.brands import brand_of
from tamis.checks.rules.domains import CHEAP, FREEMAIL
from tamis.checks.rules.facts import Facts, site
from tamis.checks.rules.subject import REPLY
from tamis.finding import Rule

RULES = (
    Rule("FROM_MISSING", "There is no From address.", 2.0),
    Rule("FROM_SEVERAL", "There are several From fields or addresses.", 1.5),
    Rule("FROM_MALFORMED", "The From field is no proper list of addresses.", 1.5),
    Rule("FROM_ENCODED_ASCII", "The display name is encoded though it needs no encoding.", 1.0),
    Rule("FROM_NAME_HOLDS_ADDRESS", "The display name holds an address of another domain.", 2.0),
    Rule("FROM_NAME_BRAND", "The display name is a known firm's, and the domain is not.", 2.5),
    Rule("FROM_RANDOM_LOCAL", "Before the @ the author's address has many digits or looks random.", 1.0),
    Rule("FROM_LONG_LOCAL", "Before the @ the author's address is a long string of letters.", 2.0),
    Rule("FROM_CHEAP_DOMAIN", "The author's domain has an ending where names cost next to nothing.", 2.0),
    Rule("FROM_IS_RECIPIENT", "The message says that it is from its own recipient.", 0.7),
    Rule("REPLY_TO_FREEMAIL", "Answers go to a free mailbox, and the author's is at another domain.", 2.0),
    Rule("HELO_ADDRESS", "The sending computer called itself by an IP address.", 1.5),
    Rule("HELO_NOT_QUALIFIED", "The sending computer called itself by a name without a dot.", 1.0),
    Rule("HELO_DYNAMIC", "The sending computer's name is that of a customer's line.", 1.5),
    Rule("HELO_FORGED", "The sending computer called itself by a large provider's bare domain.", 1.5),
    Rule("MESSAGE_ID_MISSING", "There is no Message-ID.", 1.0),
    Rule("MESSAGE_ID_MALFORMED", "The Message-ID is not of the form <left@right>.", 1.5),
    Rule("DATE_MISSING", "There is no Date.", 1.0),
    Rule("DATE_MALFORMED", "The Date cannot be read.", 1.5),
    Rule("TO_MISSING", "Neither To nor Cc names anybody.", 0.7),
    Rule("TO_NAME_IS_ADDRESS", "The display name in To is the address itself.", 0.5),
    Rule("FIELDS_TWICE", "A field that may stand once stands several times.", 1.0),
    Rule("PRIORITY_HIGH", "The message is marked as urgent.", 0.7),
    Rule("MAILER_FORGED", "The mail program's fields do not fit each other.", 1.5),
    Rule("MAILER_PERSONAL", "The mail program is one that people write with.", -1.0),
    Rule("MAILING_SERVICE", "A known mailing service is named as the sending system.", -2.0),
    Rule("REPLY_REFERS", "The subject begins with Re: and a field says to which message.", -1.5),
)

ADDRESS = re.compile(r"(?<![^\s@<>\"'()])[^\s@<>\"'()]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.I)
RANDOM = re.compile(r"\d{5,}|(?:[a-z]+\d+){3,}|[bcdfghjklmnpqrstvwxz]{6,}|^[a-f0-9-]{16,}$")
MESSAGE_ID = re.compile(rb"^\s*<[^<>@\s]+@([^<>@\s]+)>\s*$")
DATE = re.compile(
    rb"^\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s*)?\d{1,2}[\s-]+"
    rb"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s-]+\d{2,4}\s+"
    rb"\d{1,2}:\d{2}(?::\d{2})?(?:\s*[+-]\d{4}|\s+\(?[a-z]{1,5}\)?|\s*$)",
    re.I,
)
HELO_ADDRESS = re.compile(r"^\[?\d{1,3}(?:\.\d{1,3}){3}\]?$")
DYNAMIC = re.compile(
    r"(?:^|[.-])(?:a?dsl|dial|dyn|ppp|cable|pool|dhcp|client|cust|user|broadband|catv)[\w-]*[.-]"
    r"|(?:\d{1,3}[.-]){3}\d"
)
MAX_LOCAL = 255  # characters of a local part that are looked at; RFC 5321 section 4.5.3.1.1 allows 64
LONG = re.compile(r"^[a-z]{26,}$")
OUTLOOK_ID = re.compile(rb"^\s*<[0-9a-zA-Z]{8,}\$[0-9a-fA-F]+\$[0-9a-zA-Z]+@|^\s*<[A-Z]{30,}", re.I)
PERSONAL = re.compile(
    rb"mutt|thunderbird|evolution|kmail|gnus|pine\b|apple mail|iphone mail|ipad mail|sylpheed|claws|seamonkey"
    rb"|git-send-email|k-9|exmh|vm \d|eudora|lotus notes|microsoft outlook 1\d|ximian|trojita|roundcube"
)
SERVICES = re.compile(
    r"(?:^|\.)(?:mcdlv\.net|mcsv\.net|rsgsv\.net|mailchimpapp\.net|mandrillapp\.com|klaviyomail\.com|klaviyodns\.com"
    r"|sendgrid\.net|sparkpostmail\.com|mailgun\.(?:net|org|info)|amazonses\.com|exacttarget\.com|mktomail\.com|mktdns\.com"
    r"|iterable\.com|epsl1\.com|govdelivery\.com|mailin\.fr|sendinblue\.com|brevosend\.com|mailjet\.com|postmarkapp\.com"
    r"|mtasv\.net|constantcontact\.com|ccsend\.com|hubspotemail\.net|hubspot\.com|createsend\.com|cmail\d+\.com"
    r"|emarsys\.net|responsys\.net|rsys\d?\.net|bronto\.com|sailthru\.com|customeriomail\.com|zetaglobal\.net"
    r"|ngpweb\.com|bloomerang-mail\.com|convertkit\.com|substack\.com|aweber\.com|getresponse\.com|returnpath\.net"
    r"|cheetahmail\.com|silverpop\.com|acems\d\.com|activehosted\.com|transmail\.net|zcsend\.net|lstrk\.net)$"
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
    raw = facts.first.get(b"from", b"")
    if facts.malformed_from:
        yield "FROM_MALFORMED"
    if b"?=" in raw and name and name.isascii() and "=?" not in name:
        yield "FROM_ENCODED_ASCII"
    if len(facts.content.from_addresses) > 1:
        yield "FROM_SEVERAL"
    domain = facts.from_domain
    held = ADDRESS.search(name) if "@" in name else None
    if held and site(held[1].lower()) != site(domain):
        yield "FROM_NAME_HOLDS_ADDRESS"
    if name and brand_of(name, domain):
        yield "FROM_NAME_BRAND"
    local = address.partition("@")[0][:MAX_LOCAL]
    if LONG.match(local):
        yield "FROM_LONG_LOCAL"
    elif RANDOM.search(local):
        yield "FROM_RANDOM_LOCAL"
    if domain.rpartition(".")[2] in CHEAP:
        yield "FROM_CHEAP_DOMAIN"
    if address in facts.recipients and b"list-post" not in facts.first:
        yield "FROM_IS_RECIPIENT"


def _answers(facts: Facts) -> Iterator[str]:
    domain, reply = facts.from_domain, facts.reply_domain
    if reply in FREEMAIL and reply != domain and b"list-post" not in facts.first:
        yield "REPLY_TO_FREEMAIL"
    path = facts.envelope.mail_from.lower().rpartition("@")[2]
    if SERVICES.search(path) or SERVICES.search(facts.envelope.helo.lower()):
        yield "MAILING_SERVICE"


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
    elif not MESSAGE_ID.match(raw_id):
        yield "MESSAGE_ID_MALFORMED"
    date = first.get(b"date")
    if date is None:
        yield "DATE_MISSING"
    elif not DATE.match(date):
        yield "DATE_MALFORMED"
    yield from _addressed(facts)
    if len(first) < len(facts.message.fields) and any(
        len(facts.content.by_name.get(one, ())) > 1 for one in ONCE
    ):
        yield "FIELDS_TWICE"
    if (
        first.get(b"x-priority", b"").strip()[:1] in (b"1", b"2")
        or b"high" in first.get(b"importance", b"").lower()
    ):
        yield "PRIORITY_HIGH"
    yield from _mailer(first)
    if (b"in-reply-to" in first or b"references" in first) and REPLY.match(facts.subject):
        yield "REPLY_REFERS"


def _mailer(first: Mapping[bytes, bytes]) -> Iterator[str]:
    mailer = first.get(b"x-mailer", b"")[:200].lower()
    if b"outlook express" in mailer or b"microsoft outlook, build" in mailer:
        made = OUTLOOK_ID.match(first.get(b"message-id", b""))
        if b"x-mimeole" not in first or not made:
            yield "MAILER_FORGED"
            return
    agent = first.get(b"user-agent", b"")[:200].lower()
    if (mailer and PERSONAL.search(mailer)) or (agent and PERSONAL.search(agent)):
        yield "MAILER_PERSONAL"


def _addressed(facts: Facts) -> Iterator[str]:
    to, cc = facts.first.get(b"to", b""), facts.first.get(b"cc", b"")
    if b"@" not in to and b"@" not in cc:
        yield "TO_MISSING"
    elif to.count(b"@") >= 2:
        shown, _, address = to[:500].partition(b"<")
        if shown.strip().strip(b"\"'").lower() == address.rpartition(b">")[0].strip().lower():
            yield "TO_NAME_IS_ADDRESS"
