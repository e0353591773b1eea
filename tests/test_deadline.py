"""A block that takes too long ends; one that is cancelled for another reason says so."""

from __future__ import annotations

import asyncio

import pytest

from tamis.deadline import Deadline

NOW = 0.0  # seconds
NEVER = 3600.0  # seconds


def test_block_that_takes_too_long_ends_in_timeout() -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError), Deadline(NOW):
            await asyncio.Event().wait()

    asyncio.run(story())


def test_task_goes_on_after_its_deadline() -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError), Deadline(NOW):
            await asyncio.Event().wait()

        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(story())


def test_block_that_is_done_in_time_is_not_disturbed_afterwards() -> None:
    async def story() -> None:
        with Deadline(NOW):
            pass

        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(story())


def test_lifted_deadline_passes_unnoticed() -> None:
    async def story() -> None:
        with Deadline(NOW) as deadline:
            deadline.lift()
            for _ in range(3):
                await asyncio.sleep(0)

    asyncio.run(story())


@pytest.mark.parametrize("has_passed", [False, True])
def test_cancelling_from_outside_stays_cancelling(*, has_passed: bool) -> None:
    async def story() -> None:
        async def cancelled() -> None:
            with Deadline(NEVER) as deadline:
                if has_passed:
                    deadline._pass()
                await asyncio.Event().wait()

        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())


def test_error_of_the_block_comes_through_though_its_time_has_passed() -> None:
    async def story() -> None:
        with pytest.raises(LookupError), Deadline(NOW):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise LookupError from None

    asyncio.run(story())


def test_inner_deadline_leaves_the_outer_one_alone() -> None:
    async def story() -> None:
        with Deadline(NEVER):
            with pytest.raises(TimeoutError), Deadline(NOW):
                await asyncio.Event().wait()
            await asyncio.sleep(0)

    asyncio.run(story())
