"""A small call plan made by hand: two desk agents, one specialist."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ivr.core.plan import (
    Agent,
    AgentId,
    AgentSentences,
    Announcements,
    Group,
    GroupId,
    Menu,
    MenuId,
    OutcomeCode,
    PauseReason,
    Plan,
    PromptId,
    SiteId,
    Topic,
    TopicId,
    ToTopic,
)

FALLBACK = "fallback"
MESSAGE = "fallback_message"
KEPT = "fallback_kept"
ANNOUNCEMENTS = (
    *("greeting", "invalid", "no_input", "to_human", "queued", "patience", "unstaffed", "leave_message"),
    *("message_kept", "goodbye", FALLBACK, MESSAGE, KEPT, "full_callback", "full_message", "overflow"),
)


def codes(refused: str = KEPT) -> dict[str, Any]:
    """Return the fields of a plan whose agents have codes: *1, *21, *22, *31 and *4."""
    said = (PromptId("pret"), PromptId("note"), PromptId("prolonge"), PromptId(refused))
    pauses = [PauseReason("1", "dejeuner", "Déjeuner", 3_600_000, said[0])]
    pauses.append(PauseReason("2", "reunion", "Réunion ; [x]", 3_600_000, said[0]))
    return {
        "agent_sentences": AgentSentences(*said),
        "pauses": {reason.key: reason for reason in pauses},
        "outcomes": {"1": OutcomeCode("1", "repondu", "Répondu")},
    }


def small_plan(**changes: Any) -> Plan:
    """Return a valid plan, with some of its fields replaced."""
    desk, roads = GroupId("accueil"), GroupId("voirie")
    names = {"lucie": ("Lucie Martin", desk), "omar": ("Omar Benali", desk), "zoe": ("Zoé Petit", roads)}
    agents = {AgentId(key): Agent(AgentId(key), name, (group,)) for key, (name, group) in names.items()}
    members = {group: tuple(key for key, agent in agents.items() if group in agent.groups) for group in (desk, roads)}
    root, general, works = MenuId("racine"), TopicId("accueil"), TopicId("voirie")
    said = {name: PromptId(name) for name in ANNOUNCEMENTS}
    menu = Menu(root, PromptId("menu"), PromptId("menu_court"), {"1": ToTopic(works)})
    plan = Plan(
        site=SiteId("essai"),
        version="1",
        name="Mairie d'essai",
        language="fr",
        numbers=("+33536490000",),
        root=root,
        menus={root: menu},
        topics={general: Topic(general, "Accueil", (desk,)), works: Topic(works, "Voirie", (roads,))},
        groups={group: Group(group, group, members[group]) for group in (desk, roads)},
        agents=agents,
        general=general,
        announcements=Announcements(**said),
        prompts=frozenset({*said.values(), menu.prompt, menu.short_prompt}),
        message_max_ms=10_000,
    )
    return replace(plan, **changes)
