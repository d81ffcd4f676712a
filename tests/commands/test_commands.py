"""The commands that town staff use, as they read on a terminal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from typer.testing import CliRunner

from ivr.cli import app
from ivr.core.caller import CallId
from ivr.core.plan import SiteId
from ivr.errors import IvrError
from ivr.ledger.errors import LedgerError, UnknownCall, UnknownFile
from ivr.ledger.journal import Journal
from ivr.ledger.projector import Projector
from ivr.ledger.store import File, Ledger
from ivr.plan import load_or_raise
from ivr.prompts import Tone, build_site
from ivr.provision.secrets import Secrets
from ivr.publish.serving import SHELF
from ivr.publish.shelf import Shelf
from ivr.publish.watch import first
from ivr.telephony.callers import identify
from tests.ledger.lines import T0, Script
from tests.plan.folders import PROMPTS, write
from tests.queueing import conftest as of_queueing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.queueing.stream import Line

SITE = SiteId("pessac")
NUMBER = "+33639980001"
FAR = 4_000_000_000_000
redis_url = of_queueing.redis_url
runner = CliRunner()


class Town:
    """A state folder, and `ivr` run on it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/ledger.sqlite"
        self.secrets = Secrets.load_or_create(folder / "secrets.json")
        self.ref = identify(CallId(""), NUMBER, "", load_or_raise(_PLAN)[0], self.secrets.caller_key).ref

    def ivr(self, *args: str) -> Any:
        result = runner.invoke(app, list(args), env={"COLUMNS": "180"})
        if isinstance(result.exception, IvrError):
            raise result.exception
        return result

    def promise(self, id_: str, due_ms: int, **fields: Any) -> None:
        given: dict[str, Any] = {
            "kind": "message",
            "topic": "etat-civil",
            "owner": "group:etat-civil",
            "recording": f"message/{id_}.3",
            "opened_ms": T0,
            "call": id_,
            **fields,
        }
        file = File(id=id_, site=SITE, caller_ref=self.ref, due_ms=due_ms, **given)

        async def keep() -> None:
            async with Ledger(self.url) as ledger:
                await ledger.promise(file, NUMBER)

        asyncio.run(keep())

    def happened(self, lines: Sequence[Line]) -> None:
        async def keep() -> None:
            async with Ledger(self.url) as ledger:
                await Projector(ledger, SITE, 2).commit(lines)

        asyncio.run(keep())


_PLAN = Path(__file__).parents[2] / "dialplan" / "pessac"


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("IVR_PLAN", str(_PLAN))
    monkeypatch.setenv("IVR_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("IVR_REDIS_URL", f"unix://{tmp_path}/nowhere.sock")
    monkeypatch.setenv("IVR_ARI_URL", "http://127.0.0.1:9/ari")
    monkeypatch.delenv("IVR_LEDGER_URL", raising=False)
    monkeypatch.setattr("ivr.telephony.reach.PATIENCE_S", 0.05)
    return Town(tmp_path)


# Files


@pytest.mark.sqlite
def test_open_files_are_shown_the_most_urgent_first_numbers_masked(town: Town) -> None:
    assert "Aucun dossier" in town.ivr("files").stdout
    town.promise("a-1.2", FAR)
    town.promise("a-1.1", T0 + 86_400_000 * 2, kind="unresolved", owner="agent:julien-castaing", recording="")
    shown = town.ivr("files").stdout
    assert "11 juillet 1970" not in shown
    first, second = shown.index("a-1.1"), shown.index("a-1.2")
    assert first < second
    assert "••••••••••01" in shown
    assert "39980001" not in shown
    for words in ("Julien Castaing", "équipe État civil", "suite de l'appel à indiquer", "2 ouverts, dont"):
        assert words in shown
    assert NUMBER in town.ivr("files", "--numbers").stdout


@pytest.mark.sqlite
def test_callers_whom_a_crash_cut_off_are_shown_as_such(town: Town) -> None:
    town.promise("a-1.1", FAR, kind="dropped", recording="")
    assert "coupé, à rappeler" in town.ivr("files").stdout


@pytest.mark.sqlite
def test_files_of_an_owner_by_any_of_their_names(town: Town) -> None:
    town.promise("a-1.1", FAR)
    town.promise("a-1.2", FAR, owner="agent:julien-castaing")
    for name in ("état civil", "etat-civil", "group:etat-civil"):
        assert "a-1.1" in town.ivr("files", "--owner", name).stdout
        assert "a-1.2" not in town.ivr("files", "--owner", name).stdout
    assert "a-1.2" in town.ivr("files", "--owner", "Julien Castaing").stdout
    wrong = town.ivr("files", "--owner", "personne")
    assert wrong.exit_code == 2
    assert "personne" in wrong.output


@pytest.mark.sqlite
def test_files_as_json_say_who_is_late(town: Town) -> None:
    town.promise("a-1.1", 1)
    town.promise("a-1.2", FAR)
    rows = json.loads(town.ivr("files", "--json").stdout)
    assert [(row["id"], row["late"], row["number"]) for row in rows] == [
        ("a-1.1", True, "••••••••••01"),
        ("a-1.2", False, "••••••••••01"),
    ]


@pytest.mark.sqlite
def test_promises_that_wait_for_the_ledger_are_counted_though_it_is_away(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.promise("a-1.1", FAR)
    journal = Journal(tmp_path / "journal")
    for n in range(2):
        journal.append(File(f"b-1.{n}", SITE, "message", "voirie", "group:voirie", town.ref, "", 1, 2), NUMBER)
    journal.close()
    shown = town.ivr("files")
    assert f"2 promesses attendent dans le journal ({tmp_path}/journal)" in shown.stderr
    assert "a-1.1" in shown.stdout
    assert [row["id"] for row in json.loads(town.ivr("files", "--json").stdout)] == ["a-1.1"]
    monkeypatch.setenv("IVR_LEDGER_URL", f"sqlite:///{tmp_path}/nowhere/ledger.sqlite")
    away = runner.invoke(app, ["files"], env={"COLUMNS": "180"})
    assert isinstance(away.exception, LedgerError)
    assert "2 promesses attendent" in away.stderr


@pytest.mark.sqlite
def test_a_file_that_is_closed_shows_among_all_alone(town: Town) -> None:
    town.promise("a-1.1", 1)
    assert "EN RETARD" in town.ivr("files").stdout
    done = town.ivr("files", "close", "a-1.1", "--by", "Camille", "--note", "rappelé")
    assert done.stdout == "Dossier a-1.1 clos.\n"
    assert "a-1.1" not in town.ivr("files").stdout
    assert "par Camille" in town.ivr("files", "--all").stdout
    with pytest.raises(UnknownFile, match="aucun dossier ouvert"):
        town.ivr("files", "close", "a-1.1")


@pytest.mark.redis
def test_closing_what_an_agent_owed_gives_the_caller_to_anybody_again(
    town: Town, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_REDIS_URL", redis_url)
    for id_ in ("a-1.1", "a-1.2", "a-1.3"):
        town.promise(id_, FAR, kind="follow_up", owner="agent:julien-castaing", recording="")
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
        assert town.ivr("files", "close", "a-1.3").stderr == ""  # a queue that remembers nobody
        redis.hset("{pessac}:site", mapping={"epoch": "e1", "clock": "1"})
        redis.hset(
            "{pessac}:known",
            mapping={
                f"{town.ref}|etat-civil": '{"fails":[],"owner":"julien-castaing","owned":9e15}',
                f"{town.ref}|urbanisme": '{"fails":[],"owner":"julien-castaing","owned":9e15}',
            },
        )
        assert town.ivr("files", "close", "a-1.1").stderr == ""
        assert redis.hlen("{pessac}:known") == 2  # another file of theirs is still open
        done = town.ivr("files", "close", "a-1.2")
        assert (done.exit_code, done.stderr) == (0, "")
        assert redis.hkeys("{pessac}:known") == [f"{town.ref}|urbanisme".encode()]


@pytest.mark.sqlite
def test_closing_a_file_while_redis_is_away_says_what_stays(town: Town) -> None:
    town.promise("a-1.1", FAR, kind="follow_up", owner="agent:julien-castaing", recording="")
    done = town.ivr("files", "close", "a-1.1")
    assert (done.exit_code, done.stdout) == (0, "Dossier a-1.1 clos.\n")
    assert "Redis ne répond pas" in done.stderr
    assert "a-1.1" not in town.ivr("files").stdout


# Explain


def lines_of_a_call() -> Script:
    script = Script()
    script("agent", agent="nadia-belkacem", state="paused", reason="pause", node="a")
    script.call("a-1.1", agent="julien-castaing")
    return script


@pytest.mark.sqlite
def test_a_call_is_explained_from_the_ledger(town: Town) -> None:
    town.happened(lines_of_a_call().lines)
    told = town.ivr("explain", "a-1.1")
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        "Appel a-1.1, mardi 24 novembre 2026",
        "Appelant r1 (référence ; le numéro n'est pas montré)",
        "Plan d'appels v1, qui n'est plus en vigueur : les noms sont ceux d'aujourd'hui.",
        "07:00:02  Appel reçu (nœud a).",
        "07:00:02  Entend le menu « principal ».",
        "07:00:02  Touche 1 (menu « principal ») : État civil, carte d'identité et passeport.",
        "07:00:04  Attend une personne pour « État civil, carte d'identité et passeport ».",
        "            Nadia Belkacem : en pause",
        "            Julien Castaing : téléphone jamais vu",
        "            Sophie Darrieux : téléphone jamais vu",
        "07:00:04  Proposé à Julien Castaing (libre depuis le plus longtemps).",
        "            Nadia Belkacem : en pause",
        "            Sophie Darrieux : téléphone jamais vu",
        "07:00:09  Julien Castaing répond, après 7 s d'attente.",
        "07:01:09  Fin de la conversation avec Julien Castaing, 1 min 00 s.",
        "07:01:09  Fin de l'appel : une personne a répondu. Plan d'appels : version v1.",
    ]
    assert "dernières secondes" in told.stderr
    assert "a-1.1" in town.ivr("explain", "--list").stdout


@pytest.mark.redis
def test_what_is_still_in_the_stream_is_explained_too(
    town: Town, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_REDIS_URL", redis_url)
    script = lines_of_a_call()
    town.happened(script.lines[:4])
    with Redis.from_url(redis_url) as redis:
        redis.delete("{pessac}:events")
        for line in script.lines[3:]:
            words: Any = {"type": line.type, "at": line.at, "epoch": line.epoch, **line.fields}
            redis.xadd("{pessac}:events", words, id=line.id)
    live = town.ivr("explain", "a-1.1")
    town.happened(script.lines)
    with Redis.from_url(redis_url) as redis:
        redis.delete("{pessac}:events")
    kept = town.ivr("explain", "a-1.1")
    assert live.stderr == kept.stderr == ""
    assert "Nadia Belkacem : en pause" in live.stdout
    assert live.stdout == kept.stdout


@pytest.mark.sqlite
def test_a_call_that_nobody_knows_tells_how_to_find_ids(town: Town) -> None:
    with pytest.raises(UnknownCall, match=r"a-9\.9 ; `ivr explain --list`"):
        town.ivr("explain", "a-9.9")
    assert "Aucun appel" in town.ivr("explain").stdout


@pytest.mark.sqlite
def test_a_call_that_left_nothing_but_a_file_is_explained_by_it(town: Town) -> None:
    town.promise("a-1.1", FAR)
    assert town.ivr("explain", "a-1.1").stdout.splitlines() == [
        "Appel a-1.1, mardi 24 novembre 2026",
        (
            "07:00:00  Dossier a-1.1 ouvert : message à écouter, à équipe État civil, "
            "avant le mardi 2 octobre 2096 à 9 h 06."
        ),
        "La fin de l'appel n'est pas connue : il dure encore, ou date d'avant l'historique.",
    ]


# Erasure


@pytest.mark.sqlite
def test_erasing_says_what_is_gone_and_what_remains(town: Town) -> None:
    town.promise("a-1.1", FAR)
    done = town.ivr("privacy", "erase", "06 39 98 00 01")
    assert done.exit_code == 1
    for words in ("Numéro effacé.", "rm recording/message/a-1.1.3.wav", "1 dossier(s) encore ouvert(s)", "n'a pas pu"):
        assert words in done.stdout
    assert "numéro non connu" in town.ivr("files").stdout
    assert "n'était pas (ou plus) connu" in town.ivr("privacy", "erase", NUMBER).stdout


@pytest.mark.redis
def test_erasing_has_the_queue_forget_too(town: Town, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_REDIS_URL", redis_url)
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
        assert "retenait de cet appelant est effacé" in town.ivr("privacy", "erase", NUMBER).stdout
        redis.hset("{pessac}:site", mapping={"epoch": "e1", "clock": "1"})
        redis.hset("{pessac}:known", f"{town.ref}|etat-civil", '{"fails":[1]}')
        done = town.ivr("privacy", "erase", NUMBER)
        assert done.exit_code == 0
        assert redis.hlen("{pessac}:known") == 0
        redis.flushdb()


# Passwords


@pytest.mark.long
def test_passwords_are_rotated_and_retired(town: Town) -> None:
    first, former = town.secrets.ari_password, town.secrets.agent_password("awa-diallo")
    assert "retire" in town.ivr("secrets", "rotate", "ari").stdout
    shown = town.ivr("secrets", "rotate", "agents", "awa-diallo").stdout
    now = Secrets.load_or_create(town.secrets.path)
    assert now.ari_accounts("ivr")[1] == ("ivr", first)
    assert now.agent_password("awa-diallo") in shown
    assert former not in shown
    assert "julien-castaing" not in shown
    assert "ari, awa-diallo" in town.ivr("secrets", "retire").stdout
    assert "No former password" in town.ivr("secrets", "retire").stdout
    assert "julien-castaing" in town.ivr("secrets", "rotate", "agents", "--all", "--now").stdout
    assert Secrets.load_or_create(town.secrets.path).retire() == ()


@pytest.mark.long
@pytest.mark.parametrize(("args", "why"), [([], "--all"), (["nobody"], "nobody"), (["awa-diallo", "--all"], "--all")])
def test_whose_passwords_is_said_clearly(town: Town, args: list[str], why: str) -> None:
    before = town.secrets.path.read_text()
    with pytest.raises(IvrError, match=why):
        town.ivr("secrets", "rotate", "agents", *args)
    assert town.secrets.path.read_text() == before


# The node


@pytest.mark.long
def test_a_drain_says_what_it_lacks(town: Town) -> None:
    with pytest.raises(IvrError, match=r"Asterisk ne répond pas .*ivr doctor"):
        town.ivr("drain")
    with pytest.raises(IvrError, match="« bientôt » n'est pas une durée"):
        town.ivr("drain", "--for", "bientôt")
    with pytest.raises(IvrError, match="n'est pas une durée"):
        town.ivr("drain", "--for", "0 s")


@pytest.mark.long
def test_the_doctor_of_an_empty_folder_names_every_part(town: Town, tmp_path: Path) -> None:
    result = town.ivr("doctor", "--json", "--prompts", str(tmp_path / "none"))
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    levels = {finding["section"]: finding["level"] for finding in report["findings"]}
    assert {name for name, level in levels.items() if level == "fault"} == {"ari", "redis", "prompts"}
    assert {"plan", "secrets", "modules", "codecs", "rtp", "versions", "clock", "ledger", "disk"} <= set(levels)
    assert all(finding["cure"] for finding in report["findings"] if finding["level"] != "ok")

    shown = town.ivr("doctor", "--prompts", str(tmp_path / "none"))
    assert "✗ Asterisk : personne n'écoute" in shown.stdout
    assert "→ ivr prompts build" in shown.stdout
    assert "pannes" in shown.stdout.splitlines()[-1]


@pytest.mark.long
def test_the_doctor_looks_at_the_sounds_of_what_is_published(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, sounds = tmp_path / "draft", tmp_path / "sounds"
    draft.mkdir()
    plan, loaded = load_or_raise(write(draft))
    build_site(loaded, sounds, Tone(), cache_dir=tmp_path / "cache")
    Shelf(tmp_path / SHELF).remember(first(draft, plan, 1))
    write(draft, prompts=PROMPTS.replace("Bonjour.", "Bonsoir."))
    monkeypatch.setenv("IVR_PLAN", str(draft))
    result = town.ivr("doctor", "--json", "--prompts", str(sounds))
    found = json.loads(result.stdout)["findings"]
    assert not [finding for finding in found if finding["section"] == "prompts" and finding["level"] == "fault"]
    assert [finding["cure"] for finding in found if finding["section"] == "plan" and "publié" in finding["what"]] == [
        "ivr plan diff, puis : ivr plan publish"
    ]
