"""A folder becomes a plan, or every reason why not, whatever its files hold."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.core.plan import Information, MenuId, PromptId, ToMenu, TopicId, ToTopic
from ivr.plan import PlanError, format_faults, load, load_or_raise
from ivr.plan.fields import milliseconds, slug_of
from ivr.plan.source import MAX_BYTES, parse
from tests.plan.folders import AGENTS, MENU, PROMPTS, SITE, SOUND, TOPICS, seen, write

if TYPE_CHECKING:
    from ivr.core.plan import Plan

pytestmark = pytest.mark.long

PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"


def test_a_sound_folder_is_a_plan(tmp_path: Path) -> None:
    plan, loaded = load_or_raise(write(tmp_path))
    assert loaded.faults == ()
    assert plan.site == "essai"
    assert plan.numbers == ("+33536490000",)
    assert plan.relays == {"+33536499001"}
    root = plan.menus[plan.root]
    assert root.options == {
        "1": ToTopic(TopicId("etat-civil")),
        "2": ToMenu(MenuId("suite")),
        "3": Information(PromptId("phrase")),
    }
    assert root.short_prompt == root.prompt
    assert plan.menus[MenuId("suite")].parent == plan.root, "the one menu that leads there is its parent"
    assert {name: group.agents for name, group in plan.groups.items()} == {
        "accueil": ("alice",),
        "etat-civil": ("alice", "bob"),
    }
    assert plan.message_due_days == 2
    assert loaded.texts[PromptId("bonjour")] == {"fr": "Bonjour."}
    assert loaded.places[PromptId("bonjour")].line == 2
    assert loaded.recorded_dir == tmp_path / "recorded"


def _version(folder: Path) -> str:
    return load_or_raise(folder)[0].version


def test_the_version_is_that_of_the_meaning(tmp_path: Path) -> None:
    first = _version(write(tmp_path))
    same = _version(
        write(
            tmp_path,
            menu="# a comment\n" + MENU.replace("{topic: etat-civil}", "\n        topic: 'etat-civil'"),
            site=SITE.replace("05 36 49 00 00", '["+33 5 36 49 00 00"]') + "waiting: {ring: 20000 ms}\n",
        )
    )
    assert same == first
    assert _version(write(tmp_path, prompts=PROMPTS.replace("Bonjour.", "Bonsoir."))) != first
    assert _version(write(tmp_path, site=SITE + "waiting: {ring: 25 s}\n")) != first


def test_durations_numbers_and_keys_are_read_from_the_text(tmp_path: Path) -> None:
    site = SITE + "waiting:\n  ring: 15 s\n  longest: 1 h\nmessage: {longest: 1 min 30 s, due: 3 jours}\n"
    plan, _ = load_or_raise(write(tmp_path, site=site.replace("05 36 49 00 00", "+33536490000")))
    assert plan.ring_timeout_ms == 15_000
    assert plan.max_wait_ms == 3_600_000
    assert plan.message_max_ms == 90_000
    assert plan.message_due_days == 3
    assert plan.numbers == ("+33536490000",)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("20 s", 20_000), ("20s", 20_000), ("1 min 30 s", 90_000), ("2 heures", 7_200_000), ("20", None),
     ("", None), ("s", None), ("1 h 5", None), ("-2 s", None), ("1,5 s", None)],
)  # fmt: skip
def test_a_duration_has_a_unit(text: str, ms: int | None) -> None:
    assert milliseconds(text) == ms


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        site=SITE.replace("05 36 49 00 00", "standard"),
        menu=MENU.replace("topic: etat-civil", "topc: etat-civil").replace("prompt: menu-suite", "prompt: rien"),
        topics=TOPICS.replace("    label: État civil\n", ""),
        agents=AGENTS.replace("bob:", "Bob Durand:"),
        prompts=None,
    )
    (tmp_path / "prompt.yml").write_text("", encoding="utf-8")
    loaded = load(folder)
    assert loaded.plan is None
    assert seen(folder, loaded.faults) == [
        "prompt.yml:1:1 warning unknown-file",
        "prompts.yaml:1:1 error no-file",
        "site.yaml:3:10 error bad-number",
        "menu.yaml:6:11 error unknown-key",
        "topics.yaml:5:3 error missing-key",
        "agents.yaml:5:3 error bad-id",
    ]
    assert "Renommez prompt.yml en prompts.yaml." in loaded.faults[1].cure_fr
    with pytest.raises(PlanError, match=r"and 4 more") as raised:
        load_or_raise(folder)
    assert raised.value.faults == loaded.faults


def test_a_report_shows_the_line_and_the_cure(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, menu=MENU.replace("topic: etat-civil", "topc: etat-civil")))
    assert format_faults(loaded.faults, "fr").replace(f"{tmp_path}/", "") == (
        "menu.yaml:6:11: erreur: « topc » n'est pas une clé connue ici. [unknown-key]\n"
        "    6 |       1: {topc: etat-civil}\n"
        "      |           ^\n"
        "      → Vouliez-vous écrire « topic » ? Clés admises : topic, menu, information, outside, language, digits,"
        " pilot."
    )
    english = format_faults(loaded.faults, "en")
    assert "menu.yaml:6:11: error: “topc” is not a known key here." in english
    assert "Did you mean “topic”?" in english


def test_a_long_line_is_clipped_around_the_fault(tmp_path: Path) -> None:
    long = "Bonjour " * 60 + "[ tapez"
    loaded = load(write(tmp_path, prompts=PROMPTS.replace("Bonjour.", f'"{long}": x')))
    report = format_faults(loaded.faults)
    assert max(map(len, report.splitlines()[1:3])) < 120
    assert "…" in report


def _tree(*menus: str, root: str = "principal") -> str:
    return f"root: {root}\nmenus:\n" + "".join(menus)


def _menu(name: str, options: str, extra: str = "") -> str:
    return f"  {name}:\n    prompt: phrase\n{extra}    options: {{{options}}}\n"


@pytest.mark.parametrize(
    ("menu", "found"),
    [
        (_tree(_menu("principal", "")), "menu.yaml:5:5 error no-options"),
        (
            _tree(
                _menu("principal", "1: {menu: a}, 2: {menu: b}"),
                _menu("a", "1: {menu: b}"),
                _menu("b", "1: {topic: accueil}"),
            ),
            "menu.yaml:9:3 error parent-unclear",
        ),
        (
            _tree(
                _menu("principal", "1: {menu: a}"),
                _menu("a", "1: {menu: b}", "    parent: b\n"),
                _menu("b", "1: {topic: accueil}", "    parent: a\n"),
            ),
            "menu.yaml:8:13 error parent-loop",
        ),
        (
            _tree(_menu("principal", "1: {topic: accueil}", "    parent: principal\n")),
            "menu.yaml:5:5 error root-parent",
        ),
        (_tree(_menu("principal", "1: {topic: accueil}"), root="premier"), "menu.yaml:1:7 error unknown-reference"),
        (
            _tree(_menu("principal", ", ".join(f"{key}: {{topic: accueil}}" for key in range(1, 7)))),
            "menu.yaml:3:3 warning too-many-options",
        ),
        (
            _tree(
                _menu("principal", "1: {menu: a}"),
                _menu("a", "1: {menu: b}"),
                _menu("b", "1: {menu: c}"),
                _menu("c", "1: {topic: accueil}"),
            ),
            "menu.yaml:12:3 error too-many-levels",
        ),
        (
            _tree(
                _menu("principal", "1: {menu: a}"),
                _menu("a", "1: {menu: b}"),
                _menu("b", "1: {topic: accueil}"),
            ),
            "menu.yaml:9:3 warning many-levels",
        ),
    ],
)
def test_the_tree_is_sound(menu: str, found: str, tmp_path: Path) -> None:
    loaded = load(write(tmp_path, menu=menu))
    assert found in seen(tmp_path, loaded.faults)


def test_what_is_said_and_what_the_keys_do_agree(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, prompts=PROMPTS.replace("tapez 3", "tapez 4")))
    assert loaded.plan is not None
    assert seen(tmp_path, loaded.faults) == [
        "menu.yaml:8:7 warning key-not-spoken",
        "prompts.yaml:4:3 warning spoken-key-missing",
    ]


def test_a_menu_is_not_listened_to_for_ever(tmp_path: Path) -> None:
    long = "Bonjour. " + "Nous vous remercions de votre appel. " * 15
    loaded = load(write(tmp_path, prompts=PROMPTS.replace("Bonjour.", long)))
    assert {fault.code for fault in loaded.faults} == {"too-long-before-human"}
    assert loaded.plan is not None


def test_a_hash_that_was_not_quoted_is_a_comment(tmp_path: Path) -> None:
    menu = MENU.replace("      3:", "      #: {topic: accueil}\n      3:")
    assert seen(tmp_path, load(write(tmp_path, menu=menu)).faults) == ["menu.yaml:8:7 warning hash-comment"]


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    loaded = load(
        write(
            tmp_path,
            prompts=PROMPTS + "  oubli: Un oubli.\n  nombre-3: trois\n",
            topics=TOPICS + "  voirie:\n    label: Voirie\n    groups: accueil\n",
            site=SITE.replace("relays: 05 36 49 90 01\n", ""),
        )
    )
    assert seen(tmp_path, loaded.faults) == [
        "site.yaml:1:1 warning no-relay",
        "topics.yaml:8:3 warning topic-without-option",
        "prompts.yaml:6:3 warning unused-prompt",
    ]


def test_a_recording_stands_for_a_text(tmp_path: Path) -> None:
    (tmp_path / "recorded" / "fr").mkdir(parents=True)
    (tmp_path / "recorded" / "fr" / "bonjour.wav").write_bytes(b"")
    loaded = load(write(tmp_path, prompts=PROMPTS.replace("bonjour: Bonjour.", "bonjour:")))
    assert loaded.faults == ()
    assert loaded.texts[PromptId("bonjour")] == {}


def test_texts_in_other_languages_are_kept(tmp_path: Path) -> None:
    texts = PROMPTS.replace("bonjour: Bonjour.", "bonjour: {fr: Bonjour., en: Hello.}")
    assert load(write(tmp_path, prompts=texts)).texts[PromptId("bonjour")] == {"fr": "Bonjour.", "en": "Hello."}
    twice = PROMPTS.replace("bonjour: Bonjour.", "bonjour: {text: Bonjour., fr: Salut.}")
    assert seen(tmp_path, load(write(tmp_path, prompts=twice)).faults) == ["prompts.yaml:2:3 error text-twice"]


@pytest.mark.parametrize("name", sorted(SOUND))
def test_an_empty_or_missing_file_is_told_once(name: str, tmp_path: Path) -> None:
    part = name.removesuffix(".yaml")
    assert [fault.code for fault in load(write(tmp_path, **{part: "# nothing\n"})).faults] == ["empty-file"]
    (tmp_path / name).unlink()
    assert [fault.code for fault in load(tmp_path).faults] == ["no-file"]


def test_no_folder_is_told(tmp_path: Path) -> None:
    assert [fault.code for fault in load(tmp_path / "nowhere").faults] == ["no-folder"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"a: \xe9t\xe9", "not-utf8"),
        (b"a: 1\n\x00", "bad-character"),
        (b"x: &a [1]\ny: *a\n", "alias"),
        (b"a: &a [*a]\n", "alias"),
        (b"a: !!python/object:os.system x", "tag"),
        (b"a: !secret x", "tag"),
        (b"a: 1\n---\nb: 2\n", "documents"),
        (b"? [a]\n: b\n", "complex-key"),
        (b"a: 'b\nc: d\n", "quote-open"),
        (b"a: @b\n", "quote-needed"),
        (b"%YAML x\n--- a\n", "syntax"),
        (b"[" * 5_000, "too-deep"),
        (b"- " * 5_000, "too-deep"),
        (b"\n".join(b" " * depth + b"a:" for depth in range(300)), "too-deep"),
    ],
)
def test_what_a_plan_may_not_hold_is_told(raw: bytes, code: str) -> None:
    assert code in [fault.code for fault in parse(raw, "f.yaml").faults]


def test_a_file_may_not_be_huge(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, prompts="#" * (MAX_BYTES + 1)))
    assert [fault.code for fault in loaded.faults] == ["too-large"]


def test_a_large_file_is_judged_soon_and_its_faults_are_counted(tmp_path: Path) -> None:
    agents = "agents:\n" + "".join(f"  a{n}: {{nom: A, groups: accueil}}\n" for n in range(400))
    began = time.perf_counter()
    loaded = load(write(tmp_path, agents=agents))
    assert time.perf_counter() - began < 10
    assert len(loaded.faults) == 201
    assert loaded.faults[-1].code == "too-many"


@given(st.text(alphabet=st.sampled_from("ab1:-[]{}'\"#&*!|>%@ \n\t,?é"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_reader_never_raises(text: str) -> None:
    source = parse(text.encode(), "f.yaml")
    for fault in source.faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert format_faults([fault])


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    for number in ("05.36.49.00.00", "+33 (0)5 36 49 00 00", "0033536490000", "0536490000"):
        plan, _ = load_or_raise(write(tmp_path, site=SITE.replace("05 36 49 00 00", number)))
        assert plan.numbers == ("+33536490000",), number


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_the_reader_never_raises_on_bytes(raw: bytes) -> None:
    parse(raw, "f.yaml")


@given(
    st.sampled_from(sorted(SOUND)),
    st.integers(min_value=0, max_value=400),
    st.integers(min_value=0, max_value=12),
    st.sampled_from(["", "x", ":", "- ", "\n", "  ", "{", "[]", "'", "01", "null"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_a_plan_or_faults(tmp_path: Path, name: str, at: int, cut: int, put: str) -> None:
    text = SOUND[name]
    at %= len(text)
    loaded = load(write(tmp_path, **{name.removesuffix(".yaml"): text[:at] + put + text[at + cut :]}))
    assert loaded.plan is not None or loaded.faults
    assert format_faults(loaded.faults, "en") is not None


@pytest.mark.parametrize(
    ("text", "slug"),
    [("État civil", "etat-civil"), ("Œuvres", "oeuvres"), ("42", "n42"), ("!", "nom"), ("a" * 60, "a" * 40)],
)
def test_any_name_has_an_identifier(text: str, slug: str) -> None:
    assert slug_of(text) == slug


@pytest.fixture(scope="module")
def pessac() -> Plan:
    return load_or_raise(PESSAC)[0]


def test_pessac_is_without_a_fault() -> None:
    loaded = load(PESSAC)
    assert format_faults(loaded.faults) == ""
    assert loaded.plan is not None


def test_pessac_is_fictional_and_shared(pessac: Plan) -> None:
    assert pessac.numbers == ("+33536490000",)
    assert all(number.startswith(("+3353649", "+3363998")) for number in (*pessac.numbers, *pessac.relays))
    assert 8 <= len(pessac.agents) <= 10
    assert sum(len(agent.groups) > 1 for agent in pessac.agents.values()) >= 3
    assert pessac.general == "accueil"
    assert pessac.menus[pessac.root].options["1"] == ToTopic(TopicId("etat-civil"))


def test_every_file_of_pessac_names_its_schema() -> None:
    for path in PESSAC.glob("*.yaml"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert (PESSAC / schema).resolve().is_file(), path
