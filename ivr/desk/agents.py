"""The agents as a person at a terminal asks for them, and what that person says on their behalf."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rich.table import Table

from ivr.core.codes import Pause, Say
from ivr.desk import words
from ivr.desk.errors import DeskError
from ivr.plan.fields import milliseconds, slug_of
from ivr.plan.shape import hints
from ivr.queueing.sayings import tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ivr.core.codes import Code
    from ivr.core.plan import Agent, OutcomeCode, PauseReason, Plan, Topic
    from ivr.desk.link import Link
    from ivr.queueing.model import AgentRecord, Dump

T = TypeVar("T", "OutcomeCode", "PauseReason", "Topic")

LONGEST_MS: Final = 12 * words.HOUR_MS
_HOUR: Final = re.compile(r"([01]?\d|2[0-3])[:hH]([0-5]\d)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One agent of the plan; `record` is None when the queue has never seen them."""

    agent: Agent
    record: AgentRecord | None


def rows(plan: Plan, dump: Dump) -> list[Row]:
    """Return every agent of the plan, in its order."""
    return [Row(agent, dump.agents.get(agent.id)) for agent in plan.agents.values()]


def table(plan: Plan, found: Iterable[Row], now: int) -> Table:
    """Return the agents as a table that fits 80 columns: long cells are folded, never cut."""
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for title in ("Agent", "État", "Depuis", "Retour", "Poste", "Équipes"):
        made.add_column(title, overflow="fold", no_wrap=title == "Agent")
    for row in found:
        record = row.record
        made.add_row(
            row.agent.name,
            words.state(record, plan),
            words.lasting(now - record.since) if record is not None else "",
            words.back(record, now),
            f"présent ({record.node})" if record is not None and record.present else "absent",
            ", ".join(plan.groups[group].label for group in row.agent.groups),
        )
    return made


def as_json(plan: Plan, found: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the agents for a program: ids and states as the queue has them, instants in ISO 8601."""
    return [
        {
            "id": row.agent.id,
            "name": row.agent.name,
            "state": row.record.state if row.record is not None else None,
            "state_fr": words.state(row.record, plan),
            "since": _iso(row.record.since if row.record is not None else None),
            "pause": row.record.pause if row.record is not None else None,
            "back": _iso(row.record.back if row.record is not None else None),
            "groups": list(row.agent.groups),
            "present": row.record is not None and row.record.present,
            "node": (row.record.node or None) if row.record is not None else None,
        }
        for row in found
    ]


def _iso(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="seconds")


# What is said for an agent


async def say(link: Link, agent: Agent, said: Code) -> None:
    """Tell the queue, under the epoch that the link has joined; DeskError when it refuses."""
    answer = await tell(link.queue, agent.id, said)
    if answer.refused is not None:
        raise DeskError(f"Refusé pour {agent.name} : {_REFUSALS.get(answer.refused, answer.refused)}.")


_REFUSALS: Final = {
    "unknown agent": "son poste ne s'est encore jamais annoncé",
    "no call": "il n'y a pas d'appel à noter",
    "no wrap": "le temps après l'appel est déjà fini",
    "extended already": "le temps après l'appel a déjà été prolongé deux fois",
}


def pause(plan: Plan, reason: str, *, now: int, until: str | None, lasting: str | None) -> Pause:
    """Return a pause for a reason (its id or its key), until an hour, for a duration, or for its usual length."""
    if until is not None and lasting is not None:
        raise DeskError("Choisissez --until ou --for, pas les deux.")
    found = _among(plan.pauses, reason, "une raison de pause")
    length = found.length_ms
    if lasting is not None:
        length = _length(lasting)
    if until is not None:
        length = _until(until, now)
    if not words.MINUTE_MS <= length <= LONGEST_MS:
        raise DeskError("Une pause dure de 1 min à 12 h.")
    return Pause(replace(found, length_ms=length))


def _length(text: str) -> int:
    length = milliseconds(text)
    if length is None:
        raise DeskError(f"« {text} » n'est pas une durée : écrivez par exemple 45m, 45 min ou 1 h.")
    return length


def _until(text: str, now: int) -> int:
    found = _HOUR.fullmatch(text.strip())
    if found is None:
        raise DeskError(f"« {text} » n'est pas une heure : écrivez par exemple 14:00.")
    here = datetime.fromtimestamp(now / 1_000, UTC).astimezone()
    there = here.replace(hour=int(found[1]), minute=int(found[2] or 0), second=0, microsecond=0)
    if there <= here:
        raise DeskError(f"{there:%H:%M} est déjà passé : il est {here:%H:%M}.")
    return round((there - here).total_seconds() * 1_000)


def outcome(plan: Plan, code: str, to: str | None = None) -> Say:
    """Return how a call went, by the outcome's id or its key; `to` by the id of the topic that it should have had."""
    topic = _among(plan.topics, to, "un motif").id if to is not None else None
    return Say(_among(plan.outcomes, code, "un résultat"), topic)


def _among(known: Mapping[Any, T], given: str, what: str) -> T:
    by_id = {str(entry.id): entry for entry in known.values()}
    if found := known.get(given) or by_id.get(given) or by_id.get(slug_of(given)):
        return found
    hint = hints(slug_of(given), by_id)["hint_fr"]
    listed = ", ".join(by_id) or "aucun dans outcomes.yaml"
    raise DeskError(f"« {given} » n'est pas {what}. {hint}Possibles : {listed}.")


def agent_of(plan: Plan, given: str) -> Agent:
    """Return an agent by id, endpoint or name; DeskError with the nearest name otherwise."""
    slug = slug_of(given).removeprefix("agent-")
    by_id = {str(agent.id): agent for agent in plan.agents.values()}
    by_name = {slug_of(agent.name): agent for agent in plan.agents.values()}
    if found := by_id.get(given) or by_id.get(slug) or by_name.get(slug):
        return found
    hint = hints(slug, [*by_id, *by_name])["hint_fr"]
    raise DeskError(f"« {given} » n'est pas un agent du plan. {hint}« ivr agents list » les donne tous.")
