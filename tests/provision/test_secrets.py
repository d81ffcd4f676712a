"""Secrets are made once, shared by all who load the file, and shown to nobody else."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from ivr.provision.options import ProvisionError
from ivr.provision.secrets import Secrets

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_made_once_and_the_same_ever_after(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secrets.json"
    made = Secrets.load_or_create(path)
    word = made.agent_password("lucie")
    again = Secrets.load_or_create(path)
    assert again.ari_password == made.ari_password
    assert again.caller_key == made.caller_key
    assert again.agent_password("lucie") == word
    assert len(made.caller_key) == 32
    assert len({word, made.ari_password, made.agent_password("omar")}) == 3


def test_the_file_is_its_owner_s_alone_even_when_it_was_not(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    Secrets.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    Secrets.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_holders_of_the_file_agree_on_new_agents(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    one, two = Secrets.load_or_create(path), Secrets.load_or_create(path)
    first = one.agent_password("lucie")
    other = two.agent_password("omar")
    assert two.agent_password("lucie") == first
    assert one.agent_password("omar") == other


def test_nothing_leaks_by_repr(tmp_path: Path) -> None:
    made = Secrets.load_or_create(tmp_path / "secrets.json")
    assert made.ari_password not in repr(made)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "ari_password": "x", "caller_key": "zz", "agents": {}}',
        '{"format": 1, "ari_password": "x", "caller_key": "00", "agents": {}}',
        '{"format": 1, "ari_password": "", "caller_key": "' + "00" * 32 + '", "agents": {}}',
        '{"format": 1, "ari_password": "x", "caller_key": "' + "00" * 32 + '", "agents": []}',
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(ProvisionError, match=r"secrets\.json"):
        Secrets.load_or_create(path)
    assert path.read_text() == content


def test_an_agent_s_name_is_checked(tmp_path: Path) -> None:
    made = Secrets.load_or_create(tmp_path / "secrets.json")
    with pytest.raises(ProvisionError, match="agent"):
        made.agent_password("a]\nb")
    assert json.loads((tmp_path / "secrets.json").read_text())["agents"] == {}
