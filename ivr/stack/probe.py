"""Whether the two servers answer, asked with as little as it takes: no client, no pool."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


async def redis(socket: Path) -> bool:
    """Return whether Redis answers PING: it has read its append-only file. Raises OSError when nobody listens."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    finally:
        await _close(writer)


async def ari(host: str, port: int, user: str, password: str) -> bool:
    """Return whether ARI answers this user. Raises OSError when nobody listens."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        credentials = b64encode(f"{user}:{password}".encode()).decode("ascii")
        request = ("GET /ari/asterisk/ping HTTP/1.1", f"Host: {host}", f"Authorization: Basic {credentials}")
        writer.write("\r\n".join((*request, "Connection: close", "", "")).encode())
        return (await reader.readline()).split()[1:2] == [b"200"]
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return
