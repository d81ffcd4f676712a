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


def test_a_file_of_an_earlier_version_gets_the_nodes_password(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = Secrets.load_or_create(path)
    earlier = json.loads(path.read_text())
    del earlier["node_password"]
    path.write_text(json.dumps(earlier))
    first, second = Secrets.load_or_create(path), Secrets.load_or_create(path)
    assert first.ari_password == made.ari_password
    assert first.node_password == second.node_password != made.node_password


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


def test_a_rotated_password_of_ari_has_a_name_of_its_own_and_the_former_one_opens_until_retired(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = Secrets.load_or_create(path)
    first = made.ari_password
    assert made.ari_accounts("ivr-a") == (("ivr-a", first),)
    made.rotate_ari()
    second = made.ari_password
    assert made.ari_accounts("ivr-a") == (("ivr-a-1", second), ("ivr-a", first))
    assert Secrets.load_or_create(path).ari_accounts("ivr-a") == made.ari_accounts("ivr-a")
    with pytest.raises(ProvisionError, match="retire"):
        made.rotate_ari()
    assert made.retire() == ("ari",)
    assert made.ari_accounts("ivr-a") == (("ivr-a-1", second),)
    made.rotate_ari(keep=False)
    assert made.ari_accounts("ivr-a") == (("ivr-a-2", made.ari_password),)
    assert len({first, second, made.ari_password}) == 3
    assert Secrets.load_or_create(path).retire() == ()


def test_agents_rotate_one_by_one_and_the_caller_key_stays(tmp_path: Path) -> None:
    made = Secrets.load_or_create(tmp_path / "secrets.json")
    lucie, omar = made.agent_password("lucie"), made.agent_password("omar")
    key = made.caller_key
    made.rotate_agents(["lucie"])
    assert made.agent_password("lucie") != lucie
    assert made.agent_former("lucie") == lucie
    assert (made.agent_password("omar"), made.agent_former("omar")) == (omar, None)
    with pytest.raises(ProvisionError, match="former password of lucie"):
        made.rotate_agents(["omar", "lucie"])
    assert made.agent_password("omar") == omar
    made.rotate_agents(["lucie"], keep=False)
    assert made.agent_former("lucie") is None
    made.rotate_agents(["new"])
    assert made.agent_former("new") is None
    assert made.retire() == ()
    assert made.caller_key == key


def test_a_rotation_keeps_what_another_holder_of_the_file_wrote(tmp_path: Path) -> None:
    one, two = (Secrets.load_or_create(tmp_path / "secrets.json") for _ in range(2))
    word = one.agent_password("lucie")
    two.rotate_ari()
    one.rotate_agents(["omar"])
    again = Secrets.load_or_create(tmp_path / "secrets.json")
    assert again.ari_accounts("x") == two.ari_accounts("x") == one.ari_accounts("x")
    assert again.agent_password("lucie") == word
