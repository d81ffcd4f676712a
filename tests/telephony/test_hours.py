"""Hours, crises, chains and languages through a whole worker: what reaches Asterisk, the ledger and the history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.core.schedule import Calendar, Crisis, Span, Timeline
from ivr.ledger.history import History
from ivr.ledger.names import Names
from ivr.ledger.timeline import tell
from ivr.telephony.recorder import replay
from tests.plans import CRUE, rich_plan
from tests.telephony.test_history import copied

if TYPE_CHECKING:
    from ivr.core.plan import Plan, SiteId
    from ivr.ledger.store import File
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis
HOUR = 3_600_000


@pytest.fixture
def plan(site: SiteId) -> Plan:
    return replace(rich_plan(), site=site)


def sees(hall: Hall, calendar: Calendar) -> None:
    """The worker's calls go by this calendar from now on."""
    hall.worker.calls._calendar = lambda: calendar


def closed(hall: Hall) -> Calendar:
    """Closed for an hour, then open for two."""
    now = hall.queue.clock()
    spans = [(now - HOUR, now + HOUR), (now + HOUR, now + 3 * HOUR), (now + 3 * HOUR, now + 9 * HOUR)]
    return Calendar(Timeline(tuple(Span(*span, open=n == 1, layer="weekly") for n, span in enumerate(spans))))


async def the_file(hall: Hall) -> File:
    async def files() -> int:
        return len(await hall.ledger.files())

    await hall.until(files, "a file")
    (file,) = await hall.ledger.files()
    return file


async def told(hall: Hall, call: str) -> list[str]:
    await copied(hall)
    history = History(hall.ledger, hall.plan.site)
    lines, files = await history.lines_of(call), await hall.ledger.files()
    return [moment.text for moment in tell(call, lines, files, Names(hall.plan))]


async def test_a_call_out_of_hours_ends_with_a_promise_and_can_be_run_again(hall: Hall) -> None:
    sees(hall, closed(hall))
    call = await hall.in_menu()
    assert hall.switch.said(call) == ["closed", "menu-principal"]
    hall.switch.presses(call, "1")
    file = await the_file(hall)
    assert (file.kind, file.topic, file.owner) == ("callback", "etat-civil", "group:accueil")
    await hall.nothing_left()
    assert hall.switch.said(call)[2:] == ["metropole", "callback-kept"]
    steps = list(replay(hall.recordings / f"{call}.jsonl", hall.plan))
    assert steps
    assert all(step.same for step in steps)
    history = await told(hall, call)
    assert "Hors des horaires : Mairie d'essai." in history
    assert "Suite prévue : « Métropole » lui est indiqué." in history
    assert "Suite prévue : un rappel par « Accueil »." in history
    assert "Fin de l'appel" in history[-2]
    assert history[-1].startswith(f"Dossier {call} ouvert")


async def test_who_waits_when_the_hours_end_is_kept_with_a_file_as_old_as_the_call(hall: Hall) -> None:
    await hall.agent()
    talker, leg = await hall.talks()
    call = await hall.waits()
    await hall.until(lambda: hall.state_of(call, "waiting"), "the queue holds them")
    actor = hall.worker.calls.get(call)
    assert actor is not None
    arrival, calendar = actor.call.arrival, closed(hall)
    sees(hall, calendar)
    file = await the_file(hall)
    assert (file.call, file.kind, file.opened_ms) == (call, "callback", arrival)
    assert file.due_ms == calendar.site.spans[1].end
    await hall.until(lambda: hall.switch.said(call)[-2:] == ["closing", "callback-kept"], "they are told")
    assert leg in hall.switch.channels  # who talks, talks on
    hall.switch.ends(talker)
    await hall.nothing_left()
    history = await told(hall, call)
    assert history[0].startswith("Appel reçu")
    assert any("prennent fin : sa demande est gardée" in text for text in history)


async def test_a_file_is_due_by_the_true_time_when_the_sites_clock_is_ahead(hall: Hall) -> None:
    hall.queue.clock.reached(hall.queue.clock() + HOUR)
    await hall.agent()
    talker, _ = await hall.talks()
    call = await hall.waits()
    await hall.until(lambda: hall.state_of(call, "waiting"), "the queue holds them")
    calendar = closed(hall)
    sees(hall, calendar)
    file = await the_file(hall)
    assert file.call == call
    assert abs(file.due_ms - (calendar.site.spans[1].end - HOUR)) < HOUR / 10
    assert abs(file.opened_ms - hall.queue.clock.true_ms()) < HOUR / 10
    hall.switch.ends(talker)
    await hall.nothing_left()


async def test_the_end_of_the_hours_is_met_by_the_calls_own_timer(hall: Hall) -> None:
    await hall.agent()
    talker, _ = await hall.talks()
    now = hall.queue.clock()
    spans = (Span(0, now + 1_500, open=True, layer="weekly"), Span(now + 1_500, now + HOUR, open=False, layer="weekly"))
    sees(hall, Calendar(Timeline(spans)))
    call = await hall.waits()
    assert (await the_file(hall)).call == call
    hall.switch.ends(talker)
    await hall.nothing_left()


async def test_a_crisis_is_heard_before_its_menu(hall: Hall) -> None:
    sees(hall, Calendar(crisis=Crisis(CRUE, hall.queue.clock() + HOUR)))
    call = await hall.in_menu()
    assert hall.switch.said(call) == ["greeting", "crue", "menu-crue"]
    hall.switch.ends(call)
    await hall.nothing_left()
    assert "Mode crise : entend le message « Crue »." in await told(hall, call)


async def test_the_language_is_that_of_every_sound_that_follows(hall: Hall) -> None:
    call = await hall.in_menu()
    hall.switch.presses(call, "5")
    await hall.until(lambda: len(hall.switch.said(call)) == 3, "the menu again")
    hall.switch.presses(call, "3")
    await hall.until(lambda: len(hall.switch.said(call)) == 5, "the answer, and the menu")
    media = [
        medium.removeprefix("sound:/sounds/")
        for asked in hall.fake.asked
        if asked.path.startswith(f"channels/{call}/play/")
        for medium in asked.query["media"].split(",")
    ]
    assert media[2:] == ["en/menu-principal", "en/horaires", "en/menu-principal"]
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_a_typed_number_is_in_no_recording_and_no_history(hall: Hall) -> None:
    call = await hall.in_menu()
    for key in "6735":
        hall.switch.presses(call, key)
    await hall.until(
        lambda: (
            hall.phase(call) == "Apologising"
            or call in hall.switch.recording.values()
            or "callback-kept" in hall.switch.said(call)
        )
    )
    await hall.nothing_left()
    recording = hall.recordings / f"{call}.jsonl"
    assert '"key": "7"' not in recording.read_text(encoding="utf-8")
    assert all(step.same for step in replay(recording, hall.plan))
    row = await History(hall.ledger, hall.plan.site).call(call) if await told(hall, call) else None
    assert row is not None
    assert row.keys == "6"
    assert "Tape un numéro de 3 chiffres." in await told(hall, call)
