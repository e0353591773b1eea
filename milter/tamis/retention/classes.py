"""The classes of records: what each is for, whose clocks it can run by, and what may become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class RecordClass(StrEnum):
    """What is kept about people and their mail, by how long it is kept."""

    ACCOUNT = "account"
    TICKET = "ticket"
    SESSION = "session"
    SETTING_CHANGE = "setting_change"
    CONSENT = "consent"
    LOG = "log"
    LEGAL_ACT = "legal_act"
    CORRESPONDENT = "correspondent"
    COUNTER = "counter"
    COPY_GUARD = "copy_guard"
    PERSONAL_MODEL = "personal_model"


class Clock(StrEnum):
    """From when a record's time is counted. One that has not started sets no limit."""

    AGE = "age"  # since the record was made
    CLOSING = "closing"  # since its account was closed; a reopened account's stands still
    SIGN_IN = "sign_in"  # since the last sign-in to an open account


@dataclass(frozen=True, slots=True)
class Words:
    """The same in the languages of the privacy notice."""

    english: str
    french: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of records is."""

    name: Words
    purpose: Words
    clocks: tuple[Clock, ...]
    pseudonymous: bool = False  # addresses in it can be replaced by keyed hashes


# An account's own records have all three. What names no account, or must outlive it, has its age alone.
OWN = (Clock.AGE, Clock.CLOSING, Clock.SIGN_IN)
LASTING = (Clock.CLOSING, Clock.SIGN_IN)  # what is changed in place for as long as there is the account

KINDS: Mapping[RecordClass, Kind] = {
    RecordClass.ACCOUNT: Kind(
        name=Words("account and settings", "compte et réglages"),
        purpose=Words(
            "to filter the account's mail as its user chose",
            "filtrer le courrier du compte comme son utilisateur l'a choisi",
        ),
        clocks=LASTING,
    ),
    RecordClass.TICKET: Kind(
        name=Words("tickets", "tickets d'exploitation"),
        purpose=Words(
            "to tell what became of a message, and to answer lawful requests",
            "dire ce qu'il est advenu d'un message, et répondre aux demandes légales",
        ),
        clocks=OWN,
        pseudonymous=True,
    ),
    RecordClass.SESSION: Kind(
        name=Words("sign-ins", "connexions"),
        purpose=Words(
            "to let a user see who signed in to the account",
            "permettre à l'utilisateur de voir qui s'est connecté au compte",
        ),
        clocks=(Clock.AGE, Clock.CLOSING),
    ),
    RecordClass.SETTING_CHANGE: Kind(
        name=Words("changes of settings", "modifications des réglages"),
        purpose=Words(
            "to tell who changed a setting, and when",
            "dire qui a modifié un réglage, et quand",
        ),
        clocks=OWN,
    ),
    RecordClass.CONSENT: Kind(
        name=Words("consents", "consentements"),
        purpose=Words(
            "to prove that a user agreed, to learning for instance",
            "prouver que l'utilisateur a consenti, par exemple à l'apprentissage",
        ),
        clocks=OWN,
    ),
    RecordClass.LOG: Kind(
        name=Words("log files", "journaux"),
        purpose=Words(
            "to find the cause of a technical problem",
            "trouver la cause d'un problème technique",
        ),
        clocks=(Clock.AGE,),
    ),
    RecordClass.LEGAL_ACT: Kind(
        name=Words("disclosures, holds and readings", "communications, gels et consultations"),
        purpose=Words(
            "to account for who was shown what, and on which legal basis",
            "rendre compte de qui a eu accès à quoi, et sur quelle base légale",
        ),
        clocks=(Clock.AGE,),
    ),
    RecordClass.CORRESPONDENT: Kind(
        name=Words("addresses written to, as keyed hashes", "adresses contactées, hachées avec une clé"),
        purpose=Words(
            "to know mail from people to whom the user wrote, and to notice an abused account",
            "reconnaître le courrier de ceux à qui l'utilisateur a écrit, et remarquer un compte détourné",
        ),
        clocks=OWN,
    ),
    RecordClass.COUNTER: Kind(
        name=Words("counts of messages sent", "compteurs de messages envoyés"),
        purpose=Words(
            "to limit what an abused account can send",
            "limiter ce qu'un compte détourné peut envoyer",
        ),
        clocks=(Clock.AGE,),
    ),
    RecordClass.COPY_GUARD: Kind(
        name=Words("keyed hashes of copies", "empreintes de copies, hachées avec une clé"),
        purpose=Words(
            "to send no copy twice when the mail server tries again",
            "n'envoyer aucune copie deux fois quand le serveur de courrier recommence",
        ),
        clocks=(Clock.AGE,),
    ),
    RecordClass.PERSONAL_MODEL: Kind(
        name=Words("what was learned for one user", "ce qui a été appris pour un utilisateur"),
        purpose=Words(
            "to judge mail as this user would",
            "juger le courrier comme le ferait cet utilisateur",
        ),
        clocks=LASTING,
    ),
}
