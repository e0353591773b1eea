"""The graymail filter: mass mail that was asked for, told by its header fields or else by a model.

List-Id is RFC 2919, List-Post and List-Unsubscribe are RFC 2369, one-click is RFC 8058.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from tamis.checks.caseless import lower
from tamis.finding import Graymail as Class
from tamis.finding import GraymailFinding, Unsubscribe
from tamis.message import Message

CERTAIN_LIST = 0.98
CERTAIN_SOCIAL = 0.97
CERTAIN_NEWSLETTER = 0.97
MODEL_LIMIT = 0.9  # below this probability the model's guess is worth nothing

# Of a subject in lower case.
TRANSACTIONAL = re.compile(
    r"\b(?:receipt|invoice|your (?:\w+ )?order|order (?:#|no\b|number|\d|confirm\w*|received|shipped|update)"
    r"|(?:has|have|was|been) shipped|shipment|out for delivery|delivered|tracking (?:number|info\w*)"
    r"|delivery (?:update|notif\w*|status|attempt)|password|passcode|verification|verify your|confirm your"
    r"|one.time|otp|security (?:alert|code|notice)|sign.?in\b|log.?in\b|new (?:device|card)|booking"
    r"|reservation|itinerary|e-?ticket|boarding pass|appointment|payment|refund|statement"
    r"|thank you for your (?:order|payment|purchase)|account (?:update|activity|notice|statement)"
    r"|terms of (?:service|use)|privacy (?:policy|notice)"
    r"|rechnung|ihre bestellung|sendung|passwort|zahlung|buchung|bestätigen sie"
    r"|facture|votre commande|votre colis|mot de passe|confirmez|paiement|reçu|réservation"
    r"|su pedido|factura|contraseña|seu pedido|fatura|senha)\b"
)
# Addresses that networks, forges and calendars notify from.
SOCIAL = re.compile(
    r"[@.](?:facebookmail\.com|facebook\.com|linkedin\.com|twitter\.com|x\.com|instagram\.com|pinterest\.com"
    r"|quora\.com|reddit(?:mail)?\.com|nextdoor\.com|meetup\.com|youtube\.com|tiktok\.com|snapchat\.com"
    r"|discord(?:app)?\.com|slack\.com|github\.com|gitlab\.com|bitbucket\.org|codeberg\.org"
    r"|stackoverflow\.email|stackexchange\.com|xing\.com|tumblr\.com|vk\.com|viadeo\.com|strava\.com"
    r"|goodreads\.com|mastodon\.social|bsky\.app|discoursemail\.com|academia-mail\.com|researchgatemail\.net"
    r"|flickr\.com|twitch\.tv|vimeo\.com)$|^calendar-notification@google\.com$"
)
# Fields that only notifications of networks, forges and trackers bear.
NOTIFICATION_FIELDS = frozenset(
    (
        b"x-github-reason",
        b"x-github-sender",
        b"x-gitlab-project",
        b"x-gitlab-notificationreason",
        b"x-gitea-reason",
        b"x-forgejo-reason",
        b"x-linkedin-class",
        b"x-facebook",
        b"x-facebook-notify",
        b"x-discourse-topic-id",
        b"x-discourse-post-id",
        b"x-jira-fingerprint",
        b"x-bugzilla-reason",
        b"x-launchpad-notification-type",
        b"x-trac-project",
    )
)
# Fields of programs that carry discussions.
PROGRAM_FIELDS = frozenset((b"x-beenthere", b"mailing-list", b"x-mailing-list"))
HTTPS = re.compile(rb"<\s*https://[^<>]+>", re.I)
HTTP = re.compile(rb"<\s*https?://[^<>]+>", re.I)
MAILTO = re.compile(rb"<\s*mailto:[^<>]+>", re.I)
ONE_CLICK = re.compile(rb"^\s*List-Unsubscribe\s*=\s*One-Click\s*$", re.I)
MAX_FIELD = 8192  # octets of a field that are looked at


class Model(Protocol):
    """What the filter needs of a trained model."""

    def newsletter(self, message: Message) -> float:
        """Return the probability that a wanted message is a newsletter."""


class Graymail:
    """Tells classes of wanted mass mail; one for all workers."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def run(self, message: Message) -> GraymailFinding:
        """Return class, confidence and way out."""
        first = message.content.first
        way_out = unsubscribe(first)
        told = _by_fields(message, first)
        if told is not None:
            graymail, confidence = told
            return GraymailFinding(graymail, confidence, certain=True, unsubscribe=way_out)
        if _personal(message, first):
            return GraymailFinding(Class.NONE, unsubscribe=way_out)
        probability = self._model.newsletter(message)
        if probability >= MODEL_LIMIT:
            return GraymailFinding(Class.NEWSLETTER, round(probability, 2), unsubscribe=way_out)
        return GraymailFinding(Class.NONE, round(1.0 - probability, 2), unsubscribe=way_out)


def unsubscribe(first: Mapping[bytes, bytes]) -> Unsubscribe:
    """Return the easiest way out that List-Unsubscribe offers, given the fields by lower-case name."""
    ways = first.get(b"list-unsubscribe", b"")[:MAX_FIELD]
    if not ways:
        return Unsubscribe.NONE
    if ONE_CLICK.match(first.get(b"list-unsubscribe-post", b"")[:MAX_FIELD]) and HTTPS.search(ways):
        return Unsubscribe.ONE_CLICK
    if MAILTO.search(ways):
        return Unsubscribe.MAILTO
    return Unsubscribe.HTTP if HTTP.search(ways) else Unsubscribe.NONE


def _by_fields(message: Message, first: Mapping[bytes, bytes]) -> tuple[Class, float] | None:
    """Return class and confidence where fields decide; the class may be none."""
    content = message.content
    author = content.from_addresses[0] if content.from_addresses else ""
    if not NOTIFICATION_FIELDS.isdisjoint(first):
        return Class.SOCIAL, CERTAIN_SOCIAL
    if SOCIAL.search(author):
        if TRANSACTIONAL.search(lower(content.subject)):
            return Class.NONE, CERTAIN_SOCIAL
        return Class.SOCIAL, CERTAIN_SOCIAL
    if _discussion(first):
        return Class.LIST, CERTAIN_LIST
    if b"list-unsubscribe" in first:
        if TRANSACTIONAL.search(lower(content.subject)):
            return None
        return Class.NEWSLETTER, CERTAIN_NEWSLETTER
    return None


def _discussion(first: Mapping[bytes, bytes]) -> bool:
    """Tell whether a list carried this message that its members write to."""
    post = first.get(b"list-post", b"")[:MAX_FIELD].strip()
    if post[:2].upper() == b"NO":  # RFC 2369 section 3.4: announcements only
        return False
    if post or not PROGRAM_FIELDS.isdisjoint(first):
        return True
    # Senders of newsletters set List-Id too; answers and Precedence: list they do not.
    answered = b"in-reply-to" in first or b"references" in first
    return b"list-id" in first and (answered or first.get(b"precedence", b"").strip().lower() == b"list")


def _personal(message: Message, first: Mapping[bytes, bytes]) -> bool:
    """Tell whether somebody answers somebody, or a program reports."""
    if b"in-reply-to" in first or b"references" in first:
        return True
    if not message.envelope.mail_from and message.envelope.client_ip:
        return True
    if first.get(b"auto-submitted", b"no").strip().lower() not in (b"no", b""):
        return True
    return bool(TRANSACTIONAL.search(lower(message.content.subject)))
