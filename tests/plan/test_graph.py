"""The call plan as a picture: nothing of the plan is missing, and a person can read it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from ivr.cli import app
from ivr.commands.graph import read
from ivr.core.plan import (
    EVERYONE,
    CallBack,
    CrisisId,
    CrisisProfile,
    GroupId,
    HoursId,
    Information,
    Menu,
    MenuId,
    OtherTopic,
    Outside,
    OutsideId,
    Pilot,
    Plan,
    PromptId,
    TellOutside,
    ToLanguage,
    ToMenu,
    ToOutside,
    Topic,
    TopicId,
    ToTopic,
    Typed,
    Widening,
)
from ivr.core.schedule import Hours
from ivr.plan import load_or_raise
from ivr.plan.french import opening, spaced
from ivr.plan.graph import Graph, dot, graph_of, mermaid
from ivr.plan.picture import COLOURS, GREY, INK, measured, svg, wrapped
from tests.plans import ACCUEIL, ETAT_CIVIL, MORE, ROOT, small_plan

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parents[2]
PESSAC = REPOSITORY / "dialplan" / "pessac"
PICTURE = REPOSITORY / "docs" / "pessac.svg"
SVG = "{http://www.w3.org/2000/svg}"
NASTY = 'Passeports & <cartes> "nationales" #1'


def everything() -> Plan:
    """A plan with every kind of option and of step, a menu that leads back, and a label full of markup."""
    body = OutsideId("metropole")
    samedi = HoursId("samedi")
    menus = {
        ROOT: Menu(
            ROOT,
            PromptId("menu-principal"),
            PromptId("menu-principal"),
            {
                "1": ToTopic(ETAT_CIVIL, Pilot(ACCUEIL, 0.25, samedi)),
                "2": ToMenu(MORE),
                "3": Information(PromptId("horaires")),
                "4": ToOutside(body),
                "5": ToLanguage("en"),
                "6": Typed(PromptId("horaires"), 8, ETAT_CIVIL),
            },
        ),
        MORE: Menu(
            MORE,
            PromptId("menu-suite"),
            PromptId("menu-suite"),
            {"1": ToTopic(ACCUEIL), "2": ToMenu(ROOT), "3": ToTopic(ETAT_CIVIL)},
            parent=ROOT,
        ),
        MenuId("crise"): Menu(
            MenuId("crise"), PromptId("menu-suite"), PromptId("menu-suite"), {"1": ToTopic(ETAT_CIVIL)}
        ),
    }
    topics = {
        ACCUEIL: Topic(ACCUEIL, "Accueil", (GroupId("accueil"),)),
        ETAT_CIVIL: Topic(
            ETAT_CIVIL,
            NASTY,
            (GroupId("etat-civil"),),
            (Widening(60_000, (GroupId("accueil"),)), Widening(90_000, (EVERYONE,))),
            hours=samedi,
            continuity=(OtherTopic(ACCUEIL), TellOutside(body), CallBack(GroupId("etat-civil"))),
        ),
        TopicId("sans-touche"): Topic(TopicId("sans-touche"), "Sans touche", (GroupId("accueil"),)),
    }
    return small_plan(
        menus=menus,
        topics=topics,
        languages=("en",),
        schedules={samedi: Hours(samedi, "Mo-Fr 08:30-12:00,13:30-17:00; Sa 09:00-12:00")},
        hours=samedi,
        outsides={body: Outside(body, "La métropole", "+33536492000", PromptId("horaires"))},
        crises={
            CrisisId("crue"): CrisisProfile(CrisisId("crue"), "Crue", PromptId("horaires"), MenuId("crise")),
            CrisisId("panne"): CrisisProfile(CrisisId("panne"), "Panne", PromptId("horaires")),
        },
    )


def drawn(graph: Graph) -> ET.Element:
    return ET.fromstring(svg(graph))


def words(root: ET.Element) -> str:
    """All that is written in a picture, on one line, with usual spaces."""
    return " ".join(" ".join(text.text or "" for text in root.iter(f"{SVG}text")).split())


@pytest.fixture(params=["pessac", "everything", "small"])
def plan(request: pytest.FixtureRequest) -> Plan:
    made = {"pessac": lambda: load_or_raise(PESSAC)[0], "everything": everything, "small": small_plan}
    return made[request.param]()


def test_mermaid_and_dot_hold_every_menu_topic_and_key(plan: Plan) -> None:
    graph = graph_of(plan)
    flowchart, digraph = mermaid(graph), dot(graph)
    for menu in plan.menus.values():
        here = f"menu_{menu.id.replace('-', '_')}"
        assert f'{here}{{{{"Menu : {menu.id}' in flowchart
        assert f'{here} [label="Menu : {menu.id}' in digraph
        for key in (*menu.options, "0"):
            assert f'{here} -->|"{key}"| ' in flowchart
            assert re.search(rf'{here} -> \w+ \[label="{key}"\]', digraph)
    for topic in plan.topics:
        there = f"motif_{topic.replace('-', '_')}"
        assert f'{there}["Motif : ' in flowchart
        assert f'{there} [label="Motif : ' in digraph


def test_every_line_leads_from_a_box_to_a_box(plan: Plan) -> None:
    graph = graph_of(plan)
    for edge in graph.edges:
        assert {edge.source, edge.target} <= graph.nodes.keys()
    for node in graph.nodes:
        assert re.fullmatch("[a-z0-9_]+", node)


def test_labels_are_escaped() -> None:
    graph = graph_of(everything())
    assert "Passeports #amp; #lt;cartes#gt; #quot;nationales#quot; #35;1" in mermaid(graph)
    assert 'Passeports & <cartes> \\"nationales\\" #1' in dot(graph)
    assert NASTY in words(drawn(graph))


def test_a_chain_is_told_step_by_step() -> None:
    flowchart = mermaid(graph_of(everything()))
    for line in (
        'motif_etat_civil -.->|"si personne"| suite_etat_civil_1',
        'suite_etat_civil_1["D\'abord, un autre motif : Accueil"]',
        'suite_etat_civil_1 -.->|"si personne"| suite_etat_civil_2',
        'suite_etat_civil_2["Organisme extérieur : La métropole<br/>le 05 36 49 20 00, dit deux fois"]',
        'suite_etat_civil_3[["Promesse : Rappel sans message<br/>par Etat-civil, sous 2 jours"]]',
        # Without a chain of its own: the usual one, of the general desk a message at once.
        'suite_accueil_1[["Promesse : Message, puis rappel<br/>par Accueil, sous 2 jours"]]',
        'suite_sans_touche_1["D\'abord, un autre motif : Accueil"]',
    ):
        assert line in flowchart


def test_what_is_shown_of_hours_widening_and_options() -> None:
    said = words(drawn(graph_of(everything(), {PromptId("horaires"): "La mairie ouvre à 8 h 30."})))
    for part in (
        "05 36 49 00 00 lun-ven 8h30-12h, 13h30-17h; sam 9h-12h jours fériés : fermé",
        "répond : Etat-civil après 1 min : aussi Accueil après 90 s : tous les agents",
        "25 % des appelants, pendant « samedi » les autres : Accueil",
        "« La mairie ouvre à 8 h 30. » puis le même menu",
        "La métropole le 05 36 49 20 00, dit deux fois puis le même menu",
        "English pour toute la suite",
        "8 chiffres au plus # pour finir",
        "Crue déclarée à la main, 4 h au plus",
        "Sans touche",
    ):
        assert part in said


def test_a_topic_tells_hours_that_are_not_the_site_s() -> None:
    plan = everything()
    assert "horaires :" not in mermaid(graph_of(plan))
    assert "horaires : lun-ven" in mermaid(graph_of(replace(plan, hours=None)))


def test_no_two_boxes_overlap_and_all_are_inside(plan: Plan) -> None:
    root = drawn(graph_of(plan))
    boxes = [
        tuple(float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        for box in root.iter(f"{SVG}rect")
        if box.get("class") == "box"
    ]
    assert len(boxes) >= len(graph_of(plan).nodes)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for x, y, w, h in boxes:
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_every_key_is_a_badge_and_key_0_of_the_first_menu_alone() -> None:
    plan = everything()
    badges = [str(text.text) for text in drawn(graph_of(plan)).iter(f"{SVG}text") if text.get("class") == "k"]
    assert sorted(badges) == sorted([*(key for menu in plan.menus.values() for key in menu.options), "0"])


def test_the_picture_says_what_it_is_to_who_does_not_see_it() -> None:
    root = drawn(graph_of(small_plan()))
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert {root[0].attrib["id"], root[1].attrib["id"]} == set(root.attrib["aria-labelledby"].split())
    assert root[0].text == "Plan d'appel : Mairie d'essai"


def test_letters_are_large_and_dark_enough() -> None:
    sizes = re.findall(r"font-size:(\d+)px", svg(graph_of(small_plan())))
    assert min(map(int, sizes)) >= 12
    for kind, colours in COLOURS.items():
        for letters in (colours.line, INK):
            assert contrast(letters, colours.fill) >= 4.5, kind
        assert contrast(colours.line, "#ffffff") >= 4.5, kind  # the key in its badge, "Voir", the border
    assert contrast(GREY, "#ffffff") >= 4.5


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_long_words_are_parted() -> None:
    lines = wrapped(f"un {'x' * 100} deux", 13, 200)
    assert "".join(lines).replace(" ", "") == f"un{'x' * 100}deux"
    assert all(measured(line, 13) <= 200 for line in lines)


def test_hours_and_numbers_are_written_as_people_do() -> None:
    assert opening("Mo-Fr 08:30-12:00,13:30-17:05; Sa 09:00-12:00") == "lun-ven 8h30-12h, 13h30-17h05; sam 9h-12h"
    assert opening("Mo-Su 08:30-12:00") == "8h30-12h"
    assert opening("off") == "fermé"
    assert spaced("+33536490000") == "05 36 49 00 00"
    assert spaced("+3221234567") == "+3221234567"


def test_the_command_prints_mermaid_and_writes_files(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["graph", str(PESSAC)])
    assert printed.exit_code == 0
    assert printed.output == mermaid(read(PESSAC))
    picture, digraph = tmp_path / "plan.svg", tmp_path / "plan.dot"
    written = CliRunner().invoke(app, ["graph", str(PESSAC), "--svg", str(picture), "--dot", str(digraph)])
    assert written.exit_code == 0
    assert picture.read_text(encoding="utf-8") == svg(read(PESSAC))
    assert digraph.read_text(encoding="utf-8") == dot(read(PESSAC))


def test_the_picture_in_the_documents_is_the_current_one() -> None:
    assert PICTURE.read_text(encoding="utf-8") == svg(read(PESSAC)), (
        "run: .venv/bin/ivr graph dialplan/pessac --svg docs/pessac.svg"
    )
