"""Asterisk's own console, over its control socket: what `asterisk -rx` does, without a process for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ivr.stack.errors import ConsoleError

if TYPE_CHECKING:
    from pathlib import Path

# Verbose lines go to every console; a byte that no UTF-8 text begins with tells their level.
_VERBOSE: Final = 0xF5


async def ask(control: Path, command: str, timeout_ms: int = 10_000) -> str:
    """Return what the console prints for `command`; raise `ConsoleError` when it is not there or does not end."""
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            reader, writer = await asyncio.open_unix_connection(str(control))
            try:
                await reader.readline()  # host/pid/version
                writer.write(b"cli quit after " + command.encode() + b"\0")
                answer = await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
    except TimeoutError as error:
        raise ConsoleError(f"Asterisk's console did not answer {command!r} within {timeout_ms} ms") from error
    except OSError as error:
        raise ConsoleError(f"Asterisk's console cannot be reached: {error}") from error
    return clean(answer)


def clean(answer: bytes) -> str:
    """Return the command's own output: no verbose lines, no NULs."""
    lines = answer.replace(b"\0", b"").split(b"\n")
    own = [line for line in lines if not line or line[0] < _VERBOSE]
    return b"\n".join(own).decode(errors="replace")
