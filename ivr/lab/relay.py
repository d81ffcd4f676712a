"""A TCP relay on loopback between two programs, to trouble what passes: cut, silent, slow."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

HOST: Final = "127.0.0.1"
_PIECE: Final = 65_536
_SLOW_PIECE: Final = 512
_SLOW_S: Final = 0.25


class Relay:
    """Listens on `port` inside `async with`, and passes everything on until it is troubled.

    `target` says where to, at each connection.
    """

    def __init__(self, target: Callable[[], tuple[str, int]]) -> None:
        self.port = 0
        self._target = target
        self.slow = False
        """What the target says passes at 2 kB a second."""
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._pairs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, limit=_PIECE)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._sever()
        for pair in self._pairs:
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    def cut(self) -> None:
        """Every connection is reset, and new ones are until `mend`."""
        self._refusing = True
        self._sever()

    def hold(self) -> None:
        """Nothing passes any more, though every socket stays open and new ones are taken, until `mend`."""
        self._open.clear()

    def mend(self) -> None:
        """All passes again; what was held comes now."""
        self._refusing = False
        self.slow = False
        self._open.set()

    def _sever(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.create_task(self._join(reader, writer), name="relay")
        self._pairs.add(pair)
        pair.add_done_callback(self._pairs.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            back, forth = await asyncio.open_connection(*self._target(), limit=_PIECE)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, forth}
        self._writers |= both
        pumps = {
            asyncio.create_task(self._pump(reader, forth, slowly=False)),
            asyncio.create_task(self._pump(back, writer, slowly=True)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Whichever end goes, and however, the other learns it.
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers -= both
            for each in both:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_SLOW_PIECE if slowly and self.slow else _PIECE):
                await self._open.wait()
                if slowly and self.slow:
                    await asyncio.sleep(_SLOW_S)
                writer.write(data)
                await writer.drain()
