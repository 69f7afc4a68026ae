import asyncio
import gc

import pytest
import uvloop

from fakeapi import virtualtime
from leeward.engine.queue import Backoff, Priority, WorkQueue
from leeward.plans.shared.faults import TransientError


class Bench:
    """Work that notes when it was done, and does what it is told."""

    def __init__(self, *, workers: int = 2, seconds: float = 1.0) -> None:
        self.log: list[tuple[float, str]] = []
        self.after: dict[str, float] = {}
        self.failures: dict[str, list[Exception]] = {}
        self.seconds = seconds
        self.most = 0
        self.queue: WorkQueue[str] = WorkQueue(
            self.work,
            workers=workers,
            backoff=Backoff(base=1.0, limit=100.0),
            unit_random=lambda: 0.0,
        )

    async def work(self, key: str) -> float | None:
        self.most = max(self.most, self.queue.running)
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(self.seconds)
        self.log.append((start - 1000.0, key))
        if self.failures.get(key):
            raise self.failures[key].pop(0)
        return self.after.pop(key, None)

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.log]


def test_a_key_is_worked_on_once_however_often_it_was_added() -> None:
    async def main() -> Bench:
        bench = Bench()
        for key in ("a", "b", "a", "a"):
            bench.queue.add(key)
        bench.queue.open()
        await asyncio.sleep(10)
        return bench

    assert virtualtime.run(main()).keys == ["a", "b"]


def test_a_change_during_the_work_makes_it_run_once_more_and_never_twice_at_a_time() -> None:
    async def main() -> Bench:
        bench = Bench()
        bench.queue.open()
        bench.queue.add("a")
        await asyncio.sleep(0.5)
        bench.queue.add("a")
        bench.queue.add("a")
        await asyncio.sleep(10)
        return bench

    bench = virtualtime.run(main())
    assert bench.log == [(0.0, "a"), (1.0, "a")]
    assert bench.most == 1


def test_no_more_than_the_workers_at_once() -> None:
    async def main() -> Bench:
        bench = Bench(workers=3)
        bench.queue.open()
        for number in range(10):
            bench.queue.add(str(number))
        await asyncio.sleep(10)
        return bench

    bench = virtualtime.run(main())
    assert bench.most == 3
    assert len(bench.log) == 10


def test_changes_go_before_resyncs_which_do_not_starve() -> None:
    async def main() -> Bench:
        bench = Bench(workers=1)
        bench.queue.add("resync", Priority.RESYNC)
        for number in range(12):
            bench.queue.add(str(number))
        bench.queue.open()
        await asyncio.sleep(20)
        return bench

    keys = virtualtime.run(main()).keys
    assert keys[0] == "0"
    assert 0 < keys.index("resync") < 9


def test_a_change_promotes_a_key_that_waits_for_a_resync() -> None:
    async def main() -> Bench:
        bench = Bench(workers=1)
        for key in ("x", "y", "z"):
            bench.queue.add(key, Priority.RESYNC)
        bench.queue.add("z")
        bench.queue.open()
        await asyncio.sleep(20)
        assert bench.queue.depth == 0
        return bench

    assert virtualtime.run(main()).keys == ["z", "x", "y"]


def test_the_earliest_time_wins() -> None:
    async def main() -> Bench:
        bench = Bench(seconds=0.0)
        bench.queue.open()
        bench.queue.add_after("a", 50)
        bench.queue.add_after("a", 5)
        bench.queue.add_after("a", 500)
        await asyncio.sleep(1000)
        return bench

    assert virtualtime.run(main()).log == [(5.0, "a")]


def test_a_key_that_is_worked_on_comes_up_again_as_soon_as_that_is_done() -> None:
    async def main() -> Bench:
        bench = Bench(seconds=10.0)
        bench.queue.open()
        bench.queue.add("a")
        await asyncio.sleep(1)
        bench.queue.add_after("a", 2)
        await asyncio.sleep(1000)
        return bench

    bench = virtualtime.run(main())
    assert bench.log == [(0.0, "a"), (10.0, "a")]
    assert bench.most == 1


def test_a_key_comes_back_when_it_said_so_or_at_once_after_a_change() -> None:
    async def main() -> Bench:
        bench = Bench(seconds=0.0)
        bench.queue.open()
        bench.after["a"] = 30.0
        bench.queue.add("a")
        await asyncio.sleep(10)
        bench.after["a"] = 60.0
        bench.queue.add("a")
        await asyncio.sleep(1000)
        return bench

    assert [when for when, _ in virtualtime.run(main()).log] == [0.0, 10.0, 70.0]


def test_failures_back_off_and_success_forgets_them() -> None:
    async def main() -> Bench:
        bench = Bench(seconds=0.0)
        bench.failures["a"] = [ValueError() for _ in range(4)]
        bench.queue.open()
        bench.queue.add("a")
        await asyncio.sleep(100)
        bench.failures["a"] = [ValueError()]
        bench.queue.add("a")
        await asyncio.sleep(100)
        return bench

    times = [when for when, _ in virtualtime.run(main()).log]
    assert times == [0.0, 1.0, 3.0, 7.0, 15.0, 100.0, 101.0]


def test_the_other_side_may_ask_for_a_longer_wait() -> None:
    async def main() -> Bench:
        bench = Bench(seconds=0.0)
        bench.failures["a"] = [TransientError("429", retry_after=40.0)]
        bench.queue.open()
        bench.queue.add("a")
        await asyncio.sleep(100)
        return bench

    assert [when for when, _ in virtualtime.run(main()).log] == [0.0, 40.0]


def test_one_failing_key_does_not_hold_up_another() -> None:
    async def main() -> Bench:
        bench = Bench(workers=1, seconds=0.0)
        bench.failures["bad"] = [ValueError() for _ in range(50)]
        bench.queue.open()
        bench.queue.add("bad")
        bench.queue.add("good")
        await asyncio.sleep(0.5)
        return bench

    assert virtualtime.run(main()).keys == ["bad", "good"]


def test_closing_lets_running_work_end_and_takes_up_nothing_new() -> None:
    async def main() -> Bench:
        bench = Bench(workers=1)
        bench.queue.open()
        bench.queue.add("a")
        bench.queue.add("b")
        await asyncio.sleep(0.1)
        await bench.queue.close(5)
        await asyncio.sleep(10)
        return bench

    assert virtualtime.run(main()).keys == ["a"]


def test_closing_cancels_what_does_not_end_in_time() -> None:
    async def main() -> float:
        bench = Bench(seconds=1000.0)
        bench.queue.open()
        bench.queue.add("a")
        await asyncio.sleep(0.1)
        start = asyncio.get_running_loop().time()
        await bench.queue.close(5)
        assert bench.queue.running == 0
        return asyncio.get_running_loop().time() - start

    assert virtualtime.run(main()) == pytest.approx(5, abs=0.01)


def test_a_forgotten_key_does_not_come_back() -> None:
    async def main() -> Bench:
        bench = Bench(seconds=0.0)
        bench.queue.add_after("a", 5)
        bench.queue.add("b")
        bench.queue.forget("a")
        bench.queue.forget("b")
        bench.queue.forget("unknown")
        assert bench.queue.depth == 0
        bench.queue.open()
        await asyncio.sleep(50)
        return bench

    assert virtualtime.run(main()).keys == []


def test_depth_and_age_tell_of_keys_that_wait() -> None:
    async def main() -> None:
        bench = Bench()
        assert bench.queue.oldest_age() == 0.0
        bench.queue.add("a", Priority.RESYNC)
        await asyncio.sleep(7)
        bench.queue.add("b")
        await asyncio.sleep(3)
        assert bench.queue.depth == 2
        assert bench.queue.oldest_age() == pytest.approx(10)
        bench.queue.open()
        await asyncio.sleep(5)
        assert (bench.queue.depth, bench.queue.oldest_age()) == (0, 0.0)

    virtualtime.run(main())


def test_keys_that_are_put_off_again_and_again_take_no_more_room() -> None:
    async def main() -> int:
        bench = Bench(seconds=0.0)
        bench.queue.open()
        for _ in range(2000):
            bench.after["a"] = 3600.0
            bench.queue.add("a")
            await asyncio.sleep(0.001)
        return len(bench.queue._later)

    assert virtualtime.run(main()) < 100


@pytest.mark.parametrize(
    ("failures", "random", "seconds"),
    [(1, 0.0, 0.25), (2, 0.0, 0.5), (1, 0.999, 0.125), (12, 0.0, 300.0), (10_000, 0.0, 300.0)],
)
def test_backoff_doubles_up_to_its_limit_and_is_spread(
    failures: int, random: float, seconds: float
) -> None:
    assert Backoff().delay(failures, random) == pytest.approx(seconds, rel=0.01)


def test_what_is_due_at_once_is_worked_on_by_the_loop_of_the_operator() -> None:
    """Handles of uvloop have no time where that is less than a millisecond away."""

    async def main() -> Bench:
        bench = Bench(seconds=0.0)
        bench.after = {"a": 0.0001, "b": 0.0002}
        failed: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        bench.queue.open()
        for key in ("a", "b", "c", "d"):
            bench.queue.add(key)
        while len(bench.log) < 6:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0)
        gc.collect()
        assert failed == []
        return bench

    async def limited() -> Bench:
        return await asyncio.wait_for(main(), 10)

    assert sorted(uvloop.run(limited()).keys) == ["a", "a", "b", "b", "c", "d"]
