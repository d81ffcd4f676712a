"""What was said to the fallback has an owner, once, whatever is cut short; and what is asked to be forgotten goes."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from ivr.ari import AriClient, AriError, NotFound
from ivr.core.caller import CallId
from ivr.ledger.errors import JournalBusy
from ivr.ledger.journal import Journal
from ivr.ledger.store import File, Ledger, LedgerError
from ivr.ledger.workdays import due
from ivr.queueing.errors import QueueUnavailable
from ivr.telephony.callers import identify
from ivr.telephony.erasure import Erased, NoNumber, erase
from ivr.telephony.messages import FallbackMessages, began, left_by
from ivr.telephony.promises import Promises
from ivr.telephony.reach import reached
from tests.ari.fake import FakeAri, Say, refuse
from tests.plans import small_plan
from tests.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.ari.fake import Asked

pytestmark = pytest.mark.unit

PLAN = small_plan()
KEY = b"k"
NOW = 1_795_600_000_000
CALL = CallId("a-1795500000.12")
NAME = f"fallback/{CALL}-33639980001"
KEPT = "message/a-1795500000_12-fallback"
NUMBER = "+33639980001"
REF = identify(CALL, NUMBER, "", PLAN, KEY).ref


class Disk:
    """The recordings of a fake Asterisk, and the channels that live."""

    def __init__(self, fake: FakeAri) -> None:
        self.names: set[str] = set()
        self.live: set[str] = set()
        fake.on("GET", "recordings/stored/.*", self._one)
        fake.on("GET", "recordings/stored", self._listed)
        fake.on("POST", "recordings/stored/.*/copy", self._copied)
        fake.on("DELETE", "recordings/stored/.*", self._deleted)
        fake.on("GET", "channels/.*", self._channel)

    def _listed(self, _asked: Asked) -> Say:
        return Say(200, [self._stored(name) for name in sorted(self.names)])

    def _one(self, asked: Asked) -> Say | None:
        name = asked.path.removeprefix("recordings/stored/")
        return Say(200, self._stored(name)) if name in self.names else None

    def _stored(self, name: str) -> dict[str, str]:
        return {"name": name, "format": "wav"}

    def _copied(self, asked: Asked) -> Say:
        name, to = asked.path.removeprefix("recordings/stored/").removesuffix("/copy"), self._to(asked)
        if name not in self.names or to in self.names:
            return refuse(404 if name not in self.names else 409, "no")
        self.names.add(to.rpartition(".")[0] or to)  # as Asterisk does
        return Say(200, self._stored(to))

    def _to(self, asked: Asked) -> str:
        return asked.query["destinationRecordingName"]

    def _deleted(self, asked: Asked) -> Say:
        name = asked.path.removeprefix("recordings/stored/")
        if name not in self.names:
            return refuse(404, "not there")
        self.names.discard(name)
        return Say()

    def _channel(self, asked: Asked) -> Say | None:
        name = asked.path.removeprefix("channels/")
        return Say(200, CHANNEL | {"id": name}) if name in self.live else None


CHANNEL: dict[str, Any] = {
    "name": "PJSIP/trunk-1",
    "state": "Up",
    "caller": {"name": "", "number": ""},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {"context": "", "exten": "", "priority": 1, "app_name": "Record", "app_data": ""},
    "creationtime": "2026-01-01T00:00:00.000+0000",
    "language": "fr",
}


class Place:
    def __init__(self, fake: FakeAri, ari: AriClient, ledger: Ledger, folder: Path) -> None:
        self.disk = Disk(fake)
        self.fake = fake
        self.ari = ari
        self.ledger = ledger
        self.journal = Journal(folder / "journal")
        self.messages = FallbackMessages(ari, ledger, PLAN, KEY, lambda: NOW)

    async def erase(self, number: str = NUMBER, **how: Any) -> Erased:
        given = {"ari": self.ari, "forget": None, "ledger": self.ledger, **how}
        return await erase(number, plan=PLAN, ref_key=KEY, journal=self.journal, node="a", **given)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with (
        FakeAri() as fake,
        Ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger,
        AriClient(fake.url, fake.user, fake.password, "ivr-a", event_filter=()) as ari,
    ):
        await ari.wait_connected()
        place = Place(fake, ari, ledger, tmp_path)
        yield place
        place.journal.close()


async def test_a_message_becomes_a_file_of_the_general_desk(place: Place) -> None:
    place.disk.names = {NAME, "message/a-1.1.3", "fallback/odd name"}
    assert await place.messages.adopt() == 1
    opened = 1_795_500_000_000
    assert await place.ledger.files() == [
        File(
            id=f"{CALL}.fallback",
            site="essai",
            kind="message",
            topic="accueil",
            owner="group:accueil",
            caller_ref=REF,
            recording=KEPT,
            opened_ms=opened,
            due_ms=due(opened, PLAN.message_due_days),
            call=CALL,
        )
    ]
    assert await place.ledger.numbers() == {REF: NUMBER}
    assert place.disk.names == {KEPT, "message/a-1.1.3", "fallback/odd name"}
    assert await place.messages.adopt() == 0


async def test_a_caller_who_still_speaks_is_let_speak(place: Place) -> None:
    place.disk.names, place.disk.live = {NAME}, {CALL}
    assert await place.messages.adopt() == 0
    place.disk.live.clear()
    assert await place.messages.adopt() == 1


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("DELETE", 1), ("GET", 1)])
async def test_cut_short_anywhere_it_is_done_again(place: Place, method: str, times: int) -> None:
    place.disk.names = {NAME}
    place.fake.on(method, "(recordings/stored|channels)/.*", Say(500), times)
    with pytest.raises(AriError):
        await place.messages.adopt()
    assert NAME in place.disk.names
    assert await place.messages.adopt() == 1
    assert len(await place.ledger.files()) == 1
    assert place.disk.names == {KEPT}


async def test_a_copy_that_is_not_there_costs_no_message(place: Place) -> None:
    place.disk.names = {NAME}
    place.fake.on("POST", "recordings/stored/.*/copy", Say(200, {"name": KEPT, "format": "wav"}), 1)
    with pytest.raises(NotFound):
        await place.messages.adopt()
    assert place.disk.names == {NAME}


async def test_without_a_ledger_the_message_stays_where_it_is(place: Place, tmp_path: Path) -> None:
    place.disk.names = {NAME}
    with sqlite3.connect(tmp_path / "ledger.sqlite") as past_it:
        past_it.execute("ALTER TABLE files RENAME TO gone")
    with pytest.raises(LedgerError):
        await place.messages.adopt()
    assert NAME in place.disk.names
    with past_it:
        past_it.execute("ALTER TABLE gone RENAME TO files")
    past_it.close()
    assert await place.messages.adopt() == 1
    assert place.disk.names == {KEPT}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fallback/a-1.2-33639980001", ("a-1.2", "+33639980001")),
        ("fallback/a-1.2-0639980001", ("a-1.2", "0639980001")),
        ("fallback/a-1.2-493012345678", ("a-1.2", "+493012345678")),
        ("fallback/a-1.2-3699", ("a-1.2", "3699")),
        ("fallback/a-1.2-", ("a-1.2", "")),
        ("fallback/a-1.2", None),
        ("fallback/-33639980001", None),
        ("message/a-1.2-33639980001", None),
    ],
)
def test_the_name_of_a_recording_tells_call_and_number(name: str, expected: tuple[str, str] | None) -> None:
    assert left_by(name) == expected


def test_a_calls_id_tells_when_it_began() -> None:
    assert began(CALL) == 1_795_500_000_000
    assert began(CallId("odd")) is None


# Erasure


async def test_what_is_known_by_a_number_goes(place: Place) -> None:
    place.disk.names = {NAME, "fallback/a-1.9-33639980002"}
    await place.messages.adopt()
    waiting = "fallback/a-1.7-33639980001"
    place.disk.names |= {waiting}
    forgotten: list[str] = []

    async def forget(ref: str) -> None:
        forgotten.append(ref)

    done = await place.erase("06 39 98 00 01", forget=forget)
    gone = (waiting, KEPT)
    assert done == Erased(REF, number=True, recordings=gone, left=(), still_open=1, queue=True)
    assert place.disk.names == {"message/a-1_9-fallback"}
    assert forgotten == [REF]
    assert set((await place.ledger.numbers()).values()) == {"+33639980002"}
    assert [file.recording for file in await place.ledger.files_of([REF])] == [""]
    again = await place.erase(forget=forget)
    assert again == Erased(REF, number=False, recordings=(), left=(), still_open=1, queue=True)


async def test_what_waits_in_the_journal_is_erased_there(place: Place, tmp_path: Path) -> None:
    file = File("a-1.1", "essai", "message", "accueil", "group:accueil", REF, "message/a-1.1.3", 1, 2, call="a-1.1")
    worker = Journal(place.journal.folder)
    worker.append(file, NUMBER)
    worker.append(replace(file, id="a-1.2", caller_ref="other", recording=""), "+33639980002")
    place.disk.names = {"message/a-1.1.3", "message/a-1.2.3"}
    done = await place.erase()
    assert done == Erased(REF, number=True, recordings=("message/a-1.1.3",), left=(), still_open=1, queue=False)
    assert place.disk.names == {"message/a-1.2.3"}
    content = b"".join(path.read_bytes() for path in place.journal.folder.iterdir())
    assert NUMBER.encode() not in content
    assert b"message/a-1.1.3" not in content
    worker.close()
    async with Promises(place.ledger, place.journal) as kept:
        assert await kept.bring_in() == 2
    assert await place.ledger.numbers() == {"other": "+33639980002"}
    assert {file.id: file.recording for file in await place.ledger.files()} == {"a-1.1": "", "a-1.2": ""}


async def test_a_number_in_the_journal_is_erased_though_the_ledger_is_away(place: Place, tmp_path: Path) -> None:
    file = File("a-1.1", "essai", "message", "accueil", "group:accueil", REF, "", 1, 2, call="a-1.1")
    place.journal.append(file, NUMBER)
    with pytest.raises(LedgerError, match="nowhere"):
        await place.erase(ledger=Ledger(f"sqlite:///{tmp_path}/nowhere/ledger.sqlite"))
    assert [entry.number for entry in place.journal.entries()] == [None]


async def test_a_journal_that_is_held_for_long_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.telephony.erasure.JOURNAL_PATIENCE_S", 0.02)
    with Journal(place.journal.folder).alone(), pytest.raises(JournalBusy, match="recommencez"):
        await place.erase()
    assert not (await place.erase()).number


async def test_what_cannot_be_reached_is_named(place: Place) -> None:
    place.disk.names = {NAME}
    await place.messages.adopt()

    async def away(ref: str) -> None:
        raise QueueUnavailable(PLAN.site, "forget", 1)

    done = await place.erase(ari=None, forget=away)
    assert (done.number, done.recordings, done.left) == (True, (), (KEPT,))
    assert not done.queue
    assert (await place.erase()).recordings == (KEPT,)


async def test_a_recording_on_another_nodes_disk_is_left(place: Place) -> None:
    for call in ("b-1.1", "a-1.1"):
        file = File(call, "essai", "message", "accueil", "group:accueil", REF, f"message/{call}.3", 1, 2, call=call)
        await place.ledger.promise(file, NUMBER)
    done = await place.erase()
    assert (done.recordings, done.left) == (("message/a-1.1.3",), ("message/b-1.1.3",))


async def test_what_is_no_number_is_refused(place: Place) -> None:
    for typed in ("15", "moi", ""):
        with pytest.raises(NoNumber, match="n'est pas un numéro"):
            await place.erase(typed)


async def test_asterisk_is_reached_under_a_name_of_its_own_or_not_at_all(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reached(place.fake.url, [(place.fake.user, place.fake.password)], "erasure") as ari:
        assert ari is not None
        assert "ivr-a" in place.fake.connected
        assert len(place.fake.connected) == 2
    monkeypatch.setattr("ivr.telephony.reach.PATIENCE_S", 0.05)
    async with reached(place.fake.url, [(place.fake.user, "wrong")], "erasure") as ari:
        assert ari is None


# The task


async def test_a_message_waits_for_a_ledger_that_was_away_from_the_start(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.telephony.messages.AGAIN_S", 0.01)
    folder = tmp_path / "later"
    ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
    messages = FallbackMessages(place.ari, ledger, PLAN, KEY, lambda: NOW)
    place.disk.names = {NAME}
    with capture_logs() as logged:
        running = asyncio.create_task(messages.run())
        try:
            messages.look()
            await place.fake.until(lambda: place.fake.paths("GET").count("recordings/stored") > 2)
            assert NAME in place.disk.names
            folder.mkdir()
            await place.fake.until(lambda: NAME not in place.disk.names)
            await until(lambda: len(logged) == 3)
        finally:
            running.cancel()
            await asyncio.wait({running})
    assert [entry["log_level"] for entry in logged] == ["error", "info", "info"]
    assert [file.recording for file in await ledger.files()] == [KEPT]
    await ledger.disconnect()


async def test_it_looks_when_told_and_says_once_that_it_cannot(place: Place) -> None:
    place.disk.names = {NAME}
    place.fake.on("GET", "recordings/stored", Say(500), 2)

    def asked(times: int) -> bool:
        return place.fake.paths("GET").count("recordings/stored") == times

    with capture_logs() as logged:
        running = asyncio.create_task(place.messages.run())
        try:
            for times in (1, 2, 3):
                place.messages.look()
                await place.fake.until(partial(asked, times))
            await place.fake.until(lambda: NAME not in place.disk.names)
        finally:
            running.cancel()
            await asyncio.wait({running})
    assert [entry["log_level"] for entry in logged][:1] == ["error"]
    assert [entry["log_level"] for entry in logged].count("error") == 1
    assert len(await place.ledger.files()) == 1
