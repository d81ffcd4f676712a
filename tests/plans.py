"""A minimal plan, for tests that need some plan and not a particular one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from ivr.core.plan import (
    Agent,
    AgentId,
    Announcements,
    CallBack,
    CrisisId,
    CrisisProfile,
    Group,
    GroupId,
    Information,
    Menu,
    MenuId,
    OtherTopic,
    Outside,
    OutsideId,
    Plan,
    PromptId,
    SiteId,
    TakeMessage,
    TellOutside,
    ToLanguage,
    ToMenu,
    ToOutside,
    Topic,
    TopicId,
    ToTopic,
    Typed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = MenuId("principal")
MORE: Final = MenuId("suite")
ETAT_CIVIL: Final = TopicId("etat-civil")
ACCUEIL: Final = TopicId("accueil")
NUMBER: Final = "+33536490000"
RELAY: Final = "+33536499001"

ANNOUNCEMENTS: Final = Announcements(
    **{field.name: PromptId(field.name.replace("_", "-")) for field in fields(Announcements)}
)


def small_plan(**overrides: Any) -> Plan:
    """Return a whole plan: 1 → etat-civil, 2 → a second menu (1 → accueil), 3 → an information.

    alice answers etat-civil and accueil, bob etat-civil, chloe accueil. `overrides`
    replace fields of the plan.
    """
    members = {"alice": ("etat-civil", "accueil"), "bob": ("etat-civil",), "chloe": ("accueil",)}
    agents = {
        AgentId(name): Agent(AgentId(name), name.capitalize(), tuple(map(GroupId, groups)))
        for name, groups in members.items()
    }
    groups = {
        GroupId(name): Group(
            GroupId(name), name.capitalize(), tuple(who for who, agent in agents.items() if name in agent.groups)
        )
        for name in ("etat-civil", "accueil")
    }
    menus = {
        ROOT: Menu(
            id=ROOT,
            prompt=PromptId("menu-principal"),
            short_prompt=PromptId("menu-principal-court"),
            options={"1": ToTopic(ETAT_CIVIL), "2": ToMenu(MORE), "3": Information(PromptId("horaires"))},
        ),
        MORE: Menu(
            id=MORE,
            prompt=PromptId("menu-suite"),
            short_prompt=PromptId("menu-suite"),
            options={"1": ToTopic(ACCUEIL)},
            parent=ROOT,
        ),
    }
    said = {getattr(ANNOUNCEMENTS, field.name) for field in fields(Announcements)}
    plan = Plan(
        site=SiteId("essai"),
        version="1",
        name="Mairie d'essai",
        language="fr",
        numbers=(NUMBER,),
        root=ROOT,
        menus=menus,
        topics={
            TopicId(name): Topic(TopicId(name), name.capitalize(), (GroupId(name),))
            for name in ("etat-civil", "accueil")
        },
        groups=groups,
        agents=agents,
        general=ACCUEIL,
        announcements=ANNOUNCEMENTS,
        prompts=frozenset({*said, *(PromptId(name) for name in _MENU_PROMPTS)}),
        relays=frozenset({RELAY}),
        wrap_ms=0,
    )
    return replace(plan, **overrides)


METROPOLE: Final = OutsideId("metropole")
CRUE: Final = CrisisId("crue")


def rich_plan(**overrides: Any) -> Plan:
    """Return the small plan with all that hours, absences and crises need.

    In the first menu 4 → metropole, 5 → English, 6 → three digits, then etat-civil, whose chain is: accueil,
    metropole, a call back that accueil owes. accueil's: a message. The crisis has a menu without options.
    """
    plan = small_plan()
    root, prompts = plan.menus[ROOT], ("metropole", "numero", "crue", "menu-crue")
    options = {
        **root.options,
        "4": ToOutside(METROPOLE),
        "5": ToLanguage("en"),
        "6": Typed(PromptId("numero"), 3, ETAT_CIVIL),
    }
    crisis_menu = Menu(MenuId("crue"), PromptId("menu-crue"), PromptId("menu-crue"), {})
    steps = (OtherTopic(ACCUEIL), TellOutside(METROPOLE), CallBack(GroupId("accueil")))
    plan = replace(
        plan,
        menus={**plan.menus, ROOT: replace(root, options=options), crisis_menu.id: crisis_menu},
        topics={
            ETAT_CIVIL: replace(plan.topics[ETAT_CIVIL], continuity=steps),
            ACCUEIL: replace(plan.topics[ACCUEIL], continuity=(TakeMessage(GroupId("accueil")),)),
        },
        outsides={METROPOLE: Outside(METROPOLE, "Métropole", "+33536492000", PromptId("metropole"))},
        crises={CRUE: CrisisProfile(CRUE, "Crue", PromptId("crue"), crisis_menu.id)},
        languages=("en",),
        prompts=plan.prompts | set(map(PromptId, prompts)),
    )
    return replace(plan, **overrides)


_MENU_PROMPTS: Final = ("menu-principal", "menu-principal-court", "menu-suite", "horaires")


def small_texts(plan: Plan | None = None) -> Mapping[PromptId, str]:
    """Return a short text for every prompt of a plan, for tone or voice."""
    prompts = (plan or small_plan()).prompts
    return {prompt: prompt.replace("-", " ").capitalize() + "." for prompt in sorted(prompts)}
