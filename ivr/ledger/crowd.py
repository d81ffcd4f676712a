"""Every agent's state at an instant, folded from the lines up to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ivr.core.plan import AgentId

if TYPE_CHECKING:
    from ivr.queueing.stream import Line

State = Literal["idle", "offered", "talking", "wrap", "cooldown", "paused", "busy", "away", "unknown"]

_NO_PAUSE: Final = frozenset(
    {
        *("", "present", "gone", "busy", "free", "resumed", "rested", "overdue"),
        *("miss", "expired", "failed", "extended", "leave", "back"),
    }
)
"""Reasons of `agent` lines that are no reason of a pause."""
MISSED: Final = "missed"
"""The pause of who missed two calls in a row; its `notice` tells of it, and the line of the state after it."""


@dataclass(slots=True)
class _Agent:
    present: bool = False
    leave: bool = False
    pause: str = ""
    hold: Literal["", "wrap", "cooldown"] = ""
    busy: bool = False
    engaged: Literal["", "offered", "talking"] = ""
    call: str = ""
    talked_until: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agent stands: `pause` is its reason while paused, `call` the one that rings or talks."""

    state: State
    pause: str = ""
    call: str = ""


class Crowd:
    """The agents of a site. After a talk an agent is taken to wrap up for `wrap_ms`, unless a line says otherwise."""

    def __init__(self, wrap_ms: int) -> None:
        self._wrap_ms = wrap_ms
        self._agents: dict[str, _Agent] = {}

    def standing(self, agent: AgentId, at: int) -> Standing:
        """How an agent stands after the lines so far."""
        known = self._agents.get(agent)
        if known is None:
            return Standing("unknown")
        wrapping = known.talked_until is not None and at < known.talked_until + self._wrap_ms
        if known.engaged:
            return Standing(known.engaged, call=known.call)
        if not known.present:
            return Standing("away")
        if known.pause:
            return Standing("paused", known.pause)
        if known.hold or wrapping:
            return Standing(known.hold or "wrap")
        return Standing("busy" if known.busy else "idle")

    @property
    def on_leave(self) -> tuple[AgentId, ...]:
        """Those whose leave began in a line; of others, whose phone was off by then, no line tells it."""
        return tuple(AgentId(name) for name, agent in self._agents.items() if agent.leave)

    def take(self, line: Line) -> None:
        """The next line."""
        if line.type == "founded":
            self._agents.clear()
        name = line.fields.get("agent", "")
        if not name:
            return
        agent = self._agents.setdefault(name, _Agent())
        match line.type:
            case "offered":
                agent.present, agent.engaged, agent.call = True, "offered", line.fields.get("call", "")
                agent.pause, agent.hold, agent.busy, agent.talked_until = "", "", False, None
                agent.leave = False
            case "accepted" | "restored":
                agent.present, agent.engaged, agent.call = True, "talking", line.fields.get("call", "")
            case "withdrawn":
                agent.engaged, agent.call = "", ""
            case "released":
                agent.engaged, agent.call, agent.talked_until = "", "", line.at
            case "outcome":
                # No line of its own tells that the wrap is over, nor the pause that missed calls brought.
                agent.talked_until = None
                agent.hold = "" if agent.hold == "wrap" else agent.hold
                agent.pause = "" if agent.pause == MISSED else agent.pause
            case "notice" if line.fields.get("reason") == MISSED:
                agent.pause = MISSED
            case "agent":
                _stated(agent, line.fields.get("state", ""), line.fields.get("reason", ""))
            case _:
                pass


def _stated(agent: _Agent, state: str, reason: str) -> None:
    """An `agent` line tells the whole state, and by its reason what goes on behind a talk."""
    agent.present = state != "away"
    agent.leave = reason == "leave" or (agent.leave and state == "away" and reason != "back")
    if state in {"offered", "talking"}:
        agent.engaged = "offered" if state == "offered" else "talking"
        agent.pause = "" if reason == "resumed" else agent.pause if reason in _NO_PAUSE else reason
        return
    agent.engaged, agent.call, agent.talked_until = "", "", None
    agent.pause = "" if state != "paused" else agent.pause if reason in _NO_PAUSE else reason
    agent.pause = agent.pause or ("pause" if state == "paused" else "")
    agent.hold = "wrap" if state == "wrap" else "cooldown" if state == "cooldown" else ""
    agent.busy = state == "busy"
