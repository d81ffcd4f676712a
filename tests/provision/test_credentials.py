"""What an agent must copy is printed whole on any terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ivr.provision.credentials import print_credentials
from ivr.provision.secrets import Secrets
from tests.provision.plans import small_plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_nothing_to_copy_is_cut_on_a_narrow_terminal(tmp_path: Path) -> None:
    plan, secrets = small_plan(), Secrets.load_or_create(tmp_path / "secrets.json")
    screen = io.StringIO()
    print_credentials(Console(file=screen, width=30), plan.agents.values(), secrets)
    said = screen.getvalue()
    for agent in plan.agents.values():
        assert f" {agent.endpoint} " in said
        assert f" {secrets.agent_password(agent.id)} " in said
    assert "…): one account each" in said
