"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

REVISION = "0007"  # of the newest migration, which a test compares with migrations/versions

metadata = MetaData()

account = Table(
    "account",
    metadata,
    Column("address", String, primary_key=True),  # lower case, as all addresses here
    Column("created", BigInteger, nullable=False),  # Unix time in milliseconds, as all times here
    Column("closed", BigInteger),  # none once it is reopened
    Column("erasure", BigInteger),  # when it was asked for last; the row outlives it as long as tickets do
    Column("restricted", BigInteger),  # since when only what must be is done with its data
    Column("last_sign_in", BigInteger),
    Column("warned", BigInteger),  # when its user was told last that nobody signs in
    sqlite_with_rowid=False,
)

# What the account set itself; what it did not set has no row.
setting = Table(
    "setting",
    metadata,
    Column("account", ForeignKey("account.address", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)

# One row per target. A name is an address or "@domain": a catch-all, or with the one target "@other" a domain
# alias.
alias = Table(
    "alias",
    metadata,
    Column("name", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("target", String, nullable=False),
    sqlite_with_rowid=False,
)

# Each change of accounts, settings and aliases adds 1 to "settings", so that other processes notice it.
counter = Table(
    "counter",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# IDs are ULIDs, whose order is that of time; a further index would be one more page to write for each ticket.
ticket = Table(
    "ticket",
    metadata,
    Column("id", String, primary_key=True),
    Column("message_id", String),  # with its angle brackets
    Column("body", Text, nullable=False),  # the ticket's JSON object
    Column("chain", Integer, nullable=False),
    Column("number", Integer, nullable=False),  # in the chain, from 1
    Column("is_last", Boolean, nullable=False),  # of a chain that is open
    Column("salt", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),  # hash of the link before and of salt and body
    sqlite_with_rowid=False,
)
Index("ticket_message_id", ticket.c.message_id)

# The accounts that a ticket is about.
ticket_account = Table(
    "ticket_account",
    metadata,
    Column("account", String, primary_key=True),
    Column("ticket", String, primary_key=True),
    sqlite_with_rowid=False,
)

# The tickets of one day, by their IDs, as one writer at a time has added them. Chains are 1, 2, 3 and so on.
# While one is open its last ticket marks its end: to tell it here would write one more page in each commit.
chain = Table(
    "chain",
    metadata,
    Column("day", Integer, primary_key=True),  # days since 1970-01-01
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),  # open, sealed, purged
    Column("tickets", Integer),  # none while open, as the following
    Column("head", LargeBinary),  # the last link
    Column("seal", LargeBinary),  # signature of all that
    sqlite_with_rowid=False,
)

# What is left of tickets that were purged or erased, in chains that have others.
ticket_gone = Table(
    "ticket_gone",
    metadata,
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),  # hash of salt and body, both of which are gone
    Column("proof", LargeBinary, nullable=False),  # that it was us: a hash under the sealing key
    sqlite_with_rowid=False,
)

# Copies that the relay has accepted.
copy_guard = Table(
    "copy_guard",
    metadata,
    Column("key", LargeBinary, primary_key=True),  # a keyed hash
    Column("time", BigInteger, nullable=False),  # Unix time in milliseconds
    sqlite_with_rowid=False,
)
Index(
    "copy_guard_time", copy_guard.c.time
)  # else a busy site would read all rows to find those of an hour ago

# Records about one account each. Their IDs are ULIDs, as those of tickets, and tell their time.
session = Table(
    "session",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),  # options, smtp
    Column("address", String),  # the client's
    sqlite_with_rowid=False,
)
Index("session_account", session.c.account)

setting_change = Table(
    "setting_change",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("actor", String, nullable=False),  # user, webmail:NAME, tamis, or an operator's name
    Column("key", String, nullable=False),  # a setting's, or what else was done to the account
    Column("old", Text),  # JSON, as the following; none where there was none
    Column("new", Text),
    sqlite_with_rowid=False,
)
Index("setting_change_account", setting_change.c.account)

consent = Table(
    "consent",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("purpose", String, nullable=False),  # learning
    Column("given", Boolean, nullable=False),  # else withdrawn
    Column("actor", String, nullable=False),
    sqlite_with_rowid=False,
)
Index("consent_account", consent.c.account)

# Who is signed in to the web page: the hash stands for the random octets of the browser's cookie.
web_session = Table(
    "web_session",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # a keyed hash
    Column("account", String, nullable=False),  # or the name of an operator, which has no "@"
    Column("sign_in", String, nullable=False),  # the ID of its record, "" of an operator's
    Column("made", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("language", String),  # where its user has chosen one
    sqlite_with_rowid=False,
)
Index("web_session_account", web_session.c.account)
Index("web_session_expires", web_session.c.expires)

local_password = Table(
    "local_password",
    metadata,
    Column("account", String, primary_key=True),
    Column("hash", String, nullable=False),  # of argon2, with its salt and parameters (RFC 9106)
    Column("changed", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Who may see the overview, which names nobody.
operator = Table(
    "operator",
    metadata,
    Column("name", String, primary_key=True),
    Column("hash", String, nullable=False),  # as that of a local password; "" where a reverse proxy names him
    Column("changed", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What the metrics' counters were in an hour at first and at last; they begin at 0 when a service is started.
hourly_count = Table(
    "hourly_count",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # its beginning
    Column("started", BigInteger, primary_key=True, autoincrement=False),  # the service
    Column("first", Text, nullable=False),  # JSON: numbers by samples' names
    Column("last", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What programs sign in with.
api_token = Table(
    "api_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # a keyed hash
    Column("id", String, nullable=False, unique=True),
    Column("account", String),  # none for that of the webmail's server, which acts for all
    Column("name", String, nullable=False),  # what its owner calls it
    Column("used", BigInteger),
    Column("expires", BigInteger),  # none: it lasts until it is revoked
    Column("scope", String, nullable=False, server_default="read"),  # read, change, erase
    sqlite_with_rowid=False,
)
Index("api_token_account", api_token.c.account)

# Links that somebody has signed in with, as long as they would count.
used_link = Table(
    "used_link",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # a keyed hash
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("used_link_expires", used_link.c.expires)

# What is still to be told to users.
notice = Table(
    "notice",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),  # to whose address it goes
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),  # JSON: what the words need
    Column("tried", BigInteger),  # the last time that it could not be sent
    sqlite_with_rowid=False,
)
Index("notice_account", notice.c.account)

# Disclosures, holds, readings.
legal_act = Table(
    "legal_act",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)

# What may not be touched; the act has the same ID.
hold = Table(
    "hold",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("released", BigInteger),
    sqlite_with_rowid=False,
)
Index("hold_account", hold.c.account)

# What a purge has done, in counts.
receipt = Table(
    "receipt",
    metadata,
    Column("id", String, primary_key=True),
    Column("body", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)

# Random octets that all workers and nodes share: keys.
secret = Table(
    "secret",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
