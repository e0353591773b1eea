"""What is done beside requests, over and over, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from tamis.config import Config
from tamis.store.database import Database


@contextlib.contextmanager
def beside(config: Config, name: str, act: Callable[[Database], float]) -> Iterator[None]:
    """Do it in this while; it returns the seconds until the next time, and raises nothing."""
    is_over = threading.Event()

    def run() -> None:
        with contextlib.closing(Database(config.store)) as database:
            while not is_over.wait(act(database)):
                pass

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
