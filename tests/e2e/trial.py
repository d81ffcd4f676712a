"""What a test does in a house: agents who come fresh, callers, what they hear, and that nothing is left."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
import aiosqlite

from ivr.core.plan import AgentId
from ivr.lab import audio
from ivr.lab.moments import PhoneError
from ivr.lab.scenes import SOON_S, SceneFailed, until, within
from ivr.queueing.stream import lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.lab.house import House
    from ivr.lab.phones import Phone, PhoneBank, PhoneCall
    from ivr.queueing.model import Dump

QUALIFY_S: Final = 18.0
"""Asterisk asks the phones that it knew before its restart within `qualify_s`, in its own time."""
HEARD_S: Final = 0.3


class Trial:
    """One house under test. `hertz` is the tone of each prompt; "hold" is the music's.

    `first` is the first spare agent: houses of one site have different ones.
    """

    def __init__(self, house: House, hertz: Mapping[str, int], first: int = 0) -> None:
        self.house = house
        self.hertz = hertz
        self.said = house.plan.announcements
        self.menu = house.plan.menus[house.plan.root]
        self.here: list[Phone] = []
        self.calls: list[PhoneCall] = []
        self._base = 0.0
        self._spares = itertools.count(first)
        self._callers = itertools.count()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        self._base = (await self.metrics())["ivr_tasks"]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.close()

    async def metrics(self) -> dict[str, float]:
        """What the worker counts of itself."""
        async with self._http.get(f"http://{self.house.env['IVR_HTTP_BIND']}/metrics") as reply:
            text = await reply.text()
        return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE)}

    # People

    async def agent(self, *, answers_ms: int | None = None, bank: PhoneBank | None = None) -> Phone:
        """An agent whom no test has seen yet, registered and known to the queue.

        They answer accueil, état civil and urbanisme. `bank` holds the phone where it is not the house's.
        """
        name = f"renfort-{next(self._spares)}"
        if bank is None:
            phone = await self.house.agent(name, answers_ms=answers_ms)
            self.here.append(phone)
        else:
            password = self.house.stack.secrets.agent_password(name)
            endpoint = self.house.plan.agents[AgentId(name)].endpoint
            phone = await bank.phone(endpoint, password, registrar=self.house.registrar, auto_answer=answers_ms)
            await phone.register()

        async def present() -> bool:
            return any(agent.id == name and agent.present for agent in (await self.state()).agents.values())

        await until(SOON_S, f"{name} is present", present)
        return phone

    async def withdraw(self, phone: Phone) -> None:
        """The agent of a phone that died comes back with another one, and leaves."""
        again = await self.house.agent(self._id(phone))
        await again.unregister()

        async def away() -> bool:
            return await self.state_of(phone) == "away"

        await until(SOON_S, f"{phone.user} is away", away)

    async def call(self, number: str = "", *, private: bool = False) -> PhoneCall:
        """A caller with this number, or one of their own, who hears it ring: no call can be given up before."""
        call = await self.house.call(number or f"+336399810{next(self._callers) % 60 + 10}", private=private)
        self.calls.append(call)
        await within(SOON_S, "it rings", call.ringing)
        return call

    async def talk_to_menu(self) -> PhoneCall:
        """A caller whose call is answered."""
        call = await self.call()
        await within(SOON_S, "the call is answered", call.established)
        return call

    async def rings(self, phone: Phone, seconds: float = SOON_S) -> PhoneCall:
        """The call that rings this phone now."""
        try:
            return await within(seconds, f"{phone.user} rings", phone.next_call())
        except SceneFailed as failed:
            held = await self.state()
            agent = held.agents[self._id(phone)]
            raise SceneFailed(f"{failed}; the queue holds {agent}, {list(held.calls.values())}") from None

    async def joined(self, agent: Phone, key: str = "1") -> tuple[PhoneCall, PhoneCall]:
        """A caller and an agent who talk."""
        call = await self.talk_to_menu()
        await call.digits(key)
        ringing = await self.rings(agent)
        if agent.calls[-1].established.happened is False:
            await ringing.answer()
        await within(SOON_S, "the agent answers", ringing.established)
        await self.talking()
        return call, ringing

    async def pause(self, phone: Phone) -> None:
        """The agent takes no call for a minute, and still counts as there."""
        until_ms = self.house.queue.clock() + 60_000
        await self.house.queue.pause(self._id(phone), "test", until_ms)

    async def resume(self, phone: Phone) -> None:
        """The agent is ready."""
        await self.house.queue.resume(self._id(phone))

    @staticmethod
    def _id(phone: Phone) -> AgentId:
        return AgentId(phone.user.removeprefix("agent-"))

    # What is so

    async def state_of(self, phone: Phone) -> str:
        """The state of an agent."""
        return (await self.state()).agents[self._id(phone)].state

    async def told_of(self, phone: Phone) -> list[tuple[str, Mapping[str, str]]]:
        """The lines about an agent, oldest first, in the ledger or still in the stream: their types and fields."""
        house, name = self.house, self._id(phone)
        raw: Any = await house._redis.xrange(house.queue.keys.name("events"))
        told = {line.id: (line.type, line.fields) for line in lines(raw) if line.fields.get("agent") == name}
        async with aiosqlite.connect(house.stack.state_dir / "ledger.sqlite") as ledger:
            rows = await ledger.execute_fetchall("SELECT id, type, fields FROM events WHERE agent = ?", (name,))
        told |= {id_: (kind, json.loads(fields)) for id_, kind, fields in rows}
        return [told[id_] for id_ in sorted(told, key=lambda id_: tuple(map(int, id_.split("-"))))]

    async def state(self) -> Dump:
        """What the queue holds."""
        return await self.house.state()

    async def talking(self) -> None:
        """Returns once the talk is recorded and both are in one bridge."""

        async def bridged() -> bool:
            listing = await self.house.stack.asterisk_cli("bridge show all")
            return any(re.search(r"\s2\s+stasis\s", row) for row in listing.splitlines())

        await until(SOON_S, "caller and agent are joined", bridged)

    async def topic(self) -> str:
        """The topic of the one call that is waiting, ringing or talking."""
        (record,) = (await self.state()).calls.values()
        return str(record.topic)

    async def hears(self, call: PhoneCall, name: str, since_ns: int = 0, seconds: float = SOON_S) -> None:
        """Returns once the call heard that prompt (or "hold") after that instant."""

        async def heard() -> bool:
            return await self.seconds_of(call, name, since_ns) >= HEARD_S

        await until(seconds, f"{name} at the ear of {call}", heard)

    async def seconds_of(self, call: PhoneCall, name: str, since_ns: int = 0) -> float:
        """How long the call heard a prompt without a gap."""
        heard = (await call.heard()).between(since_ns)
        return audio.longest_tone(heard.pcm, heard.rate, self.hertz[name]).seconds

    async def hears_tone(self, call: PhoneCall, hz: int, since_ns: int = 0) -> None:
        """Returns once the call heard a tone clearly after that instant."""

        async def heard() -> bool:
            sound = (await call.heard()).between(since_ns)
            return audio.longest_tone(sound.pcm, sound.rate, hz).seconds >= HEARD_S

        await until(SOON_S, f"{hz} Hz at the ear of {call}", heard)

    async def everybody_leaves(self) -> None:
        """Every caller hangs up, every agent's phone is withdrawn."""
        for call in self.calls:
            if not call.closed.happened:
                await call.hangup()
        for phone in self.here:
            await phone.behave(reject=486)
            for call in phone.calls:
                if not call.closed.happened:
                    await call.hangup()
            with contextlib.suppress(PhoneError):
                await phone.unregister()
        gone = {self._id(phone) for phone in self.here}

        async def away() -> bool:
            return not any(agent.id in gone and agent.present for agent in (await self.state()).agents.values())

        await until(SOON_S, "every agent is away", away)
        self.calls.clear()
        self.here.clear()

    async def nothing_left(self) -> None:
        """Fails unless no channel, bridge, call, offer, talk, deadline (rests, leases apart) or task is left soon."""
        left: dict[str, object] = {}

        async def gone() -> bool:
            held, metrics = await self.state(), await self.metrics()
            left.clear()
            left.update(
                calls=list(held.calls.values()),
                offers=list(held.offers),
                talks=list(held.talks),
                waiting=dict(held.waiting),
                deadlines=[member for member in held.deadlines if not member.startswith(("agent:", "known:", "node:"))],
                engaged=[agent.id for agent in held.agents.values() if agent.token or agent.call],
                channels=await self.house.channels(),
                bridges=await self.house.bridges(),
                actors=metrics["ivr_calls"],
                tasks=max(0.0, metrics["ivr_tasks"] - self._base),
            )
            return not any(left.values())

        try:
            await until(SOON_S, "nothing of the call is left", gone)
        except SceneFailed as failed:
            raise SceneFailed(f"{failed}; left: { {name: what for name, what in left.items() if what} }") from None
