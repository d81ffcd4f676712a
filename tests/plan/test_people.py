"""Who answers when, and what agents can say: read whole, and each mistake told once at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from ivr.core.plan import (
    EVERYONE,
    AgentSentences,
    GroupId,
    OutcomeCode,
    Overflow,
    PauseReason,
    PromptId,
    TopicId,
    Widening,
)
from ivr.plan import load, load_or_raise
from tests.plan.folders import PROMPTS, SITE, TOPICS, seen, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

WIDE: Final = """\
topics:
  accueil:
    label: Accueil
    groups: [accueil]
    strategy: ring-many
    ring_at_once: 4
  etat-civil:
    label: État civil
    groups: [etat-civil]
    widen:
      - {after: 60 s, groups: [accueil]}
      - {after: 3 min, everyone: true}
    overflow: {wait: 5 min, ratio: 4}
"""
SAYS: Final = SITE + (
    "agent_sentences: {ready: phrase, outcome_kept: phrase, wrap_longer: phrase, refused: phrase}\nwrap: 45 s\n"
)
OUTCOMES: Final = """\
outcomes:
  1: {id: repondu, label: Répondu}
  3: {id: a-rappeler, label: À rappeler, follow_up: true}
pauses:
  1: {id: dejeuner, label: Déjeuner, length: 1 h, prompt: phrase}
  2: {id: reunion, label: Réunion, length: 45 min, prompt: phrase}
"""
WHOLE: Final = {"topics.yaml": WIDE, "site.yaml": SAYS, "outcomes.yaml": OUTCOMES}


def folder_of(folder: Path, **changed: str) -> Path:
    """Write the sound files, with everything that this page is about, some replaced."""
    texts = {name.removesuffix(".yaml"): text for name, text in WHOLE.items()} | changed
    (folder / "outcomes.yaml").write_text(texts.pop("outcomes"), encoding="utf-8")
    return write(folder, **texts)


def test_a_folder_with_everything_is_a_plan(tmp_path: Path) -> None:
    plan, loaded = load_or_raise(folder_of(tmp_path, site=SAYS + "max_calls: 40\n"))
    assert loaded.faults == ()
    desk, papers = plan.topics[TopicId("accueil")], plan.topics[TopicId("etat-civil")]
    assert (desk.strategy, desk.ring_at_once, desk.widen, desk.overflow) == ("ring-many", 4, (), None)
    assert (papers.strategy, papers.ring_at_once) == ("longest-idle", 3)
    assert papers.widen == (Widening(60_000, (GroupId("accueil"),)), Widening(180_000, (EVERYONE,)))
    assert papers.overflow == Overflow(300_000, 4)
    assert (plan.max_calls, plan.wrap_ms) == (40, 45_000)
    phrase = PromptId("phrase")
    assert plan.agent_sentences == AgentSentences(phrase, phrase, phrase, phrase)
    assert plan.outcomes == {
        "1": OutcomeCode("1", "repondu", "Répondu"),
        "3": OutcomeCode("3", "a-rappeler", "À rappeler", follow_up=True),
    }
    assert plan.pauses["1"] == PauseReason("1", "dejeuner", "Déjeuner", 3_600_000, phrase)


def test_without_the_file_there_are_no_codes(tmp_path: Path) -> None:
    plan, loaded = load_or_raise(write(tmp_path))
    assert loaded.faults == ()
    assert (plan.outcomes, plan.pauses, plan.agent_sentences) == ({}, {}, None)
    assert (plan.max_calls, plan.wrap_ms) == (200, 45_000)


def test_an_empty_file_is_as_none(tmp_path: Path) -> None:
    plan, loaded = load_or_raise(folder_of(tmp_path, outcomes="# nothing yet\n"))
    assert loaded.faults == ()
    assert not plan.outcomes


def test_what_is_meant_counts_not_how_it_is_written(tmp_path: Path) -> None:
    first = load_or_raise(folder_of(tmp_path))[0]
    turned = OUTCOMES.replace("45 min", "2700 s").replace("follow_up: true", "follow_up: yes")
    assert load_or_raise(folder_of(tmp_path, outcomes=turned))[0].version == first.version
    other = OUTCOMES.replace("45 min", "46 min")
    assert load_or_raise(folder_of(tmp_path, outcomes=other))[0].version != first.version
    assert load_or_raise(folder_of(tmp_path, topics=WIDE.replace("ratio: 4", 'ratio: "4,0"')))[0].version == (
        first.version
    )


class Mistake(NamedTuple):
    """One replacement in one file, and the one fault that it must give."""

    file: str
    old: str
    new: str
    found: str
    says: str


MISTAKES = (
    Mistake("topics.yaml", "after: 3 min, everyone: true", "after: 60 s, everyone: true",
            "topics.yaml:12:17 error widen-order", "Cet élargissement vient à 1 min, pas après le précédent (1 min)."),
    Mistake("topics.yaml", "groups: [accueil]}", "groups: [acceuil]}",
            "topics.yaml:11:32 error unknown-reference", "L'équipe « acceuil » n'existe pas."),
    Mistake("topics.yaml", "groups: [accueil]}", "groups: [etat-civil]}",
            "topics.yaml:11:32 warning widen-already", "« etat-civil » répond déjà à « etat-civil » à ce moment."),
    Mistake("topics.yaml", "groups: [accueil]}", "groups: []}",
            "topics.yaml:11:31 error empty-list", "« groups » est vide."),
    Mistake("topics.yaml", "groups: [accueil]}", "everyone: true}",
            "topics.yaml:12:9 warning widen-after-everyone", "Tout le monde répond déjà à « etat-civil » à ce moment."),
    Mistake("topics.yaml", "60 s, groups: [accueil]}", "60 s}",
            "topics.yaml:11:9 error widening-target",
            "Un élargissement nomme des équipes, ou tout le monde : l'un des deux."),
    Mistake("topics.yaml", "everyone: true", "everyone: oui",
            "topics.yaml:12:34 error expected-yes-no", "« everyone » attend true (oui) ou false (non)."),
    Mistake("topics.yaml", "everyone: true", "everyone: false",
            "topics.yaml:12:9 error widening-target",
            "Un élargissement nomme des équipes, ou tout le monde : l'un des deux."),
    Mistake("topics.yaml", "{after: 60 s,", "{",
            "topics.yaml:11:9 error missing-key", "Il manque « after » dans « widen »."),
    Mistake("topics.yaml", "after: 60 s", "after: 2 s",
            "topics.yaml:11:17 error duration-range", "La durée « 2 s » est hors des bornes : de 5 s à 2 h."),
    Mistake("topics.yaml", "after: 3 min", "after: 15 min",
            "topics.yaml:12:17 warning never-reached", "« after » n'arrive jamais : l'attente s'arrête à 15 min."),
    Mistake("topics.yaml", "wait: 5 min", "wait: 20 min",
            "topics.yaml:13:22 warning never-reached", "« wait » n'arrive jamais : l'attente s'arrête à 15 min."),
    Mistake("topics.yaml", "{wait: 5 min, ratio: 4}", "{}",
            "topics.yaml:13:5 error overflow-empty",
            "« overflow » ne dit ni après quelle attente, ni pour combien d'appelants par agent."),
    Mistake("topics.yaml", "ratio: 4", "ratio: beaucoup",
            "topics.yaml:13:36 error expected-decimal", "« ratio » attend un nombre de 0.5 à 100."),
    Mistake("topics.yaml", "ratio: 4", "ratio: 0",
            "topics.yaml:13:36 error expected-decimal", "« ratio » attend un nombre de 0.5 à 100."),
    Mistake("topics.yaml", "ratio: 4", "ratios: 4",
            "topics.yaml:13:29 error unknown-key", "« ratios » n'est pas une clé connue ici."),
    Mistake("topics.yaml", "strategy: ring-many", "strategy: ringall",
            "topics.yaml:5:15 error not-in-list", "« ringall » n'est pas admis pour « strategy »."),
    Mistake("topics.yaml", "    strategy: ring-many\n", "",
            "topics.yaml:5:5 warning ring-at-once-unused",
            "« ring_at_once » ne sert qu'avec « strategy: ring-many »."),
    Mistake("topics.yaml", "ring_at_once: 4", "ring_at_once: 9",
            "topics.yaml:6:19 error expected-number", "« ring_at_once » attend un nombre entier de 2 à 5."),
    Mistake("site.yaml", "wrap: 45 s", "wrap: 20 min",
            "site.yaml:24:7 error duration-range", "La durée « 20 min » est hors des bornes : de 0 s à 15 min."),
    Mistake("site.yaml", "wrap: 45 s", "wrap: 0 s",
            "site.yaml:24:7 warning no-time-for-outcome",
            "Sans temps après l'appel (« wrap: 0 s »), aucun agent ne peut dire le résultat."),
    Mistake("site.yaml", "wrap: 45 s", "max_calls: 0",
            "site.yaml:24:12 error expected-number", "« max_calls » attend un nombre entier de 1 à 2000."),
    Mistake("site.yaml", "ready: phrase, ", "",
            "site.yaml:23:1 error missing-key", "Il manque « ready » dans « agent_sentences »."),
    Mistake("site.yaml", "refused: phrase", "refused: phrasse",
            "site.yaml:23:86 error unknown-reference", "Le message « phrasse » n'existe pas."),
    Mistake("outcomes.yaml", "prompt: phrase}\n  2", "prompt: phrasse}\n  2",
            "outcomes.yaml:5:59 error unknown-reference", "Le message « phrasse » n'existe pas."),
    Mistake("outcomes.yaml", "id: reunion", "id: dejeuner",
            "outcomes.yaml:6:11 error code-id-twice", "« dejeuner » est déjà l'identifiant de la touche 1."),
    Mistake("outcomes.yaml", "  2: {id: r", "  0: {id: r",
            "outcomes.yaml:6:3 error bad-option-key", "« 0 » n'est pas une touche de 1 à 9."),
    Mistake("outcomes.yaml", "length: 45 min, ", "",
            "outcomes.yaml:6:3 error missing-key", "Il manque « length » dans « 2 »."),
    Mistake("outcomes.yaml", "follow_up: true", "suivi: true",
            "outcomes.yaml:3:42 error unknown-key", "« suivi » n'est pas une clé connue ici."),
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.found} {mistake.new.strip()}")
def test_a_mistake_is_told_once_with_its_place(mistake: Mistake, tmp_path: Path) -> None:
    text = WHOLE[mistake.file]
    assert mistake.old in text
    name = mistake.file.removesuffix(".yaml")
    loaded = load(folder_of(tmp_path, **{name: text.replace(mistake.old, mistake.new, 1)}))
    assert seen(tmp_path, loaded.faults) == [mistake.found]
    (fault,) = loaded.faults
    assert fault.message_fr == mistake.says
    assert fault.cure_fr
    assert fault.message_en
    assert fault.cure_en
    assert (loaded.plan is None) == (fault.severity == "error")


def test_codes_without_sentences_are_no_plan(tmp_path: Path) -> None:
    loaded = load(folder_of(tmp_path, site=SITE))
    assert seen(tmp_path, loaded.faults) == ["site.yaml:1:1 error no-agent-sentences"]


def test_keys_are_proposed_inside_lists_and_optional_parts(tmp_path: Path) -> None:
    wide = WIDE.replace("{after: 60 s,", "{after: 60 s, apres: 1 s,").replace("ratio: 4", "ratios: 4")
    cures = [fault.cure_fr for fault in load(folder_of(tmp_path, topics=wide)).faults]
    assert cures == [
        "Vouliez-vous écrire « after » ? Clés admises : after, groups, everyone.",
        "Vouliez-vous écrire « ratio » ? Clés admises : wait, ratio.",
    ]


def test_a_group_that_only_widens_has_a_use(tmp_path: Path) -> None:
    topics = TOPICS.replace("[accueil]", "[etat-civil]") + "    widen:\n      - {after: 1 min, groups: accueil}\n"
    assert load(folder_of(tmp_path, topics=topics)).faults == ()


def test_a_prompt_is_not_called_unused_while_the_codes_cannot_be_read(tmp_path: Path) -> None:
    prompts = PROMPTS + "  pause: En pause.\n"
    outcomes = OUTCOMES.replace("prompt: phrase", "prompt: pause").replace("length: 45 min", "length: 45")
    assert seen(tmp_path, load(folder_of(tmp_path, prompts=prompts, outcomes=outcomes)).faults) == [
        "outcomes.yaml:6:44 error bad-duration"
    ]


def test_a_name_that_is_almost_right_is_told(tmp_path: Path) -> None:
    write(tmp_path, site=SAYS)
    (tmp_path / "outcome.yaml").write_text(OUTCOMES, encoding="utf-8")
    (fault,) = load(tmp_path).faults
    assert fault.code == "unknown-file"
    assert "outcomes.yaml" in fault.cure_fr
