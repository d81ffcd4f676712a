"""`ivr prove`, as an admin and as a program call it; the plan that is served, whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivr.cli import app
from ivr.plan import load_or_raise
from ivr.prove import prove
from tests.plan.folders import write

PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"


@pytest.mark.long
def test_a_program_reads_the_proof(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["prove", str(write(tmp_path)), "--json"])
    found = json.loads(ended.stdout)
    assert ended.exit_code == 0
    assert found["ok"]
    assert found["states"] > 100


@pytest.mark.long
def test_an_admin_reads_what_nobody_can_reach(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["prove", str(write(tmp_path))])
    assert ended.exit_code == 0
    assert "jamais atteint, phases : Telling, Typing" in ended.stdout
    assert "Mairie d'essai : prouvé (" in ended.stdout


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_the_plan_that_is_served_is_proven_and_no_chain_of_it_can_be_cut() -> None:
    plan = load_or_raise(PESSAC)[0]
    assert prove(plan).ok
    for topic in plan.topics.values():
        cut = {**plan.topics, topic.id: replace(topic, continuity=topic.continuity[:-1])}
        found = prove(replace(plan, topics=cut))
        assert not found.ok
        assert topic.label in found.story.splitlines()[-1]
