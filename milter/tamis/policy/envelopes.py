"""Who stands in which envelope: groups of equal fields, their addresses, and what the transaction loses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tamis.decision import Copy, Decision, Field
from tamis.message import Recipient
from tamis.ticket import Action


@dataclass(slots=True)
class Addressee:
    """One recipient of an envelope."""

    recipient: Recipient  # as received, or readdressed with his DSN parameters
    received: bool
    decisions: list[int]  # positions of those that he stands for


@dataclass(slots=True)
class Envelope:
    """The addressees of one group."""

    fields: tuple[tuple[str, str], ...]
    addressees: list[Addressee] = field(default_factory=list)

    @property
    def unchanged(self) -> bool:
        """Whether the message as received serves."""
        return not self.fields and all(one.received for one in self.addressees)

    def copy(self) -> Copy:
        """Return the copy that this envelope is for."""
        return Copy(
            recipients=tuple(
                readdressed(one.recipient, one.recipient.address) if one.received else one.recipient
                for one in self.addressees
            ),
            fields=self.fields,
            decisions=tuple(tuple(one.decisions) for one in self.addressees),
        )


def grouped(decisions: Sequence[Decision], delivered: Collection[int]) -> list[list[int]]:
    """Return the positions of decisions with equal fields, without those who get nothing or have it."""
    groups: dict[tuple[Field, ...], list[int]] = {}
    for position, one in enumerate(decisions):
        if one.action is not Action.DISCARD and position not in delivered:
            groups.setdefault(one.fields, []).append(position)
    return list(groups.values())


def received(decisions: Sequence[Decision]) -> dict[str, list[int]]:
    """Return the positions of the decisions behind each address as received."""
    found: dict[str, list[int]] = {}
    for position, one in enumerate(decisions):
        found.setdefault(one.recipient.address, []).append(position)
    return found


def addressed(
    decisions: Sequence[Decision],
    groups: Sequence[Sequence[int]],
    fields: Sequence[Sequence[Field]],
    delimiter: str,
) -> list[Envelope]:
    """Return an envelope for each group.

    An address stays as received if all that it stands for is in one group and none of it is filed; else its
    members are addressed by their own names, each address once.
    """
    found = [Envelope(tuple((one.name, one.value) for one in some)) for some in fields]
    group_of = {position: number for number, group in enumerate(groups) for position in group}
    known: list[dict[str, Addressee]] = [{} for _ in groups]  # by folded address, as MTAs see what is double
    apart: list[int] = []
    for address, positions in received(decisions).items():
        places = {group_of.get(one) for one in positions}
        number = places.pop()
        if number is None or places or any(decisions[one].action is Action.FILE for one in positions):
            apart += positions
            continue
        addressee = Addressee(decisions[positions[0]].recipient, received=True, decisions=positions)
        found[number].addressees.append(addressee)
        known[number].setdefault(address.lower(), addressee)
    for position in apart:
        if (number := group_of.get(position)) is None:
            continue
        one = decisions[position]
        address = filed_address(one, delimiter) if one.action is Action.FILE else one.address
        if same := known[number].get(address.lower()):
            same.decisions.append(position)
            continue
        addressee = Addressee(readdressed(one.recipient, address), received=False, decisions=[position])
        found[number].addressees.append(addressee)
        known[number][address.lower()] = addressee
    return found


def disjoint(envelopes: Sequence[Envelope]) -> bool:
    """Tell whether no address is in two envelopes: nobody would see the double."""
    seen: set[str] = set()
    for envelope in envelopes:
        addresses = {one.recipient.address.lower() for one in envelope.addressees}
        if seen & addresses:
            return False
        seen |= addresses
    return True


def changes(
    decisions: Sequence[Decision], staying: Envelope | None
) -> tuple[tuple[str, ...], tuple[Recipient, ...]]:
    """Return the recipients that the transaction loses, and those that it gets."""
    kept = staying.addressees if staying is not None else []
    as_received = {one.recipient.address for one in kept if one.received}
    removed = [address for address in received(decisions) if address not in as_received]
    added = [one.recipient for one in kept if not one.received]
    # Received with the very detail that it is filed under. What is removed and then added, in whatever case,
    # Postfix may take for a duplicate, and it would be lost.
    both = {one.lower() for one in removed} & {one.address.lower() for one in added}
    return (
        tuple(one for one in removed if one.lower() not in both),
        tuple(one for one in added if one.address.lower() not in both),
    )


def filed_address(decision: Decision, delimiter: str) -> str:
    """Return the +detail address that a decision files under."""
    local, _, domain = (decision.account or decision.address).rpartition("@")
    return f"{local}{delimiter}{decision.folder}@{domain}"


def mailbox(decision: Decision, delimiter: str) -> str:
    """Return where a recipient's mail goes unless it is filed: his own address, with the detail received.

    Who is addressed twice, by an alias, say, and by name, has one mailbox and needs the message once. It does
    not depend on what was found, so that it is the same when the MTA tries again.
    """
    own = decision.address.lower()
    name, _, domain = own.rpartition("@")
    local = decision.recipient.meant.lower().removesuffix(f"@{domain}")
    if delimiter and "@" not in local and local.startswith(name + delimiter):
        return f"{local}@{domain}"
    return own


def readdressed(recipient: Recipient, address: str) -> Recipient:
    """Return a recipient under an address, with NOTIFY and ORCPT as received.

    Who had no ORCPT gets his address as received as such (RFC 3461).
    """
    kept = [one for one in recipient.parameters if one.upper().startswith(("NOTIFY=", "ORCPT="))]
    if not any(one.upper().startswith("ORCPT=") for one in kept) and recipient.address.isascii():
        kept.append(f"ORCPT=rfc822;{_xtext(recipient.address)}")
    return Recipient(address, tuple(kept))


def _xtext(text: str) -> str:
    """Return an ASCII text as xtext (RFC 3461 section 4)."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
