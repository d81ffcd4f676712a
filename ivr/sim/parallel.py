"""The days of a stretch lived at once, in as many processes as there are Redis servers: the figures stay the same."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING

from redis import Redis

from ivr.sim.town import Stretch, live, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.queues import Queue

    from ivr.sim.figures import Day, Report
    from ivr.sim.load import Visitor


def straight(url: str) -> Redis:
    """A client of one connection, as a simulation wants it."""
    return Redis.from_url(url, single_connection_client=True)


def simulate_at_once(urls: Sequence[str], stretch: Stretch, tell: Callable[[int], None] | None = None) -> Report:
    """Live a stretch, a process to each server; with one server, or one day, here."""
    processes = min(len(urls), stretch.days)
    if processes == 1:
        with straight(urls[0]) as redis:
            return simulate(redis, stretch, tell)
    began = time.monotonic()
    fresh = multiprocessing.get_context("spawn")
    servers: Queue[str] = fresh.Queue()
    for url in urls[:processes]:
        servers.put(url)
    with ProcessPoolExecutor(processes, fresh, _Here.begin, (servers, stretch)) as pool:
        # The busiest first, so that nobody waits for the last one.
        days = sorted(stretch.days_drawn(), key=lambda day: -len(day[1]))
        futures = {pool.submit(_Here.live, midnight, visitors): midnight for midnight, visitors in days}
        lived: dict[int, Day] = {}
        for future in as_completed(futures):
            lived[futures[future]] = future.result()
            if tell is not None:
                tell(sum(day.outcomes.total() for day in lived.values()))
    return stretch.report([lived[midnight] for midnight in sorted(lived)], time.monotonic() - began)


class _Here:
    """What a process of the pool keeps between days: its server and the stretch."""

    redis: Redis
    stretch: Stretch

    @classmethod
    def begin(cls, servers: Queue[str], stretch: Stretch) -> None:
        """Take a server of one's own."""
        cls.redis = straight(servers.get())
        cls.stretch = stretch

    @classmethod
    def live(cls, midnight: int, visitors: Sequence[Visitor]) -> Day:
        """Live one day here."""
        return live(cls.redis, cls.stretch, midnight, visitors)
