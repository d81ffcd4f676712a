"""Agents who dial a code: the queue is told, a sentence confirms it, the call is over. One task each.

What was dialled holds from the moment that it is understood, whether or not its sentence is heard to
the end. A code whose worker goes is given to the dialplan by its watchdog, which says that it failed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ari import AriError, NotFound
from ivr.core.caller import CallId
from ivr.core.codes import ADMIN, Crisis, Longer, Pause, Ready, Say, read
from ivr.errors import IvrError
from ivr.queueing.errors import QueueError
from ivr.queueing.sayings import tell
from ivr.telephony.ids import OwnId
from ivr.telephony.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.ari import AriClient, Reply
    from ivr.core.codes import Dialled
    from ivr.core.plan import Agent, AgentSentences, Plan, PromptId
    from ivr.queueing.model import Moves
    from ivr.queueing.queue import Queue
    from ivr.telephony.presence import Presence

CODE: Final = "code"
DEADLINE_S: Final = 10.0
WATCHDOG_S: Final = 15
"""Longer than the deadline: it bites only when this worker is dead or frozen."""

_log = log.get("codes")


class Codes:
    """The codes being dialled at one node, by channel. Nothing of one is left when it ends, whoever ends it."""

    def __init__(
        self,
        ari: AriClient,
        plan: Plan,
        queue: Queue,
        presence: Presence,
        route: Callable[[Moves], None],
        sounds: str,
        admin: Callable[[str, str], Awaitable[bool]] | None = None,
    ) -> None:
        self._ari = ari
        self._queue = queue
        self._presence = presence
        self._route = route
        self._sounds = sounds
        self._admin = admin
        self._agents: dict[str, Agent] = {}
        self.switch(plan)
        self._over: dict[str, asyncio.Event] = {}
        self._tasks = Tasks()

    def __len__(self) -> int:
        return len(self._over)

    def switch(self, plan: Plan) -> None:
        """Read the codes that are dialled from now on by another version."""
        self._plan = plan
        self._agents = {agent.endpoint: agent for agent in plan.agents.values()}

    def arrived(self, channel: str, args: Sequence[str]) -> None:
        """Take a channel whose dialplan says `code,<code>,<endpoint>`; once."""
        if channel in self._over:
            return
        code, endpoint = (*args[1:3], "", "")[:2]
        over = self._over[channel] = asyncio.Event()
        if agent := self._agents.get(endpoint):
            self._presence.dials(channel, agent)
        self._tasks.start(self._live(channel, code, endpoint, over))

    def found(self, channel: str) -> None:
        """Take note of a channel that was here before this connection: nobody handles it but its own task."""
        if channel not in self._over:
            self._ari.channels.hangup(channelId=channel)

    def holds(self, channel: str) -> bool:
        """Return whether a code is being dialled on that channel."""
        return channel in self._over

    def over(self, channel: str | None) -> None:
        """Note that a channel's sentence, or the channel, came to its end."""
        if over := self._over.get(channel or ""):
            over.set()

    def abandon(self) -> None:
        """Act for none of them any more: the node is another worker's."""
        self._tasks.cancel()

    async def close(self) -> None:
        """Stop every task and wait until none is left."""
        await self._tasks.close()

    # -- one code ----------------------------------------------------------

    async def _live(self, channel: str, code: str, endpoint: str, over: asyncio.Event) -> None:
        try:
            await self._serve(channel, code, endpoint, over)
        finally:
            del self._over[channel]

    async def _serve(self, channel: str, code: str, endpoint: str, over: asyncio.Event) -> None:
        """Do what was dialled, and let it be heard; then, or when it takes too long, hang up."""
        self._ari.channels.setChannelVar(
            channelId=channel, variable="TIMEOUT(absolute)", value=str(WATCHDOG_S), lane=channel
        )
        self._ari.channels.answer(channelId=channel, lane=channel)
        try:
            async with asyncio.timeout(DEADLINE_S):
                sentence = await self._done(code, endpoint)
                if sentence is not None and not over.is_set():
                    await self._ari.channels.playWithId(
                        channelId=channel,
                        playbackId=str(OwnId("pb", CallId(channel), 1)),
                        media=f"sound:{self._sounds}/{self._plan.language}/{sentence}",
                        lane=channel,
                    )
                    await over.wait()
        except NotFound:
            pass  # the agent has hung up
        except TimeoutError:
            _log.warning("a code took too long", channel=channel, endpoint=endpoint, code=code[:1])
        except AriError as error:
            _log.warning("Asterisk refused", operation=error.operation, reason=str(error))
        self._hang_up(channel)

    def _hang_up(self, channel: str) -> None:
        """End the channel; one that is gone already may have gone before it was known here."""

        def done(reply: Reply[None]) -> None:
            if isinstance(reply.exception(), NotFound):
                self._presence.gone(channel)

        self._ari.channels.hangup(channelId=channel, lane=channel).add_done_callback(done)

    async def _done(self, code: str, endpoint: str) -> PromptId | None:
        """Tell the queue; return the sentence that the agent hears, None when the plan has none."""
        said, agent, words = read(code, self._plan), self._agents.get(endpoint), self._plan.agent_sentences
        if words is None:
            return None
        refused = await self._told(agent, said)
        # A PIN is nobody's to read.
        shown = f"{ADMIN}…" if code.startswith(ADMIN) else code
        _log.info("a code was dialled", endpoint=endpoint, code=shown, refused=refused)
        return words.refused if said is None or refused is not None else _sentence(said, words)

    async def _told(self, agent: Agent | None, said: Dialled | None) -> str | None:
        """Return why the queue holds nothing of it, None when it does."""
        if agent is None:
            return "unknown endpoint"
        if said is None:
            return "unknown code"
        if isinstance(said, Crisis):
            return await self._crisis(agent, said)
        try:
            # Busy first: *1 must not bring a caller to a phone that is still dialling.
            await self._presence.busy(agent.id)
            answer = await tell(self._queue, agent.id, said)
        except QueueError as error:
            return str(error)
        self._route(answer.moves)
        return answer.refused

    async def _crisis(self, agent: Agent, said: Crisis) -> str | None:
        """Begin or end a crisis; return why not."""
        if self._admin is None:
            return "not here"
        try:
            return None if await self._admin(said.digits, agent.id) else "refused"
        except IvrError as error:
            return str(error)


def _sentence(said: Dialled, words: AgentSentences) -> PromptId:
    match said:
        case Ready():
            return words.ready
        case Pause(reason):
            return reason.prompt
        case Say():
            return words.outcome_kept
        case Longer():
            return words.wrap_longer
        case Crisis():
            return words.outcome_kept
