"""What one call asks of Asterisk, as ARI requests: sent in order, never awaited.

A refusal (404 and its like) means that what was to be ended is gone already, or that the
caller is: the event that says so comes by itself. Only where a refusal changes what happens
next is it told, by the callback of the method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ivr import log
from ivr.ari import AriDisconnected, AriRefused, NotFound
from ivr.telephony.ids import OwnId, offer_number, recording_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ivr.ari import AriClient, Reply
    from ivr.core.caller import CallId
    from ivr.core.plan import Agent, PromptId
    from ivr.telephony.phones import Phones

_log = log.get("line")

FALLBACK_CONTEXT = "fallback"
MUSIC = "hold"
SILENCE_ENDS_MESSAGE_S = 5
_WITHOUT_CALLER = "originator channel was not found"
"""How Asterisk refuses to dial for a caller who has hung up: no news of the agent."""


class Line:
    """One caller's channel, and the legs and bridges that are its own. Its prompts are `sounds`/`language`/`id`."""

    def __init__(self, ari: AriClient, app: str, call: CallId, sounds: str, language: str, phones: Phones) -> None:
        self._ari = ari
        self._phones = phones
        self._app = app
        self._call = call
        self._sounds = sounds
        self._language = language
        self._bridges: set[int] = set()
        self._legs: set[int] = set()
        self._playing: set[int] = set()

    @property
    def playing(self) -> tuple[int, ...]:
        """Return the serials whose end was not seen yet."""
        return tuple(sorted(self._playing))

    def played(self, serial: int) -> None:
        """Note that a Play ended, or never began."""
        self._playing.discard(serial)

    def known(self, n: int, *, bridged: bool) -> None:
        """Take over a leg, and its bridge, that were there before this worker."""
        self._legs.add(n)
        if bridged:
            self._bridges.add(n)

    def on_phone(self, n: int, agent: Agent) -> None:
        """Note that a leg is on that agent's phone."""
        self._phones.has(self._leg(n), agent.endpoint)

    def leg_gone(self, n: int) -> None:
        """Note that Asterisk ended a leg."""
        self._legs.discard(n)

    def answer(self) -> None:
        """Answer the caller."""
        self._ari.channels.answer(channelId=self._call, lane=self._call)

    def watchdog(self, seconds: int) -> None:
        """Give the dialplan back the caller in so many seconds; 0: never."""
        self._ari.channels.setChannelVar(
            channelId=self._call, variable="TIMEOUT(absolute)", value=str(seconds), lane=self._call
        )

    def play(self, serial: int, prompts: Sequence[PromptId], language: str, refused: Callable[[], None]) -> None:
        """Play prompts to the caller, one after the other; `language` empty: the plan's own."""
        self._playing.add(serial)
        media = [f"sound:{self._sounds}/{language or self._language}/{prompt}" for prompt in prompts]
        reply = self._ari.channels.playWithId(
            channelId=self._call, playbackId=str(OwnId("pb", self._call, serial)), media=media, lane=self._call
        )
        _when_refused(reply, refused)

    def stop_play(self, serial: int) -> None:
        """Stop that Play."""
        reply = self._ari.playbacks.stop(playbackId=str(OwnId("pb", self._call, serial)), lane=self._call)

        def done(ended: Reply[None]) -> None:
            if isinstance(ended.exception(), NotFound):
                self._playing.discard(serial)

        reply.add_done_callback(done)

    def hold(self) -> None:
        """Start the hold music."""
        self._ari.channels.startMoh(channelId=self._call, mohClass=MUSIC, lane=self._call)

    def stop_hold(self) -> None:
        """Stop the hold music."""
        self._ari.channels.stopMoh(channelId=self._call, lane=self._call)

    def dial(self, token: str, agent: Agent, ring_ms: int, refused: Callable[[], None], beyond: str = "") -> None:
        """Ring an agent, whose phone is free of its last call by then; the leg enters our application when it is up.

        `beyond` is the node where the agent's phone is registered; empty: it is ours.
        """
        n = offer_number(token)
        self._legs.add(n)

        def ring() -> None:
            if n not in self._legs:
                return  # not wanted any more
            self.on_phone(n, agent)
            reply = self._ari.channels.originateWithId(
                channelId=self._leg(n),
                endpoint=f"PJSIP/{agent.endpoint}" + (f"@node-{beyond}" if beyond else ""),
                app=self._app,
                appArgs=f"leg,{self._call},{token}",
                timeout=max(1, ring_ms // 1000),
                originator=self._call,
                lane=self._call,
            )

            def failed() -> None:
                if not isinstance(reply.exception(), AriRefused):  # what Asterisk did is unknown
                    self.drop_leg(token)
                refused()

            self._gone_if(AriRefused, n, reply)
            _when_refused(reply, failed, unless=_WITHOUT_CALLER)

        self._phones.when_free(agent.endpoint, ring)

    def bridge(self, token: str, refused: Callable[[], None]) -> None:
        """Join the caller and the leg of that offer, two parties and no mixing by software."""
        n = offer_number(token)
        bridge = str(OwnId("br", self._call, n))
        self._bridges.add(n)
        self._ari.bridges.createWithId(bridgeId=bridge, type="mixing", lane=self._call)
        reply = self._ari.bridges.addChannel(bridgeId=bridge, channel=f"{self._call},{self._leg(n)}", lane=self._call)
        _when_refused(reply, refused)

    def drop_leg(self, token: str) -> None:
        """End the leg and the bridge of that offer."""
        n = offer_number(token)
        if n in self._legs:
            self._legs.discard(n)
            self._phones.leaves(self._leg(n))
            self._gone_if(NotFound, n, self._ari.channels.hangup(channelId=self._leg(n), lane=self._call))
        if n in self._bridges:
            self._bridges.discard(n)
            self._ari.bridges.destroy(bridgeId=str(OwnId("br", self._call, n)), lane=self._call)

    def _leg(self, n: int) -> str:
        return str(OwnId("leg", self._call, n))

    def _gone_if(self, refusal: type[AriRefused], n: int, reply: Reply[Any]) -> None:
        """Note that a leg is not there, should Asterisk say so."""

        def done(ended: Reply[Any]) -> None:
            if isinstance(ended.exception(), refusal):
                self._phones.gone(self._leg(n))

        reply.add_done_callback(done)

    def record(self, serial: int, max_ms: int, refused: Callable[[], None]) -> None:
        """Record the caller; # or silence ends it."""
        reply = self._ari.channels.record(
            channelId=self._call,
            name=recording_name(self._call, serial),
            format="wav",
            maxDurationSeconds=max_ms // 1000,
            maxSilenceSeconds=SILENCE_ENDS_MESSAGE_S,
            ifExists="overwrite",
            terminateOn="#",
            lane=self._call,
        )
        _when_refused(reply, refused, unsent=True)  # a message that nobody records has no end that tells

    def hand_back(self) -> Reply[None]:
        """Give the caller to the dialplan's fallback."""
        return self._ari.channels.continueInDialplan(
            channelId=self._call, context=FALLBACK_CONTEXT, extension="s", priority=1, lane=self._call
        )

    def hangup(self, refused: Callable[[], None]) -> None:
        """Hang up the caller."""
        _when_refused(self._ari.channels.hangup(channelId=self._call, lane=self._call), refused)


def _when_refused(
    reply: Reply[Any], tell: Callable[[], None], unless: str | None = None, *, unsent: bool = False
) -> None:
    """Tell, and log, that a request was refused; 404, or `unless`, is how a caller's hang-up looks from here.

    Where there is no connection nothing is told, but where `unsent` says so of what was not on its way yet: the next
    connection shows what became of everything. Else a call would run through all that it has to say, to nobody, and
    its agents would rest for calls that never rang.
    """

    def done(ended: Reply[Any]) -> None:
        refusal = ended.exception()
        if refusal is None:
            return
        if isinstance(refusal, AriDisconnected) and (refusal.sent or not unsent):
            return
        if unless is not None and isinstance(refusal, AriRefused) and unless in refusal.message:
            return
        if not isinstance(refusal, NotFound):
            _log.warning("Asterisk refused", operation=ended.operation, reason=str(refusal))
        tell()

    reply.add_done_callback(done)
