"""milter.defer_mixed through either MTA: who differs comes another time, and gets what he gets alone."""

from __future__ import annotations

import re

import pytest
from tests.servers import mail
from tests.servers import postfix as postfixes
from tests.servers.milter import StartMilter
from tests.servers.postfix import Postfix
from tests.servers.sites import Site, Sites, Story
from tests.servers.smtp import Reply, wait_until

from tamis.pipeline import MAX_DEFERRED

ANNA, DAVE = "anna@example.org", "dave@example.org"  # all filters on, all off
LATER = Reply(452, "4.5.3 This recipient needs a transaction of its own, try again later")
TAKEN = re.compile(r"status=sent \(250 2\.0\.0 Ok: queued as (\w+)\)")


def seen(story: Story) -> object:
    """Return what recipients see of a message, and what its ticket says of them."""
    return story.places, [copy.fields for copy in story.copies], [*story.verdicts.values()]


def test_recipient_who_differs_comes_another_time_and_each_gets_what_he_gets_alone(
    deferring_site: Site,
) -> None:
    raws = mail.gtube(), mail.gtube()

    with deferring_site.connect() as client:
        reply, others = client.offer(raws[0], ANNA, DAVE)
        again = client.send(raws[1], DAVE)

    assert others == {DAVE: LATER}
    stories = deferring_site.story(raws[0], reply), deferring_site.story(raws[1], again)
    alone = [deferring_site.receive(mail.gtube(), one) for one in (ANNA, DAVE)]
    assert [seen(one) for one in stories] == [seen(one) for one in alone]


def test_deferred_recipient_has_a_line_in_the_log_and_no_ticket(deferring_site: Site) -> None:
    raw = mail.letter()

    with deferring_site.connect() as client:
        reply, _ = client.offer(raw, ANNA, DAVE)

    story = deferring_site.story(raw, reply)
    assert list(story.verdicts) == [f"{ANNA}={ANNA}"]
    assert f"{reply.queue_id}: recipient deferred\n" in deferring_site.milter.log()
    assert DAVE not in deferring_site.milter.log()


def test_recipients_who_want_the_same_or_another_folder_share_a_message(deferring_site: Site) -> None:
    story = deferring_site.receive(
        mail.gtube(), ANNA, "judy@example.org", "bob@example.org", "info@example.org"
    )

    assert story.places == ["anna@example.org/", "bob@example.org/junk", "judy@example.org/"]


def test_authenticated_user_is_not_told_to_wait(deferring_site: Site) -> None:
    story = deferring_site.submit(mail.letter(), ANNA, DAVE)

    assert story.places == ["anna@example.org/", "dave@example.org/"]


def test_client_of_an_internal_network_is_not_told_to_wait(deferring_site: Site) -> None:
    raw = mail.letter()

    with deferring_site.connect(client="192.0.2.200") as client:
        story = deferring_site.story(raw, client.send(raw, ANNA, DAVE))

    assert story.places == ["anna@example.org/", "dave@example.org/"]


def test_client_with_many_recipients_who_differ_gets_further(deferring_site: Site) -> None:
    many = [f"dave+{number}@example.org" for number in range(MAX_DEFERRED + 12)]
    raw = mail.letter()

    with deferring_site.connect() as client:
        reply, others = client.offer(raw, ANNA, *many)

    assert list(others) == many[:MAX_DEFERRED]
    assert len(deferring_site.story(raw, reply).verdicts) == 1 + 12


@pytest.mark.parametrize("name", ["defer", "defer-libmilter"])
def test_mta_in_front_keeps_the_deferred_recipient_and_brings_him_later(
    name: str, postfix: Postfix, sites: Sites
) -> None:
    site = sites.get("postfix", name)
    raw = mail.gtube()

    with site.upstream() as client:
        queue_id = client.send(raw, ANNA, DAVE).queue_id
    said = postfix.wait_for_log(f"{queue_id}: to=<{DAVE}>")
    wait_until(lambda: any(one.parts[0] == "deferred" for one in postfix.queued() if one.name == queue_id))
    postfix.flush()
    postfix.wait_for_log(f"{queue_id}: removed")

    assert "status=deferred" in said and "452 4.5.3 This recipient needs" in said
    taken = [match[1] for line in postfix.log if f": {queue_id}: " in line and (match := TAKEN.search(line))]
    copies = [copy for one in taken for copy in postfix.delivered(one)]
    assert [(copy.account, bool(copy.fields)) for copy in copies] == [(ANNA, True), (DAVE, False)]


@pytest.mark.parametrize("front", ["stream", "libmilter"])
def test_local_program_is_not_told_to_wait_whoever_its_sender_is(
    front: str, start_milter: StartMilter
) -> None:
    with postfixes.running(["defer"]) as local:
        milter = {"defer_mixed": True, "front": front, "socket_mode": "0666"}
        tamis = start_milter({"milter": milter}, listen=local.listeners["defer"].milter)
        tamis.do("account", "set", DAVE, "antispam=off")

        local.sendmail("-f", "pat@example.net", ANNA, DAVE, message=mail.letter())

        for one in (ANNA, DAVE):  # a recipient whom a milter refuses here would keep the message in the queue
            local.wait_for_log(f"to=<{one}>, relay=virtual")
