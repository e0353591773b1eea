"""The notice's part on what is analysed, and by which means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tamis.preferences import THRESHOLD
from tamis.promises.speech import Speech
from tamis.promises.terms import Setting, Terms
from tamis.words.catalogue import text

FILTERS = {
    "antivirus": (text("Antivirus"), text("looks for malware.")),
    "antispam": (text("Antispam"), text("looks for spam: mail that nobody asked for, and fraud.")),
    "graymail": (
        text("Graymail"),
        text("recognises newsletters, notices of social networks and mail of discussion lists."),
    ),
}
STATES = {
    ("on", True): text("It is on unless you switch it off."),
    ("off", True): text("It is off unless you switch it on."),
    ("on", False): text("It is on, and users cannot switch it off."),
    ("off", False): text("It is off, and users cannot switch it on."),
}
ELSEWHERE = {
    "on": text("For addresses of {domains} it is on."),
    "off": text("For addresses of {domains} it is off."),
}
GRAYMAIL = {
    "graymail.newsletter": text("a newsletter"),
    "graymail.social": text("a notice of a social network"),
    "graymail.list": text("mail of a discussion list"),
}
TREATED = {
    "mark": text("marked in its header"),
    "file": text("put into a folder of its own, or marked where that cannot be"),
    "none": text("delivered as it is"),
}
UNSCANNABLE = {
    "pass": text("What the scanner cannot read (too large, encrypted) is delivered."),
    "mark": text("What the scanner cannot read (too large, encrypted) is delivered and marked."),
    "refuse": text("What the scanner cannot read (too large, encrypted) is refused."),
}
GUESSES = {
    "pass": text("What it only suspects is delivered."),
    "mark": text("What it only suspects is delivered and marked."),
    "refuse": text("What it only suspects is refused."),
}
MIXED = {
    "discard": text(
        "If the message also goes to somebody who does without this filter, it is not refused as a whole: "
        "only you do not get it."
    ),
    "mark": text(
        "If the message also goes to somebody who does without this filter, you get it, too, marked where "
        "the others' copies do not show it."
    ),
}
FAILED = {
    ("antivirus", "tempfail"): text(
        "If the scanner fails, the message waits with its sender and comes later."
    ),
    ("antivirus", "pass"): text(
        "If the scanner fails, the message is delivered without having been scanned, and says so in its "
        "header."
    ),
    ("", "tempfail"): text("If the filter fails, the message waits with its sender and comes later."),
    ("", "pass"): text("If the filter fails, the message is delivered without its result."),
}
LEARNING = {
    ("on", True): text("The filter may learn from mail that you report, unless you object."),
    ("off", True): text("Nothing is learned from your mail unless you agree."),
    ("on", False): text("The filter may learn from mail that you report."),
    ("off", False): text("Nothing is learned from your mail."),
}


def sections(terms: Terms, say: Speech) -> Iterator[str]:
    """Return the paragraphs, headings among them."""
    yield f"## {say.gettext('What is analysed')}"
    if terms.mode == "shadow":
        yield say.gettext(
            "**At present the filter only watches.** It analyses mail and records what it found, and "
            "neither marks, moves nor refuses anything. What stands here is what it would do."
        )
    yield say.gettext(
        "Incoming mail passes these filters. One runs on a message only if somebody who receives it has it "
        "on:"
    )
    yield "\n".join(f"- {' '.join(_filter(name, terms, say))}" for name in FILTERS)
    yield " ".join(_choices(terms, say))
    yield " ".join(_outgoing(terms, say))
    yield f"## {say.gettext('By which means')}"
    yield " ".join(_means(terms, say))


def _filter(name: str, terms: Terms, say: Speech) -> Iterator[str]:
    title, about = FILTERS[name]
    setting = terms.settings[name]
    if not setting.ever:
        yield say.gettext("**{filter}** is not in use on incoming mail.").format(filter=say.gettext(title))
        return
    yield f"**{say.gettext(title)}** {say.gettext(about)}"
    yield say.gettext(STATES[str(setting.default), setting.free])
    yield from _elsewhere(setting, ELSEWHERE, say)
    match name:
        case "antivirus":
            yield from _antivirus(terms, say)
        case "antispam":
            yield from _antispam(terms, say)
        case _:
            yield from _graymail(terms, say)
    error = terms.on_error[name]
    yield say.gettext(FAILED[name if name == "antivirus" else "", error])


def _elsewhere(setting: Setting, texts: Mapping[str, str], say: Speech) -> Iterator[str]:
    """Return where a default is another, a sentence for each value."""
    where = defaultdict(list)
    for domain, value in setting.domains.items():
        where[str(value)].append(domain)
    for value, domains in where.items():
        yield say.gettext(texts[value]).format(domains=say.all_of(domains))


def _antivirus(terms: Terms, say: Speech) -> Iterator[str]:
    yield say.gettext("A message with malware is refused.")
    yield say.gettext(MIXED[terms.mixed])
    yield say.gettext(GUESSES[terms.heuristics])
    yield say.gettext(UNSCANNABLE[terms.on_unscannable])


def _antispam(terms: Terms, say: Speech) -> Iterator[str]:
    limit = terms.settings[THRESHOLD]
    yield say.gettext("It adds up what speaks for spam: from a score of {bits} on a message is spam.").format(
        bits=say.bits(limit.default)
    )
    for domain, bits in limit.domains.items():
        yield say.gettext("For addresses of {domains} that is {bits}.").format(
            domains=domain, bits=say.bits(bits)
        )
    if limit.free:
        yield say.gettext("You can set another score.")
    action = terms.settings["antispam.action"]
    yield say.gettext("Spam is {treated}.").format(treated=say.gettext(TREATED[str(action.default)]))
    yield from _treated_elsewhere(action, say.gettext("spam"), say)
    if action.free:
        yield say.gettext("You can choose whether it is marked, put into a folder or delivered as it is.")
    if terms.refuse:
        yield say.gettext(
            "From a score of {bits} on it is refused; where the message also goes to others it may be put "
            "into a folder or marked instead."
        ).format(bits=say.bits(terms.refuse))


def _graymail(terms: Terms, say: Speech) -> Iterator[str]:
    actions = {name: terms.settings[name] for name in GRAYMAIL}
    treated = {action.default for action in actions.values()}
    if len(treated) == 1:
        yield say.gettext("What it finds is {treated}.").format(treated=say.gettext(TREATED[str(*treated)]))
    for name, action in actions.items():
        what = say.gettext(GRAYMAIL[name])
        if len(treated) > 1:
            yield say.gettext("What it takes for {what} is {treated}.").format(
                what=what, treated=say.gettext(TREATED[str(action.default)])
            )
        yield from _treated_elsewhere(action, what, say)
    if actions["graymail.list"].free:
        yield say.gettext(
            "You can choose for each kind whether it is marked, put into a folder or delivered as it is."
        )


def _treated_elsewhere(action: Setting, what: str, say: Speech) -> Iterator[str]:
    for domain, value in action.domains.items():
        yield say.gettext("For addresses of {domains} {what} is {treated}.").format(
            domains=domain, what=what, treated=say.gettext(TREATED[str(value)])
        )


def _choices(terms: Terms, say: Speech) -> Iterator[str]:
    if any(terms.settings[name].ever for name in ("antispam", "graymail")):
        yield from _lists(terms, say)
    learning = terms.settings["learning"]
    yield say.gettext(LEARNING[str(learning.default), learning.free])
    for domain, value in learning.domains.items():
        rule = say.gettext(LEARNING[str(value), learning.free])
        yield say.gettext("For addresses of {domains}: {rule}").format(
            domains=domain, rule=rule[0].lower() + rule[1:]
        )
    if terms.copies:
        yield say.gettext(
            "If a message goes to several people who chose differently, each of them gets what was chosen: "
            "the others' choices do not show."
        )
    else:
        yield say.gettext(
            "If a message goes to several people who chose differently, they may get only what all of them "
            "agreed to."
        )


def _lists(terms: Terms, say: Speech) -> Iterator[str]:
    if terms.lists_free:
        yield say.gettext(
            "You can name senders whose mail is to count as wanted, as spam, as a newsletter or as a notice "
            "of a social network, where the filter concerned is on. Antivirus looks at their mail all the "
            "same."
        )
    if terms.site_lists:
        yield say.gettext(
            "We ourselves keep lists of senders whose mail counts as wanted, as spam, as a newsletter or as "
            "a notice of a social network, for all users or for those of a domain."
        )


def _outgoing(terms: Terms, say: Speech) -> Iterator[str]:
    checks = terms.outgoing
    names = [say.gettext(title).lower() for name, (title, _) in FILTERS.items() if getattr(checks, name)]
    if names:
        yield say.gettext(
            "Mail that you send is checked for us, to protect its recipients and the reputation of our "
            "servers: {filters}. You cannot switch that off, and it adds nothing to your mail."
        ).format(filters=say.all_of(names))
    else:
        yield say.gettext("Mail that you send is not checked for us.")
    if checks.antivirus:
        yield say.gettext("A message with malware is refused.")
    if checks.antispam:
        yield say.gettext("From a score of {bits} on it is refused as spam.").format(
            bits=say.bits(checks.spam_refuse)
        )
    yield say.gettext("For those of our users to whom you write, it is filtered as they chose.")


def _means(terms: Terms, say: Speech) -> Iterator[str]:
    yield say.gettext("Mail is analysed by programs, in memory.")
    if _used("antispam", terms) or _used("graymail", terms):
        yield say.gettext(
            "Spam and graymail are recognised by the filter itself, by rules and statistics on its own "
            "server; no outside service is asked."
        )
    if not _used("antivirus", terms):
        return
    scanners = [one for one in terms.egress if one.purpose == "antivirus"]
    here = any(not one.leaves_host for one in scanners)
    away = [one.peer for one in scanners if one.leaves_host]
    if here:
        yield say.gettext("Malware is looked for by a scanner (ClamAV) on the same server.")
    if away:
        pattern = (
            say.gettext("It may be looked for by another at {peers}: whole messages are then sent there.")
            if here
            else say.gettext(
                "Malware is looked for by a scanner (ClamAV) at {peers}: whole messages are sent there."
            )
        )
        yield pattern.format(peers=say.all_of(away))


def _used(name: str, terms: Terms) -> bool:
    return terms.settings[name].ever or bool(getattr(terms.outgoing, name))
