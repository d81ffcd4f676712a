"""What one call of a test phone says and hears; runs inside the phone process.

Samples are signed 16 bit, mono, 8 kHz. Sending is kept 400 ms ahead of the phone's own clock, so
that a busy machine makes no holes; hearing is kept as the chunks came, each with the instant
at which it was read, so that what never came can be told from what came late.
"""

from __future__ import annotations

import math
import sys
import time
from array import array
from collections import deque
from typing import TYPE_CHECKING, Final

from baresip.errors import AudioNotActive, AudioRestarted

if TYPE_CHECKING:
    from baresip.call import Call

RATE: Final = 8_000
_AHEAD_BYTES: Final = 2 * RATE * 400 // 1000
_READ_BYTES: Final = 65_536
_FLUSH_TICKS: Final = 2
_LONGEST_BYTES: Final = 2 * RATE * 600


def tone(hz: float, dbfs: float) -> bytes:
    """One second of a sine (whole number of periods), `dbfs` decibels under full scale."""
    peak = 32_767 * 10 ** (dbfs / 20)
    return array("h", (round(peak * math.sin(2 * math.pi * round(hz) * n / RATE)) for n in range(RATE))).tobytes()


class Voice:
    """The audio of one call. `tick()` at least every 100 ms or so keeps it flowing."""

    def __init__(self, call: Call, *, record: bool) -> None:
        self._audio = call.audio
        self._record = record
        self._loop: bytes = b""
        self._at = 0
        self._queue: deque[bytes] = deque()
        self._hold = 0
        self._kept = 0
        self.chunks: list[tuple[int, bytes]] = []

    def play(self, loop: bytes) -> None:
        """From now on `loop` is sent round and round; empty is silence. What was queued is dropped."""
        self._loop, self._at = loop, 0
        self._queue.clear()
        self._flush()

    def say(self, pcm: bytes) -> None:
        """Queue `pcm` to be sent once, before what loops."""
        self._queue.append(pcm)

    def tick(self) -> None:
        """Read what came, write what is due. A call without media is left alone."""
        try:
            self._hear()
            self._speak()
        except (AudioNotActive, AudioRestarted):
            return

    def forget(self) -> None:
        """What was heard is dropped, and no more is kept."""
        self._record = False
        self.chunks.clear()

    def _hear(self) -> None:
        pcm = self._audio.read(_READ_BYTES)
        if pcm and self._record and self._kept < _LONGEST_BYTES:
            self._kept += len(pcm)
            self.chunks.append((time.monotonic_ns(), pcm))

    def _speak(self) -> None:
        if self._hold:
            self._hold -= 1
            return
        if not self._queue and not self._loop:
            return
        info = self._audio.info()
        room = _AHEAD_BYTES - info.tx_buffered if info.tx_ready else 0
        while room > 0 and self._queue:
            pcm = self._queue.popleft()
            taken = self._audio.write(pcm[:room])
            room -= taken
            if taken < len(pcm):
                self._queue.appendleft(pcm[taken:])
                return
        while room > 0 and self._loop:
            taken = self._audio.write(self._loop[self._at : self._at + room])
            if not taken:
                return
            self._at = (self._at + taken) % len(self._loop)
            room -= taken

    def _flush(self) -> None:
        # The phone empties its buffer at its next packet: what is written before is lost too.
        self._hold = _FLUSH_TICKS
        try:
            self._audio.flush_tx()
        except (AudioNotActive, AudioRestarted):
            return


if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("the phone process hands over samples in the machine's order, which must be little-endian")
