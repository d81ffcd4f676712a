"""Days lived at once, in as many processes as there are Redis servers: the figures stay the same."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis import Redis

from ivr.sim.town import Stretch, live

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.queues import Queue

    from ivr.sim.figures import Day, Report
    from ivr.sim.load import Visitor


@dataclass(frozen=True, slots=True)
class Job:
    """One day to live."""

    stretch: Stretch
    midnight: int
    visitors: Sequence[Visitor]


def straight(url: str) -> Redis:
    """A client of one connection, as a simulation wants it."""
    return Redis.from_url(url, single_connection_client=True)


def simulate_at_once(urls: Sequence[str], stretch: Stretch, tell: Callable[[int], None] | None = None) -> Report:
    """Live a stretch, a process to each server; with one server, or one day, here."""
    began = time.monotonic()
    jobs = [Job(stretch, midnight, visitors) for midnight, visitors in stretch.days_drawn()]
    return stretch.report(live_at_once(urls, jobs, tell), time.monotonic() - began)


def live_at_once(urls: Sequence[str], jobs: Sequence[Job], tell: Callable[[int], None] | None = None) -> list[Day]:
    """Live days, each apart from the others, and return what they came to in their order."""
    lived: dict[int, Day] = {}

    def had(n: int, day: Day) -> None:
        lived[n] = day
        if tell is not None:
            tell(sum(each.outcomes.total() for each in lived.values()))

    processes = min(len(urls), len(jobs))
    if processes <= 1:
        with straight(urls[0]) as redis:
            for n, job in enumerate(jobs):
                had(n, live(redis, job.stretch, job.midnight, job.visitors))
        return [lived[n] for n in range(len(jobs))]
    fresh = multiprocessing.get_context("spawn")
    servers: Queue[str] = fresh.Queue()
    for url in urls[:processes]:
        servers.put(url)
    with ProcessPoolExecutor(processes, fresh, _Here.begin, (servers,)) as pool:
        # The busiest first, so that nobody waits for the last one.
        order = sorted(range(len(jobs)), key=lambda n: -len(jobs[n].visitors))
        futures = {pool.submit(_Here.live, jobs[n]): n for n in order}
        for future in as_completed(futures):
            had(futures[future], future.result())
    return [lived[n] for n in range(len(jobs))]


class _Here:
    """What a process of the pool keeps between days: its server."""

    redis: Redis

    @classmethod
    def begin(cls, servers: Queue[str]) -> None:
        """Take a server of one's own."""
        cls.redis = straight(servers.get())

    @classmethod
    def live(cls, job: Job) -> Day:
        """Live one day here."""
        return live(cls.redis, job.stretch, job.midnight, job.visitors)
