"""Nobody can have the switchboard call an outside line: one function dials, agents alone, and no dialplan does more."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from ivr.ari.operations import OPERATIONS
from ivr.core import codes as agent_codes
from ivr.core.plan import Agent, AgentId
from ivr.plan import load_or_raise
from ivr.provision.render import TEMPLATES, RenderOptions, TrunkRegistration, compose
from ivr.provision.secrets import Secrets
from tests.provision.plans import codes, small_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.core.plan import Plan

pytestmark = pytest.mark.long

ROOT: Final = Path(__file__).parents[1]
IVR: Final = ROOT / "ivr"
LINE: Final = IVR / "telephony" / "line.py"
EMERGENCY: Final = ("15", "17", "18", "112", "114", "115", "116000", "116006", "116117", "119", "191", "196", "197")
"""What a person in distress dials in France."""

PLACES_A_CALL: Final = {"originate", "originateWithId", "create", "createWithId", "dial", "redirect", "externalMedia"}
TO_AN_AGENT: Final = re.compile(r"f'PJSIP/\{agent\.endpoint\}'( \+ \(f'@node-\{beyond\}' if beyond else ''\))?")
"""An agent's phone, here or through another of our own nodes."""

CALLERS_ONLY_WORDS: Final = {
    *("answer", "dial", "exec", "execif", "goto", "gotoif", "hangup", "musiconhold", "playback", "playtones", "record"),
    *("ringing", "set", "startmusiconhold", "stasis", "stopmusiconhold", "stopplaytones", "wait"),
}
"""Every application of Asterisk that the dialplan of callers and agents uses. Of these `dial` alone places calls."""

FORBIDDEN_MODULES: Final = re.compile(
    r"app_(originate|followme|page|transfer|queue|voicemail|disa|system|agi|mixmonitor|chanspy)|res_agi|func_shell"
    r"|pbx_(spool|ael|lua|realtime|dundi|loopback)|chan_(?!pjsip)|manager|res_http_post|res_pjsip_endpoint_identifier_an"
)


# The code


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call of a method in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node


def places_a_call(call: ast.Call) -> bool:
    """Whether it is of ARI's channels, and a new leg comes of it."""
    named = call.func
    assert isinstance(named, ast.Attribute)
    if named.attr not in PLACES_A_CALL:
        return False
    return isinstance(named.value, ast.Attribute) and named.value.attr == "channels"


def outside_of_ari() -> list[Path]:
    return [path for path in IVR.rglob("*.py") if not path.is_relative_to(IVR / "ari")]


def test_one_function_dials_and_it_can_dial_agents_alone() -> None:
    found = [(path, call) for path in outside_of_ari() for call in calls(path) if places_a_call(call)]
    assert [path for path, _ in found] == [LINE]
    given = {keyword.arg: keyword.value for keyword in found[0][1].keywords}
    assert given.keys().isdisjoint({"context", "extension", "priority", None})
    assert TO_AN_AGENT.fullmatch(ast.unparse(given["endpoint"]))
    (dial,) = (
        node
        for node in ast.walk(ast.parse(LINE.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "dial"
    )
    assert ast.unparse(next(arg for arg in dial.args.args if arg.arg == "agent").annotation or ast.Pass()) == "Agent"


def test_nobody_else_names_what_dials() -> None:
    words = re.compile(r"\boriginate(WithId)?\b|/channels\b.*POST|endpoint=f?[\"']|channels/create")
    for path in outside_of_ari():
        if path != LINE and not path.is_relative_to(IVR / "lab"):
            assert not words.search(path.read_text(encoding="utf-8")), path


def test_our_ari_has_one_operation_that_makes_a_leg() -> None:
    rows = OPERATIONS.values()
    assert [row.nickname for row in rows if row.resource == "channels" and row.nickname in PLACES_A_CALL] == [
        "originateWithId"
    ]
    assert {row.method for row in rows if row.resource == "endpoints"} == {"GET"}


def test_callers_are_sent_to_the_fallback_alone() -> None:
    found = [(path, call) for path in outside_of_ari() for call in calls(path)]
    ways = [(path, call) for path, call in found if getattr(call.func, "attr", "") in {"continueInDialplan", "move"}]
    ways = [(path, call) for path, call in ways if any(keyword.arg == "channelId" for keyword in call.keywords)]
    assert [path for path, _ in ways] == [LINE]
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in ways[0][1].keywords}
    assert (given["context"], given["extension"]) == ("FALLBACK_CONTEXT", "'s'")


def test_an_agents_endpoint_is_never_another_one() -> None:
    for name in ("trunk", "112", "+33536490000", "x@operator.example", "trunk/sip:112@operator.example"):
        assert Agent(AgentId(name), "", ()).endpoint == f"agent-{name}"


@pytest.mark.parametrize("number", EMERGENCY)
def test_no_code_is_an_emergency_number(number: str) -> None:
    full = small_plan(**codes())
    for plan in (full, load_or_raise(ROOT / "dialplan" / "pessac")[0]):
        assert agent_codes.read(number, plan) is None
        assert agent_codes.read(f"*{number}", plan) is None


# The dialplan

Contexts = dict[str, list[tuple[str, str]]]


def dialplan(plan: Plan, tmp_path: Path) -> Contexts:
    """Each context of the rendered dialplan: the applications that it runs, with their arguments."""
    options = RenderOptions(registration=TrunkRegistration("sip:op.example", "sip:m@op.example", "m", "secret"))
    text = compose(plan, Secrets.load_or_create(tmp_path / "secrets.json"), options)["extensions.conf"]
    contexts: Contexts = {}
    found: list[tuple[str, str]] = []
    for line in re.sub(r"^\s*;.*$", "", text, flags=re.MULTILINE).splitlines():
        if heading := re.fullmatch(r"\[([\w-]+)\]", line.strip()):
            contexts[heading[1]] = found = []
        elif step := re.match(r"\s*(?:exten|same) *=> *(?:[^,]+,)?(?:\d+|n),(\w+)\((.*)\)\s*$", line):
            found.append((step[1].lower(), step[2]))
        elif line.strip() and "=>" in line:
            pytest.fail(f"not understood: {line}")
        elif "include" in line or "switch" in line:
            pytest.fail(f"a context within another: {line}")
    return contexts


def reachable(contexts: Contexts, start: str) -> set[str]:
    """The contexts that a channel which begins in `start` can come to; rather one too many."""
    seen, left = set[str](), [start]
    while left:
        here = left.pop()
        if here in seen:
            continue
        seen.add(here)
        said = " ".join(f"{app}({arguments})" for app, arguments in contexts[here])
        left += [name for name in contexts if re.search(rf"[(?:]{re.escape(name)},", said)]
    return seen


@pytest.fixture(params=["small", "codes", "pessac"])
def contexts(request: pytest.FixtureRequest, tmp_path: Path) -> Contexts:
    plans = {"small": small_plan, "codes": lambda: small_plan(**codes())}
    plans["pessac"] = lambda: load_or_raise(ROOT / "dialplan" / "pessac")[0]
    return dialplan(plans[request.param](), tmp_path)


def test_a_caller_reaches_phones_of_the_desk_and_nothing_else(contexts: Contexts) -> None:
    seen = reachable(contexts, "from-trunk")
    assert seen == {"from-trunk", "caller", "fallback"}
    steps = [step for name in seen for step in contexts[name]]
    assert {app for app, _ in steps} <= CALLERS_ONLY_WORDS
    assert [arguments.split(",")[0] for app, arguments in steps if app == "dial"] == ["${IVR_DESK:1}"]
    desk = [re.search(r"Set\(IVR_DESK=(.*?)\)*$", arguments) for app, arguments in steps if app == "execif"]
    assert desk
    assert all(added and re.fullmatch(r"\$\{IVR_DESK\}&PJSIP/agent-[a-z0-9-]+", added[1]) for added in desk)
    emptied = [arguments for app, arguments in steps if app == "set" and arguments.startswith("IVR_DESK=")]
    assert emptied == ["IVR_DESK="]


def test_an_agent_reaches_nothing_that_dials(contexts: Contexts) -> None:
    seen = reachable(contexts, "from-agents")
    assert seen <= {"from-agents", "code"}
    words = {app for name in seen for app, _ in contexts[name]}
    assert words <= CALLERS_ONLY_WORDS - {"dial", "exec"}


def test_no_dial_names_the_trunk(contexts: Contexts) -> None:
    for name, steps in contexts.items():
        for step in steps:
            assert "trunk" not in step[1].lower(), (name, step)


def test_no_module_that_could_place_a_call_by_itself_is_loaded() -> None:
    loaded = re.findall(r"^(?:load|require) *= *(\S+)", (TEMPLATES / "modules.conf").read_text(), re.MULTILINE)
    assert len(loaded) > 40
    assert [name for name in loaded if FORBIDDEN_MODULES.match(name)] == []
