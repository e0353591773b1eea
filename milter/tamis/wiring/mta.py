"""Finds the MTA of this host, and says how it is connected."""

from __future__ import annotations

from collections.abc import Iterator

from tamis.config import Config
from tamis.wiring import postfix, postfix_remarks, sendmail, sendmail_remarks
from tamis.wiring.remark import Remark, warning


def remarks(config: Config) -> Iterator[Remark]:
    """Yield what is right and wrong; Postfix comes first, as a removed Sendmail leaves its files behind."""
    postconf = postfix.find()
    file = sendmail.find()
    try:
        if postconf is not None:
            yield from postfix_remarks.remarks(config, postfix.read(postconf))
        elif file is not None:
            yield from sendmail_remarks.remarks(config, sendmail.read(file))
        else:
            yield warning(
                "no Postfix or Sendmail found here: compare the MTA's settings with docs/install-*.md"
            )
    except OSError as error:
        yield warning(f"the MTA's configuration cannot be read: {error}")
