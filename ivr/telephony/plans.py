"""The versions of the plan that this worker holds: the one in force, and those of calls that began before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr import log
from ivr.core.plan import Agent
from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ivr.core.plan import AgentId, GroupId, Plan

_log = log.get("plans")


class Plans:
    """`current` is what new calls begin with. A version goes when no call is left of it."""

    def __init__(self, current: Plan, find: Callable[[str], Awaitable[Plan | None]] | None = None) -> None:
        self.current = current
        self._held = {current.version: current}
        self._find = find

    def __len__(self) -> int:
        return len(self._held)

    def switch(self, plan: Plan, used: Iterable[str]) -> None:
        """Begin new calls with `plan`; of the others those in use are kept."""
        used = set(used)
        self._held = {version: held for version, held in self._held.items() if version in used}
        self._held[plan.version] = self.current = plan

    def of(self, version: str) -> Plan:
        """Return a call's own version; the one in force where it is not known here."""
        return self._held.get(version, self.current)

    def heir(self, group: GroupId) -> GroupId:
        """Return the group that owes what a call leaves to `group`: where it is gone, who took its place."""
        return self.current.successors.groups.get(group, group)

    def agent(self, plan: Plan, agent: AgentId) -> Agent:
        """Return an agent, also one who is newer than the call's plan."""
        return plan.agents.get(agent) or self.current.agents.get(agent) or Agent(agent, agent, ())

    async def learn(self, versions: Iterable[str]) -> None:
        """Bring in the versions of calls that are about to be adopted."""
        for version in set(versions) - self._held.keys():
            try:
                found = await self._find(version) if self._find is not None else None
            except IvrError as error:
                _log.warning("a call's version of the plan cannot be read", version=version, reason=str(error))
                continue
            if found is None:
                _log.warning("a call's version of the plan is known nowhere; it goes on with ours", version=version)
            else:
                self._held[version] = found
