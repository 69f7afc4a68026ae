import asyncio

import pytest

from fakeapi import virtualtime
from leeward.engine.ratelimit import TokenBucket


async def _times(bucket: TokenBucket, count: int) -> list[float]:
    clock = asyncio.get_running_loop().time
    start = clock()
    passed: list[float] = []

    async def one() -> None:
        await bucket.acquire()
        passed.append(round(clock() - start, 6))

    await asyncio.gather(*(one() for _ in range(count)))
    return passed


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate() -> None:
    async def main() -> list[float]:
        return await _times(TokenBucket(rate=10, burst=3), 6)

    assert virtualtime.run(main()) == [0.0, 0.0, 0.0, 0.1, 0.2, 0.3]


def test_a_pause_without_requests_fills_the_bucket_no_higher_than_the_burst() -> None:
    async def main() -> list[float]:
        bucket = TokenBucket(rate=10, burst=3)
        await _times(bucket, 3)
        await asyncio.sleep(60)
        return await _times(bucket, 5)

    assert virtualtime.run(main()) == [0.0, 0.0, 0.0, 0.1, 0.2]


def test_nothing_goes_out_while_the_api_server_wants_quiet() -> None:
    async def main() -> list[float]:
        bucket = TokenBucket(rate=10, burst=3)
        bucket.pause(5)
        return await _times(bucket, 2)

    assert virtualtime.run(main()) == [5.0, 5.1]


def test_those_who_wait_already_go_on_at_the_rate_after_a_pause() -> None:
    async def main() -> list[float]:
        bucket = TokenBucket(rate=2, burst=1)
        asyncio.get_running_loop().call_later(0.25, bucket.pause, 5)
        return await _times(bucket, 5)

    assert virtualtime.run(main()) == [0.0, 5.5, 6.0, 6.5, 7.0]


def test_who_comes_during_a_pause_waits_behind_those_who_wait_already() -> None:
    async def main() -> list[float]:
        bucket = TokenBucket(rate=1, burst=1)
        waiting = asyncio.create_task(_times(bucket, 3))
        await asyncio.sleep(0.5)
        bucket.pause(5)
        bucket.pause(1)
        await asyncio.sleep(2)
        bucket.pause(5)
        late = await _times(bucket, 1)
        return [*await waiting, *late]

    assert virtualtime.run(main()) == [0.0, 8.0, 9.0, 7.5]


def test_a_bucket_that_was_paused_fills_up_again() -> None:
    async def main() -> list[float]:
        bucket = TokenBucket(rate=10, burst=3)
        bucket.pause(5)
        await asyncio.sleep(60)
        return await _times(bucket, 4)

    assert virtualtime.run(main()) == [0.0, 0.0, 0.0, 0.1]


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_lets_nothing_through_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        TokenBucket(rate, burst)
