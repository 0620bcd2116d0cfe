"""One timer for all: each block is still cut off at its own time, and at no other."""

import asyncio
import time

import pytest

from core.routing.deadline import Deadline, Deadlines


async def within(deadlines, seconds, body):
    with Deadline(deadlines, seconds):
        return await body


def test_each_is_cut_off_at_its_own_time_however_they_are_mixed():
    deadlines, limits = Deadlines(), [0.3, 0.05, 0.2, 60.0, 0.1, 0.05]
    took = {}

    async def one(place, seconds):
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await within(deadlines, seconds, asyncio.sleep(60))
        took[place] = time.monotonic() - begun

    async def all_of_them():
        tasks = [asyncio.create_task(one(*each)) for each in enumerate(limits)]
        await asyncio.wait([task for task, limit in zip(tasks, limits, strict=True) if limit < 60])
        assert not tasks[3].done()
        tasks[3].cancel()

    asyncio.run(all_of_them())
    assert sorted(took) == [0, 1, 2, 4, 5]
    assert all(limits[place] <= seconds < limits[place] + 0.25 for place, seconds in took.items())


def test_what_ends_in_time_is_let_be_and_frees_its_place():
    deadlines = Deadlines()

    async def quick_ones():
        for _ in range(50):
            assert await within(deadlines, 0.02, asyncio.sleep(0, "done")) == "done"
        await asyncio.sleep(0.05)  # past the time of each
        return await within(deadlines, 60, asyncio.sleep(0.05, "undisturbed"))

    assert asyncio.run(quick_ones()) == "undisturbed"
    with pytest.raises(TimeoutError):  # on another loop, after the first is gone
        asyncio.run(within(deadlines, 0.02, asyncio.sleep(60)))


def test_a_cancelled_task_stays_cancelled_even_at_the_moment_of_its_deadline():
    deadlines = Deadlines()

    async def both_at_once():
        task = asyncio.create_task(within(deadlines, 0.02, asyncio.sleep(60)))
        await asyncio.sleep(0)
        time.sleep(0.03)  # the deadline is due, and before it is looked at:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(both_at_once())


def test_a_cut_off_task_may_go_on_and_be_cut_off_again():
    deadlines = Deadlines()

    async def twice():
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await within(deadlines, 0.02, asyncio.sleep(60))
        await asyncio.sleep(0.02)
        return asyncio.current_task().cancelling()

    assert asyncio.run(twice()) == 0


def test_a_timeout_of_somebody_elses_is_told_from_our_own():
    async def foreign():
        with pytest.raises(TimeoutError), Deadline(Deadlines(), 60) as deadline:
            raise TimeoutError
        return deadline.expired

    assert asyncio.run(foreign()) is False
