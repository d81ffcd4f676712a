"""Somebody who is neither the trunk nor an agent, and speaks SIP to us all the same: any request, any wording."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

Address = tuple[str, int]
LIMIT_S: Final = 5.0
_OWN: Final = (
    (r'nonce="[^"]*"', 'nonce="…"'),
    (r'opaque="[^"]*"', 'opaque="…"'),
    (r"branch=[^;\r]*", "branch=…"),
    (r"tag=[^;\r]*", "tag=…"),
    (r"(?m)^Call-ID:.*\r$", "Call-ID: …\r"),
)


class Stranger(asyncio.DatagramProtocol):
    """One UDP socket. `statuses` counts the answers to everything that was sent."""

    def __init__(self, host: str, server: Address) -> None:
        self.host, self.server, self.port = host, server, 0
        self.statuses: dict[int, int] = {}
        self._answers: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data.startswith(b"SIP/2.0 "):
            status = int(data.split(b" ", 2)[1])
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self._answers.put_nowait((time.perf_counter(), data))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def request(
        self,
        method: str,
        name: str,
        *,
        to: str | None = None,
        call_id: str = "",
        authorization: str | None = None,
    ) -> bytes:
        """A request that claims to come from `name` (escaped, as SIP has it)."""
        host, port = self.server
        here = f"{self.host}:{self.port}"
        uri = f"sip:{host}:{port}" if method == "REGISTER" else f"sip:0536490000@{host}:{port}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(6)};rport",
            "Max-Forwards: 70",
            f"From: <sip:{name}@{host}>;tag={secrets.token_hex(4)}",
            f"To: <sip:{to or name}@{host}>",
            f"Call-ID: {call_id or secrets.token_hex(8)}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:me@{here}>",
        ]
        if method in {"SUBSCRIBE", "PUBLISH", "NOTIFY"}:
            lines += ["Event: presence"]
        if authorization is not None:
            lines += [f"Authorization: {authorization}"]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(request, self.server)

    async def ask(self, request: bytes) -> tuple[bytes, float]:
        """The next answer, and the seconds that it took; what came before is dropped."""
        while not self._answers.empty():
            self._answers.get_nowait()
        began = time.perf_counter()
        self.send(request)
        at, answer = await asyncio.wait_for(self._answers.get(), LIMIT_S)
        return answer, at - began

    async def flood(self, method: str, names: Sequence[str], *, rate: int, seconds: int) -> None:
        """So many requests a second, each with the next name; every other one with a guessed password."""
        began = asyncio.get_running_loop().time()
        for n, name in zip(range(rate * seconds), itertools.cycle(names), strict=False):
            guess = authorization(name, "guess", nonce=secrets.token_hex(16)) if n % 2 else None
            self.send(self.request(method, name, authorization=guess))
            await asyncio.sleep(began + (n + 1) / rate - asyncio.get_running_loop().time())


def nonce_of(answer: bytes) -> str:
    """The nonce of a challenge."""
    found = re.search(r'nonce="([^"]+)"', answer.decode())
    assert found is not None
    return found[1]


def authorization(name: str, password: str, *, nonce: str, method: str = "REGISTER", uri: str = "sip:x") -> str:
    """An answer to a challenge."""

    def hashed(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    secret, asked = hashed(f"{name}:standardiste:{password}"), hashed(f"{method}:{uri}")
    response = hashed(f"{secret}:{nonce}:00000001:abc:auth:{asked}")
    return (
        f'Digest username="{name}", realm="standardiste", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"'
    )


def without_its_own(answer: bytes, name: str) -> str:
    """An answer without what differs between any two: what is left tells of `name` all that there is to tell."""
    text = answer.decode()
    for pattern, instead in _OWN:
        text = re.sub(pattern, instead, text)
    return text.replace(f"sip:{name}@", "sip:…@")


@asynccontextmanager
async def stranger(host: str, server: Address) -> AsyncIterator[Stranger]:
    """A stranger at that address, for as long as the block runs."""
    _, found = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Stranger(host, server), local_addr=(host, 0)
    )
    try:
        yield found
    finally:
        found.close()
