"""Says counts of few people so that nothing follows about one of them."""

from __future__ import annotations

LEAST = 5  # a smaller number is not told, be it 0


def told(number: int) -> int | None:
    """Return a number rounded down, None for one below LEAST.

    As each stands for five numbers at least, one that is not told does not follow from two others, such as
    those of a day and of its week. What is told goes in steps of ten from ten on, and has two digits from a
    hundred on.
    """
    if number < LEAST:
        return None
    step = LEAST if number < 2 * LEAST else max(10, 10 ** (len(str(number)) - 2))
    return number // step * step
