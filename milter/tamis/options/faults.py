"""What a log may say of an error: where it came from, and never with what, as its text may quote a user."""

from __future__ import annotations

import traceback


def told(error: BaseException) -> str:
    """Return the kind of an error, and the line that raised it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"error={type(error).__name__} at={place.filename}:{place.lineno}"
