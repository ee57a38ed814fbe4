"""How fast a server is asked, against simulated servers in virtual time."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable

import pytest
from alignment_trainer.endpoints.pacing.pace import Limits, Pace
from alignment_trainer.endpoints.replies import Fault
from virtual_time import run_in_virtual_time

LATENCY = 2.0
DOWN = Fault("Down", "Status500", "answers 500")


def busy(seconds: float | None) -> Fault:
    return Fault("Busy", "Status429", "answers 429", seconds)


class Simulated:
    """A server that answers after some time; `refuses` decides from the times of what it has accepted."""

    def __init__(self, refuses: Callable[["Simulated"], Fault | None] = lambda _: None, tokens: int = 100) -> None:
        self.refuses, self.tokens = refuses, tokens
        self.accepted: list[float] = []
        self.refused: list[float] = []
        self.in_flight = self.most = 0

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def ask(self, pace: Pace, most_tokens: int) -> None:
        async with pace.turn(most_tokens) as turn:
            if pace.is_away:
                return
            fault = self.refuses(self)
            if fault:
                self.refused.append(self.now)
                await asyncio.sleep(0.1)
                pace.used(turn, 0)
                pace.failed(turn, fault)
                return
            self.accepted.append(self.now)
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            await asyncio.sleep(LATENCY)
            self.in_flight -= 1
            pace.used(turn, self.tokens)
            pace.works()


def simulate(server: Simulated, limits: Limits, seconds: float, workers: int = 200, most_tokens: int = 100) -> Pace:
    async def run() -> Pace:
        pace = Pace("http://teacher/v1", limits)

        async def work() -> None:
            while True:
                await server.ask(pace, most_tokens)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return pace

    return run_in_virtual_time(run())


def busiest_minute(times: list[float]) -> int:
    return max(bisect_left(times, start + 60) - place for place, start in enumerate(times))


@pytest.mark.parametrize("ceiling", [1, 3, 64, 200])
def test_requests_at_the_same_time_double_up_to_the_ceiling_and_never_exceed_it(ceiling: int) -> None:
    server = Simulated()
    simulate(server, Limits(concurrency=ceiling), seconds=60)
    assert server.most == ceiling
    started = sum(1 for time in server.accepted if time < LATENCY)
    assert started == min(4, ceiling)


@pytest.mark.parametrize("per_minute", [6, 60, 600, 3000])
def test_requests_per_minute_are_used_evenly_and_never_exceeded(per_minute: int) -> None:
    server = Simulated()
    simulate(server, Limits(requests_per_minute=per_minute), seconds=300)
    assert busiest_minute(server.accepted) <= per_minute
    if per_minute <= 64 / LATENCY * 60:
        assert len(server.accepted) >= 0.9 * per_minute * 5


@pytest.mark.parametrize(("most", "used"), [(100, 100), (1000, 100), (5000, 40)])
def test_tokens_per_minute_are_used_although_reservations_are_much_higher(most: int, used: int) -> None:
    server = Simulated(tokens=used)
    simulate(server, Limits(tokens_per_minute=30_000), seconds=300, most_tokens=most)
    assert 0.9 * 30_000 * 5 <= len(server.accepted) * used <= 30_000 * 5.1


def window(allowed: int, seconds: float, tells: bool) -> Callable[[Simulated], Fault | None]:
    """Accept so many requests in each window of time, as many servers count them."""

    def refuses(server: Simulated) -> Fault | None:
        start = server.now // seconds * seconds
        if sum(1 for time in server.accepted[-allowed:] if time >= start) < allowed:
            return None
        return busy(start + seconds - server.now if tells else None)

    return refuses


def bucket(per_second: float, depth: int) -> Callable[[Simulated], Fault | None]:
    """Refill so many requests in a second, and tell in whole seconds when to come again."""
    state = {"level": float(depth), "time": 0.0}

    def refuses(server: Simulated) -> Fault | None:
        state["level"] = min(depth, state["level"] + (server.now - state["time"]) * per_second)
        state["time"] = server.now
        if state["level"] < 1:
            return busy(1)
        state["level"] -= 1
        return None

    return refuses


RATES = {
    "a window of a minute that tells its end": (window(300, 60, tells=True), 0.9),
    "a window of ten seconds that tells its end": (window(50, 10, tells=True), 0.9),
    "a window of ten seconds that tells nothing": (window(50, 10, tells=False), 0.7),
    "a bucket": (bucket(5, 10), 0.9),
    "a deep bucket": (bucket(5, 50), 0.9),
}


@pytest.mark.parametrize("case", RATES)
def test_a_server_s_own_rate_is_used_without_being_told(case: str) -> None:
    refuses, share = RATES[case]
    server = Simulated(refuses)
    simulate(server, Limits(), seconds=300)
    assert len(server.accepted) >= share * 300 * 5
    # The server is not flooded with what it refuses.
    assert len(server.refused) <= 0.5 * len(server.accepted)


@pytest.mark.parametrize("seconds", [0.7, 2, 90, 3600])
def test_a_429_stops_all_requests_for_as_long_as_the_server_asks(seconds: float) -> None:
    ends: list[float] = []

    def refuses(server: Simulated) -> Fault | None:
        if len(server.accepted) == 20 and not ends:
            ends.append(server.now + seconds)
        return busy(ends[0] - server.now) if ends and server.now < ends[0] else None

    server = Simulated(refuses)
    simulate(server, Limits(), seconds=seconds + 30)
    (end,) = ends
    # What was sent in the same moment may be refused as well; afterwards the server hears nothing until the time is over.
    assert max(server.refused) <= end - seconds + 0.1
    assert min(time for time in server.accepted if time > end - seconds) >= end - 1e-6
    assert min(time for time in server.accepted if time > end - seconds) <= end + LATENCY


def test_a_burst_of_429_halves_once() -> None:
    def refuses(server: Simulated) -> Fault | None:
        return busy(5) if server.in_flight >= 32 else None

    server = Simulated(refuses)
    simulate(server, Limits(concurrency=64), seconds=120)
    assert server.most == 32
    # At a half of what was too much, growing by one: after a minute it is again near the limit.
    late = sum(1 for time in server.accepted if 60 <= time < 120)
    assert late >= 0.6 * 60 / LATENCY * 32


def test_a_single_failure_delays_nobody_else() -> None:
    def refuses(server: Simulated) -> Fault | None:
        return DOWN if len(server.accepted) + len(server.refused) in (30, 60, 90) else None

    healthy, shaky = Simulated(), Simulated(refuses)
    simulate(healthy, Limits(), seconds=60)
    simulate(shaky, Limits(), seconds=60)
    assert len(shaky.refused) == 3
    assert len(shaky.accepted) >= 0.98 * len(healthy.accepted)


def test_a_server_that_is_away_is_asked_less_and_less_and_given_up_after_a_minute() -> None:
    server = Simulated(lambda _: DOWN)
    times: list[float] = []

    async def run() -> None:
        pace = Pace("http://teacher/v1", Limits())

        async def work() -> None:
            while not pace.is_away:
                await server.ask(pace, 100)
            pace.end()

        await asyncio.gather(*(work() for _ in range(64)))
        times.append(server.now)

    run_in_virtual_time(run())
    assert 50 <= times[-1] <= 120
    assert len(server.refused) <= 120


def test_the_first_failure_in_a_row_is_shown_at_once_and_not_again_within_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    line = "http://teacher/v1 answers 500; it is asked again, after longer and longer waits while it fails"
    times: dict[float, int] = {}

    async def run() -> None:
        pace = Pace("http://teacher/v1", Limits())
        for _ in range(10):
            async with pace.turn(1) as turn:
                pace.failed(turn, DOWN)
            times[asyncio.get_running_loop().time()] = capsys.readouterr().err.splitlines().count(line)
            await asyncio.sleep(10)
            pace.works()

    run_in_virtual_time(run())
    assert list(times.values()) == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0]


def test_a_server_that_returns_is_used_again() -> None:
    server = Simulated(lambda server: DOWN if 20 <= server.now < 40 else None)
    pace = simulate(server, Limits(), seconds=200)
    assert not pace.is_failing
    assert not pace.is_away
    assert sum(1 for time in server.accepted if 180 <= time < 200) >= 20 / LATENCY * 10


def test_a_cancelled_request_gives_its_place_back() -> None:
    async def run() -> int:
        pace, server = Pace("http://teacher/v1", Limits(concurrency=1)), Simulated()
        hanging = [asyncio.create_task(server.ask(pace, 1)) for _ in range(5)]
        await asyncio.sleep(0.1)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        await server.ask(pace, 1)
        return len(server.accepted)

    assert run_in_virtual_time(run()) == 2
