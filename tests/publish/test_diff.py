"""What differs is told in French, one sentence for each change; what has no sentence is told by its file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import AgentId, GroupId, OtherTopic, Pilot, PromptId, TakeMessage, Topic, TopicId, ToTopic, Widening
from ivr.ledger.store import File
from ivr.plan import load
from ivr.publish.diff import Side, diff
from ivr.publish.publication import Refused, prepare, retired
from ivr.publish.version import Files, Published, Version
from tests.plan.folders import AGENTS, GROUPS, MENU, SITE, TOPICS, write
from tests.plans import ACCUEIL, ETAT_CIVIL, ROOT, small_plan, small_texts

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.plan import Loaded

pytestmark = pytest.mark.unit


def side(plan: Plan, **texts: str) -> Side:
    said = {prompt: {"fr": text} for prompt, text in small_texts().items()}
    return Side(plan, {**said, **{PromptId(name): {"fr": text} for name, text in texts.items()}}, {}, {})


def sentences(new: Plan, **texts: str) -> list[str]:
    return [change.sentence for change in diff(side(small_plan()), side(new, **texts))]


def test_nothing_differs_from_itself() -> None:
    assert sentences(small_plan()) == []


def test_a_key_that_leads_elsewhere() -> None:
    plan = small_plan()
    menu = plan.menus[ROOT]
    options = {**menu.options, "1": ToTopic(ACCUEIL), "4": ToTopic(ETAT_CIVIL)}
    del options["3"]
    assert sentences(replace(plan, menus={**plan.menus, ROOT: replace(menu, options=options)})) == [
        "Le choix 1 du menu principal mène désormais au motif « Accueil » (avant : au motif « Etat-civil »).",
        "Le choix 3 du menu principal est retiré (il menait au message « horaires »).",
        "Le choix 4 du menu principal est nouveau : il mène au motif « Etat-civil ».",
    ]


def test_a_trial() -> None:
    plan = small_plan()
    menu = plan.menus[ROOT]
    options = {**menu.options, "1": ToTopic(ETAT_CIVIL, Pilot(ACCUEIL, 0.2))}
    (told,) = sentences(replace(plan, menus={**plan.menus, ROOT: replace(menu, options=options)}))
    was = "(avant : au motif « Etat-civil »)"
    here = "Le choix 1 du menu principal mène désormais pour 20 % des appelants au motif « Etat-civil »"
    assert told == f"{here}, sinon à « Accueil » {was}."


def test_who_serves_a_topic() -> None:
    plan = small_plan()
    wider = replace(plan.topics[ETAT_CIVIL], widen=(Widening(60_000, (GroupId("accueil"),)),))
    chain = replace(wider, continuity=(OtherTopic(ACCUEIL), TakeMessage(GroupId("accueil"))))
    assert sentences(replace(plan, topics={**plan.topics, ETAT_CIVIL: chain})) == [
        "Le motif « Etat-civil » est désormais servi aussi par Accueil après 1 min.",
        "Le motif « Etat-civil », quand personne ne peut répondre : motif « Accueil », puis message pour Accueil.",
    ]


def test_people_who_come_and_go() -> None:
    plan = small_plan()
    agents = dict(plan.agents)
    del agents[AgentId("bob")]
    agents[AgentId("alice")] = replace(agents[AgentId("alice")], groups=(GroupId("etat-civil"),))
    agents[AgentId("nadia")] = replace(agents[AgentId("alice")], id=AgentId("nadia"), name="Nadia Belkacem")
    assert sentences(replace(plan, agents=agents)) == [
        "Alice quitte l'équipe Accueil.",
        "Nadia Belkacem arrive, équipe Etat-civil.",
        "Bob n'est plus au standard.",
    ]


def test_texts_durations_and_topics() -> None:
    plan = small_plan()
    more = Topic(TopicId("voirie"), "Voirie", (GroupId("accueil"),))
    told = sentences(replace(plan, topics={**plan.topics, more.id: more}, wrap_ms=45_000), horaires="Ouvert de 8 à 17.")
    assert told == [
        "Après un appel, l'agent a désormais 45 s (avant : 0 s).",
        "Le motif « Voirie » est ajouté, servi par Accueil.",
        "Le message « horaires » dit désormais : « Ouvert de 8 à 17. ».",
    ]


def test_what_has_no_sentence_is_told_by_its_file() -> None:
    plan, texts = small_plan(), side(small_plan()).texts
    old = Side(plan, texts, {"hours.yaml": "a", "menu.yaml": "a"}, {"recorded/fr/x.wav": "1"})
    new = Side(plan, texts, {"hours.yaml": "b", "menu.yaml": "b"}, {"recorded/fr/x.wav": "2"})
    assert [change.sentence for change in diff(old, new)] == [
        "L'enregistrement recorded/fr/x.wav a changé.",
        "Le fichier hours.yaml a changé.",
    ]


# -- what is removed -----------------------------------------------------------


@pytest.fixture
def current(tmp_path: Path) -> tuple[Published, Loaded]:
    (tmp_path / "old").mkdir()
    loaded = load(write(tmp_path / "old"))
    assert loaded.plan is not None
    files = Files.of(loaded.folder)
    return Published(Version("essai", 1, loaded.plan.version, files.digest, "x", 1), files), loaded


WITHOUT = {
    "topics": TOPICS[: TOPICS.index("  etat-civil")],
    "groups": GROUPS[: GROUPS.index("  etat-civil")],
    "agents": AGENTS[: AGENTS.index("  bob")].replace("[etat-civil, accueil]", "[accueil]"),
    "menu": MENU.replace("1: {topic: etat-civil}", "1: {topic: accueil}"),
}
HEIRS = "successors: {topics: {etat-civil: accueil}, groups: {etat-civil: accueil}, agents: {bob: alice}}\n"
OWED = [
    File("a", "essai", "message", "etat-civil", "group:etat-civil", "r", "", 1, 2),
    File("b", "essai", "follow_up", "etat-civil", "agent:bob", "r", "", 1, 2),
    File("c", "essai", "message", "accueil", "group:accueil", "r", "", 1, 2),
]


def draft(folder: Path, **changed: str) -> Loaded:
    folder.mkdir()
    return load(write(folder, **{**WITHOUT, **changed}))


def test_what_callers_and_files_still_need_is_not_removed(current: tuple[Published, Loaded], tmp_path: Path) -> None:
    new = draft(tmp_path / "new")
    ready_for = partial(prepare, new, Files.of(new.folder), current, author="Claire", note="", now=9)
    with pytest.raises(Refused) as refused:
        ready_for(waiting={"etat-civil": 2}, owed=OWED)
    assert [reason.split(";")[0].rstrip() for reason in refused.value.reasons] == [
        "motif « État civil » retiré : 2 appelants y attendent",
        "équipe État civil retirée : 1 dossiers ouverts sont à elle",
        "Bob Durand n'est plus là : 1 dossiers ouverts sont à son nom",
    ]
    ready = ready_for(waiting={"accueil": 1}, owed=OWED[2:])
    assert ready.published.version.retired == {"etat-civil": "accueil"}


def test_a_successor_takes_them(current: tuple[Published, Loaded], tmp_path: Path) -> None:
    new = draft(tmp_path / "new", site=SITE + HEIRS)
    assert new.plan is not None, new.faults
    ready = prepare(
        new, Files.of(new.folder), current, author="C", note="", now=9, waiting={"etat-civil": 2}, owed=OWED
    )
    assert ready.moved == {"group:etat-civil": "group:accueil", "agent:bob": "agent:alice"}
    told = [change.sentence for change in ready.changes]
    assert "Le motif « État civil » est retiré ; ses appelants vont au motif « Accueil »." in told


def test_a_successor_of_what_is_still_there_is_a_mistake(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    loaded = load(write(folder, site=SITE + "successors: {topics: {etat-civil: nulle-part}}\n"))
    codes = {fault.code for fault in loaded.faults}
    assert {"successor-of-living", "unknown-reference"} <= codes


def test_a_topic_that_comes_back_is_no_longer_retired() -> None:
    plan = small_plan()
    without = replace(plan, topics={ACCUEIL: plan.topics[ACCUEIL]})
    version = Version("essai", 1, "x", "y", "z", 1, retired={"voirie": "etat-civil"})
    assert retired(version, plan, without) == {"etat-civil": "accueil", "voirie": "accueil"}
    assert retired(replace(version, retired={"etat-civil": "accueil"}), without, plan) == {}


def test_a_broken_draft_is_refused(current: tuple[Published, Loaded], tmp_path: Path) -> None:
    new = draft(tmp_path / "new", menu=MENU)
    with pytest.raises(Refused, match="etat-civil"):
        prepare(new, Files.of(new.folder), current, author="C", note="", now=9, waiting={}, owed=())
