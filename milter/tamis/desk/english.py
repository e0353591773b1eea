"""Mails to users in English."""

from __future__ import annotations

from tamis.desk.words import Kind, Words

ENGLISH = Words(
    subjects={
        Kind.CHANGED: "Settings of your mail filter were changed",
        Kind.PASSWORD: "Your password for the mail filter was changed",
        Kind.CLOSED: "Your account was closed",
        Kind.ERASED: "Your data was erased",
        Kind.INACTIVE: "Please sign in, or the data of your account will be deleted",
    },
    texts={
        Kind.CHANGED: """\
Hello,

at {time} your provider changed settings of the mail filter for
{address}:

{changes}

You get this mail because somebody other than you made the change. If you do
not know why, ask your provider.
""",
        Kind.PASSWORD: """\
Hello,

at {time} the password of
{address}
for the page of the mail filter was changed on that page. All other browsers
were signed out.

If it was not you, somebody else knew it: tell your provider soon.
""",
        Kind.CLOSED: """\
Hello,

at {time} the account {address}
was closed in the mail filter. What the filter keeps about it will be deleted
once the times that your provider promises have passed. Until then the account
can be reopened as it was.

If you did not want this, tell your provider soon.
""",
        Kind.ERASED: """\
Hello,

at {time} what the mail filter kept about
{address} was erased.

{kept}
""",
        Kind.INACTIVE: """\
Hello,

nobody has signed in to {address}
since {last}. Your provider promises to delete the data of accounts that
nobody uses. Sign in once to keep what the mail filter holds for you: your
settings, and what became of your mail.

Nothing is deleted for this before {until}.
""",
    },
    nothing="not set",
    gone="Nothing of it is left.",
    stays="""\
The law, or what your provider promises, wants some of it kept for longer; it
goes by itself on the day named:
""",
    until="  {name}: {day}",
)
