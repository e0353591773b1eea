"""Finds the MTA of this host, and says how it is connected."""

from __future__ import annotations

from collections.abc import Iterator

from tamis.config import Config
from tamis.wiring import postfix, postfix_copies, postfix_remarks, sendmail, sendmail_remarks
from tamis.wiring.remark import Remark, warning


def remarks(config: Config, handing_over: float) -> Iterator[Remark]:
    """Yield what is right and wrong; Postfix comes first, as a removed Sendmail leaves its files behind.

    handing_over: the seconds that copies of a message may take on their way to resend.relay.
    """
    postconf = postfix.find()
    file = sendmail.find()
    try:
        if postconf is not None:
            found = postfix.read(postconf)
            yield from postfix_remarks.remarks(config, found)
            yield from postfix_copies.remarks(config, found, handing_over)
        elif file is not None:
            yield from sendmail_remarks.remarks(config, sendmail.read(file), handing_over)
        else:
            yield warning(
                "no Postfix or Sendmail found here: compare the MTA's settings with docs/install-*.md"
            )
    except OSError as error:
        yield warning(f"the MTA's configuration cannot be read: {error}")
