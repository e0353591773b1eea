"""Jobs that are done together, as a commit costs as much as several tickets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from tamis.interfaces import StoreUnavailable
from tamis.store.database import Refused

log = logging.getLogger(__name__)

AT_ONCE = 500  # jobs in one round
GATHER = 0.002  # seconds that a job waits for others where there are some
COMPANY = 16  # rounds after one with several jobs

Job = TypeVar("Job")


class Withdrawn(Exception):
    """Who asked for one of the jobs was told to try again while it was done: it is to be undone."""


class Company:
    """Knows whether a job has reason to wait for others."""

    def __init__(self) -> None:
        self._rounds = 0

    @property
    def is_expected(self) -> bool:
        """Whether there were several jobs lately."""
        return self._rounds > 0

    def came(self, jobs: int) -> None:
        """Note how many jobs a round has."""
        self._rounds = COMPANY if jobs > 1 else self._rounds - 1


def attempt(
    jobs: Sequence[Job],
    act: Callable[[Sequence[Job]], None],
    fail: Callable[[Sequence[Job], str], None],
    *,
    is_wanted: Callable[[Job], bool],
) -> None:
    """Do jobs together that somebody waits for; where the database takes one amiss, each by itself."""
    jobs = [job for job in jobs if is_wanted(job)]
    if not jobs:
        return
    try:
        act(jobs)
    except Withdrawn:
        attempt(jobs, act, fail, is_wanted=is_wanted)
    except Refused as error:
        if len(jobs) == 1:
            fail(jobs, str(error))
            return
        for job in jobs:
            attempt([job], act, fail, is_wanted=is_wanted)
    except StoreUnavailable as error:
        fail(jobs, str(error))
    except Exception as error:  # else nobody would do the jobs after
        log.error("store failed error=%s", type(error).__name__)
        fail(jobs, type(error).__name__)
