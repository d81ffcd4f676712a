"""What happens when nobody can answer, in which language, and who stands in: read whole, each mistake at its place."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from ivr.core.plan import (
    Absence,
    AgentId,
    CallBack,
    CrisisId,
    CrisisProfile,
    GroupId,
    MenuId,
    OtherTopic,
    Outside,
    OutsideId,
    PromptId,
    TakeMessage,
    TellOutside,
    ToLanguage,
    ToOutside,
    TopicId,
    Typed,
)
from ivr.plan import load, load_or_raise
from ivr.plan.moments import ZONE
from tests.plan.folders import AGENTS, GROUPS, MENU, SITE, TOPICS, seen, write

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.plan import Loaded

pytestmark = pytest.mark.long

NOW: Final = datetime(2026, 12, 1, 9, 0, tzinfo=ZONE)
WHOLE: Final = {
    "site": SITE + "languages: [en]\ncontinuity:\n  - topic: accueil\n  - message\n",
    "menu": MENU.replace(
        "      3: {information: phrase}\n",
        "      3: {outside: metropole}\n"
        "      4: {digits: {prompt: phrase, length: 6, topic: accueil}}\n"
        "      9: {language: en}\n",
    )
    + "  crue:\n    prompt: menu-crue\n    options:\n      1: {topic: accueil}\n",
    "topics": TOPICS + "    continuity:\n"
    "      - topic: accueil\n"
    "      - outside: metropole\n"
    "      - callback: accueil\n",
    "groups": GROUPS,
    "agents": AGENTS.replace("    name: Bob", "    substitutes: [alice]\n    name: Bob") + "    absences:\n"
    "      - {from: 2026-12-03, to: 2026-12-04, reason: congés}\n"
    "      - {from: 2026-12-08 14h, to: 08/12/2026 17:30}\n",
    "prompts": """\
prompts:
  bonjour: Bonjour.
  phrase: {fr: Une phrase., en: A sentence.}
  menu-principal: {fr: "Tapez 1. Tapez 2. Tapez 3. Tapez 4. English, press 9.", en: "Press 1, press 2."}
  menu-suite: {fr: "Pour l'accueil, tapez 1.", en: "Press 1."}
  menu-crue: {fr: "Pour l'accueil, tapez 1.", en: "Press 1."}
  metropole: {fr: "Appelez le 05 36 49 20 00. Je répète, 05 36 49 20 00.", en: "Call 05 36 49 20 00, 05 36 49 20 00."}
  crue: {fr: La rivière monte., en: The river is rising.}
""",
    "outsides": """\
outsides:
  metropole:
    label: La métropole
    number: 05 36 49 20 00
    prompt: metropole
    note: du lundi au vendredi
""",
    "crisis": """\
profiles:
  crue:
    label: Crue de la rivière
    message: crue
    menu: crue
    groups: [etat-civil]
    length: 6 h
""",
}


def folder_of(folder: Path, **changed: str) -> Path:
    """Write the files, with everything that this page is about, some replaced."""
    texts = WHOLE | changed
    for name in ("outsides", "crisis"):
        (folder / f"{name}.yaml").write_text(texts.pop(name), encoding="utf-8")
    return write(folder, **texts)


def found(folder: Path, file: str, old: str, new: str) -> Loaded:
    """Load the files with one replacement in one of them."""
    assert old in WHOLE[file]
    return load(folder_of(folder, **{file: WHOLE[file].replace(old, new, 1)}), now=NOW)


def test_a_folder_with_everything_is_a_plan(tmp_path: Path) -> None:
    plan, loaded = load_or_raise(folder_of(tmp_path), now=NOW)
    assert seen(tmp_path, loaded.faults) == []
    metropole = OutsideId("metropole")
    assert plan.topics[TopicId("accueil")].continuity == (TakeMessage(GroupId("accueil")),)
    assert plan.topics[TopicId("etat-civil")].continuity == (
        OtherTopic(TopicId("accueil")),
        TellOutside(metropole),
        CallBack(GroupId("accueil")),
    )
    assert plan.outsides == {metropole: Outside(metropole, "La métropole", "+33536492000", PromptId("metropole"))}
    options = plan.menus[plan.root].options
    assert options["3"] == ToOutside(metropole)
    assert options["4"] == Typed(PromptId("phrase"), 6, TopicId("accueil"))
    assert options["9"] == ToLanguage("en")
    assert plan.languages == ("en",)
    crue = CrisisId("crue")
    assert plan.crises == {
        crue: CrisisProfile(
            crue, "Crue de la rivière", PromptId("crue"), MenuId("crue"), (GroupId("etat-civil"),), 6 * 3_600_000
        )
    }
    bob = plan.agents[AgentId("bob")]
    assert bob.substitutes == (AgentId("alice"),)
    assert bob.absences == (
        Absence(_ms(2026, 12, 3), _ms(2026, 12, 5), "congés"),
        Absence(_ms(2026, 12, 8, 14), _ms(2026, 12, 8, 17, 30)),
    )


def _ms(*when: int) -> int:
    return round(datetime(*when, tzinfo=ZONE).timestamp() * 1000)  # type: ignore[arg-type, misc]


def test_a_last_step_without_an_owner_is_the_topic_s_own_group(tmp_path: Path) -> None:
    topics = TOPICS + "    continuity: [callback]\n"
    plan, loaded = load_or_raise(write(tmp_path, topics=topics), now=NOW)
    assert loaded.faults == ()
    assert plan.topics[TopicId("accueil")].continuity == (TakeMessage(GroupId("accueil")),)
    assert plan.topics[TopicId("etat-civil")].continuity == (CallBack(GroupId("etat-civil")),)


class Mistake(NamedTuple):
    """One replacement in one file, and the faults that it must give."""

    file: str
    old: str
    new: str
    found: str
    says: str


MISTAKES = (
    Mistake("site", "  - message\n", "",
            "site.yaml:25:5 error chain-without-end",
            "Cette chaîne peut finir sans personne : sa dernière étape n'est ni un rappel ni un message."),
    Mistake("site", "  - topic: accueil\n  - message\n", "  - message\n  - topic: accueil\n",
            "site.yaml:26:5 error step-after-end",
            "Cette étape ne sert jamais : un rappel ou un message la précède, et ne peut échouer."),
    Mistake("site", "  - topic: accueil", "  - topic: acueil",
            "site.yaml:25:12 error unknown-reference", "Le motif « acueil » n'existe pas."),
    Mistake("site", "  - topic: accueil", "  - motif: accueil",
            "site.yaml:25:5 error unknown-key", "« motif » n'est pas une clé connue ici."),
    Mistake("site", "  - topic: accueil\n", "  - {topic: accueil, outside: metropole}\n",
            "site.yaml:25:5 error chain-step",
            "Une étape de « continuity » est une seule chose : topic, outside, callback ou message (2 ici)."),
    Mistake("site", "continuity:\n  - topic: accueil\n  - message\n", "continuity: []\n",
            "site.yaml:24:13 error empty-list", "« continuity » est vide."),
    Mistake("topics", "topic: accueil\n      - outside", "topic: etat-civil\n      - outside",
            "topics.yaml:9:16 error chain-to-itself",
            "La chaîne de « etat-civil » mène à « etat-civil », où personne ne répond déjà."),
    Mistake("topics", "      - callback: accueil", "      - topic: accueil\n      - callback: accueil",
            "topics.yaml:11:16 warning step-twice", "« accueil » est déjà une étape de cette chaîne."),
    Mistake("topics", "      - callback: accueil\n", "",
            "topics.yaml:10:9 error chain-without-end",
            "Cette chaîne peut finir sans personne : sa dernière étape n'est ni un rappel ni un message."),
    Mistake("topics", "callback: accueil", "message: acceuil",
            "topics.yaml:11:18 error unknown-reference", "L'équipe « acceuil » n'existe pas."),
    Mistake("topics", "outside: metropole", "outside: metropol",
            "topics.yaml:10:18 error unknown-reference", "L'organisme « metropol » n'existe pas."),
    Mistake("menu", "outside: metropole", "outside: metropol",
            "menu.yaml:8:20 error unknown-reference", "L'organisme « metropol » n'existe pas."),
    Mistake("menu", "length: 6, ", "",
            "menu.yaml:9:11 error missing-key", "Il manque « length » dans « digits »."),
    Mistake("menu", "length: 6", "length: 40",
            "menu.yaml:9:44 error expected-number", "« length » attend un nombre entier de 1 à 20."),
    Mistake("menu", "prompt: phrase, length", "prompt: phrasse, length",
            "menu.yaml:9:28 error unknown-reference", "Le message « phrasse » n'existe pas."),
    Mistake("menu", "language: en", "language: de",
            "menu.yaml:10:21 error not-in-list", "« de » n'est pas admis pour « language »."),
    Mistake("site", "languages: [en]", "languages: [en, fr]",
            "site.yaml:23:17 error own-language", "« fr » est déjà la langue du site."),
    Mistake("site", "languages: [en]\n", "",
            "menu.yaml:10:21 error unknown-language", "Ce choix mène à la langue « en », que le site n'a pas."),
    Mistake("menu", "      9: {language: en}\n", "      9: {topic: accueil}\n",
            "site.yaml:23:13 warning unused-language", "Aucun choix ne mène à la langue « en »."),
    Mistake("prompts", "{fr: La rivière monte., en: The river is rising.}", "La rivière monte.",
            "prompts.yaml:8:3 error untranslated",
            "Le message « crue » n'existe pas en « en », langue que l'appelant peut choisir."),
    Mistake("prompts", "La rivière monte.", '"La rivière monte, ' + "et monte encore, " * 15 + 'toujours."',
            "prompts.yaml:8:3 error crisis-too-long", "Le message de crise « crue » dure environ 21 s : plus de 20 s."),
    Mistake("prompts", "fr: Une phrase.", "fr: " + "Une longue phrase. " * 50,
            "prompts.yaml:3:3 error prompt-too-long", "Le message « phrase » dure environ 73 s : plus de 45 s."),
    Mistake("prompts", "Une phrase.", '"Pour les pompiers, tapez 1."',
            "prompts.yaml:3:3 error emergency-key",
            "Le message « phrase » donne une touche pour les urgences : « Pour les pompiers, tapez 1. »."),
    Mistake("prompts", "Une phrase.", "En cas de danger tapez 112.",
            "prompts.yaml:3:3 error emergency-key",
            "Le message « phrase » donne une touche pour les urgences : « En cas de danger tapez 112. »."),
    Mistake("prompts", "Une phrase.", "\"C'est urgent ? Nous intervenons aussitôt.\"",
            "prompts.yaml:3:3 error emergency-promise",
            "Le message « phrase » promet de l'aide en urgence : « Nous intervenons aussitôt. »."),
    Mistake("prompts", "Une phrase.", "Appelez le 08 99 12 34 56.",
            "prompts.yaml:3:3 warning premium-number", "08 99 12 34 56 est un numéro surtaxé."),
    Mistake("prompts", "Appelez le 05 36 49 20 00. Je répète, 05 36 49 20 00.", "Appelez le 05 36 49 20 00.",
            "prompts.yaml:7:3 warning outside-number-unsaid",
            "Le message « metropole » ne dit pas deux fois le numéro +33536492000."),
    Mistake("outsides", "05 36 49 20 00", "15",
            "outsides.yaml:4:13 error emergency-number",
            "15 est un numéro d'urgence : le standard ne doit pas prétendre y mener."),
    Mistake("outsides", "05 36 49 20 00", "08 99 12 34 56",
            "outsides.yaml:4:13 warning outside-premium", "Le numéro +33899123456 de « metropole » est surtaxé."),
    Mistake("outsides", "prompt: metropole", "prompt: metropoles",
            "outsides.yaml:5:13 error unknown-reference", "Le message « metropoles » n'existe pas."),
    Mistake("crisis", "menu: crue", "menu: crues",
            "crisis.yaml:5:11 error unknown-reference", "Le menu « crues » n'existe pas."),
    Mistake("crisis", "groups: [etat-civil]", "groups: [etat-civl]",
            "crisis.yaml:6:14 error unknown-reference", "L'équipe « etat-civl » n'existe pas."),
    Mistake("crisis", "length: 6 h", "length: 1 min",
            "crisis.yaml:7:13 error duration-range", "La durée « 1 min » est hors des bornes : de 10 min à 7 d."),
    Mistake("agents", "substitutes: [alice]", "substitutes: [alicia]",
            "agents.yaml:6:19 error unknown-reference", "L'agent « alicia » n'existe pas."),
    Mistake("agents", "substitutes: [alice]", "substitutes: [alice, bob]",
            "agents.yaml:6:26 error own-substitute", "« bob » ne peut pas être son propre remplaçant."),
    Mistake("agents", "reason: congés", "raison: congés",
            "agents.yaml:10:44 error unknown-key", "« raison » n'est pas une clé connue ici."),
    Mistake("agents", "from: 2026-12-03", "from: 3 décembre",
            "agents.yaml:10:16 error bad-moment", "« 3 décembre » n'est pas une date."),
    Mistake("agents", "to: 2026-12-04", "to: 2026-12-01",
            "agents.yaml:10:9 error absence-order", "Cette absence finit avant de commencer."),
    Mistake("agents", "    absences:\n", "    calendar: ../bob.ics\n    absences:\n",
            "agents.yaml:9:15 error bad-calendar",
            "« ../bob.ics » n'est ni un fichier .ics du dossier ni une adresse https."),
    Mistake("agents", "    absences:\n", "    calendar: bob.ics\n    absences:\n",
            "agents.yaml:9:15 error calendar-unreadable",
            "L'agenda « bob.ics » ne peut pas être lu : le fichier n'existe pas."),
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.found} {mistake.new.strip()[:40]}")
def test_a_mistake_is_told_once_with_its_place(mistake: Mistake, tmp_path: Path) -> None:
    loaded = found(tmp_path, mistake.file, mistake.old, mistake.new)
    assert [line for line in seen(tmp_path, loaded.faults) if not line.endswith("key-not-spoken")] == [mistake.found]
    fault = next(fault for fault in loaded.faults if fault.code == mistake.found.split()[-1])
    assert fault.message_fr == mistake.says
    assert fault.cure_fr
    assert fault.message_en
    assert fault.cure_en


def test_a_topic_says_what_becomes_of_its_callers(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, site=SITE + "# continuity: later\n"), now=NOW)
    assert seen(tmp_path, loaded.faults) == [
        "topics.yaml:2:3 error no-continuity",
        "topics.yaml:5:3 error no-continuity",
    ]
    assert "« continuity: [{topic: accueil}, message] »" in loaded.faults[0].cure_fr


def test_an_outside_body_that_nothing_leads_to_is_told(tmp_path: Path) -> None:
    loaded = load(
        folder_of(
            tmp_path,
            menu=WHOLE["menu"].replace("outside: metropole", "information: phrase"),
            topics=WHOLE["topics"].replace("      - outside: metropole\n", ""),
        ),
        now=NOW,
    )
    assert seen(tmp_path, loaded.faults) == ["outsides.yaml:2:3 warning unused-outside"]


def test_keys_of_languages_are_no_options_to_remember(tmp_path: Path) -> None:
    options = "".join(f"      {key}: {{topic: accueil}}\n" for key in "678")
    said = " ".join(f"Tapez {key}." for key in "678")
    loaded = load(
        folder_of(
            tmp_path,
            menu=WHOLE["menu"].replace("      9:", options + "      9:", 1),
            prompts=WHOLE["prompts"].replace("Tapez 1.", f"Tapez 1. {said}", 1),
        ),
        now=NOW,
    )
    (fault,) = loaded.faults
    assert (fault.code, "7" in fault.message_fr) == ("too-many-options", True)


@pytest.mark.parametrize(
    "said",
    [
        "En cas d'urgence, raccrochez et composez le 112.",
        "Pour la police municipale, tapez 1.",
        "Nous intervenons sur la voirie du lundi au vendredi.",
        "In an emergency, hang up and dial 112.",
    ],
)
def test_what_sends_callers_to_the_rescue_itself_is_right(said: str, tmp_path: Path) -> None:
    assert found(tmp_path, "prompts", "Une phrase.", f'"{said}"').faults == ()


def test_a_key_for_what_is_merely_urgent_is_a_warning(tmp_path: Path) -> None:
    loaded = found(tmp_path, "prompts", "Une phrase.", '"Pour une urgence de voirie, tapez 2."')
    assert seen(tmp_path, loaded.faults) == ["prompts.yaml:3:3 warning emergency-key"]


# -- absences


def away(agent: str, when: str, rest: str = "") -> str:
    """The sound agents, one with an absence."""
    line = f"    absences: [{{{when}}}]\n{rest}"
    return (
        AGENTS.replace("    groups: [etat-civil, accueil]\n", "    groups: [etat-civil, accueil]\n" + line)
        if (agent == "alice")
        else AGENTS + line
    )


def faults_of(folder: Path, agents: str, topics: str = TOPICS) -> list[str]:
    return seen(folder, load(write(folder, agents=agents, topics=topics), now=NOW).faults)


def test_an_absence_that_leaves_a_topic_with_nobody_is_told_where_it_is_written(tmp_path: Path) -> None:
    agents = away("alice", "from: 2026-12-03, to: 2026-12-04")
    assert faults_of(tmp_path, agents) == ["agents.yaml:5:16 error absence-empties"]
    fault = load(tmp_path, now=NOW).faults[0]
    assert fault.message_fr == "Plus personne ne répond à « accueil » le 03/12/2026 : Alice Martin manque."


def test_time_alone_makes_no_plan_unfit_to_be_served(tmp_path: Path) -> None:
    write(tmp_path, agents=away("alice", "from: 2026-12-03, to: 2026-12-04"))
    assert load(tmp_path).faults == ()


@pytest.mark.parametrize(
    ("agents", "topics"),
    [
        (away("alice", "from: 2026-12-03, to: 2026-12-04", "    substitutes: bob\n"), TOPICS),
        (away("bob", "from: 2026-12-03, to: 2026-12-04"), TOPICS),
        (away("alice", "from: 2026-12-12, to: 2026-12-14"), TOPICS),
        (away("alice", "from: 2026-11-12, to: 2026-11-30"), TOPICS),
        (
            away("alice", "from: 2026-12-03, to: 2026-12-04"),
            TOPICS.replace("groups: [accueil]\n", "groups: [accueil]\n    continuity: [callback]\n"),
        ),
    ],
    ids=["a substitute", "another is there", "later", "before", "a chain of its own"],
)
def test_an_absence_that_is_provided_for_is_no_fault(agents: str, topics: str, tmp_path: Path) -> None:
    assert faults_of(tmp_path, agents, topics) == []


def test_an_absence_that_others_answer_for_after_a_while_is_a_warning(tmp_path: Path) -> None:
    topics = TOPICS.replace("groups: [accueil]\n", "groups: [accueil]\n    widen: [{after: 1 min, everyone: true}]\n")
    agents = away("alice", "from: 2026-12-03, to: 2026-12-04")
    assert faults_of(tmp_path, agents, topics) == ["agents.yaml:5:16 warning absence-thins"]


def test_the_last_absence_of_several_is_the_one_to_mend(tmp_path: Path) -> None:
    agents = away("alice", "from: 2026-12-03, to: 2026-12-08") + "    absences: [{from: 2026-12-04, to: 2026-12-04}]\n"
    topics = TOPICS.replace("groups: [accueil]", "groups: [etat-civil]", 1)
    assert "agents.yaml:9:16 error absence-empties" in faults_of(tmp_path, agents, topics)
    fault = next(fault for fault in load(tmp_path, now=NOW).faults if fault.code == "absence-empties")
    assert "Alice Martin et Bob Durand" in fault.message_fr


def test_a_substitute_who_is_away_too_is_told(tmp_path: Path) -> None:
    agents = away("alice", "from: 2026-12-03, to: 2026-12-03", "    substitutes: bob\n")
    agents += "    absences: [{from: 2026-12-02, to: 2026-12-05}]\n"
    assert "agents.yaml:6:18 warning substitute-away" in faults_of(tmp_path, agents)
