"""The agents as people with phones: they come and go, pause, answer or miss, talk, wrap up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ivr.queueing import commands
from ivr.sim.levels import Level
from ivr.sim.staff import Habits, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ivr.core.inputs import AgentFailure
    from ivr.core.plan import AgentId, Plan
    from ivr.queueing.model import NodeId
    from ivr.sim.agenda import Agenda, Event
    from ivr.sim.books import Books
    from ivr.sim.staff import Move

REASON: Final = "pause"
_ENGAGED_MS: Final = 300
_TWICE: Final = 2
_LATER_MS: Final = 30_000
"""Who wants to pause while their phone rings takes the call first."""


class Leg(Protocol):
    """The side of a caller, who hears what becomes of the agent's phone."""

    def leg_up(self, token: str) -> None:
        """The agent answered."""

    def leg_gone(self, token: str, reason: AgentFailure) -> None:
        """The agent's leg ended, before or after it was up."""


class _Person:
    """One agent. `token` is what their phone is at, `ring` what they will do about its ringing."""

    __slots__ = ("busy", "counted", "here", "leaving", "misses", "paused", "ring", "talking", "token", "wrap")

    def __init__(self) -> None:
        self.here = self.paused = self.talking = self.leaving = self.busy = self.counted = False
        self.misses = 0
        self.token = ""
        self.ring: Event | None = None
        self.wrap: Event | None = None


class Floor:
    """All agents of the site, for the day that the agenda begins with.

    `tell` sends a command to the queue and brings what it moves to the calls.
    """

    def __init__(
        self, *, plan: Plan, habits: Habits, seed: int, agenda: Agenda, books: Books, node: NodeId, tell: Any
    ) -> None:
        self._plan = plan
        self._habits = habits
        self._agenda = agenda
        self._books = books
        self._node = node
        self._tell = tell
        self._codes = tuple(plan.outcomes.values())
        self._people = {agent: _Person() for agent in plan.agents}
        self._chance = {agent: Worker(seed, agent, agenda.now, habits) for agent in plan.agents}
        self.present = Level(agenda.now)
        self.busy = Level(agenda.now)
        self.talking = Level(agenda.now)
        self.answered: dict[AgentId, int] = dict.fromkeys(plan.agents, 0)
        self.missed = 0

    # -- days --------------------------------------------------------------

    def plans(self) -> None:
        """Put every agent's comings and goings into the agenda."""
        for worker in self._chance.values():
            self.will(worker.moves())

    def will(self, moves: Iterable[Move]) -> None:
        """Put comings and goings into the agenda."""
        for move in moves:
            self._agenda.at(move.at, self._moves, move)

    def _moves(self, move: Move) -> None:
        person = self._people[move.agent]
        match move.what:
            case "comes":
                person.leaving = False
                self._present(move.agent, here=True)
            case "goes" if person.talking:
                person.leaving = True
            case "goes":
                self._present(move.agent, here=False)
            case "pauses" if person.here and person.token and not person.talking:
                self._agenda.after(_LATER_MS, self._moves, move)
            case "pauses" if person.here:
                self._pause(move.agent)
            case "is back" if person.paused:
                self.ready(move.agent)
            case _:
                pass

    def _present(self, agent: AgentId, *, here: bool) -> None:
        person = self._people[agent]
        if person.here == here:
            return
        if not here and person.paused:
            self.ready(agent)
        person.here = here
        self._books.here(agent, here=here)
        self._count(person)
        groups = self._plan.agents[agent].groups
        self._tell(commands.presence(agent, groups, self._node, present=here))

    def _pause(self, agent: AgentId) -> None:
        person = self._people[agent]
        person.paused = True
        self._books.paused(agent)
        self._count(person)
        until = self._agenda.now + self._habits.pause_told_s * 1000
        self._tell(commands.pause(agent, REASON, until))

    def ready(self, agent: AgentId) -> None:
        """The agent says that they are ready: no pause, no wrap-up, no cool-down any more."""
        person = self._people[agent]
        person.paused = False
        self._end_wrap(person)
        self._books.ready(agent)
        self._count(person)
        self._tell(commands.resume(agent))

    # -- phones ------------------------------------------------------------

    def ring(self, agent: AgentId, token: str, leg: Leg) -> None:
        """The agent's phone rings: they answer, or miss it, or it is engaged."""
        person, worker = self._people[agent], self._chance[agent]
        self._books.rings(agent, token)
        self._end_wrap(person)
        person.token, person.talking, person.paused = token, False, False  # a pause for misses may be over by itself
        self._count(person)
        ring_ms = self._plan.ring_timeout_ms
        answer_ms = worker.draw(self._habits.answer)
        if worker.happens(self._habits.phone_engaged):
            person.ring = self._agenda.after(_ENGAGED_MS, self._fails, agent, token, leg, "busy")
        elif worker.happens(self._habits.misses) or answer_ms >= ring_ms:
            person.ring = self._agenda.after(ring_ms, self._fails, agent, token, leg, "miss")
        else:
            person.ring = self._agenda.after(answer_ms, self._answers, agent, token, leg)

    def _answers(self, agent: AgentId, token: str, leg: Leg) -> None:
        person = self._people[agent]
        person.ring, person.talking, person.misses = None, True, 0
        self.talking.add(1, self._agenda.now)
        self.answered[agent] += 1
        leg.leg_up(token)

    def _fails(self, agent: AgentId, token: str, leg: Leg, reason: AgentFailure) -> None:
        self.missed += reason == "miss"
        self.hang_up(agent, token)
        leg.leg_gone(token, reason)
        person = self._people[agent]
        if reason == "miss":
            person.misses += 1
            if person.misses >= _TWICE and not person.paused:  # the queue pauses who misses twice in a row
                person.misses, person.paused = 0, True
                self._count(person)
                self._agenda.after(self._chance[agent].draw(self._habits.notices), self._notices, agent)

    def _notices(self, agent: AgentId) -> None:
        """The agent sees that they were paused, and takes calls again."""
        if self._people[agent].paused:
            self.ready(agent)

    def leaves_talk(self, agent: AgentId, token: str, leg: Leg) -> None:
        """The agent hangs up at the end of a talk."""
        self.hang_up(agent, token)
        leg.leg_gone(token, "failed")

    def hang_up(self, agent: AgentId, token: str) -> None:
        """The agent's phone is at rest, by whoever hung up."""
        person = self._people[agent]
        if person.token != token:
            return
        if person.ring is not None:
            person.ring.cancel()
            person.ring = None
        self._books.silent(agent, token)
        talked, person.token, person.talking = person.talking, "", False
        if talked:
            self.talking.add(-1, self._agenda.now)
            self._wraps_up(agent, person)
        self._count(person)

    # -- wrap-up -----------------------------------------------------------

    def _wraps_up(self, agent: AgentId, person: _Person) -> None:
        most = self._plan.wrap_ms
        if person.leaving:
            person.leaving = False
            self._agenda.at(self._agenda.now, self._goes, agent)
        elif most and not person.paused:
            wrap = self._chance[agent].draw(self._habits.wrap)
            done = self._wrap_done if wrap < most else self._wrap_over
            person.wrap = self._agenda.after(min(wrap, most), done, agent)

    def _goes(self, agent: AgentId) -> None:
        self._present(agent, here=False)

    def _wrap_done(self, agent: AgentId) -> None:
        """The agent is ready before the time is up: where talks have codes, by saying one."""
        person = self._people[agent]
        if not self._codes:
            self.ready(agent)
            return
        self._end_wrap(person)
        self._books.coded(agent)
        self._count(person)
        code = self._codes[self._chance[agent].pick(len(self._codes))]
        self._tell(commands.outcome(agent, code.id, follow_up=code.follow_up))

    def _wrap_over(self, agent: AgentId) -> None:
        """The time is up: the queue ends the wrap by itself."""
        person = self._people[agent]
        person.wrap = None
        self._count(person)

    def _end_wrap(self, person: _Person) -> None:
        if person.wrap is not None:
            person.wrap.cancel()
            person.wrap = None

    # -- counts ------------------------------------------------------------

    def _count(self, person: _Person) -> None:
        """Keep the sums: present (there and not on a pause), and at work for a call."""
        now = self._agenda.now
        busy = bool(person.token) or person.wrap is not None
        if busy != person.busy:
            person.busy = busy
            self.busy.add(1 if busy else -1, now)
        there = person.here and not person.paused
        if there != person.counted:
            person.counted = there
            self.present.add(1 if there else -1, now)
