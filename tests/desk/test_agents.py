"""What town staff read and say about agents by `ivr agents`, on a real queue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import TopicId
from ivr.desk import agents, words
from ivr.desk.errors import DeskError
from ivr.queueing import commands
from ivr.queueing.model import CallId
from tests.desk.conftest import listed, run

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from tests.desk.conftest import Town

HOUR_MS = 3_600_000


def says(*typed: str) -> str:
    """The sentence of a command that is carried out."""
    result = run("agents", *typed)
    assert result.exit_code == 0, (result.output, result.exception)
    return str(result.output).strip()


def refuses(*typed: str) -> str:
    """The sentence of a command that is not."""
    result = run("agents", *typed)
    assert isinstance(result.exception, DeskError), (result.output, result.exception)
    return str(result.exception)


@pytest.mark.redis
def test_every_agent_of_the_plan_is_listed(busy: Town) -> None:
    found = listed()
    assert list(found) == list(busy.plan.agents)
    lunch = found["awa-diallo"]
    assert (lunch["state"], lunch["pause"], lunch["state_fr"]) == ("paused", "dejeuner", "en pause : Déjeuner")
    assert datetime.fromisoformat(lunch["back"]).timestamp() == (busy.now - 300_000) // 1_000
    assert (lunch["present"], lunch["node"]) == (True, "a")
    assert found["thomas-gourdon"]["state"] == "offered"
    assert found["nadia-belkacem"]["groups"] == ["accueil", "etat-civil"]
    stranger = found["camille-laborde"]
    assert (stranger["state"], stranger["state_fr"], stranger["present"]) == (None, "jamais vu", False)


@pytest.mark.redis
def test_the_list_can_be_read_on_80_columns(busy: Town) -> None:
    told = says("list")
    assert max(map(len, told.splitlines())) <= 80
    assert "…" not in told
    for name in (agent.name for agent in busy.plan.agents.values()):
        assert name in told
    for word in ("en ligne", "sonne", "autre appel", "jamais vu", "Déjeuner", "retard"):
        assert word in told


@pytest.mark.redis
@pytest.mark.parametrize(
    ("typed", "length_ms"),
    [((), HOUR_MS), (("--for", "45m"), 45 * 60_000), (("--for", "1 h 30 min"), 90 * 60_000)],
)
def test_a_pause_lasts_as_long_as_is_said_or_as_usual(town: Town, typed: tuple[str, ...], length_ms: int) -> None:
    town.founded()
    town.comes("awa-diallo")
    told = says("pause", "awa-diallo", "--reason", "dejeuner", *typed)
    record = town.agent("awa-diallo")
    assert (record.state, record.pause) == ("paused", "dejeuner")
    assert town.now + length_ms <= record.back < town.now + length_ms + 60_000
    assert told == f"Awa Diallo : en pause (Déjeuner) jusqu'à {words.clock(record.back)}."


@pytest.mark.redis
def test_an_agent_is_named_as_people_do_and_comes_back(town: Town) -> None:
    town.founded()
    town.comes("lea-fontanille")
    says("pause", "Léa Fontanille", "--reason", "2")
    assert town.agent("lea-fontanille").pause == "reunion"
    assert says("resume", "agent-lea-fontanille") == "Léa Fontanille : reçoit les appels."
    assert town.agent("lea-fontanille").state == "idle"


@pytest.mark.redis
def test_who_comes_back_gets_the_caller_who_waits(busy: Town) -> None:
    busy.calls("a-1.7", "enfance")
    says("resume", "awa-diallo")
    record = busy.agent("awa-diallo")
    assert (record.state, record.call) == ("offered", "a-1.7")


@pytest.mark.redis
def test_what_is_misspelt_is_proposed(town: Town) -> None:
    town.founded()
    town.comes("awa-diallo")
    assert "« awa-dialo » n'est pas un agent du plan. Vouliez-vous écrire « awa-diallo » ?" in refuses(
        "resume", "awa-dialo"
    )
    told = refuses("pause", "awa-diallo", "--reason", "déjeunner")
    assert "Vouliez-vous écrire « dejeuner » ? Possibles : dejeuner, reunion, courte, guichet." in told
    told = refuses("outcome", "awa-diallo", "a-rapeler")
    assert "« a-rapeler » n'est pas un résultat. Vouliez-vous écrire « a-rappeler » ?" in told
    assert town.agent("awa-diallo").state == "idle"


@pytest.mark.redis
def test_times_that_make_no_sense_are_refused(town: Town) -> None:
    town.founded()
    town.comes("awa-diallo")
    pause = ("pause", "awa-diallo", "--reason", "dejeuner")
    assert "n'est pas une durée" in refuses(*pause, "--for", "longtemps")
    assert "n'est pas une heure" in refuses(*pause, "--until", "midi")
    assert "pas les deux" in refuses(*pause, "--until", "23:59", "--for", "5m")
    assert "de 1 min à 12 h" in refuses(*pause, "--for", "2 j")
    assert town.agent("awa-diallo").state == "idle"


@pytest.mark.unit
def test_an_hour_is_the_next_one_of_today(pessac: Plan) -> None:
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC).astimezone().replace(hour=12)
    now = round(noon.timestamp() * 1_000)
    for text, minutes in (("14:00", 120), ("12h30", 30), ("13h", 60)):
        found = agents.pause(pessac, "dejeuner", now=now, until=text, lasting=None)
        assert found.reason.length_ms == minutes * 60_000, text
    with pytest.raises(DeskError, match="11:59 est déjà passé : il est 12:00"):
        agents.pause(pessac, "dejeuner", now=now, until="11:59", lasting=None)


@pytest.mark.redis
def test_an_agent_whom_the_queue_has_never_seen_cannot_be_paused(town: Town) -> None:
    town.founded()
    assert refuses("pause", "awa-diallo", "--reason", "dejeuner") == (
        "Refusé pour Awa Diallo : son poste ne s'est encore jamais annoncé."
    )


@pytest.mark.redis
def test_an_outcome_that_the_queue_refuses_is_told(busy: Town) -> None:
    told = refuses("outcome", "nadia-belkacem", "3")
    assert told == "Refusé pour Nadia Belkacem : il n'y a pas d'appel à noter."


@pytest.mark.redis
def test_an_outcome_is_noted_and_ends_the_time_after_the_call(busy: Town) -> None:
    busy.do(commands.end(CallId("a-1.2"), "answered"))
    assert busy.agent("lea-fontanille").state == "wrap"
    assert says("outcome", "lea-fontanille", "a-rappeler") == "Léa Fontanille : dernier appel noté « À rappeler »."
    record = busy.agent("lea-fontanille")
    assert (record.state, record.code, record.done_call) == ("idle", "a-rappeler", "a-1.2")


@pytest.mark.redis
def test_an_outcome_names_the_topic_that_the_caller_should_have_had(busy: Town) -> None:
    busy.do(commands.end(CallId("a-1.2"), "answered"))
    voirie = busy.plan.topics[TopicId("voirie")]
    told = says("outcome", "lea-fontanille", "mauvaise-orientation", "--to", "voirie")
    assert told == f"Léa Fontanille : dernier appel noté « Mauvaise orientation », vers « {voirie.label} »."
    assert busy.agent("lea-fontanille").to == "voirie"
    told = refuses("outcome", "lea-fontanille", "mauvaise-orientation", "--to", "voiry")
    assert "« voiry » n'est pas un motif. Vouliez-vous écrire « voirie » ?" in told


@pytest.mark.redis
def test_the_time_after_the_call_is_made_longer_twice_at_most(busy: Town) -> None:
    assert refuses("extend", "lea-fontanille") == "Refusé pour Léa Fontanille : le temps après l'appel est déjà fini."
    busy.do(commands.end(CallId("a-1.2"), "answered"))
    ends = busy.agent("lea-fontanille").free_at
    for times in (1, 2):
        assert says("extend", "lea-fontanille") == "Léa Fontanille : temps après l'appel prolongé."
        record = busy.agent("lea-fontanille")
        assert (record.state, record.free_at) == ("wrap", ends + times * busy.plan.wrap_ms)
    told = "Refusé pour Léa Fontanille : le temps après l'appel a déjà été prolongé deux fois."
    assert refuses("extend", "lea-fontanille") == told


@pytest.mark.redis
def test_without_a_worker_nothing_is_founded(town: Town) -> None:
    for typed in (("list",), ("resume", "awa-diallo")):
        assert "Aucun standard n'a encore fonctionné pour « pessac »" in refuses(*typed)
    assert town.redis.keys() == []


@pytest.mark.unit
def test_without_redis_it_says_so(desk: None, monkeypatch: pytest.MonkeyPatch, redis_away: str) -> None:
    monkeypatch.setenv("IVR_REDIS_URL", redis_away)
    assert "Redis ne répond pas" in refuses("list")
    assert isinstance(run("top", "--once").exception, DeskError)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (-5, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (3_599_999, "59 min"),
        (7_500_000, "2 h 05"),
        (2 * 10**8, "2 j"),
    ],
)
def test_durations_are_read_at_a_glance(ms: int, told: str) -> None:
    assert words.lasting(ms) == told


@pytest.mark.redis
def test_while_the_shared_redis_is_away_the_nodes_own_is_read_and_told(
    busy: Town, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.desk.link.PATIENCE_S", 0.2)
    monkeypatch.setenv("IVR_REDIS_URL", "unix:///nowhere/redis.sock")
    monkeypatch.setenv("IVR_EMERGENCY_REDIS_URL", redis_url)
    assert listed()["awa-diallo"]["pause"] == "dejeuner"
    says("resume", "awa-diallo")
    assert busy.agent("awa-diallo").pause is None
