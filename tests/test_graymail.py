"""The graymail filter: classes by header fields, by a model where there are none, and the way out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.checks.graymail import Graymail
from tamis.finding import Graymail as Class
from tamis.finding import Unsubscribe
from tamis.learning.model import load
from tamis.message import Envelope, Message, split

NEWSLETTER = b"List-Unsubscribe: <https://news.example.com/u?id=1>\n"
LIST = b"List-Id: <walks.example.org>\nList-Post: <mailto:walks@example.org>\n"


@dataclass(frozen=True)
class FakeModel:
    """A model that takes everything for a newsletter with one probability."""

    probability: float = 0.0

    def newsletter(self, message: Message) -> float:
        """Return what it was made with."""
        return self.probability


def message(
    more: bytes = b"", *, author: bytes = b"News <news@example.com>", subject: bytes = b"Our spring walks"
) -> Message:
    raw = b"From: " + author + b"\nTo: bob@example.net\nSubject: " + subject + b"\n" + more + b"\nHello.\n"
    fields, body = split(raw)
    return Message(Envelope(mail_from="bounce@example.com"), fields, body)


def judge(given: Message, probability: float = 0.0) -> tuple[str, bool]:
    finding = Graymail(FakeModel(probability)).run(given)
    return finding.graymail.value, finding.certain


def test_list_unsubscribe_makes_a_newsletter_for_certain() -> None:
    assert judge(message(NEWSLETTER)) == ("newsletter", True)


@pytest.mark.parametrize(
    "subject",
    [
        b"Your receipt",
        b"Reset your password",
        b"Your order has been shipped",
        b"Ihre Bestellung",
        b"Votre facture",
    ],
)
def test_transactional_mail_is_never_graymail(subject: bytes) -> None:
    assert judge(message(NEWSLETTER, subject=subject), 0.99)[0] == "none"


def test_post_to_a_discussion_list_is_list_mail() -> None:
    assert judge(message(LIST + NEWSLETTER)) == ("list", True)


@pytest.mark.parametrize(
    "more",
    [
        b"List-Id: <walks.example.org>\nPrecedence: list\n",
        b"List-Id: <walks.example.org>\nReferences: <1@example.org>\n" + NEWSLETTER,
        b"Mailing-List: contact walks-help@example.org; run by ezmlm\n",
        b"X-BeenThere: walks@example.org\nX-Mailman-Version: 2.1\n",
    ],
)
def test_list_programs_are_known_by_their_fields(more: bytes) -> None:
    assert judge(message(more)) == ("list", True)


def test_list_id_of_a_newsletter_makes_no_list() -> None:
    assert judge(message(b"List-Id: <news.example.com>\n" + NEWSLETTER)) == ("newsletter", True)


def test_list_that_takes_no_posts_sends_newsletters() -> None:
    announcements = b"List-Id: <news.example.com>\nList-Post: NO\n" + NEWSLETTER

    assert judge(message(announcements)) == ("newsletter", True)


def test_forge_notification_is_social_though_it_looks_like_a_list() -> None:
    forge = LIST + NEWSLETTER + b"X-GitHub-Reason: mention\n"

    assert judge(message(forge, author=b"notifications@github.com")) == ("social", True)


def test_network_is_known_by_its_address() -> None:
    assert judge(message(author=b"LinkedIn <messages-noreply@linkedin.com>")) == ("social", True)


def test_address_that_only_ends_alike_is_no_network() -> None:
    assert judge(message(author=b"News <news@notlinkedin.com>"))[0] == "none"


def test_model_decides_uncertainly_where_fields_do_not() -> None:
    finding = Graymail(FakeModel(0.934)).run(message())

    assert (finding.graymail, finding.confidence, finding.certain) == (Class.NEWSLETTER, 0.93, False)


def test_weak_guess_of_the_model_is_no_class() -> None:
    assert judge(message(), 0.6) == ("none", False)


@pytest.mark.parametrize(
    "more",
    [b"In-Reply-To: <1@example.org>\n", b"References: <1@example.org>\n", b"Auto-Submitted: auto-replied\n"],
)
def test_answers_and_reports_are_personal_whatever_the_model_says(more: bytes) -> None:
    assert judge(message(more), 0.99)[0] == "none"


@pytest.mark.parametrize(
    ("fields", "way"),
    [
        (b"", Unsubscribe.NONE),
        (b"List-Unsubscribe: <mailto:leave@example.com>\n", Unsubscribe.MAILTO),
        (b"List-Unsubscribe: <http://example.com/u>\n", Unsubscribe.HTTP),
        (b"List-Unsubscribe: <mailto:leave@example.com>,\n <https://example.com/u>\n", Unsubscribe.MAILTO),
        (
            b"List-Unsubscribe: <https://example.com/u>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n",
            Unsubscribe.ONE_CLICK,
        ),
        (
            b"List-Unsubscribe: <http://example.com/u>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n",
            Unsubscribe.HTTP,
        ),
        (b"List-Unsubscribe: somewhere\n", Unsubscribe.NONE),
    ],
)
def test_way_out_is_the_easiest_offered(fields: bytes, way: Unsubscribe) -> None:
    assert Graymail(FakeModel()).run(message(fields)).unsubscribe is way


def test_shipped_model_leaves_a_letter_alone() -> None:
    letter = message(author=b"Anna Doe <anna@example.org>", subject=b"Lunch")

    assert Graymail(load("graymail")).run(letter).graymail is Class.NONE


@given(st.binary(max_size=600), st.binary(max_size=200))
def test_any_bytes_get_a_class(head: bytes, subject: bytes) -> None:
    finding = Graymail(FakeModel(0.95)).run(message(b"List-Unsubscribe: " + head, subject=subject))

    assert 0.0 <= finding.confidence <= 1.0
