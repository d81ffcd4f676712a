"""Versions and states: two who publish at once, an empty Redis, an end that comes by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from ivr.core.plan import CrisisId, HoursId
from ivr.core.schedule import Forced
from ivr.ledger.plans import keep_plan
from ivr.ledger.store import File, Ledger
from ivr.plan import PlanError, load
from ivr.publish.errors import NoSuchVersion, Overtaken, StoreAway
from ivr.publish.states import CrisisState, States, field_of
from ivr.publish.store import Publications
from ivr.publish.version import SYSTEM, Files
from ivr.publish.watch import Watch, first
from ivr.queueing.connect import connect
from tests.plan.folders import PROMPTS
from tests.publish.conftest import by

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from redis.asyncio import Redis

    from ivr.core.plan import SiteId
    from ivr.ledger.plans import PlanRow
    from ivr.plan import Loaded
    from ivr.publish.shelf import Shelf
    from ivr.publish.version import Published, Version
    from tests.publish.conftest import Drafts

pytestmark = pytest.mark.redis
OTHER = PROMPTS.replace("Bonjour.", "Bonjour à vous.")


class Told:
    """What a worker was told."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.states_told: list[States] = []

    async def plan(self, loaded: Loaded, version: Version) -> None:
        assert loaded.plan is not None
        assert loaded.plan.version == version.content
        self.numbers.append(version.number)

    async def states(self, states: States) -> None:
        self.states_told.append(states)


async def test_what_is_published_is_what_is_read(store: Publications, drafts: Drafts) -> None:
    assert await store.current() is None
    one, two = drafts.version(1), drafts.version(2, prompts=OTHER)
    await store.publish(one)
    await store.publish(two)
    assert await store.current() == two
    assert await store.shown() == two
    assert await store.version(1) == one
    assert [version.number for version in await store.history()] == [2, 1]
    assert await store.files_of(one.version.content) == one.files
    assert await store.files_of("none") is None
    with pytest.raises(NoSuchVersion):
        await store.version(7)


async def test_of_many_who_publish_at_once_one_does(store: Publications, drafts: Drafts) -> None:
    await store.publish(drafts.version(1))
    draft = drafts.version(2, prompts=OTHER)
    names = [f"admin {n}" for n in range(8)]
    came = await asyncio.gather(*(store.publish(by(draft, name)) for name in names), return_exceptions=True)
    told = [error for error in came if isinstance(error, Overtaken)]
    assert len(told) == len(names) - 1
    won = await store.current()
    assert won is not None
    assert won.version.author == names[came.index(None)]
    assert all(error.now.author == won.version.author for error in told)
    assert f"{won.version.author} a publié la version 2 entre-temps" in str(told[0])


@pytest.mark.parametrize("followed", [False, True])
async def test_who_published_is_not_told_of_a_reader_who_was_quicker(
    store: Publications, drafts: Drafts, monkeypatch: pytest.MonkeyPatch, *, followed: bool
) -> None:
    """Between the ledger and Redis: a reader brings Redis up to the ledger, another publishes on it."""
    await store.publish(drafts.version(1))
    two, three = drafts.version(2, prompts=OTHER), drafts.version(3)

    async def keep_and_be_read(ledger: Ledger, row: PlanRow, moved: Mapping[str, str] | None) -> bool:
        kept = await keep_plan(ledger, row, moved)
        monkeypatch.undo()
        assert await store.current() == two
        if followed:
            await store.publish(three)
        return kept

    monkeypatch.setattr("ivr.publish.store.keep_plan", keep_and_be_read)
    await store.publish(two)
    assert await store.shown() == (three if followed else two)


async def test_who_read_an_older_version_is_told(store: Publications, drafts: Drafts) -> None:
    await store.publish(drafts.version(1))
    await store.publish(drafts.version(2, prompts=OTHER))
    with pytest.raises(Overtaken, match="Claire a publié la version 2"):
        await store.publish(drafts.version(2))


async def test_an_empty_redis_is_filled_from_the_ledger(store: Publications, redis: Redis, drafts: Drafts) -> None:
    await store.publish(drafts.version(1))
    two = drafts.version(2, prompts=OTHER)
    await store.publish(two)
    await redis.flushall()
    assert await store.current() == two
    assert await store.shown() == two


async def test_a_worker_puts_back_what_it_holds(
    store: Publications, redis: Redis, shelf: Shelf, drafts: Drafts, tmp_path: Path, site: SiteId
) -> None:
    folder = load(drafts.folder("f"))
    unopened = Publications(redis, Ledger("postgresql://nobody@127.0.0.1:1/none"), site)
    watch, told = Watch(unopened, shelf, lambda: 1_000), Told()
    watch.published = first(folder.folder, folder.plan, 1) if folder.plan else None
    crisis = CrisisState(CrisisId("inondation"), until=5_000)
    watch.states = States(crisis=crisis)
    await watch.look(told)
    found = await store.in_force(1_000)
    assert (found.number, found.states) == (1, States(crisis=crisis))
    assert told.numbers == []


async def test_a_worker_puts_back_a_newer_version_than_a_failover_left(
    store: Publications, redis: Redis, shelf: Shelf, drafts: Drafts
) -> None:
    watch, told = Watch(store, shelf, lambda: 1_000), Told()
    await watch.begin(load(drafts.folder("f")))
    older = await redis.hgetall(f"{{{store.site}}}:published")
    two = drafts.version(2, prompts=OTHER)
    await store.publish(two)
    await watch.look(told)
    await redis.hset(f"{{{store.site}}}:published", mapping=dict(older))  # type: ignore[arg-type]
    await watch.look(told)
    assert await store.shown() == two
    assert told.numbers == [2]


async def test_who_publishes_through_another_ledger_is_told_too(
    store: Publications, redis: Redis, drafts: Drafts, tmp_path: Path, site: SiteId
) -> None:
    await store.publish(drafts.version(1))
    mine, theirs = by(drafts.version(2, prompts=OTHER), "moi"), by(drafts.version(2), "Hugo")
    async with Ledger(f"sqlite:///{tmp_path}/other.sqlite") as other:
        elsewhere = Publications(redis, other, site)
        read = store.current

        async def read_before_the_other() -> Published | None:
            found = await read()
            await elsewhere.publish(theirs)
            return found

        store.current = read_before_the_other  # type: ignore[method-assign]
        with pytest.raises(Overtaken, match="Hugo a publié la version 2"):
            await store.publish(mine)
    assert await store.shown() == theirs


async def test_the_folder_is_the_first_version_and_the_last_good_one_is_served(
    store: Publications, shelf: Shelf, drafts: Drafts
) -> None:
    folder = drafts.folder("f")
    watch = Watch(store, shelf, lambda: 1_000)
    served = await watch.begin(load(folder))
    assert served.plan is not None
    current = await store.current()
    assert current is not None
    assert (current.version.number, current.version.author) == (1, SYSTEM)
    (folder / "menu.yaml").write_text("root: nowhere\n", encoding="utf-8")
    again = await Watch(store, shelf, lambda: 2_000).begin(load(folder))
    assert again.plan == served.plan


async def test_a_worker_says_once_that_the_folder_is_not_what_is_served(
    store: Publications, shelf: Shelf, drafts: Drafts
) -> None:
    told = {"event": "the folder of the plan is not what is served: ivr plan publish", "version": 1}
    folder = drafts.folder("f")
    with capture_logs() as logs:
        await Watch(store, shelf, lambda: 1_000).begin(load(folder))
        assert not [line for line in logs if line["event"] == told["event"]]
        (folder / "prompts.yaml").write_text(OTHER, encoding="utf-8")
        await Watch(store, shelf, lambda: 2_000).begin(load(folder))
    assert [line for line in logs if line.items() >= told.items()]


async def test_a_broken_folder_is_refused_where_nothing_was_published(
    store: Publications, shelf: Shelf, drafts: Drafts
) -> None:
    with pytest.raises(PlanError):
        await Watch(store, shelf, lambda: 1_000).begin(load(drafts.folder("f", topics=None)))


async def test_without_any_store_a_machine_serves_what_it_served_last(
    store: Publications, redis: Redis, shelf: Shelf, drafts: Drafts, site: SiteId
) -> None:
    folder = load(drafts.folder("f"))
    await Watch(store, shelf, lambda: 1_000).begin(folder)
    changed = load(drafts.folder("g", prompts=OTHER))
    gone = connect("redis://127.0.0.1:1/0", timeout_s=0.2)
    away = Publications(gone, Ledger("postgresql://nobody@127.0.0.1:1/none"), site)
    watch = Watch(away, shelf, lambda: 2_000)
    assert (await watch.begin(changed)).plan == folder.plan
    with pytest.raises(StoreAway):
        await watch.look(Told())
    await gone.aclose()


async def test_workers_follow_and_a_rollback_is_a_publication_too(
    store: Publications, shelf: Shelf, drafts: Drafts
) -> None:
    watch, told = Watch(store, shelf, lambda: 1_000), Told()
    await watch.begin(load(drafts.folder("f")))
    await store.publish(drafts.version(2, prompts=OTHER))
    await watch.look(told)
    one = await store.version(1)
    back = drafts.version(3)
    assert back.files == one.files
    await store.publish(back)
    await watch.look(told)
    await watch.look(told)
    assert told.numbers == [2, 3]


async def test_states_end_by_themselves(store: Publications, redis: Redis, shelf: Shelf) -> None:
    closed = Forced(None, open=False, since=500, until=2_000, reason="panne", by="Claire")
    desk = Forced(HoursId("accueil"), open=True, since=500, until=4_000, reason="permanence")
    crisis = CrisisState(CrisisId("inondation"), until=3_000)
    for state in (closed, desk, crisis):
        await store.set(state, 1_000)
    assert (await store.in_force(1_999)).states == States((closed, desk), crisis)
    assert (await store.in_force(2_000)).states == States((desk,), crisis)
    now, told = [1_000], Told()
    watch = Watch(store, shelf, lambda: now[0])
    await watch.look(told)
    now[0] = 3_500
    await watch.look(told)
    assert told.states_told == [States((closed, desk), crisis), States((desk,))]
    await store.unset([field_of(desk)], 3_500)
    assert await redis.hlen(f"{{{store.site}}}:published") == 0  # what is over went too
    assert (await store.in_force(1_000)).states == States()


async def test_a_change_of_states_leaves_the_version_alone(store: Publications, drafts: Drafts) -> None:
    one = drafts.version(1)
    await store.publish(one)
    await store.set(CrisisState(CrisisId("inondation"), until=3_000), 1_000)
    await store.publish(drafts.version(2, prompts=OTHER))
    found = await store.in_force(1_000)
    assert (found.number, found.states.crisis is not None) == (2, True)


async def test_open_files_move_with_the_publication(store: Publications, ledger: Ledger, drafts: Drafts) -> None:
    site = drafts.site
    await ledger.promise(File("c1", site, "message", "voirie", "group:voirie", "r", "", 1, 2), None)
    await ledger.promise(File("c2", site, "message", "voirie", "group:voirie", "r", "", 1, 3), None)
    await ledger.close("c2", 2)
    await ledger.promise(File("c3", "autre", "message", "voirie", "group:voirie", "r", "", 1, 4), None)
    await store.publish(drafts.version(1), {"group:voirie": "group:urbanisme"})
    owners = {file.id: file.owner for file in await ledger.files()}
    assert owners == {"c1": "group:urbanisme", "c2": "group:voirie", "c3": "group:voirie"}


def test_odd_bytes_and_recordings_survive(tmp_path: Path, drafts: Drafts) -> None:
    folder = drafts.folder("f")
    (folder / "conges.ics").write_bytes(b"BEGIN:VCALENDAR\r\n\xff\xfe")
    (folder / ".hidden.yaml").write_text("x", encoding="utf-8")
    (folder / "recorded" / "fr").mkdir(parents=True)
    (folder / "recorded" / "fr" / "bonjour.wav").write_bytes(b"RIFF1")
    files = Files.of(folder)
    assert Files.from_json(files.to_json()) == files
    assert ".hidden.yaml" not in files.texts
    files.lay(tmp_path / "laid")
    assert (tmp_path / "laid" / "conges.ics").read_bytes() == (folder / "conges.ics").read_bytes()
    assert load(tmp_path / "laid").plan is not None
    (folder / "recorded" / "fr" / "bonjour.wav").write_bytes(b"RIFF2")
    assert Files.of(folder).digest != files.digest


def test_recordings_behind_a_link_are_part_of_the_version(tmp_path: Path, drafts: Drafts) -> None:
    folder, recorded = drafts.folder("f"), tmp_path / "prompts" / "fr"
    (folder / "recorded").symlink_to(recorded.parent)
    recorded.mkdir(parents=True)
    (recorded / "bonjour.wav").write_bytes(b"RIFF1")
    assert list(Files.of(folder).sounds) == ["recorded/fr/bonjour.wav"]
