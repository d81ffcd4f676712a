"""Real SIP phones (baresip) for tests, the demo and the benchmarks.

    async with PhoneBank(bind="127.0.0.2") as callers, PhoneBank(bind="127.0.0.3") as desks:
        desk = await desks.phone("agent-anna", "secret", registrar="127.0.0.1:5060")
        await desk.register()
        caller = await callers.phone("0639980001", registrar="127.0.0.1:5060")
        call = await caller.dial("sip:0536490000@127.0.0.1:5060")
        await call.established
        await call.digits("1")
        ringing = await desk.next_call()      # ringing.invited_ns
        await ringing.answer()

A bank is one process and one address. It ends with its owner, whatever the owner's end.
Instants are CLOCK_MONOTONIC in nanoseconds, taken in the phone's process.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import orjson

from ivr.lab import audio
from ivr.lab.heard import Heard, on_time_axis
from ivr.lab.moments import Key, Moment, NotEstablished, PhoneError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

_PIPE_LIMIT: Final = 1 << 26
_START_S: Final = 20.0
_CLOSE_S: Final = 6.0
_REPLY_S: Final = 15.0
_LISTEN_S: Final = 0.1
_PROJECT: Final = Path(__file__).resolve().parents[2]

Json = dict[str, Any]


class PhoneCall:
    """One call of a phone. `invited_ns` is when the INVITE left (outgoing) or came in (incoming)."""

    def __init__(self, phone: Phone, number: int, direction: Literal["in", "out"], invited_ns: int) -> None:
        self.phone = phone
        self.direction = direction
        self.invited_ns = invited_ns
        self.peer: str | None = None
        self.sip_call_id: str | None = None
        self.reason: str | None = None
        self.keys: list[Key] = []
        self.ringing = Moment()
        self.established = Moment()
        self.closed = Moment()
        self._number = number

    def __repr__(self) -> str:
        return f"<PhoneCall {self.phone.user} {self.direction} #{self._number}>"

    async def answer(self) -> int:
        """Answer the incoming call; returns when the 200 was sent."""
        return int((await self._ask("answer"))["at"])

    async def reject(self, status: int = 486) -> int:
        """Refuse the incoming call with a final SIP status (300 to 699)."""
        if not 300 <= status <= 699:  # noqa: PLR2004 - SIP's final refusals
            raise PhoneError(f"{status} does not refuse a call")
        return int((await self._ask("refuse", status=status))["at"])

    async def hangup(self) -> int:
        """Hang up (or give up, or refuse with 486). A call that is over stays so."""
        return int((await self._ask("hangup"))["at"])

    async def digits(self, digits: str, *, gap_ms: int = 120) -> list[Key]:
        """Press keys, 100 ms each, as RFC 4733 events; returns when the last is released."""
        reply = await self._ask("digits", patience_s=_REPLY_S + len(digits), digits=digits, gap_ms=gap_ms)
        return [Key(*key) for key in reply["keys"]]

    async def play_tone(self, hz: float, *, dbfs: float = -12.0) -> None:
        """Send a sine (whole hertz) until told otherwise."""
        await self._ask("tone", hz=hz, dbfs=dbfs)

    async def be_silent(self) -> None:
        """Send silence; what was still to be sent is dropped."""
        await self._ask("tone", hz=0, dbfs=0)

    async def say(self, pcm: NDArray[np.int16]) -> None:
        """Send samples (int16, 8 kHz) once; returns when they are queued."""
        await self._ask("say", pcm=base64.b64encode(pcm.astype("<i2").tobytes()).decode())

    async def heard(self, since_ns: int = 0) -> Heard:
        """All that came so far, or since an instant (10 minutes at most), also after the call's end."""
        reply = await self._ask("heard", since=since_ns)
        return on_time_axis(reply["chunks"], base64.b64decode(reply["pcm"]))

    async def hear_for(self, seconds: float, *, within_s: float = 20.0) -> Heard:
        """What was heard, as soon as it is that long. `TimeoutError` when it does not get so."""
        async with asyncio.timeout(within_s):
            while (heard := await self.heard()).seconds < seconds:  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(max(_LISTEN_S, seconds - heard.seconds))
        return heard

    async def hear_tone(
        self, hz: float, seconds: float = 1.0, *, over_db: float = 20.0, within_s: float = 15.0, since_ns: int = 0
    ) -> audio.Stretch:
        """The first long enough stretch of a tone, as soon as it was heard. `TimeoutError` when it is not."""
        async with asyncio.timeout(within_s):
            while True:
                heard = await self.heard(since_ns)
                stretch = audio.longest_tone(heard.pcm, heard.rate, hz, over_db=over_db)
                if stretch.seconds >= seconds:
                    return stretch
                # It cannot be there before what is missing after the end of what was heard has come.
                running = stretch.seconds if stretch.end >= heard.seconds - _LISTEN_S else 0.0
                await asyncio.sleep(max(_LISTEN_S, seconds - running))

    async def forget_sound(self) -> None:
        """Free what was heard and keep no more."""
        await self._ask("forget")

    async def _ask(self, operation: str, *, patience_s: float = _REPLY_S, **more: Any) -> Json:
        return await self.phone.bank.ask(operation, patience_s=patience_s, call=self._number, **more)

    def take(self, event: Json) -> None:
        """An event of the phone process about this call."""
        self.sip_call_id = event.get("sip") or self.sip_call_id
        match event["event"]:
            case "ringing" | "progress":
                self.ringing.fire(event["at"])
            case "established":
                if not self.ringing.happened:  # answered at once, or the news of its ringing came too early
                    self.ringing.fire(event["at"])
                self.established.fire(event["at"])
            case "closed":
                self.end(event["at"], event.get("text") or "")
            case "key":
                self.keys.append(Key(event["text"], event["at"], event["at"]))
            case _:
                pass

    def end(self, at_ns: int, reason: str) -> None:
        """The call is over; whoever waits for it learns."""
        self.reason = reason
        for moment in (self.ringing, self.established):
            if not moment.happened:
                moment.miss(reason)
        self.closed.fire(at_ns)


class Phone:
    """One SIP identity of a bank. `calls` are all its calls so far, in order."""

    def __init__(self, bank: PhoneBank, number: int, user: str) -> None:
        self.bank = bank
        self.user = user
        self.calls: list[PhoneCall] = []
        self._number = number
        self._incoming: asyncio.Queue[PhoneCall] = asyncio.Queue()

    def __repr__(self) -> str:
        return f"<Phone {self.user} at {self.bank.bind}>"

    async def register(self, *, within_s: float = 5.0) -> int:
        """Register with digest; returns the instant of the 200. A refusal is a `PhoneError`."""
        reply = await self.bank.ask("register", phone=self._number, timeout=within_s)
        return int(reply["at"])

    async def unregister(self, *, within_s: float = 5.0) -> int:
        """Withdraw the registration; returns the instant of the 200."""
        reply = await self.bank.ask("unregister", phone=self._number, timeout=within_s)
        return int(reply["at"])

    async def dial(
        self, uri: str, *, asserted: str | None = None, private: bool = False, headers: Mapping[str, str] | None = None
    ) -> PhoneCall:
        """Call `uri`. `asserted`: number of a P-Asserted-Identity; `private`: Privacy: id."""
        extra = dict(headers or {})
        if asserted is not None:
            extra["P-Asserted-Identity"] = f"<sip:{asserted}@{self.bank.bind}>"
        if private:
            extra["Privacy"] = "id"
        reply = await self.bank.ask("dial", phone=self._number, uri=uri, headers=extra)
        return self.bank.adopt(PhoneCall(self, reply["call"], "out", reply["at"]), reply["call"])

    async def next_call(self) -> PhoneCall:
        """The next incoming call that nobody has taken from here yet."""
        return await self._incoming.get()

    async def behave(self, *, auto_answer: int | None = None, reject: int | None = None) -> None:
        """From the next call on: answer after `auto_answer` ms, or refuse with a status, or only ring."""
        await self.bank.ask("behave", phone=self._number, auto_answer=auto_answer, refuse=reject)

    def ring(self, call: PhoneCall) -> None:
        """An incoming call is put where `next_call` finds it."""
        self._incoming.put_nowait(call)


class PhoneBank:
    """The phones of one process, whose SIP messages come from `bind`."""

    def __init__(self, bind: str = "127.0.0.2", *, record: bool = True, codecs: Sequence[str] = ("pcma",)) -> None:
        self.bind = bind
        self.phones: list[Phone] = []
        self._record = record
        self._codecs = tuple(codecs)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._serial = 0
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._by_number: dict[int, Phone] = {}
        self._calls: dict[int, PhoneCall] = {}
        self._early: dict[int, list[Json]] = {}
        self._over: str | None = None
        self._ready = Moment()

    async def __aenter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="phones-", ignore_cleanup_errors=True)
        errors = Path(self._scratch.name, "errors")
        paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with errors.open("wb") as sink:  # noqa: ASYNC230 - an empty local file
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "ivr.lab.phone_process", "--bind", self.bind, "--scratch", self._scratch.name),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=sink,
                limit=_PIPE_LIMIT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TMPDIR": self._scratch.name},
            )
        self._reader = asyncio.create_task(self._read(self._process), name=f"phones {self.bind}")
        try:
            await asyncio.wait_for(self._ready, _START_S)
        except (NotEstablished, TimeoutError) as failed:
            said = errors.read_text(errors="replace")[-2000:]
            await self.kill()
            await self._clean()
            raise PhoneError(f"the phones at {self.bind} did not start: {said or failed}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int:
        """The phone process."""
        if self._process is None:
            raise PhoneError("the bank is not open")
        return self._process.pid

    async def phone(
        self,
        user: str,
        password: str | None = None,
        *,
        registrar: str,
        display: str | None = None,
        auto_answer: int | None = None,
        reject: int | None = None,
        interval_s: int = 300,
    ) -> Phone:
        """A phone with From user `user`. Without a password it only dials, and never registers."""
        if any(known.user == user for known in self.phones):
            raise PhoneError(f"there is already a phone {user} at {self.bind}")
        reply = await self.ask(
            "phone",
            user=user,
            password=password,
            registrar=registrar,
            display=display,
            auto_answer=auto_answer,
            refuse=reject,
            record=self._record,
            codecs=self._codecs,
            interval=interval_s,
        )
        phone = Phone(self, reply["phone"], user)
        self._by_number[reply["phone"]] = phone
        self.phones.append(phone)
        return phone

    async def kill(self) -> None:
        """All phones die at once, without a word on the wire (SIGKILL)."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    def freeze(self) -> None:
        """All phones stop answering, but stay registered (SIGSTOP), until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Frozen phones go on."""
        os.kill(self.pid, signal.SIGCONT)

    async def close(self) -> None:
        """Calls are hung up, registrations withdrawn, the process is gone, its files removed."""
        process = self._process
        if process is None:
            return
        self._over = self._over or f"the phones at {self.bind} have been closed"
        if process.returncode is None and process.stdin is not None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _CLOSE_S)
            except TimeoutError:
                await self.kill()
        await self._clean()

    async def _clean(self) -> None:
        if self._reader is not None:
            await self._reader
        if self._scratch is not None:
            self._scratch.cleanup()
        self._process = self._reader = self._scratch = None

    async def ask(self, operation: str, *, patience_s: float = _REPLY_S, **more: Any) -> Json:
        """Send one request to the phone process and return its reply. A refusal is a `PhoneError`."""
        if self._over is not None or self._process is None or self._process.stdin is None:
            raise PhoneError(self._over or "the bank is not open")
        self._serial += 1
        number = self._serial
        reply: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        self._process.stdin.write(orjson.dumps({"id": number, "op": operation, **more}) + b"\n")
        try:
            answer = await asyncio.wait_for(reply, patience_s)
        except TimeoutError:
            raise PhoneError(f"the phones at {self.bind} did not answer to {operation}") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            raise PhoneError(f"{operation}: {answer['error']}")
        return dict(answer["ok"])

    def adopt(self, call: PhoneCall, number: int) -> PhoneCall:
        """Events about call `number` go to `call` from now on."""
        self._calls[number] = call
        call.phone.calls.append(call)
        for event in self._early.pop(number, ()):
            call.take(event)
        return call

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        if stream is None:
            return
        while line := await stream.readline():
            self._take(orjson.loads(line))
        self._over = self._over or f"the phones at {self.bind} are gone"
        self._ready.miss(self._over)
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_result({"error": self._over})
        for call in self._calls.values():
            if not call.closed.happened:
                call.end(time.monotonic_ns(), self._over)

    def _take(self, message: Json) -> None:
        if "re" in message:
            reply = self._waiting.get(message["re"])
            if reply is not None and not reply.done():
                reply.set_result(message)
            return
        match message["event"]:
            case "ready":
                self._ready.fire(message["at"])
            case "incoming":
                phone = self._by_number[message["phone"]]
                call = self.adopt(PhoneCall(phone, message["call"], "in", message["at"]), message["call"])
                call.peer, call.sip_call_id = message["peer"], message["sip"]
                phone.ring(call)
            case _:
                known = self._calls.get(message["call"])
                if known is not None:
                    known.take(message)
                else:  # on the heels of the reply to `dial`, which its asker has not read yet
                    self._early.setdefault(message["call"], []).append(message)
