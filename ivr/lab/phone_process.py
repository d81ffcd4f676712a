"""One process = one SIP stack = one address: the phones of a test, driven over a pipe.

`python -m ivr.lab.phone_process --bind 127.0.0.3` reads one JSON request per line from its standard
input and writes replies and events, one JSON object per line, to its standard output. Instants
are CLOCK_MONOTONIC nanoseconds, comparable between processes of one machine. It hangs up,
unregisters and ends when its input ends or its parent dies. `ivr.lab.phones` is the other end.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from baresip.call import Call, CallState
from baresip.config import Account, Config
from baresip.errors import BaresipError
from baresip.events import Event, StackEvent
from baresip.runtime import Runtime
from baresip.ua import UserAgent

from ivr.lab.phone_relay import SipRelay
from ivr.lab.phone_voice import Voice, tone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PR_SET_PDEATHSIG: Final = 1
_TICK_S: Final = 0.02
_HARD_STOP_S: Final = 4.0
_GOODBYE_S: Final = 1.0
_KEY_S: Final = 2.0
_KEPT_CALLS: Final = 256
# The stack takes its RTP ports on every address: below SIPp's and those of the switchboards under test.
_STACK: Final = "audio_jitter_buffer_type off\nrtp_ports 2048-5998\n"
_NAMES: Final = {
    Event.CALL_RINGING: "ringing",
    Event.CALL_PROGRESS: "progress",
    Event.CALL_ESTABLISHED: "established",
    Event.CALL_CLOSED: "closed",
    Event.CALL_HOLD: "held",
    Event.CALL_RESUME: "resumed",
}

Json = dict[str, Any]


@dataclass(slots=True)
class _Phone:
    number: int
    agent: UserAgent
    relay: SipRelay
    record: bool
    auto_answer: int | None
    refuse: int | None
    registered: bool = False


@dataclass(slots=True)
class _Line:
    """One call and its audio."""

    call: Call
    phone: _Phone
    voice: Voice
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Phones:
    """The phones of this process; `serve` answers requests until the input ends."""

    def __init__(self, bind: str, send: Callable[[Json], None]) -> None:
        self._bind = bind
        self._send = send
        self._runtime = Runtime()
        self._relays: dict[str, SipRelay] = {}
        self._relaying = asyncio.Lock()
        self._phones: dict[int, _Phone] = {}
        self._lines: OrderedDict[int, _Line] = OrderedDict()
        self._live: dict[int, _Line] = {}
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """The stack is up."""
        await self._runtime.start(
            Config(net_interface="127.0.0.1", max_concurrent_calls=None, extra_config_text=_STACK)
        )
        self._spawn(self._pump())

    async def close(self) -> None:
        """Calls are hung up, registrations withdrawn, the stack stopped: each politely and within bounds."""
        live = list(self._live.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await asyncio.gather(*(self._quiet(line.call.hangup()) for line in live))
                await asyncio.gather(*(line.over.wait() for line in live))
        registered = [phone.agent for phone in self._phones.values() if phone.registered]
        await asyncio.gather(*(self._quiet(agent.unregister(timeout=_GOODBYE_S)) for agent in registered))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._quiet(self._runtime.close())
        for relay in self._relays.values():
            relay.close()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Requests are answered, each in its own task, until the input ends or says `close`."""
        while line := await reader.readline():
            request: Json = orjson.loads(line)
            if request["op"] == "close":
                return
            self._spawn(self._answer(request))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _quiet(work: Awaitable[None]) -> None:
        with contextlib.suppress(BaresipError):
            await work

    async def _pump(self) -> None:
        while True:
            for line in list(self._live.values()):
                line.voice.tick()
            await asyncio.sleep(_TICK_S)

    async def _answer(self, request: Json) -> None:
        number = request.pop("id")
        operation: Callable[..., Awaitable[Json | None]] = getattr(self, f"_do_{request.pop('op')}")
        try:
            result = await operation(**request)
        except (BaresipError, ValueError, KeyError, OSError, TimeoutError) as refused:
            self._send({"re": number, "error": f"{type(refused).__name__}: {refused}"})
        else:
            self._send({"re": number, "ok": result or {}})

    async def _do_phone(self, **spec: Any) -> Json:
        relay = await self._relay(spec["registrar"])
        account = Account(
            spec["user"],
            spec["registrar"],
            spec["password"] or "",
            registrar=relay.proxy,
            reg_interval=spec["interval"] if spec["password"] else 0,
            audio_codecs=tuple(spec["codecs"]),
        )
        display = f'"{spec["display"]}" ' if spec["display"] else ""
        agent = await UserAgent.create(self._runtime, display + account.aor(), transfer_policy="reject")
        self._serial += 1
        phone = _Phone(self._serial, agent, relay, spec["record"], spec["auto_answer"], spec["refuse"])
        agent.on_incoming(lambda call: self._incoming(phone, call))
        self._phones[phone.number] = phone
        return {"phone": phone.number}

    async def _relay(self, registrar: str) -> SipRelay:
        async with self._relaying:
            relay = self._relays.get(registrar)
            if relay is None:
                host, _, port = registrar.rpartition(":")
                relay = SipRelay(self._bind, (host, int(port)))
                await relay.open()
                self._relays[registrar] = relay
            return relay

    async def _do_behave(self, phone: int, auto_answer: int | None, refuse: int | None) -> None:
        self._phones[phone].auto_answer, self._phones[phone].refuse = auto_answer, refuse

    async def _do_register(self, phone: int, timeout: float) -> Json:  # noqa: ASYNC109 - the stack's own timer
        await self._phones[phone].agent.register(timeout=timeout)
        self._phones[phone].registered = True
        return {"at": time.monotonic_ns()}

    async def _do_unregister(self, phone: int, timeout: float) -> Json:  # noqa: ASYNC109 - the stack's own timer
        await self._phones[phone].agent.unregister(timeout=timeout)
        self._phones[phone].registered = False
        return {"at": time.monotonic_ns()}

    async def _do_dial(self, phone: int, uri: str, headers: dict[str, str]) -> Json:
        at = time.monotonic_ns()
        call = await self._phones[phone].agent.dial(uri, headers)
        number = self._adopt(self._phones[phone], call)
        # A reply on the heels of the INVITE came before anybody listened to the call.
        if self._phones[phone].relay.rung(call.call_id):
            self._say(number, "ringing", text="", sip=call.call_id)
        return {"call": number, "at": at}

    async def _do_answer(self, call: int) -> Json:
        at = time.monotonic_ns()
        await self._lines[call].call.answer()
        return {"at": at}

    async def _do_refuse(self, call: int, status: int) -> Json:
        return {"at": await self._refuse(self._lines[call], status)}

    async def _do_hangup(self, call: int) -> Json:
        at = time.monotonic_ns()
        if self._lines[call].call.state is not CallState.CLOSED:
            await self._quiet(self._lines[call].call.hangup())
        return {"at": at}

    async def _do_digits(self, call: int, digits: str, gap_ms: int) -> Json:
        keys: list[tuple[str, int, int]] = []
        line = self._lines[call]
        for index, digit in enumerate(digits):
            if index:
                await asyncio.sleep(gap_ms / 1000)
            keys.append(await self._press(line, digit))
        return {"keys": keys}

    @staticmethod
    async def _press(line: _Line, digit: str) -> tuple[str, int, int]:
        media = line.phone.relay.media(line.call.call_id)
        if media is None:
            raise ValueError("a call without media has no keys")
        media.pressed.clear()
        await line.call.send_dtmf(digit)
        async with asyncio.timeout(_KEY_S):
            await media.pressed.wait()
            key = media.keys[-1]
            await key.over.wait()
        return key.digit, key.pressed_ns, key.released_ns

    async def _do_tone(self, call: int, hz: float, dbfs: float) -> None:
        self._lines[call].voice.play(tone(hz, dbfs) if hz else b"")

    async def _do_say(self, call: int, pcm: str) -> None:
        self._lines[call].voice.say(base64.b64decode(pcm))

    async def _do_heard(self, call: int, since: int) -> Json:
        voice = self._lines[call].voice
        voice.tick()
        chunks = voice.chunks[bisect_left(voice.chunks, since, key=itemgetter(0)) :]
        return {
            "chunks": [(at, len(pcm) // 2) for at, pcm in chunks],
            "pcm": base64.b64encode(b"".join(pcm for _, pcm in chunks)).decode(),
        }

    async def _do_forget(self, call: int) -> None:
        self._lines[call].voice.forget()

    async def _refuse(self, line: _Line, status: int) -> int:
        at = time.monotonic_ns()
        if line.call.call_id is not None:
            line.phone.relay.refuse_with(line.call.call_id, status)
        await line.call.reject()
        return at

    def _adopt(self, phone: _Phone, call: Call) -> int:
        self._serial += 1
        number = self._serial
        line = _Line(call, phone, Voice(call, record=phone.record))
        self._lines[number] = self._live[number] = line
        for old in [n for n in self._lines if n not in self._live][: max(0, len(self._lines) - _KEPT_CALLS)]:
            del self._lines[old]
        call.on(lambda event: self._happened(number, line, event))
        call.on_dtmf(lambda key: self._say(number, "key", text=key.digit))
        return number

    def _say(self, number: int, event: str, **more: Any) -> None:
        self._send({"event": event, "call": number, "at": time.monotonic_ns(), **more})

    def _happened(self, number: int, line: _Line, event: StackEvent) -> None:
        name = _NAMES.get(event.event)
        if name is None:
            return
        if name == "closed":
            line.voice.tick()
            line.over.set()
            line.phone.relay.end(line.call.call_id)
            self._live.pop(number, None)
        self._say(number, name, text=event.text, sip=line.call.call_id)

    def _incoming(self, phone: _Phone, call: Call) -> None:
        now = time.monotonic_ns()
        number = self._adopt(phone, call)
        self._send(
            {
                "event": "incoming",
                "call": number,
                "phone": phone.number,
                "at": phone.relay.invited_ns(call.call_id) or now,
                "peer": call.peer,
                "sip": call.call_id,
            }
        )
        if phone.refuse is not None or phone.auto_answer is not None:
            self._spawn(self._react(phone, self._lines[number]))

    async def _react(self, phone: _Phone, line: _Line) -> None:
        with contextlib.suppress(BaresipError):  # the caller may be gone by now
            if phone.refuse is not None:
                await self._refuse(line, phone.refuse)
                return
            if phone.auto_answer:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(line.over.wait(), phone.auto_answer / 1000)
            if not line.over.is_set():
                await line.call.answer()


def _die_with_parent(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end ends us
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _main(bind: str, output: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 26)
    _die_with_parent(reader.feed_eof)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(output, "wb"))

    def send(message: Json) -> None:
        if not transport.is_closing():
            transport.write(orjson.dumps(message) + b"\n")

    phones = Phones(bind, send)
    await phones.open()
    send({"event": "ready", "at": time.monotonic_ns()})
    await phones.serve(reader)
    # Should the stack not stop, this process does all the same.
    hard_stop = threading.Timer(_HARD_STOP_S, os._exit, (3,))
    hard_stop.daemon = True
    hard_stop.start()
    await phones.close()
    transport.close()


def main() -> None:
    """Serve phones on `--bind` until the standard input ends."""
    parser = argparse.ArgumentParser(description="SIP phones driven by JSON lines")
    parser.add_argument("--bind", required=True, help="the address that SIP messages come from")
    parser.add_argument("--scratch", type=Path, help="a folder of ours alone, removed at the end")
    arguments = parser.parse_args()
    # Nothing but our lines may reach the pipe.
    output = os.dup(1)
    os.dup2(2, 1)
    asyncio.run(_main(arguments.bind, output))
    if arguments.scratch is not None:  # its maker may have been killed
        shutil.rmtree(arguments.scratch, ignore_errors=True)
    # The stack's threads are gone; nothing of the interpreter's own end is worth its time.
    os._exit(0)


if __name__ == "__main__":
    main()
